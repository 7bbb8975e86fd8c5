"""More calls than the engine bears: the real processes, and calls of G.722 by sipp until no more is let in.

Each leg of G.722 costs its tick what ten of G.711 do, whether anybody speaks or not, so a few seconds of calls fill any
machine. Beside them goes one call from before, which must not lose a packet by it.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from cordboard.actors.alarms import BUSY, MEDIA_FULL
from cordboard.actors.switchboard import FULL_RETRY_AFTER

from . import sound
from .caller import FRAME, Caller
from .machine import Waits
from .product import Product, free_port, infrastructure, until
from .test_numbers import GAP_MS
from .test_sip import OURS, needs_sipp

CALLS_A_SECOND = 100
HICCUP = 0.3  # seconds
LATER_MS = 40.0  # at most, after a hiccup
# A customer who was late with what it sent is heard so much later, and rightly: what a hiccup costs is told by one whom
# the machine let speak in time.
TURNS = 3
ROOM_MS = 16.0  # of the 20 of a tick: there is room in the usual one
COUNTED = ('cordboard_media_total{what="ticks_late"}', 'cordboard_media_total{what="ticks_skipped"}')
INVITES = 'cordboard_trunk_answers_total{code="%d",direction="in",method="INVITE",trunk="carrier"}'


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    made = Product(tmp_path / "switch", infrastructure(drain_seconds=0)).start()
    made.expected += [MEDIA_FULL.says(), BUSY.says()]
    yield made
    made.stop()
    assert made.complaints == []


@contextmanager
def pouring_in(product: Product) -> Iterator[subprocess.Popen[bytes]]:
    """Calls of G.722 that stay, so many a second; those that are refused are told when to come again, or sipp fails."""
    command = ["sipp", f"127.0.0.1:{product.sip_port}", "-i", "127.0.0.1", "-p", str(free_port()), "-nostdin"]
    command += ["-sf", str(OURS / "stays.xml"), "-s", "601", "-key", "codec", "9", "-key", "map", "G722/8000"]
    command += ["-mp", "12000", "-r", str(CALLS_A_SECOND), "-d", "60000"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as sipp:
        try:
            yield sipp
        finally:
            failed = sipp.poll()
            sipp.kill()
    assert failed is None, f"sipp ended with {failed}"


def grown(speech: sound.Pcm, heard: sound.Pcm) -> float:
    """How many ms later than at the beginning of what was `heard` the `speech`, said again and again, is at its end."""
    begin = 2 * len(speech)
    first, last = heard[sound.RATE // 2 :][:begin], heard[-begin:]
    moved = len(heard) - begin + sound.correlation(speech, last)[1]
    moved -= sound.RATE // 2 + sound.correlation(speech, first)[1]
    half = len(speech) // 2
    return 1000 * ((moved + half) % len(speech) - half) / sound.RATE


def stood_still(product: Product, media: int, customer: Caller, speech: sound.Pcm) -> float:
    """A hiccup: everything stands still, is late, and goes on. It is counted, and nobody is refused for it. By how many
    ms the customer's echo is later than before."""
    customer.hears(2.5)
    before = product.metrics()
    os.kill(media, signal.SIGSTOP)
    time.sleep(HICCUP)
    os.kill(media, signal.SIGCONT)

    def counted() -> bool:
        now = product.metrics()
        return all(now.get(name, 0.0) > before.get(name, 0.0) for name in COUNTED)

    until(counted, 3, "that it is counted")
    assert product.figure("cordboard_media_full") == 0
    with Caller(product.sip_port, "601") as another:
        another.dial().answered()
    customer.hears(2.0)
    return grown(speech, customer.heard())


@pytest.mark.peer("sipp")
@needs_sipp
def test_a_full_engine_refuses_calls_before_one_that_lives_breaks(tmp_path: Path, product: Product) -> None:
    media = product.pids()["media"]
    _, speech = sound.speak(tmp_path)
    with ExitStack() as stack:
        for turn in range(1, TURNS + 1):
            with ExitStack() as call:
                customer = call.enter_context(Caller(product.sip_port, "600", speech[: sound.RATE]))
                customer.dial().answered()
                later = stood_still(product, media, customer, speech[: sound.RATE])
                late = 1000 * customer.late
                print(f"after {HICCUP} s of nothing the echo is {later:+.0f} ms later, its customer {late:.0f} ms late")
                if late <= LATER_MS or turn == TURNS:
                    stack.push(call.pop_all())
                    break
        assert abs(later) <= LATER_MS

        begin = time.time()
        with Waits(media) as waits, pouring_in(product) as sipp:
            until(lambda: product.figure("cordboard_media_full"), 20, "a full engine")
            until(lambda: product.metrics().get(INVITES % 503), 5, "that calls are refused")
            end = time.time()
            customer.hears(2.0)  # the last second's report is of those that were let in
            full = product.metrics()
            # So many calls at once are refused for the control process's sake too, where it has little of a core. When
            # no more come, they are for the engine's alone.
            sipp.send_signal(signal.SIGUSR1)
            until(lambda: product.figure("cordboard_busy") == 0, 5, "a control process at rest")
            with Caller(product.sip_port, "600") as refused:
                assert refused.dial().refused().status == 503
                assert refused.refused().header("Retry-After") == str(FULL_RETRY_AFTER)
        pause = waits.longest_pause(customer, begin, time.time())
        packets = customer.between(begin)
        print(
            f"full after {end - begin:.1f} s with {full['cordboard_legs']:.0f} legs, a tick of "
            f"{full['cordboard_media_tick_p50_ms']:.1f} ms (p99 {full['cordboard_media_tick_p99_ms']:.1f}); "
            f"the call from before: longest pause {pause}"
        )
        assert full["cordboard_media_full"] == 1
        assert full["cordboard_media_tick_p50_ms"] < ROOM_MS
        assert {(two.sequence - one.sequence) & 0xFFFF for one, two in itertools.pairwise(packets)} == {1}
        assert {(two.timestamp - one.timestamp) & 0xFFFFFFFF for one, two in itertools.pairwise(packets)} == {FRAME}
        assert pause.own < GAP_MS
