"""The floor of any media switch here: the same packets through the same system calls over one socket, and nothing else.

It reads its socket as often as the switch does, and sends one fixed packet to each leg every 20 ms. `python -m
cordboard.bench.floor`: prints its port, then reads a line of JSON (`Floor`), and runs until it is killed.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from typing import Final

import numpy as np
from attrs import frozen

from ..switch.priority import hurry
from ..switch.seams import Datagrams
from ..switch.sockaddr import socket_name
from ..switch.udp import UdpSockets, bind

TICK: Final = 0.020


@frozen
class Floor:
    """The port of each leg on 127.0.0.1, the octets of a packet, and how often the socket is read in a tick."""

    ports: Sequence[int]
    octets: int
    reads: int


def main() -> None:
    hurry()
    sockets = UdpSockets([bind("127.0.0.1", 0)])
    print(sockets.sockets[0].getsockname()[1], flush=True)
    wanted = Floor(**json.loads(sys.stdin.readline()))
    n = len(wanted.ports)
    names = np.stack([np.frombuffer(socket_name("127.0.0.1", port), np.uint8) for port in wanted.ports])
    packets = np.zeros((n, wanted.octets), np.uint8)
    packets[:, 0] = 0x80
    outgoing = Datagrams(packets, np.full(n, wanted.octets, np.int32), np.zeros(n, np.int32), names)
    start, reads = time.monotonic(), 0
    while True:
        reads += 1
        time.sleep(max(0.0, start + reads * TICK / wanted.reads - time.monotonic()))
        sockets.receive(time.monotonic())
        if reads % wanted.reads == 0:
            sockets.send(outgoing)


if __name__ == "__main__":
    main()
