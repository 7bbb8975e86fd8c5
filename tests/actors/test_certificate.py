"""What SIP over TLS shows: its own certificate, or that of https, and what was renewed in the meantime."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog.testing
import trio
import trio.testing
from cordboard.actors.certificate import CHECK_SECONDS, SipCertificate
from cordboard.actors.config import Sip
from cordboard.web.certificate import ensure


def files(folder: Path) -> tuple[str, str]:
    certificate, key = ensure(folder, (), datetime.now(UTC))
    return str(certificate), str(key)


def nobody() -> tuple[str, str]:
    raise AssertionError("nobody asks for that of https")


def test_its_own_or_that_of_https(tmp_path: Path) -> None:
    certificate, key = files(tmp_path)
    asked: list[str] = []

    def of_pages() -> tuple[str, str]:
        asked.append("pages")
        return certificate, key

    SipCertificate(Sip(certificate=certificate, key=key), nobody)
    SipCertificate(Sip(authorities=certificate), of_pages)
    assert asked == ["pages"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (Sip(authorities="nowhere.pem"), r"\[sip\] authorities: nowhere\.pem: .*No such file"),
        (Sip(certificate="nowhere.pem", key="k.pem"), r"\[sip\] tls: certificate nowhere\.pem, key k\.pem: .*No such"),
    ],
)
def test_what_cannot_be_used_is_named(settings: Sip, said: str) -> None:
    with pytest.raises(OSError, match=said):
        SipCertificate(settings, nobody)


def test_files_are_read_once_a_day_and_one_that_cannot_be_leaves_the_old(tmp_path: Path) -> None:
    certificate, key = files(tmp_path)
    asked: list[float] = []

    def of_pages() -> tuple[str, str]:
        asked.append(trio.current_time())
        return ("gone.pem", "gone.pem") if len(asked) == 2 else (certificate, key)

    async def main() -> float:
        kept = SipCertificate(Sip(), of_pages)
        with trio.move_on_after(2.5 * CHECK_SECONDS):
            await kept.keep()
        return asked[0]

    with structlog.testing.capture_logs() as logs:
        begun = trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert [at - begun for at in asked] == [0, CHECK_SECONDS, 2 * CHECK_SECONDS]
    assert [(line["event"], "gone.pem" in line["error"]) for line in logs] == [("certificate_unusable", True)]
