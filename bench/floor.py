"""The floor of any media switch here: the same packets through the same system calls over one socket, and nothing else.

Every 20 ms it reads its socket, as the switch does, and sends one fixed packet to each leg. `python -m
cordboard.bench.floor`: prints its port, then reads a line of JSON with the port of each leg on 127.0.0.1, and runs
until it is killed.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Final

import numpy as np

from ..switch.ports import socket_name
from ..switch.priority import hurry
from ..switch.seams import Outgoing
from ..switch.udp import UdpSockets, bind

TICK: Final = 0.020


def main() -> None:
    hurry()
    sockets = UdpSockets([bind("127.0.0.1", 0)])
    print(sockets.sockets[0].getsockname()[1], flush=True)
    ports: list[int] = json.loads(sys.stdin.readline())
    n = len(ports)
    names = np.stack([np.frombuffer(socket_name("127.0.0.1", port), np.uint8) for port in ports])
    packets = np.zeros((n, 172), np.uint8)
    packets[:, 0] = 0x80
    outgoing = Outgoing(packets, np.full(n, 172, np.int32), np.zeros(n, np.int32), names)
    start, ticks = time.monotonic(), 0
    while True:
        ticks += 1
        time.sleep(max(0.0, start + ticks * TICK - time.monotonic()))
        sockets.receive(time.monotonic())
        sockets.send(outgoing)


if __name__ == "__main__":
    main()
