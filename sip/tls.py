"""TLS for SIP: what we show, whom we believe, and a stream of TCP wrapped in it (RFC 3261 §26.3.1, RFC 5922). A shell.

A host that we connect to has to show a certificate of an authority that we believe, for the name by which its trunk
knows it, or for its address where it has none. Who connects to us is known by its address, as by TCP, and is asked for
no certificate. What we show may be loaded anew at any time, for the connections from then on.
"""

from __future__ import annotations

import ssl
from typing import Final, TypeAlias

import trio

# What is read of a socket at once: a whole record (RFC 8446 §5.2) with room to spare.
_RECORD = 17 * 1024


class _Measured(trio.abc.Stream):
    """A socket that is read in measured draughts: under TLS Trio asks for 64 kB each time, and such buffers, cut to
    what came, leave the heap full of holes."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self._stream.receive_some(max_bytes or _RECORD)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()


SecureStream: TypeAlias = "trio.SSLStream[_Measured]"


class Tls:
    """Both sides of TLS. `authorities` is a PEM file of those whom we believe; "": those of the system. Raises OSError
    where it cannot be read."""

    def __init__(self, authorities: str = "") -> None:
        self._server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._server.options |= ssl.OP_NO_RENEGOTIATION
        self._client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # looks at the chain and at the name
        self._client.hostname_checks_common_name = False  # RFC 6125 §6.4.4: the name is among the alternative ones
        for context in (self._server, self._client):
            context.minimum_version = ssl.TLSVersion.TLSv1_2
        if authorities:
            self._client.load_verify_locations(authorities)
        else:
            self._client.load_default_certs()

    def load(self, certificate: str, key: str, *, to_servers: bool) -> None:
        """What we show: PEM files of the chain and its key. `to_servers`: also where we connect, if the other end wants
        to see one. Raises OSError, and then shows what it did."""
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
        self._server.load_cert_chain(certificate, key)
        if to_servers:
            self._client.load_cert_chain(certificate, key)

    def accepted(self, stream: trio.SocketStream) -> SecureStream:
        """Around a connection that was made to us; the handshake is still to come."""
        return trio.SSLStream(_Measured(stream), self._server, server_side=True)

    def connected(self, stream: trio.SocketStream, name: str) -> SecureStream:
        """Around a connection that we made to a host of that name, or address. Raises OSError for what is neither."""
        try:
            return trio.SSLStream(_Measured(stream), self._client, server_hostname=name)
        except ValueError as error:
            raise OSError(f"no certificate can be for {name!r}") from error


# Why a certificate is not believed, by OpenSSL's X509_V_ERR: its own words name the host, which is no affair of a log.
_UNBELIEVED: Final = {
    9: "it is not valid yet",
    10: "it has expired",
    18: "it is self-signed",
    **dict.fromkeys((19, 20, 21), "nobody who is believed has signed it"),
    23: "it was revoked",
    26: "it is not for servers",
    62: "it is for another name",
    64: "it is for another address",
}


def trouble(error: BaseException) -> str:
    """Why a handshake failed, for people."""
    cause = error.__cause__ or error
    if isinstance(cause, ssl.SSLCertVerificationError):
        why = _UNBELIEVED.get(cause.verify_code, cause.verify_message)
        return f"its certificate is not believed: {why}"
    if isinstance(cause, ssl.SSLError) and cause.reason:
        return f"no TLS: {cause.reason.replace('_', ' ').lower()}"
    return "no TLS handshake"
