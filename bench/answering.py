"""The floor of any SIP switch here: a program that answers each request of a call from a template, and nothing else.

`python -m cordboard.bench.answering`: prints its port, then says 100 and 200 to every INVITE and 200 to every BYE,
until it is killed. It looks for the header fields that an answer repeats, as every switch has to, and keeps nothing.
"""

from __future__ import annotations

import re
import socket
from typing import Final

_ECHOED: Final = re.compile(rb"\r\n((?:Via|From|Call-ID|CSeq):[^\r\n]*)")
_TO: Final = re.compile(rb"\r\n(To:[^\r\n]*)")
# As long as the switch's own answer.
_SDP: Final = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 20002 RTP/AVP 0\r\n"
    b"a=rtpmap:0 PCMU/8000\r\na=ptime:20\r\na=sendrecv\r\n"
)


def main() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        udp.bind(("127.0.0.1", 0))
        port = udp.getsockname()[1]
        print(port, flush=True)
        contact = b"Contact: <sip:127.0.0.1:%d>\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n"
        answer = contact % (port, len(_SDP)) + _SDP
        while True:
            data, source = udp.recvfrom(4096)
            if data.startswith(b"ACK"):
                continue
            to = _TO.search(data)
            assert to, "a request without To"
            head = b"\r\n".join(_ECHOED.findall(data)) + b"\r\n" + to[1]
            if data.startswith(b"INVITE"):
                udp.sendto(b"SIP/2.0 100 Trying\r\n" + head + b"\r\nContent-Length: 0\r\n\r\n", source)
                udp.sendto(b"SIP/2.0 200 OK\r\n" + head + b";tag=t\r\n" + answer, source)
            else:
                udp.sendto(b"SIP/2.0 200 OK\r\n" + head + b"\r\nContent-Length: 0\r\n\r\n", source)


if __name__ == "__main__":
    main()
