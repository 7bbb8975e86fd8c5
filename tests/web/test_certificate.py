"""The certificate of our own making: what it stands for, and when another is made."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from attrs import evolve
from cordboard.web.certificate import (
    LIFETIME,
    UnusableCertificateError,
    ensure,
    load,
    tls_context,
)
from cordboard.web.interfaces import WebSettings
from cryptography import x509

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_it_stands_for_this_machine_and_the_configured_names(tmp_path: Path) -> None:
    certificate, key = ensure(tmp_path / "tls", ("Desk.example", "203.0.113.7"), NOW)
    made = x509.load_pem_x509_certificate(certificate.read_bytes())
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"localhost", "desk.example"} <= set(names.get_values_for_type(x509.DNSName))
    addresses = set(names.get_values_for_type(x509.IPAddress))
    assert {ip_address("127.0.0.1"), ip_address("::1"), ip_address("203.0.113.7")} <= addresses
    assert key.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "tls").stat().st_mode & 0o777 == 0o700


def test_it_is_kept_until_it_is_about_to_expire(tmp_path: Path) -> None:
    certificate, _ = ensure(tmp_path, (), NOW)
    first = certificate.read_bytes()
    ensure(tmp_path, (), NOW + timedelta(days=700))
    assert certificate.read_bytes() == first
    ensure(tmp_path, (), NOW + LIFETIME - timedelta(days=20))
    assert certificate.read_bytes() != first


def test_a_new_name_or_a_damaged_file_makes_a_new_one(tmp_path: Path) -> None:
    certificate, key = ensure(tmp_path, (), NOW)
    first = certificate.read_bytes()
    ensure(tmp_path, ("new.example",), NOW)
    second = certificate.read_bytes()
    assert second != first
    key.write_text("damaged")
    ensure(tmp_path, ("new.example",), NOW)
    assert certificate.read_bytes() != second


def test_a_configured_one_is_used_or_refused(tmp_path: Path) -> None:
    certificate, key = ensure(tmp_path / "elsewhere", (), NOW)
    settings = WebSettings(certificate=str(certificate), key=str(key), data_dir=tmp_path)
    load(tls_context(), settings, NOW)
    assert not (tmp_path / "tls").exists()
    other, _ = ensure(tmp_path / "other", (), NOW)
    with pytest.raises(UnusableCertificateError, match=r"^\[web\] certificate: .*, key: .*: key values mismatch$"):
        load(tls_context(), evolve(settings, certificate=str(other)), NOW)
    key.write_text("damaged")
    with pytest.raises(UnusableCertificateError, match=r"^\[web\] certificate: .*, key: .*key\.pem: "):
        load(tls_context(), settings, NOW)
    with pytest.raises(UnusableCertificateError, match=r"^\[web\] certificate: nowhere: No such file or directory$"):
        load(tls_context(), evolve(settings, certificate="nowhere"), NOW)
    with pytest.raises(UnusableCertificateError, match=r"^\[web\] key: nowhere: No such file or directory$"):
        load(tls_context(), evolve(settings, key="nowhere"), NOW)
