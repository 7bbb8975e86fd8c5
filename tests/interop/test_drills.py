"""Processes are killed in a call (`kill -9`), and the call goes on: what the customer hears of it, what the recording
lacks, how long nobody answers, and that nothing is left open.

The agent is a page without a browser: it comes back as the workbench does, resumes a connection that lives and makes a
new one where its engine has died. Once or twice each by default, twenty times with `--long`; both print their figures,
and write them where `CORDBOARD_DRILLS` says.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Final

import av
import numpy as np
import pytest
from attrs import asdict, define, frozen
from numpy.typing import NDArray

from . import sound
from .caller import FRAME, Caller, Packet
from .product import Product, lasting, until
from .robot import Robot
from .voice import Voice

AGENT, SECOND = "1001", "1002"
AGENT_HZ, CUSTOMER_HZ, SECOND_HZ = 1000, 500, 1500
TALK: Final = 1.5  # before the kill, and after all is well again
LOOK: Final = 10  # packets
# A child that dies 5 times in 30 s is given up: kills are this far apart.
PACE: Final = 8.0
# What a crowded machine may add to what a quiet one takes, in the assertions; the figures say what it was.
CROWDED: Final = 2.0
# ... and so much of our own lateness is put down to it.
LATE_MS: Final = 200.0


@frozen
class Talk:
    """One call in which processes died."""

    call: str
    gap_ms: float
    unheard_ms: float
    ready: float
    seconds: float
    late_ms: float


@frozen
class Figures:
    """Of one drill. In seconds, but for the milliseconds."""

    gap_ms: float  # the longest time without a packet at the customer
    unheard_ms: float  # ... without the agent's voice
    late_ms: float  # the latest that either of them sent a packet: a crowded machine's doing, or a handshake's
    ready: float  # from the kill, or where the supervisor died from the new start, until calls can come
    lost: float  # of the customer's sound, in the recording
    drift: float  # by which the recording is longer than the talk was


@define
class Desk:
    """The agent: a websocket that may die and a voice that may not."""

    product: Product
    robot: Robot
    voice: Voice
    leg: str = ""
    hertz: int = AGENT_HZ

    @classmethod
    def signed_in(cls, product: Product, agent: str = AGENT, hertz: int = AGENT_HZ) -> Desk:
        desk = cls(product, Robot(product, agent), Voice(sound.tone(hertz)), hertz=hertz)
        desk._speak("agent.sign_in")
        return desk

    def _speak(self, do: str, **fields: object) -> None:
        """A new connection, by whichever command."""
        reply = self.robot.do(do, sdp=self.voice.offer(), **fields)
        self.leg = reply["leg"]
        self.voice.connect(reply["sdp"])

    def renew(self) -> None:
        """Its engine has died under it, and its page is told so."""
        self.robot.event("media.failed")
        self._replace_voice()
        self._speak("agent.media")

    def come_back(self) -> None:
        """Its websocket has died, and it goes on as soon as there is somebody to talk to."""
        token = self.robot.token
        self.robot.vanish()

        def connected() -> Robot | None:
            with suppress(OSError, TimeoutError):
                return Robot(self.product, token=token)
            return None

        self.robot = until(connected, 20, "a websocket")  # type: ignore[assignment]
        resumed = self.robot.ask("agent.resume", leg=self.leg)
        if "error" in resumed:
            assert resumed["error"]["code"] == "media_lost", resumed
            self._replace_voice()
            self._speak("agent.sign_in")

    def _replace_voice(self) -> None:
        self.voice.close()
        self.voice = Voice(sound.tone(self.hertz))

    def hears(self) -> set[int]:
        """Who of the three is in the last that it heard."""
        return heard([packet.payload for packet in self.voice.packets[-LOOK:]], ulaw=False)

    def close(self) -> None:
        self.robot.close()
        self.voice.close()


# --- what is killed -----------------------------------------------------------------------------------------------


def kill(product: Product, *names: str) -> None:
    pids = product.pids()
    for name in names:
        os.kill(pids[name], signal.SIGKILL)
    if "supervisor" in names:
        assert product.process is not None
        product.process.wait()


def healthy(product: Product) -> bool:
    with suppress(OSError):
        return product.http("/api/health").status == 200
    return False


def control_dies(product: Product, desk: Desk) -> float:
    kill(product, "control")
    begun = time.time()
    until(lambda: healthy(product), 20, "control again")
    ready = time.time() - begun
    desk.come_back()
    return ready


def media_dies(product: Product, *desks: Desk) -> float:
    old = product.pids()["media"]
    kill(product, "media")
    begun = time.time()
    for desk in desks:
        desk.renew()
    until(lambda: product.pids().get("media", old) != old and healthy(product), 20, "media again")
    return time.time() - begun


def supervisor_dies(product: Product, desk: Desk) -> float:
    """Its children let the call go on, and another supervisor takes their place."""
    kill(product, "supervisor")
    time.sleep(0.5)
    return started_again(product, desk)


def all_die(product: Product, desk: Desk) -> float:
    kill(product, "supervisor", "control", "media")
    return started_again(product, desk)


def started_again(product: Product, desk: Desk) -> float:
    begun = time.time()
    product.start()
    ready = time.time() - begun
    desk.come_back()
    return ready


# --- what is measured ---------------------------------------------------------------------------------------------


def has(frame: NDArray[np.int16], hertz: int) -> bool:
    """Whether most of 20 ms is that tone."""
    t = np.arange(len(frame)) / sound.RATE
    wave = np.exp(-2j * np.pi * hertz * t)
    return bool(np.abs((frame * wave).sum()) * 2 / len(frame) > 4000)


def heard(payloads: Sequence[bytes], *, ulaw: bool) -> set[int]:
    """Whose tones are in most of these packets."""
    frames = [sound.decode(payload, ulaw=ulaw) for payload in payloads]
    voices = (AGENT_HZ, CUSTOMER_HZ, SECOND_HZ)
    return {hertz for hertz in voices if sum(has(frame, hertz) for frame in frames) > len(frames) / 2}


def longest(times: list[float]) -> float:
    return float(np.diff(times).max()) * 1000


def voiced(packets: list[Packet]) -> list[float]:
    """When packets with the agent's voice came."""
    return [one.at for one in packets if has(sound.decode(one.payload, ulaw=False), AGENT_HZ)]


def recorded(file: Path) -> tuple[float, float]:
    """How long the customer's channel is, and how much of it lacks the customer, in seconds."""
    with av.open(str(file)) as source:
        resampler = av.AudioResampler(format="s16p", layout="stereo", rate=sound.RATE)
        frames = [made for frame in [*source.decode(audio=0), None] for made in resampler.resample(frame)]
    customer = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    whole = customer[: len(customer) // FRAME * FRAME].reshape(-1, FRAME)
    heard = [has(frame, CUSTOMER_HZ) for frame in whole]
    assert any(heard), "there is nothing of the customer"
    return len(customer) / sound.RATE, heard.count(False) * FRAME / sound.RATE


def left_open(product: Product) -> tuple[int, int]:
    """Rows of calls, legs and offers that have no end, and agents that are in a call, as the database has them."""
    with closing(sqlite3.connect(f"file:{product.data / 'cordboard.db'}?mode=ro", uri=True)) as database:
        rows = database.execute(
            "select (select count(*) from calls where ended is null) + (select count(*) from legs where ended is null)"
            " + (select count(*) from offers where outcome = 'ringing' or outcome = 'answered' and ended is null)"
        ).fetchone()[0]
        busy = database.execute(
            "select count(*) from agent_states s where state in ('ringing', 'talking')"
            " and number = (select max(number) from agent_states where agent = s.agent)"
        ).fetchone()[0]
    return int(rows), int(busy)


def drill(product: Product, desk: Desk, dies: Callable[[Product, Desk], float]) -> Talk:
    with Caller(product.sip_port, "5001", sound.tone(CUSTOMER_HZ)) as customer:
        customer.dial().answered()
        call = desk.robot.event("call.offered")["call"]
        desk.robot.do("call.answer")
        answered = desk.robot.event("call.connected")["since"]
        customer.hears(TALK)
        before = time.time()
        customer.late = desk.voice.late = 0.0
        ready = dies(product, desk)
        since = time.time()
        until(lambda: voiced(customer.between(since)), 20, "the agent's voice")
        customer.hears(TALK)
        after = time.time()
        late = max(customer.late, desk.voice.late)
        assert has(sound.decode(desk.voice.packets[-1].payload, ulaw=False), CUSTOMER_HZ), "the agent hears nobody"
        desk.robot.do("call.hang_up")
        ended = customer.ended()
        desk.robot.state("after_call_work")
        desk.robot.do("agent.start_answering")
        heard = customer.between(before - 0.5, after)
    until(lambda: left_open(product) == (0, 0), 5, "the end of every row")
    return Talk(call, longest([one.at for one in heard]), longest(voiced(heard)), ready, ended - answered, 1000 * late)


def recording(product: Product, call: str) -> Path:
    """... once it is encoded, which is nobody's hurry."""
    file = product.data / "recordings" / f"{call}.opus"
    until(file.exists, 30, "the recording")
    return file


def with_recording(product: Product, talk: Talk) -> Figures:
    """... and what was recorded of it."""
    file = recording(product, talk.call)
    length, lost = recorded(file)
    return Figures(talk.gap_ms, talk.unheard_ms, talk.late_ms, talk.ready, lost, length - talk.seconds)


KINDS: Final[Mapping[str, Callable[[Product, Desk], float]]] = {
    "control": control_dies,
    "media": media_dies,
    "supervisor": supervisor_dies,
    "all": all_die,
}
ONCE: Final = {"control": 2, "media": 2, "supervisor": 1, "all": 1}
LONG: Final = 20


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Product]:
    """Of each test alone, also where it is tried again: who is killed too often in a row is given up, and rightly."""
    made = Product(tmp_path / "switch", lasting(drain_seconds=20)).start()
    yield made
    made.stop()


def report(kind: str, figures: list[Figures]) -> None:
    told: dict[str, object] = {"times": len(figures)}
    for name in asdict(figures[0]):
        values = [getattr(one, name) for one in figures]
        told[name] = {"median": round(statistics.median(values), 2), "max": round(max(values), 2)}
        print(f"{kind} killed {len(figures)} times, {name}: {told[name]}")
    told |= {"rows_left_open": 0, "agents_left_busy": 0, "recordings_unplayable": 0}  # else we would not be here
    print(f"{kind} killed: 0 rows left open, 0 agents left busy, 0 of {len(figures)} recordings unplayable")
    keep = os.environ.get("CORDBOARD_DRILLS")
    if keep:
        file = Path(keep)
        known = json.loads(file.read_text()) if file.exists() else {}
        known |= {
            "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
            "machine": f"{platform.system()} {platform.release()}",
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            kind: told,
        }
        file.write_text(json.dumps(known, indent=2) + "\n")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", KINDS)
def test_a_call_goes_on(own: Product, kind: str, request: pytest.FixtureRequest) -> None:
    times = LONG if request.config.getoption("--long") else ONCE[kind]
    talks: list[Talk] = []
    desk = Desk.signed_in(own)
    try:
        for _ in range(times):
            begun = time.monotonic()
            talks.append(drill(own, desk, KINDS[kind]))
            if times == LONG:
                time.sleep(max(0.0, PACE - (time.monotonic() - begun)))
    finally:
        desk.close()
    figures = [with_recording(own, talk) for talk in talks]
    report(kind, figures)
    until(lambda: own.figure("cordboard_legs") == 0, 5, "no leg")
    assert own.complaints == []
    worst = Figures(*(max(getattr(one, name) for one in figures) for name in asdict(figures[0])))
    assert abs(worst.drift) < 0.5
    if kind == "control":
        assert worst.unheard_ms < 100 * CROWDED + min(worst.late_ms, LATE_MS), "the engine plays on"
        assert worst.lost < 0.5
    if kind == "media":
        assert worst.unheard_ms < 2000 * CROWDED
        assert worst.lost < 2 * CROWDED


@pytest.mark.long
@pytest.mark.timeout(180)
def test_a_consultation_a_conversation_of_three_and_a_hold_are_what_they_were(own: Product) -> None:
    """The media process dies in each of them, and both pages make new connections."""
    desks = [Desk.signed_in(own), Desk.signed_in(own, SECOND, SECOND_HZ)]
    lin, wei = desks
    # What the first, the second and the customer hear, where the customer is held, and where it is not.
    apart: list[set[int]] = [{SECOND_HZ}, {AGENT_HZ}, set()]
    together = [{CUSTOMER_HZ, SECOND_HZ}, {CUSTOMER_HZ, AGENT_HZ}, {AGENT_HZ, SECOND_HZ}]

    def hear(wanted: list[set[int]]) -> bool:
        last = [packet.payload for packet in customer.between(time.time() - 1)[-LOOK:]]
        return [lin.hears(), wei.hears(), heard(last, ulaw=False)] == wanted

    try:
        with Caller(own.sip_port, "5001", sound.tone(CUSTOMER_HZ)) as customer:
            customer.dial().answered()
            call = lin.robot.event("call.offered")["call"]
            lin.robot.do("call.answer")
            lin.robot.event("call.connected")
            lin.robot.do("call.consult", agent=SECOND)
            wei.robot.event("call.offered")
            wei.robot.do("call.answer")
            for act, wanted in (("", apart), ("call.merge", together), ("call.hold", apart)):
                if act:
                    lin.robot.do(act)
                until(partial(hear, wanted), 10, f"who hears whom after {act}")
                begun = time.time()
                media_dies(own, *desks)
                until(partial(hear, wanted), 20, f"the same again after {act}")
                print(f"media killed after {act or 'call.consult'}: all is as it was {time.time() - begun:.2f} s later")
            lin.robot.do("call.retrieve")
            until(partial(hear, together), 10, "all three again")
            customer.hang_up()
            for desk in desks:
                desk.robot.state("after_call_work")
        until(lambda: left_open(own) == (0, 0), 5, "the end of every row")
        length, _ = recorded(recording(own, call))
        assert length > 3 * TALK
    finally:
        for desk in desks:
            desk.close()
    until(lambda: own.figure("cordboard_legs") == 0, 5, "no leg")
    assert own.complaints == []


def test_without_a_supervisor_the_call_goes_on_to_its_end(own: Product) -> None:
    """Its children take no more calls; when the last is over they end as they would have."""
    desk = Desk.signed_in(own)
    try:
        with Caller(own.sip_port, "5001", sound.tone(CUSTOMER_HZ)) as customer:
            customer.dial().answered()
            desk.robot.event("call.offered")
            desk.robot.do("call.answer")
            desk.robot.event("call.connected")
            pids = own.pids()
            before = time.time()
            customer.late = desk.voice.late = 0.0
            kill(own, "supervisor")
            until(lambda: own.http("/api/health").status == 503, what="health says that it drains")
            customer.hears(TALK)
            late_ms = min(1000 * max(customer.late, desk.voice.late), LATE_MS)
            assert longest(voiced(customer.between(before))) < 100 * CROWDED + late_ms
            customer.hang_up()
            customer.response("BYE")
            until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids.values()), 10, "the end of all")
    finally:
        desk.close()
    assert left_open(own) == (0, 0)
    assert not (own.data / "run" / "memory").is_symlink()
