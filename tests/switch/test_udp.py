"""Real sockets of this machine, many read at once."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from types import SimpleNamespace

import pytest
from cordboard.switch import udp
from cordboard.switch.seams import Datagram, Datagrams
from cordboard.switch.sockaddr import socket_name
from cordboard.switch.udp import PER_SOCKET, SWEEP, UdpSockets, bind


@pytest.fixture
def sockets() -> Iterator[UdpSockets]:
    with ExitStack() as stack:
        yield UdpSockets([stack.enter_context(bind("127.0.0.1", 0)) for _ in range(4)])


def post(sockets: UdpSockets, number: int, *datagrams: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
        far.connect(sockets.sockets[number].getsockname())
        for datagram in datagrams:
            far.send(datagram)


def test_all_that_came_is_read_in_its_order(sockets: UdpSockets) -> None:
    post(sockets, 1, *(b"%d" % n for n in range(1500)))
    post(sockets, 3, b"last")
    batch = sockets.receive(0.0)
    assert batch is not None
    said = [batch.data[i, : batch.length[i]].tobytes() for i in range(len(batch.port))]
    assert [one for one, port in zip(said, batch.port, strict=True) if port == 1] == [b"%d" % n for n in range(1500)]
    assert said.count(b"last") == 1
    assert sockets.receive(0.0) is None


def test_what_has_waited_is_dated_by_the_kernel_but_not_before_all_was_read(
    sockets: UdpSockets, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long we stood still; and whoever sets the clock of the machine meanwhile changes little."""

    def came(read_at: float, waited: float) -> float:
        post(sockets, 1, b"x")
        monkeypatch.setattr(udp, "time", SimpleNamespace(time=lambda: time.time() + waited))
        batch = sockets.receive(read_at)
        assert batch is not None
        return float(batch.at[0])

    assert sockets.receive(100.0) is None
    assert came(102.0, 1.5) == pytest.approx(100.5, abs=0.4)
    assert came(102.02, 3600.0) == 102.0
    assert came(102.04, -3600.0) == 102.04


def test_a_flood_on_one_socket_leaves_the_others_their_share(sockets: UdpSockets) -> None:
    flood = [b"x"] * (PER_SOCKET + 500)
    for number in (0, 1, 2):
        post(sockets, number, *flood)
    post(sockets, 3, *[b"call"] * 200)
    batch = sockets.receive(0.0)
    assert batch is not None
    assert len(batch.port) <= SWEEP
    assert (batch.port == 3).sum() == 200


def test_each_datagram_leaves_from_its_socket_whatever_their_order(sockets: UdpSockets) -> None:
    """Of legs at several access points some answers go from one port and some from another."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
        far.bind(("127.0.0.1", 0))
        far.settimeout(5.0)
        name = socket_name(*far.getsockname())
        sockets.send(Datagrams.of([Datagram(port, name, str(port).encode() * (port + 1)) for port in (2, 0, 3, 0, 1)]))
        came = sorted(far.recvfrom(64) for _ in range(5))
    ports = [one.getsockname() for one in sockets.sockets]
    assert came == [(b"0", ports[0]), (b"0", ports[0]), (b"11", ports[1]), (b"222", ports[2]), (b"3333", ports[3])]
    assert sockets.unsent == sockets.refused == 0


def test_the_first_sockets_can_be_left_out(sockets: UdpSockets) -> None:
    post(sockets, 0, b"early")
    post(sockets, 2, b"now")
    batch = sockets.receive(0.0, 2)
    assert batch is not None
    assert batch.port.tolist() == [2]
