"""The synthetic customer: what its ear makes of sound, and a call with a small switch over real sockets."""

from __future__ import annotations

import secrets
import socket as stdlib_socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import trio
from cordboard.bench import customer
from cordboard.bench.customer import FRAME, FRAME_SECONDS, NUMBER, ULAW_SILENCE, Ear, Manners, Report, rtp, speech
from cordboard.codecs import g711
from cordboard.sip import sdp
from cordboard.sip.endpoint import Endpoint, Settings, TrunkSettings
from cordboard.sip.events import CallEnded, IncomingCall, Output
from cordboard.sip.transport import SipTransport, serve
from numpy.typing import NDArray

PATIENCE = 20.0
SILENCE = np.full(FRAME, ULAW_SILENCE, np.uint8)


def tone(level: float) -> NDArray[np.uint8]:
    """20 ms of 400 Hz at `level` dBov."""
    samples = 32768 * 10 ** (level / 20) * np.sqrt(2) * np.sin(2 * np.pi * 400 * np.arange(FRAME) / 8000)
    return g711.encode_ulaw(samples.astype(np.int16))


def packets(*parts: tuple[float, NDArray[np.uint8]], start: int = 65500) -> Iterator[bytes]:
    """RTP of so many seconds of each frame, over the wrap of its sequence numbers."""
    frames = [frame for seconds, frame in parts for _ in range(round(seconds / FRAME_SECONDS))]
    for at, frame in enumerate(frames):
        yield rtp(start + at, at * FRAME, 1, frame.tobytes(), first=at == 0)


def listen(*parts: tuple[float, NDArray[np.uint8]]) -> tuple[Ear, list[float]]:
    """An ear that heard it all, and the times at which somebody came to the telephone."""
    ear = Ear()
    return ear, [
        at * FRAME_SECONDS for at, packet in enumerate(packets(*parts)) if ear.hear(packet, at * FRAME_SECONDS)
    ]


def test_music_is_nobody() -> None:
    ear, came = listen((60, tone(-20)))
    assert (came, ear.person, ear.talk) == ([], False, 0.0)
    assert ear.level == pytest.approx(-20, abs=0.5)


def test_a_pause_after_music_is_a_person() -> None:
    ear, came = listen((5, tone(-20)), (1, SILENCE), (3, tone(-25)), (1, SILENCE))
    assert came == [pytest.approx(5.48)]
    assert ear.talk == pytest.approx(3.0)


def test_a_line_that_is_silent_from_the_start_is_a_person_who_listens() -> None:
    ear, came = listen((1, SILENCE), (10, tone(-20)))
    assert came == []
    ear, came = listen((4, SILENCE), (2, tone(-20)))
    assert came == [pytest.approx(2.98)]
    assert ear.talk == pytest.approx(2.0)


def test_loss_and_gaps_are_counted() -> None:
    ear = Ear()
    for at, packet in enumerate(packets((2, tone(-20)))):
        if at not in (10, 11, 12, 60):
            ear.hear(packet, at * FRAME_SECONDS)
    assert (ear.packets, ear.missing, ear.gaps) == (96, 4, 1)
    assert ear.longest_gap == pytest.approx(0.08)


@pytest.mark.parametrize("packet", [b"", b"x" * 12, b"\x80\x08" + bytes(170), b"\x40\x00" + bytes(170)])
def test_what_is_not_pcmu_is_not_heard(packet: bytes) -> None:
    ear = Ear()
    assert not ear.hear(packet, 0.0)
    assert (ear.packets, ear.missing, ear.level) == (0, 0, -127.0)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_voices_are_speech_with_pauses(language: str) -> None:
    frames = speech(language)
    assert frames.shape[1] == FRAME
    assert 30 < len(frames) * FRAME_SECONDS < 90
    ear = Ear()
    for at, frame in enumerate(frames):
        ear.hear(rtp(at, at * FRAME, 1, frame.tobytes(), first=at == 0), at * FRAME_SECONDS)
    assert -30 < ear.level < -15
    assert ear.person


def test_the_voices_are_small() -> None:
    assert sum(path.stat().st_size for path in (Path(customer.__file__).parent / "voices").iterdir()) < 300_000


class Switch:
    """The other side: answers every call with one media socket, and says what happened."""

    def __init__(self) -> None:
        self.calls: list[IncomingCall] = []
        self.ended: list[str] = []
        self.happened = trio.Event()
        self.transport: SipTransport
        self.media = trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM)

    def hear(self, output: Output) -> None:
        match output:
            case IncomingCall(call=call, offer=offer):
                assert offer is not None
                self.calls.append(output)
                answer = sdp.answer(offer, sdp.negotiate(offer), "127.0.0.1", self.media.getsockname()[1], session_id=1)
                self.transport.command(lambda now: self.transport.endpoint.answer(call, answer, now))
            case CallEnded(call=call):
                self.ended.append(call)
            case _:
                return
        self.happened.set()
        self.happened = trio.Event()

    async def until(self, calls: int, ended: int) -> None:
        with trio.fail_after(PATIENCE):
            while len(self.calls) < calls or len(self.ended) < ended:
                await self.happened.wait()


async def answering(nursery: trio.Nursery) -> Switch:
    switch = Switch()
    await switch.media.bind(("127.0.0.1", 0))
    address = Settings(lambda host: ("127.0.0.1", switch.transport.addresses[0].port))
    endpoint = Endpoint(address, lambda: secrets.token_hex(16))
    endpoint.set_trunks({"customers": TrunkSettings(("127.0.0.1",))})
    switch.transport = await nursery.start(serve, endpoint, [("127.0.0.1", 0)], switch.hear)
    return switch


def test_customers_call_talk_and_are_hung_up_on(tmp_path: Path) -> None:
    async def run() -> None:
        reports: list[Report] = []
        async with trio.open_nursery() as nursery:
            switch = await answering(nursery)
            target = ("127.0.0.1", switch.transport.addresses[0].port)

            async def calls(task_status: trio.TaskStatus[None]) -> None:
                await customer.run(target, tmp_path, 3600, NUMBER, reports.append, task_status=task_status)

            await nursery.start(calls)
            await switch.until(calls=1, ended=0)
            first = switch.calls[0]
            assert (first.number, first.caller, first.caller_name) == ("+861055501000", "+8613800138000", "王芳")

            with trio.fail_after(PATIENCE):
                heard = [(await switch.media.recvfrom(2000), trio.current_time()) for _ in range(50)]
            assert {len(packet) for (packet, _), _ in heard} == {172}
            # 49 steps of 20 ms, however late single ones are
            assert heard[-1][1] - heard[0][1] == pytest.approx(0.98, abs=0.2)
            for packet in packets((0.1, tone(-20))):
                await switch.media.sendto(packet, heard[0][0][1])

            bell = tmp_path / "run" / "customer.sock"
            assert bell.stat().st_mode & 0o777 == 0o600
            with stdlib_socket.socket(stdlib_socket.AF_UNIX, stdlib_socket.SOCK_DGRAM) as button:
                button.sendto(b"something else", str(bell))
                button.sendto(b"call", str(bell))
            await switch.until(calls=2, ended=0)
            assert switch.calls[1].caller == "+447700900142"

            switch.transport.command(lambda now: switch.transport.endpoint.hang_up(first.call, now))
            with trio.fail_after(PATIENCE):
                while not reports:
                    await switch.media.recvfrom(2000)
            report = reports[0]
            assert (report.person.name, report.ended_by, report.why) == ("王芳", "switch", "bye")
            assert (report.ear.packets, report.ear.missing) == (5, 0)
            assert "answered after" in str(report)
            nursery.cancel_scope.cancel()
        switch.media.close()

    trio.run(run)


def test_a_customer_whom_nobody_serves_hangs_up(tmp_path: Path) -> None:
    async def run() -> None:
        reports: list[Report] = []
        async with trio.open_nursery() as nursery:
            switch = await answering(nursery)
            target = ("127.0.0.1", switch.transport.addresses[0].port)
            manners = Manners(patience=(0.2, 0.2))
            nursery.start_soon(customer.run, target, tmp_path, 3600, NUMBER, reports.append, manners)
            await switch.until(calls=1, ended=1)
            assert [(report.ended_by, report.why) for report in reports] == [("customer", "heard nobody")]
            nursery.cancel_scope.cancel()
        switch.media.close()

    trio.run(run)


def test_nobody_calls_by_itself_while_another_waits(tmp_path: Path) -> None:
    async def run() -> None:
        async with trio.open_nursery() as nursery:
            switch = await answering(nursery)
            target = ("127.0.0.1", switch.transport.addresses[0].port)
            nursery.start_soon(customer.run, target, tmp_path, 0.02)
            await switch.until(calls=1, ended=0)
            with trio.fail_after(PATIENCE):
                for _ in range(25):  # half a second of its voice
                    _, caller = await switch.media.recvfrom(2000)
            assert len(switch.calls) == 1
            for packet in packets((1.5, tone(-20)), (0.6, SILENCE)):
                await switch.media.sendto(packet, caller)
            await switch.until(calls=2, ended=0)
            nursery.cancel_scope.cancel()
        switch.media.close()

    trio.run(run)


def test_a_customer_who_is_told_to_leave_says_goodbye(tmp_path: Path) -> None:
    async def run() -> None:
        reports: list[Report] = []
        async with trio.open_nursery() as nursery:
            switch = await answering(nursery)
            target = ("127.0.0.1", switch.transport.addresses[0].port)
            async with trio.open_nursery() as theirs:
                theirs.start_soon(customer.run, target, tmp_path, 3600, NUMBER, reports.append)
                await switch.until(calls=1, ended=0)
                with trio.fail_after(PATIENCE):
                    await switch.media.recvfrom(2000)  # it has heard the answer
                theirs.cancel_scope.cancel()
            await switch.until(calls=1, ended=1)
            nursery.cancel_scope.cancel()
        switch.media.close()

    trio.run(run)


def test_a_customer_says_goodbye_after_enough_of_the_agent(tmp_path: Path) -> None:
    async def run() -> None:
        reports: list[Report] = []
        async with trio.open_nursery() as nursery:
            switch = await answering(nursery)
            target = ("127.0.0.1", switch.transport.addresses[0].port)
            manners = Manners(enough=0.5)
            nursery.start_soon(customer.run, target, tmp_path, 3600, NUMBER, reports.append, manners)
            with trio.fail_after(PATIENCE):
                _, remote = await switch.media.recvfrom(2000)
            # Faster than life: the ear counts sound, not time.
            for packet in packets((1.2, tone(-20)), (1, SILENCE), (2, tone(-20))):
                await switch.media.sendto(packet, remote)
            await switch.until(calls=1, ended=1)
            assert [(report.ended_by, report.why) for report in reports] == [("customer", "had a good talk")]
            nursery.cancel_scope.cancel()
        switch.media.close()

    trio.run(run)


def test_a_switch_that_is_not_there_is_reported(tmp_path: Path) -> None:
    async def run() -> None:
        reported = trio.Event()
        reports: list[Report] = []

        def report(one: Report) -> None:
            reports.append(one)
            reported.set()

        with stdlib_socket.socket(stdlib_socket.AF_INET, stdlib_socket.SOCK_DGRAM) as nobody:
            nobody.bind(("127.0.0.1", 0))
            async with trio.open_nursery() as nursery:
                target = ("127.0.0.1", nobody.getsockname()[1])
                nursery.start_soon(customer.run, target, tmp_path, 3600, NUMBER, report, Manners(patience=(0.1, 0.1)))
                with trio.fail_after(PATIENCE):
                    await reported.wait()
                nursery.cancel_scope.cancel()
        assert reports[0].answered_after is None
        assert "not answered" in str(reports[0])

    trio.run(run)
