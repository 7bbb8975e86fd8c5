"""The synthetic customer of `cordboard demo`: someone who calls, waits, talks, listens and hangs up.

A real SIP and RTP client on the loopback address, over our own SIP endpoint and nothing else of the switch. It calls
every `interval` seconds where no other customer waits, or whoever comes to their desk later would only ever answer
those who are about to give up; and whenever somebody sends `call` to the Unix socket DATA/run/customer.sock (the button
in the page). It says its sentences in a loop, in packets of 20 ms of PCMU at an absolute pace, and starts again from
the greeting when what it hears changes from music to a person: music has no pauses, people do.

`Ear` and `speech` are plain objects without a clock; `Customer` is the shell around them. It hangs up when the agent
has talked for a while, when its patience or the conversation's time is over, or when the other side does.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import random
import secrets
import struct
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import av
import numpy as np
import trio
from attrs import frozen, mutable
from numpy.typing import NDArray

from ..actors.supervisor import run_directory
from ..codecs import g711
from ..sip import sdp
from ..sip.endpoint import Endpoint, Settings, TrunkSettings
from ..sip.events import CallAnswered, CallEnded, CallFailed, CallReoffered, Output
from ..sip.message import Address
from ..sip.transport import SipTransport, serve

LOOPBACK = "127.0.0.1"
SOCKET = "customer.sock"
# The one request there is.
CALL = b"call"
# What the demonstration's organisation leads to a queue.
NUMBER = "+861055501000"
# So many customers at once are enough to fill a queue.
MAX_CUSTOMERS = 4

FRAME_SECONDS = 0.020
FRAME = 160  # samples of 20 ms at 8 kHz, and octets of G.711
ULAW_SILENCE = 0xFF
PCMU = 0  # RFC 3551 table 4
# Between two sentences the other side may speak.
PAUSE_SECONDS = 2.5

# dBov, RFC 6465 §2: below it nobody hears anything. A pause this long is none of music's.
SILENCE_DBOV = -50.0
PAUSE_OF_A_PERSON = 0.5
# Before so much sound was heard there may be no music yet; only a longer silence is then a person who listens.
MUSIC_SECONDS = 1.0
LONG_PAUSE = 3.0
# A pause between packets that a listener notices: more than a jitter buffer of 40 ms takes up.
GAP_SECONDS = 0.060

Frames = NDArray[np.uint8]


@frozen
class Target:
    """Where the switch speaks SIP, and the number to dial there."""

    host: str
    port: int
    number: str


@frozen
class Person:
    name: str
    number: str
    language: str


# Numbers that reach nobody: North America's 555-0100 to 0199, Ofcom's for drama, and the one that Chinese
# documentation always shows.
PEOPLE = (
    Person("王芳", "+8613800138000", "zh"),
    Person("Emma Clarke", "+447700900142", "en"),
    Person("陈晓明", "+16045550123", "zh"),
    Person("Daniel Reyes", "+12125550178", "en"),
    Person("李静", "+14155550136", "zh"),
    Person("Olivia Hughes", "+442079460733", "en"),
)


@frozen
class Manners:
    """What a customer puts up with, in seconds: `patience` is the range from which the longest wait in the queue and
    the longest conversation are drawn; after `enough` of the agent's voice it says goodbye."""

    patience: tuple[float, float] = (60.0, 90.0)
    enough: float = 20.0


# --- speaking ---------------------------------------------------------------------------------------------------


@functools.cache
def speech(language: str) -> Frames:
    """What a customer says once through: uint8 [frames, 160], mu-law, 20 ms each, a pause after every sentence."""
    pause = np.full(round(PAUSE_SECONDS / FRAME_SECONDS) * FRAME, ULAW_SILENCE, np.uint8)
    paths = sorted(Path(__file__).with_name("voices").glob(f"{language}-*.opus"))
    spoken = np.concatenate([part for path in paths for part in (g711.encode_ulaw(decode(path)), pause)])
    return spoken[: len(spoken) // FRAME * FRAME].reshape(-1, FRAME)


def decode(path: Path) -> NDArray[np.int16]:
    """A sound file as int16 [samples] at 8 kHz."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=8000)
    with av.open(str(path)) as container:
        frames = [
            resampled.to_ndarray()[0]
            for frame in [*container.decode(audio=0), None]
            for resampled in resampler.resample(frame)
        ]
    return np.concatenate(frames).astype(np.int16)


def rtp(sequence: int, timestamp: int, ssrc: int, payload: bytes, *, first: bool, kind: int = PCMU) -> bytes:
    """One packet of a payload type; the marker bit is on the first of a talkspurt (RFC 3550 §5.1, RFC 3551 §4.1)."""
    second = kind | (0x80 if first else 0)
    return struct.pack("!BBHII", 0x80, second, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc) + payload


# --- listening --------------------------------------------------------------------------------------------------


@mutable
class Ear:
    """What came back: packets, how many sequence numbers are missing, gaps, level, and who seems to speak."""

    packets: int = 0
    gaps: int = 0
    longest_gap: float = 0.0
    # Seconds of sound since the first pause of a person.
    talk: float = 0.0
    person: bool = False
    _power: float = 0.0
    _quiet: float = 0.0
    _loud: float = 0.0
    _first: int | None = None
    _highest: int = 0
    _last: float = 0.0

    def hear(self, packet: bytes, now: float) -> bool:
        """One datagram that came at `now`. True at the moment when somebody seems to have come to the telephone."""
        if len(packet) <= 12 or packet[0] != 0x80 or packet[1] & 0x7F != PCMU:
            return False
        (sequence,) = struct.unpack_from("!H", packet, 2)
        if self._first is None:
            self._first = self._highest = sequence
        else:
            ahead = (sequence - self._highest) & 0xFFFF
            if ahead < 0x8000:
                self._highest += ahead
            gap = now - self._last
            self.gaps += gap > GAP_SECONDS
            self.longest_gap = max(self.longest_gap, gap)
        self._last = now
        self.packets += 1
        samples = g711.decode_ulaw(np.frombuffer(packet, np.uint8, offset=12)).astype(np.float64)
        power = float(np.mean(samples**2))
        self._power += power
        return self._judge(dbov(power), (len(packet) - 12) / 8000)

    def _judge(self, level: float, seconds: float) -> bool:
        if level < SILENCE_DBOV:
            self._quiet += seconds
        else:
            self._quiet = 0.0
            self._loud += seconds
            self.talk += seconds if self.person else 0.0
        pause = PAUSE_OF_A_PERSON if self._loud >= MUSIC_SECONDS else LONG_PAUSE
        if self.person or self._quiet < pause:
            return False
        self.person = True
        return True

    @property
    def missing(self) -> int:
        """Sequence numbers that never came."""
        return 0 if self._first is None else self._highest - self._first + 1 - self.packets

    @property
    def level(self) -> float:
        """dBov of all that was heard."""
        return dbov(self._power / self.packets if self.packets else 0.0)


def dbov(power: float) -> float:
    """The level of a mean square of int16 samples, 0 for a full-scale square wave, -127 for silence (RFC 6465)."""
    return max(-127.0, 10 * float(np.log10(power / 32768**2))) if power > 0 else -127.0


# --- calling ----------------------------------------------------------------------------------------------------


@frozen
class Report:
    """One call as the customer lived it. `ended_by` is "customer", "switch" or "nobody"; `why` is for people."""

    person: Person
    answered_after: float | None
    seconds: float
    ended_by: str
    why: str
    ear: Ear

    def __str__(self) -> str:
        answered = "not answered" if self.answered_after is None else f"answered after {self.answered_after:.1f} s"
        return (
            f"customer {self.person.name}: {answered}, {self.seconds:.0f} s, ended by {self.ended_by} ({self.why}); "
            f"heard {self.ear.packets} packets, {self.ear.missing} missing, {self.ear.gaps} gaps, "
            f"longest {1000 * self.ear.longest_gap:.0f} ms, level {self.ear.level:.0f} dBov"
        )


class Customer:
    """One call from dialling to its end; the SIP events of its id come by `tell`."""

    def __init__(
        self, transport: SipTransport, target: Target, person: Person, manners: Manners, rng: random.Random
    ) -> None:
        self.call = secrets.token_hex(8)
        self.ear = Ear()
        self._transport = transport
        self._target = target
        self._person = person
        self._manners = manners
        self._rng = rng
        self._answered = trio.Event()
        self._answered_at: float | None = None
        self._over = trio.CancelScope()
        self._ended: tuple[str, str] | None = None
        self._remote: tuple[str, int] | None = None
        self._position = 0

    def tell(self, output: Output) -> None:
        match output:
            case CallAnswered(answer=answer):
                assert answer is not None, "the switch offers nothing while it rings"
                try:
                    self._remote = sdp.accept(self._offer, answer).remote
                except sdp.SdpError as error:
                    self._end("customer", str(error))
                    return
                self._answered_at = trio.current_time()
                self._answered.set()
            case CallFailed(status=status, reason=reason):
                self._end("switch", f"{status} {reason}".strip())
            case CallEnded(cause=cause):
                self._end("switch", cause)
            case CallReoffered(call=call):
                self._transport.command(lambda now: self._transport.endpoint.reject_reoffer(call, 488, now))
            case _:
                pass

    def vanish(self) -> None:
        """Gone without a word; who wants that the switch hears nothing any more takes the SIP endpoint away as well."""
        self._end("nobody", "vanished")

    def _end(self, by: str, why: str) -> None:
        if self._ended is None:
            self._ended = (by, why)
            self._over.cancel()

    async def live(self) -> Report:
        """The whole call. However it ends, also by cancellation, the switch is told."""
        started = trio.current_time()
        with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as socket:
            await socket.bind((LOOPBACK, 0))
            self._offer = sdp.offer(
                LOOPBACK, socket.getsockname()[1], session_id=secrets.randbits(31), codecs=("pcmu",)
            )
            self._dial()
            try:
                with self._over:
                    await self._talk(socket)
            finally:
                if self._ended is None or self._ended[0] == "customer":
                    self._transport.command(lambda now: self._transport.endpoint.hang_up(self.call, now))
        by, why = self._ended or ("customer", "cancelled")
        waited = None if self._answered_at is None else self._answered_at - started
        return Report(self._person, waited, trio.current_time() - started, by, why, self.ear)

    def _dial(self) -> None:
        target, person = self._target, self._person
        uri = f"sip:{target.number}@{target.host}:{target.port}"
        to = Address(target.host, target.port)
        dial = self._transport.endpoint.dial
        self._transport.command(
            lambda now: dial(self.call, uri, to, person.number, self._offer, now, caller_name=person.name)
        )

    async def _talk(self, socket: trio.socket.SocketType) -> None:
        patience = trio.current_time() + self._rng.uniform(*self._manners.patience)
        with trio.move_on_at(patience) as waiting:
            await self._answered.wait()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._speak, socket)
                nursery.start_soon(self._listen, socket, waiting)
        self._end("customer", "had a good talk" if self.ear.person else "heard nobody")

    async def _speak(self, socket: trio.socket.SocketType) -> None:
        frames = speech(self._person.language)
        ssrc, sequence, timestamp = (secrets.randbits(bits) for bits in (32, 16, 32))
        started = trio.current_time()
        sent = 0
        while True:
            payload = frames[self._position % len(frames)].tobytes()
            packet = rtp(sequence + sent, timestamp + sent * FRAME, ssrc, payload, first=sent == 0)
            if self._remote is not None:
                with contextlib.suppress(OSError):  # the other side has gone; SIP will say so
                    await socket.sendto(packet, self._remote)
            self._position += 1
            sent += 1
            await trio.sleep_until(started + sent * FRAME_SECONDS)

    async def _listen(self, socket: trio.socket.SocketType, waiting: trio.CancelScope) -> None:
        while True:
            try:
                packet, source = await socket.recvfrom(2048)
            except OSError:
                continue
            if source == self._remote and self.ear.hear(packet, trio.current_time()):
                self._position = 0
                waiting.deadline = trio.current_time() + self._rng.uniform(*self._manners.patience)
            if self.ear.talk > self._manners.enough:
                waiting.deadline = min(waiting.deadline, trio.current_time() + self._rest_of_sentence())

    def _rest_of_sentence(self) -> float:
        """Seconds until the sentence being said is over."""
        frames = speech(self._person.language)
        ahead = np.roll(frames, -(self._position % len(frames)), axis=0)
        silent = np.flatnonzero((ahead == ULAW_SILENCE).all(axis=1))
        return float(silent[0]) * FRAME_SECONDS


# --- the demonstration ------------------------------------------------------------------------------------------


def report_to_stderr(report: Report) -> None:
    print(report, file=sys.stderr, flush=True)


async def run(
    target: tuple[str, int],
    data_dir: Path,
    interval: float = 30.0,
    number: str = NUMBER,
    on_report: Callable[[Report], None] = report_to_stderr,
    manners: Manners = Manners(),
    rng: random.Random | None = None,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Calls `number` at `target`, a SIP host and port: now, every `interval` seconds where nobody waits, and at each
    ring of the bell."""
    chance = rng or random.Random()
    customers: dict[str, Customer] = {}

    def route(output: Output) -> None:
        customer = customers.get(getattr(output, "call", ""))
        if customer is not None:
            customer.tell(output)

    async def call(person: Person) -> None:
        customer = Customer(transport, Target(*target, number), person, manners, chance)
        customers[customer.call] = customer
        try:
            on_report(await customer.live())
        finally:
            del customers[customer.call]

    for language in sorted({person.language for person in PEOPLE}):
        await trio.to_thread.run_sync(speech, language)
    settings = Settings(lambda host: (LOOPBACK, transport.addresses[0].port), user_agent="Cordboard customer")
    endpoint = Endpoint(settings, lambda: secrets.token_hex(16))
    endpoint.set_trunks({"switch": TrunkSettings(target[:1])})
    async with trio.open_nursery() as nursery:
        line = trio.CancelScope(shield=True)  # whoever is told to leave says goodbye by it
        transport: SipTransport = await nursery.start(_serve, line, endpoint, route)
        try:
            async with bell(data_dir) as rung, trio.open_nursery() as calls:
                task_status.started()
                rings = True
                for person in itertools.cycle(PEOPLE):
                    waits = any(not each.ear.person for each in customers.values())
                    if len(customers) < MAX_CUSTOMERS and (rings or not waits):
                        calls.start_soon(call, person)
                    rings = False
                    with trio.move_on_after(interval):
                        while await rung.recv(64) != CALL:
                            pass
                        rings = True
        finally:
            line.cancel()


async def _serve(
    line: trio.CancelScope,
    endpoint: Endpoint,
    route: Callable[[Output], None],
    *,
    task_status: trio.TaskStatus[SipTransport],
) -> None:
    """SIP, until `line` is cancelled."""
    with line:
        await serve(endpoint, [(LOOPBACK, 0)], route, task_status=task_status)


@contextlib.asynccontextmanager
async def bell(data_dir: Path) -> AsyncIterator[trio.socket.SocketType]:
    """The Unix datagram socket that `call` is sent to, for its owner only: the directory lets nobody else in."""
    path = run_directory(data_dir) / SOCKET
    path.unlink(missing_ok=True)
    with trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_DGRAM) as socket:
        await socket.bind(str(path))
        path.chmod(0o600)
        try:
            yield socket
        finally:
            path.unlink(missing_ok=True)
