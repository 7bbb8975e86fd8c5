"""The media process with real sockets on ports that the kernel chooses."""

import itertools
import math
import re
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
import trio
from aioice import stun
from attrs import evolve
from cordboard.bench.browser import binding
from cordboard.codecs import g711
from cordboard.switch import protocol
from cordboard.switch.coders import Coders
from cordboard.switch.link import connect_unix, unix_listener
from cordboard.switch.ports import LocalPort
from cordboard.switch.process import (
    CRASHED_TICKS,
    TRACEBACKS,
    AccessPoint,
    Doors,
    MediaConfig,
    Secure,
    advertiser,
    bind_pair,
    browsers,
    port_numbers,
    reachable,
    serve,
)
from cordboard.switch.seams import (
    NO_PACKETS,
    Batch,
    Datagram,
    Datagrams,
    Octets,
    OpusCodec,
    Rows,
    SecureInput,
    SecureTransport,
)
from cordboard.switch.wire import Frames, decode_fact, encode
from numpy.typing import NDArray

POINT = AccessPoint(addresses=("127.0.0.1",), port=0)
CONFIG = MediaConfig(addresses=("127.0.0.1",), rtp_ports="0", access_points=(POINT,))
PCMU = protocol.Codec("pcmu", 0)
T = TypeVar("T")


class Control:
    """The other end of the link."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream, self.frames = stream, Frames(decode_fact)
        self.facts: list[protocol.Fact] = []

    async def tell(self, *commands: protocol.Command) -> None:
        await self.stream.send_all(b"".join(encode(command) for command in commands))

    async def fact(self, kind: type[T]) -> T:
        with trio.fail_after(5):
            while True:
                for i, fact in enumerate(self.facts):
                    if isinstance(fact, kind):
                        del self.facts[i]
                        return fact
                data = await self.stream.receive_some(65536)
                assert data, "the link ended"
                self.facts += self.frames.feed(bytes(data))


Link = Callable[[], Awaitable[Control]]


def in_process(
    folder: Path,
    story: Callable[[Link], Awaitable[None]],
    secure: Secure = browsers,
    config: MediaConfig = CONFIG,
) -> None:
    """Runs `story(link)` beside a media process; `link()` makes one more connection to it."""

    async def main() -> None:
        deep = folder / ("long-name-" * 15)
        deep.mkdir()
        path = str(deep / "media.sock")
        async with trio.open_nursery() as nursery, AsyncExitStack() as stack:
            listener = unix_listener(path)
            await nursery.start(lambda task_status: serve(config, listener, secure=secure, task_status=task_status))

            async def link() -> Control:
                return Control(await stack.enter_async_context(await connect_unix(path)))

            with trio.fail_after(20):
                await story(link)
            nursery.cancel_scope.cancel()

    trio.run(main)


def test_echo_over_real_sockets(tmp_path: Path) -> None:
    async def story(link: Link) -> None:
        control = await link()
        assert (await control.fact(protocol.EngineStarted)).legs == ()
        with trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
            await far.bind(("127.0.0.1", 0))
            await control.tell(
                protocol.OpenRtpLeg("a", "127.0.0.1", far.getsockname()[1], PCMU),
                protocol.Rewire((protocol.Hears("a", (("a", 1.0),)),)),
            )
            opened = await control.fact(protocol.LegOpened)
            t = np.arange(8000) / 8000
            speech = g711.encode_ulaw((8000 * np.sin(2 * np.pi * 500 * t)).astype(np.int16)).reshape(50, 160)
            heard = b""
            for i in range(100):  # paced by what comes: a packet each 20 ms
                octets, source = await far.recvfrom(2048)
                assert source == (opened.address, opened.port)
                heard += octets[12:]
                header = struct.pack("!BBHII", 0x80, 0, i, 160 * i, 7)
                await far.sendto(header + speech[i % 50].tobytes(), (opened.address, opened.port))
            await control.fact(protocol.LegConnected)
        pcm = g711.decode_ulaw(np.frombuffer(heard[-4000:], np.uint8))
        assert abs(int(np.argmax(np.abs(np.fft.rfft(pcm)))) * 2 - 500) <= 2

    in_process(tmp_path, story)


async def ends(control: Control) -> None:
    with trio.fail_after(2):
        while await control.stream.receive_some(65536):
            pass


def test_a_new_link_replaces_the_old_and_legs_live_on(tmp_path: Path) -> None:
    async def story(link: Link) -> None:
        first = await link()
        await first.tell(protocol.OpenRtpLeg("a", "127.0.0.1", 9, PCMU), protocol.Ping(1))
        started = await first.fact(protocol.EngineStarted)
        pong = await first.fact(protocol.Pong)
        second = await link()
        again = await second.fact(protocol.EngineStarted)
        assert (again.epoch, again.legs) == (started.epoch, ("a",))
        await ends(first)
        await second.tell(protocol.Ping(2))
        assert await second.fact(protocol.Pong) == protocol.Pong(2, pong.sums)

    in_process(tmp_path, story)


def test_rubbish_on_the_link_ends_the_link_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def story(link: Link) -> None:
        first = await link()
        await first.tell(protocol.OpenRtpLeg("a", "127.0.0.1", 9, PCMU))
        await first.fact(protocol.LegOpened)
        await first.stream.send_all(b"\0\0\0\1\xc1")
        await ends(first)
        assert (await (await link()).fact(protocol.EngineStarted)).legs == ("a",)

    in_process(tmp_path, story)
    assert "not msgpack" in capsys.readouterr().err


class Brittle:
    """A transport for browsers that raises what it must not: on the datagram `break`, on every opening, and on as many
    ticks as it is told. It answers other datagrams with themselves."""

    def __init__(self) -> None:
        self.counters: dict[str, int] = {}
        self.ports: tuple[LocalPort, ...] = ()
        self.ticks_to_break = 0
        self.probed_at = -math.inf

    @contextmanager
    def secure(self, config: MediaConfig, doors: Doors, beside: int) -> Iterator[tuple[SecureTransport, OpusCodec]]:
        self.ports = doors["main"]
        yield self, Coders()

    def open(self, row: int, command: protocol.OpenWebrtcLeg, now: float) -> protocol.WebrtcLegOpened:
        raise RuntimeError("broke on an opening")

    def restart(self, row: int, command: protocol.RestartIce, now: float) -> protocol.WebrtcLegOpened:
        raise RuntimeError("broke on a restart")

    def access_points(self, command: protocol.ListAccessPoints) -> protocol.AccessPoints:
        return protocol.AccessPoints(command.request, "", "", ())

    def close(self, row: int, now: float) -> list[Datagram]:
        return []

    def receive(self, batch: Batch, now: float) -> SecureInput:
        replies = []
        for port, name, data, length in zip(batch.port, batch.name, batch.data, batch.length, strict=True):
            if data[:length].tobytes() == b"break":
                raise RuntimeError("broke on a datagram")
            replies.append(Datagram(int(port), name.tobytes(), data[:length].tobytes()))
        return SecureInput(replies, NO_PACKETS, NO_PACKETS, [])

    def protect(self, rows: Rows, data: Octets, length: NDArray[np.int32]) -> Datagrams:
        return Datagrams.of([])

    def protect_rtcp(self, rows: Rows, data: Octets) -> Datagrams:
        return Datagrams.of([])

    def deadline(self) -> float:
        return 0.0 if self.ticks_to_break else math.inf

    def wake(self, now: float) -> SecureInput:
        self.ticks_to_break -= 1
        raise RuntimeError("broke on a tick")


def test_what_the_engine_raises_costs_only_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seam = Brittle()

    async def story(link: Link) -> None:
        control = await link()
        door = (seam.ports[0].address, seam.ports[0].port)
        with (
            trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far,
            trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as page,
        ):
            await far.bind(("127.0.0.1", 0))
            await control.tell(protocol.OpenRtpLeg("a", "127.0.0.1", far.getsockname()[1], PCMU))
            await control.fact(protocol.LegOpened)

            await page.sendto(b"break", door)
            await control.tell(protocol.OpenWebrtcLeg("b", "127.0.0.1", "u", "p", (), PCMU), protocol.Ping(1))
            await control.fact(protocol.Pong)
            seam.ticks_to_break = CRASHED_TICKS - 1
            counters: dict[str, int] = {}
            while counters.get("crashed_ticks", 0) < CRASHED_TICKS - 1 or "crashed_receives" not in counters:
                counters = (await control.fact(protocol.EngineReport)).counters
            assert [counters[f"crashed_{what}"] for what in ("receives", "commands", "ticks")] == [1, 1, 4]

            # The same page, the same link and the same call go on; a new run of crashed ticks begins at none.
            seam.ticks_to_break = CRASHED_TICKS - 1
            await page.sendto(b"hello", door)
            assert await page.recv(2048) == b"hello"
            while counters["crashed_ticks"] < 2 * (CRASHED_TICKS - 1):
                counters = (await control.fact(protocol.EngineReport)).counters
            sent = counters["packets_sent"]
            while counters["packets_sent"] < sent + 50:
                counters = (await control.fact(protocol.EngineReport)).counters
            sequences = [struct.unpack("!H", (await far.recv(2048))[2:4])[0] for _ in range(50)]
            assert sequences == [sequences[0] + i & 0xFFFF for i in range(50)]

    in_process(tmp_path, story, seam.secure)
    told = capsys.readouterr().err
    assert told.count("Traceback (most recent call last)") == TRACEBACKS
    for what in ("a datagram", "an opening", "a tick"):
        assert f"RuntimeError: broke on {what}" in told


class Slow(Brittle):
    """A transport that takes so long in the next ticks, one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.stops: list[float] = []

    def deadline(self) -> float:
        return 0.0 if self.stops else math.inf

    def wake(self, now: float) -> SecureInput:
        end = trio.current_time() + self.stops.pop(0)
        while trio.current_time() < end:
            pass
        return SecureInput([], NO_PACKETS, NO_PACKETS, [])


def test_ticks_that_ran_late_are_counted_and_after_a_long_stop_those_missed_are_skipped(tmp_path: Path) -> None:
    """What a full engine is known by (actors/admission.py): the tick behind a long one begins late, and says so."""
    seam = Slow()

    async def story(link: Link) -> None:
        control = await link()
        with trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
            await far.bind(("127.0.0.1", 0))
            await control.tell(protocol.OpenRtpLeg("a", "127.0.0.1", far.getsockname()[1], PCMU))
            await control.fact(protocol.LegOpened)
            seam.stops = [0.03, 0.03]
            late = await control.fact(protocol.EngineReport)
            while late.tick_ms[2] < 30:
                late = await control.fact(protocol.EngineReport)
            assert late.late_ticks >= 1
            assert late.counters["ticks_late"] >= late.late_ticks
            before = late.counters.get("ticks_skipped", 0)
            seam.stops = [0.3]
            stopped = await control.fact(protocol.EngineReport)
            while stopped.tick_ms[2] < 300:
                stopped = await control.fact(protocol.EngineReport)
            assert stopped.counters["ticks_skipped"] - before >= 10
            # No burst is sent for them: numbers go on, and time has passed.
            packets = [struct.unpack("!xxHI", (await far.recv(2048))[:8]) for _ in range(60)]
            assert [number for number, _ in packets] == [packets[0][0] + i & 0xFFFF for i in range(60)]
            steps = [after - one & 0xFFFFFFFF for (_, one), (_, after) in itertools.pairwise(packets)]
            assert max(steps) >= 10 * 160

    in_process(tmp_path, story, seam.secure)


def test_an_engine_that_cannot_tick_ends_the_process(tmp_path: Path) -> None:
    seam = Brittle()

    async def story(link: Link) -> None:
        seam.ticks_to_break = CRASHED_TICKS
        await trio.sleep_forever()

    with pytest.RaisesGroup(pytest.RaisesExc(RuntimeError, match="broke on a tick"), flatten_subgroups=True):
        in_process(tmp_path, story, seam.secure)
    assert seam.ticks_to_break == 0


def test_configuration_survives_json() -> None:
    config = MediaConfig(addresses=("0.0.0.0", "::"), local_networks=("10.0.0.0/8",), access_points=(AccessPoint("b"),))
    assert MediaConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize(("text", "ports"), [("20002-20006", (20002, 20004, 20006)), ("7-8", (8,)), ("0", (0,) * 8)])
def test_even_ports(text: str, ports: tuple[int, ...]) -> None:
    assert port_numbers(text) == ports


@pytest.mark.parametrize("text", ["", "5", "9-9", "٢-٨", "70000-70002", "20-10", "+2-8"])
def test_what_is_no_range_of_ports(text: str) -> None:
    with pytest.raises(ValueError, match="rtp_ports"):
        port_numbers(text)


def test_the_address_told_is_the_one_that_the_peer_can_reach() -> None:
    config = MediaConfig(public_address="203.0.113.1", local_networks=("10.0.0.0/8", "127.0.0.0/8"))
    ports = (LocalPort("0.0.0.0", 20002),)
    assert advertiser(config, ports)(0, "198.51.100.1") == ("203.0.113.1", 20002)
    assert advertiser(config, ports)(0, "127.0.0.1") == ("127.0.0.1", 20002)
    assert advertiser(MediaConfig(), (LocalPort("192.0.2.1", 20002),))(0, "198.51.100.1") == ("192.0.2.1", 20002)
    # what is public for IPv4 is nothing to IPv6
    six = (LocalPort("2001:db8::1", 20002),)
    assert advertiser(config, six)(0, "2001:db8:1::7") == ("2001:db8::1", 20002)
    both = evolve(config, public_address="2001:db8:2::1")
    assert advertiser(both, six)(0, "2001:db8:1::7") == ("2001:db8:2::1", 20002)


def test_each_access_point_has_its_own_address_and_behind_a_nat_its_public_one() -> None:
    north = AccessPoint("north", "North", port=20000)
    south = AccessPoint("south", "South", port=20001, public_address="203.0.113.7", public_port=4000)
    config = MediaConfig(local_networks=("10.0.0.0/8",), access_points=(north, south))
    doors = {"north": (LocalPort("192.0.2.1", 20000),), "south": (LocalPort("192.0.2.1", 20001),)}
    here, behind = reachable(config, doors)
    assert [(here.id, here.name), (behind.id, behind.name)] == [("north", "North"), ("south", "South")]
    assert here.candidates("198.51.100.1") == (("192.0.2.1", 20000),)
    assert behind.candidates("198.51.100.1") == (("203.0.113.7", 4000),)
    assert behind.candidates("10.0.0.9") == (("192.0.2.1", 20001),)


def test_the_addresses_of_a_point_on_the_way_to_a_peer_come_alone() -> None:
    doors = {"main": (LocalPort("127.0.0.1", 20000), LocalPort("192.0.2.1", 20000))}
    (point,) = reachable(MediaConfig(), doors)
    assert point.candidates("127.0.0.1") == (("127.0.0.1", 20000),)


async def probe(page: trio.socket.SocketType, points: protocol.AccessPoints, one: protocol.AccessPoint) -> bytes:
    """Asks one access point as a browser that measures does; gives the answer."""
    user = f"{points.ice_ufrag}:page"
    await page.sendto(binding(1, user, points.ice_pwd, nominate=True), one.candidates[0])
    with trio.fail_after(5):
        answer, source = await page.recvfrom(2048)
    assert source == one.candidates[0]
    return answer


def test_every_access_point_is_served_and_answers_probes(tmp_path: Path) -> None:
    async def story(link: Link) -> None:
        control = await link()
        await control.tell(protocol.ListAccessPoints(7, "127.0.0.1"))
        points = await control.fact(protocol.AccessPoints)
        assert (points.request, [one.id for one in points.points]) == (7, ["main", "south"])
        assert len({one.candidates for one in points.points}) == 2
        with trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as page:
            await page.bind(("127.0.0.1", 0))
            for one in points.points:
                answer = stun.parse_message(await probe(page, points, one))
                assert answer.check_message_integrity(points.ice_pwd.encode())
                assert answer.attributes["XOR-MAPPED-ADDRESS"] == page.getsockname()
        report = await control.fact(protocol.EngineReport)
        while not report.counters.get("probes_answered"):
            report = await control.fact(protocol.EngineReport)
        assert report.legs == 0

    in_process(tmp_path, story, config=evolve(CONFIG, access_points=(POINT, evolve(POINT, id="south"))))


def test_two_access_points_may_share_a_socket_behind_two_public_addresses(tmp_path: Path) -> None:
    async def story(link: Link) -> None:
        control = await link()
        await control.tell(protocol.ListAccessPoints(1, "127.0.0.1"))
        north, south = (await control.fact(protocol.AccessPoints)).points
        assert north.candidates == south.candidates == (("127.0.0.1", port),)

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    north = evolve(POINT, port=port, public_address="203.0.113.7")
    south = evolve(north, id="south", public_address="203.0.113.8")
    in_process(tmp_path, story, config=evolve(CONFIG, access_points=(north, south)))


@pytest.mark.parametrize("key", ["[media] rtp_ports", '[media] webrtc_port, or [[access_point]] "main"'])
def test_a_port_in_use_is_told_with_the_key_that_names_it(tmp_path: Path, key: str) -> None:
    async def main(config: MediaConfig) -> None:
        async with unix_listener(str(tmp_path / "media.sock")) as link:
            await serve(config, link)

    one, other = bind_pair("127.0.0.1", 0)
    with one, other:
        port = next(port for port in (one.getsockname()[1], other.getsockname()[1]) if port % 2 == 0)
        point = evolve(POINT, port=port)
        rtp = key == "[media] rtp_ports"
        config = evolve(CONFIG, rtp_ports=f"{port}-{port}") if rtp else evolve(CONFIG, access_points=(point,))
        said = f"{key}: cannot listen on UDP 127.0.0.1 port {port}: Address already in use"
        with pytest.raises(OSError, match=re.escape(said)):
            trio.run(main, config)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_rtp_has_rtcp_on_the_port_after_it(address: str) -> None:
    rtp, rtcp = bind_pair(address, 0)
    with rtp, rtcp:
        port = rtp.getsockname()[1]
        assert rtcp.getsockname()[1] == port + 1
        with pytest.raises(OSError, match=f"port {port}"):
            bind_pair(address, port)
        rtp.close()
        with pytest.raises(OSError, match=f"port {port + 1}"):
            bind_pair(address, port)
        # nothing is left open by what failed
        rtcp.close()
        for one in bind_pair(address, port):
            one.close()
