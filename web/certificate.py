"""The certificate of the one TLS port: the configured one, or one of our own making kept in DATA/tls.

A shell: it reads and writes files, and the machine's addresses. Our own is self-signed ECDSA P-256 for localhost, the
host's name and addresses and the configured names. It is made once and kept, because every new one makes every browser
ask again; it is renewed when it is about to expire, when it does not stand for a configured name, and when its files
are damaged. Addresses that come later do not renew it: a browser has to be told about it anyhow.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import ssl
from datetime import datetime, timedelta
from pathlib import Path

import ifaddr
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .interfaces import WebSettings

# Apple's systems refuse a certificate of more than 825 days even where a person has trusted it.
LIFETIME = timedelta(days=820)
# Renewed when less than this is left.
RENEW_BEFORE = timedelta(days=30)
# A clock that is a little behind must not see a certificate of the future.
_BACKDATED = timedelta(days=1)


class UnusableCertificateError(Exception):
    """The configured certificate or key cannot be used."""


def tls_context() -> ssl.SSLContext:
    """A server's context without a certificate yet."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    return context


def files(settings: WebSettings, now: datetime) -> tuple[str, str]:
    """Where what we show is: certificate and key. Raises OSError where one of our own cannot be made."""
    if settings.certificate:
        return settings.certificate, settings.key or settings.certificate
    made, key = ensure(settings.data_dir / "tls", settings.names, now)
    return str(made), str(key)


def load(context: ssl.SSLContext, settings: WebSettings, now: datetime) -> None:
    """Puts the certificate into `context`, for the connections from now on. Raises `UnusableCertificateError`, which
    names the key of the configuration that is to be put right."""
    certificate, key = files(settings, now)
    for name, file in (("certificate", certificate), ("key", key)):
        try:
            with open(file, "rb"):
                pass
        except OSError as error:
            raise UnusableCertificateError(f"[web] {name}: {file}: {error.strerror}") from error
    try:
        context.load_cert_chain(certificate, key)
    except ssl.SSLError as error:
        words = (error.reason or str(error)).replace("_", " ").lower()
        raise UnusableCertificateError(f"[web] certificate: {certificate}, key: {key}: {words}") from error


def ensure(directory: Path, names: tuple[str, ...], now: datetime) -> tuple[Path, Path]:
    """The paths of our own certificate and its key in `directory`, made where there is no usable one."""
    certificate, key = directory / "cert.pem", directory / "key.pem"
    if not _is_usable(certificate, key, names, now):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        made, private = make([*_own_names(), *names], now)
        _write(key, private)
        _write(certificate, made)
    return certificate, key


def make(names: list[str], now: datetime) -> tuple[bytes, bytes]:
    """A self-signed certificate for `names` (host names and addresses) and its key, both PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Cordboard")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now - _BACKDATED + LIFETIME)
        .add_extension(x509.SubjectAlternativeName(_general_names(names)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made.public_bytes(serialization.Encoding.PEM), private


def _is_usable(certificate: Path, key: Path, names: tuple[str, ...], now: datetime) -> bool:
    try:
        kept = x509.load_pem_x509_certificate(certificate.read_bytes())
        private = serialization.load_pem_private_key(key.read_bytes(), None)
        stands_for = kept.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, TypeError, x509.ExtensionNotFound):
        return False
    return (
        kept.public_key() == private.public_key()
        and kept.not_valid_before_utc <= now <= kept.not_valid_after_utc - RENEW_BEFORE
        and all(name in stands_for for name in _general_names(list(names)))
    )


def _general_names(names: list[str]) -> list[x509.GeneralName]:
    """Each once, in the order given; what no certificate can hold (a host name that is not ASCII) is left out."""
    general: dict[x509.GeneralName, None] = {}
    for name in names:
        try:
            general[x509.IPAddress(ipaddress.ip_address(name))] = None
        except ValueError:
            if name.isascii() and name:
                general[x509.DNSName(name.lower())] = None
    return list(general)


def _own_names() -> list[str]:
    """What this machine is called and where it is reached; link-local addresses are nobody's bookmark."""
    addresses = [
        address.ip if isinstance(address.ip, str) else address.ip[0]
        for adapter in ifaddr.get_adapters()
        for address in adapter.ips
    ]
    reachable = [address for address in addresses if not ipaddress.ip_address(address).is_link_local]
    return ["localhost", "127.0.0.1", "::1", socket.gethostname(), *reachable]


def _write(path: Path, content: bytes) -> None:
    """All of it or nothing, and readable by nobody else."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
