"""What SIP over TLS shows and believes, as `[sip]` says. A shell.

Without a certificate of its own it shows that of https. Files that were renewed are taken up once a day, for the
connections from then on; a carrier that wants to see a certificate is shown one that is set for SIP, and no other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import structlog
import trio

from ..sip.tls import Tls
from .config import Sip

CHECK_SECONDS: Final = 24 * 3600.0

log = structlog.get_logger()


class SipCertificate:
    """`of_pages` gives the files of https, certificate and key. Raises OSError with the keys that name what cannot be
    used."""

    def __init__(self, settings: Sip, of_pages: Callable[[], tuple[str, str]]) -> None:
        self._settings = settings
        self._of_pages = of_pages
        try:
            self.tls = Tls(settings.authorities)
        except OSError as error:
            raise OSError(f"[sip] authorities: {settings.authorities}: {error}") from error
        self._load()

    def _load(self) -> None:
        own = bool(self._settings.certificate)
        files = (self._settings.certificate, self._settings.key) if own else self._of_pages()
        try:
            self.tls.load(*files, to_servers=own)
        except OSError as error:
            raise OSError(f"[sip] tls: certificate {files[0]}, key {files[1]}: {error}") from error

    async def keep(self) -> None:
        while True:
            await trio.sleep(CHECK_SECONDS)
            try:
                self._load()
            except OSError as error:
                log.error("certificate_unusable", error=str(error))
