"""What a caller hears whom nobody talks to: that nobody is there, that it has waited too long, that its agent is away.

Prompts are looked for as they lie in the repository, by their correlation with what came on the wire.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import av
import numpy as np
import pytest
from cordboard.codecs.tones import hold_music

from . import sound
from .caller import Caller
from .machine import Waits, fairly
from .product import ROOT, Organisation, Product, cordboard, infrastructure, until
from .robot import Robot
from .sound import Pcm
from .test_numbers import GAP_MS, SILENT_DB
from .voice import Voice

LANGUAGE = "zh"
MAX_WAIT = 3.0
ANNOUNCE = 3.0
AGENT_HZ, CUSTOMER_HZ = 1000.0, 500.0
# A prompt is told from anything else at a glance; music and other prompts are below 0.2.
SAME, OTHER = 0.9, 0.5

MakeRobot = Callable[..., Robot]
MakeCaller = Callable[..., Caller]


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """Queues of which one lets nobody wait for long, one tells who waits its number in line, one is closed now, and one
    lets nobody wait at all where nobody is signed in."""
    organisation = Organisation(LANGUAGE).trunk().queue("support").queue("hasty", max_wait_seconds=MAX_WAIT)
    organisation.queue("patient", announce_seconds=ANNOUNCE).agent("3001", "Bo", patient=1)
    hour = (datetime.now(ZoneInfo("Asia/Shanghai")).hour + 6) % 23  # and never this one or the next
    organisation.queue("shut", hours=[f"{hour:02}:00-{hour + 1:02}:00"])
    organisation.queue("empty", unattended="overflow", overflow="queue:patient")
    organisation.queue("loyal", last_agent_seconds=20).agent("4001", "Cy", loyal=1).agent("4002", "Dee", loyal=1)
    organisation.number("5006", "queue:loyal")
    organisation.number("5004", "queue:shut").number("5005", "queue:empty")
    organisation.agent("1001", "Lin", support=1).agent("2001", "Ada", hasty=1)
    organisation.number("5001", "queue:support").number("5002", "queue:hasty").number("5003", "queue:patient")
    made = Product(tmp_path_factory.mktemp("switch"), infrastructure(codecs=["pcma"]), organisation.text).start()
    yield made
    made.stop()
    assert made.complaints == []


def prompt(name: str, language: str = LANGUAGE) -> Pcm:
    """The words of it, without the silence at either end."""
    (pcm,) = channels((ROOT / "switch" / "voices" / f"{language}-{name}.opus").read_bytes(), "mono")
    loud = np.flatnonzero(np.abs(pcm.astype(int)) > 300)
    return pcm[loud[0] : loud[-1]]


def channels(file: bytes, layout: str) -> list[Pcm]:
    """The sound of a file, channel by channel."""
    with av.open(io.BytesIO(file), "r") as source:
        resampler = av.AudioResampler(format="s16p", layout=layout, rate=sound.RATE)
        frames = [made for frame in [*source.decode(audio=0), None] for made in resampler.resample(frame)]
    return list(np.concatenate([frame.to_ndarray() for frame in frames], axis=1))


def said(name: str, heard: Pcm) -> tuple[float, float]:
    """How much like the prompt is the best of it, and how many seconds from the beginning its first word is."""
    score, at = sound.correlation(prompt(name), heard)
    return score, at / sound.RATE


def listen(name: str, customer: Caller, since: float) -> Pcm:
    """For as long as the prompt lasts, and a second more for it to begin."""
    return customer.hears(1.0 + len(prompt(name)) / sound.RATE, since=since)


def music(pcm: Pcm) -> float:
    """How much like the hold music it is, wherever in it."""
    song = hold_music()
    score, _ = sound.correlation(pcm, np.concatenate([song, song[: len(pcm)]]))
    return score


def test_nobody_is_signed_in_and_then_somebody_is(product: Product, robot: MakeRobot, caller: MakeCaller) -> None:
    def measure() -> None:
        agent = robot("1001")
        with Waits(product.pids()["media"]) as waits, Caller(product.sip_port, "5001") as customer:
            customer.dial().answered()
            answered = next(one.at for one in customer.said if one.status == 200)
            score, after = said("nobody-here", listen("nobody-here", customer, answered))
            begun = time.time()
            agent.sign_in()
            offered = agent.event("call.offered")
            heard = customer.hears(2.3, since=begun)[2400:]
            tune, words = music(heard), sound.correlation(prompt("nobody-here")[: len(heard)], heard)[0]
            pause = waits.longest_pause(customer, answered, time.time())
            customer.hang_up()
            agent.event("call.withdrawn")
        agent.do("agent.sign_out")
        print(
            f"nobody signed in: the first word {1000 * after:.0f} ms after the answer, correlation {score:.3f}; "
            f"signed in: rings after {1000 * (offered['at'] - begun):.0f} ms, music {tune:.3f}, prompt {words:.3f}, "
            f"{sound.level(heard):.0f} dBFS; longest pause {pause}"
        )
        assert score >= SAME
        assert after <= 1.0
        assert tune >= SAME
        assert words < OTHER
        assert pause.own <= GAP_MS

    fairly(measure)


@pytest.mark.long
def test_the_announcement_comes_again_and_between_two_there_is_music(caller: MakeCaller) -> None:
    customer = caller("5001").answered()
    heard = customer.hears(62.0, patience=70.0)
    words = prompt("nobody-here")
    found = []
    for begin in range(0, len(heard) - len(words) - 5 * sound.RATE, 5 * sound.RATE):
        score, at = sound.correlation(words, heard[begin : begin + len(words) + 5 * sound.RATE])
        if score >= SAME:
            found.append((begin + at) / sound.RATE)
    pieces = [round((after - before) - len(words) / sound.RATE, 1) for before, after in pairwise(found)]
    between = [heard[int((at * sound.RATE) + len(words)) :][: 20 * sound.RATE] for at in found[:-1]]
    # Its place in the piece is where it was broken off, so each is found for itself; the edges fade.
    tunes = [music(part[2 * sound.RATE : 17 * sound.RATE]) for part in between]
    print(f"announced at {found}; {pieces} s of music between, correlation {', '.join(f'{one:.3f}' for one in tunes)}")
    assert len(found) == 3
    assert all(20 <= after - before <= 30 for before, after in pairwise(found))
    assert min(tunes) >= SAME


def test_who_waits_hears_its_number_in_line(product: Product, robot: MakeRobot) -> None:
    agent = robot("3001").sign_in()
    agent.do("agent.state", state="break")  # somebody is there, and nobody answers

    def measure() -> None:
        with Caller(product.sip_port, "5003") as first, Caller(product.sip_port, "5003") as second:
            begun = {}
            for customer in (first, second):
                customer.dial().answered()
                begun[customer] = next(one.at for one in customer.said if one.status == 200)
            words = {word: prompt(word) for word in ("position", "digit-1", "digit-2", "digit-3")}

            def found(customer: Caller, until_: float) -> tuple[float, dict[str, float], float]:
                """When its number is said, how much like each digit it is, and how much like music all before is."""
                heard = customer.hears(until_, since=begun[customer])
                score, at = sound.correlation(words["position"], heard)
                assert score >= SAME
                after = heard[at + len(words["position"]) :][: round(0.8 * sound.RATE)]
                digits = {word: sound.correlation(pcm, after)[0] for word, pcm in words.items() if word != "position"}
                return at / sound.RATE, digits, music(heard[4000 : at - 4000])

            last = ANNOUNCE + len(words["position"]) / sound.RATE + 1.5
            told = {name: found(customer, last) for name, customer in (("1", first), ("2", second))}
        print(
            "; ".join(
                f"number {name}: after {at:.2f} s ({ANNOUNCE:g} s wanted), music before {before:.3f}, "
                + ", ".join(f"{word} {score:.3f}" for word, score in digits.items())
                for name, (at, digits, before) in told.items()
            )
        )
        for name, (at, digits, before) in told.items():
            mine = digits.pop(f"digit-{name}")
            assert mine >= SAME
            assert max(digits.values()) < mine - 0.1
            assert before >= SAME
            assert ANNOUNCE <= at <= ANNOUNCE + 1.0

    fairly(measure)
    agent.do("agent.sign_out")


@pytest.mark.long
def test_a_key_ends_the_number_in_line(product: Product, robot: MakeRobot, caller: MakeCaller) -> None:
    agent = robot("3001").sign_in()
    agent.do("agent.state", state="break")
    customer = caller("5003").answered()
    answered = next(one.at for one in customer.said if one.status == 200)
    words = prompt("position")
    customer.hears(ANNOUNCE + 1.0, since=answered)  # in mid-word
    customer.press("5")
    heard = customer.hears(1.4, since=answered + ANNOUNCE + 1.4)
    cut, tune = sound.correlation(words[-6000:], heard)[0], music(heard)
    print(f"after a key: the rest of the words {cut:.3f}, music {tune:.3f}")
    assert cut < OTHER
    assert tune >= SAME
    agent.do("agent.sign_out")


def test_who_waits_too_long_hears_goodbye(product: Product, robot: MakeRobot) -> None:
    def measure() -> None:
        agent = robot("2001").sign_in()
        with Caller(product.sip_port, "5002") as customer:
            customer.dial().answered()
            answered = next(one.at for one in customer.said if one.status == 200)
            call = agent.event("call.offered")["call"]
            gone = agent.event("call.withdrawn", MAX_WAIT + 5, call=call)
            assert agent.refusal("call.answer", call=call) == "waited_too_long"
            ended = customer.ended(15)
            score, after = said("goodbye", customer.heard(answered + MAX_WAIT, ended))
            tune = music(customer.heard(answered + 0.5, answered + MAX_WAIT - 0.1))
            waited = gone["at"] - answered
        agent.do("agent.sign_out")
        words = len(prompt("goodbye")) / sound.RATE
        silence = ended - answered - MAX_WAIT - after - words
        print(
            f"rang and was withdrawn after {waited:.2f} s ({MAX_WAIT:g} s wanted), music until then {tune:.3f}; "
            f"goodbye {1000 * after:.0f} ms later, correlation {score:.3f}; "
            f"BYE {1000 * silence:.0f} ms after its last word"
        )
        assert gone["reason"] == "waited too long"
        assert waited == pytest.approx(MAX_WAIT, abs=0.25)
        assert tune >= SAME
        assert score >= SAME
        assert after <= 1.0
        assert 0.2 <= silence <= 1.0
        kept = until(lambda: over(product, "2001", call), 10, "the record of the call")
        assert (kept["ended_by"], kept["cause"], kept["class"]) == ("system", "waited too long", "not_connected")

    fairly(measure)


def test_who_calls_when_it_is_closed_hears_that_and_no_more(product: Product) -> None:
    def measure() -> None:
        with Caller(product.sip_port, "5004") as customer:
            customer.dial().answered()
            answered = next(one.at for one in customer.said if one.status == 200)
            ended = customer.ended(15)
            score, after = said("closed", customer.heard(answered, ended))
            silence = ended - answered - after - len(prompt("closed")) / sound.RATE
        print(
            f"closed: the first word {1000 * after:.0f} ms after the answer, correlation {score:.3f}; "
            f"BYE {1000 * silence:.0f} ms after the last"
        )
        assert score >= SAME
        assert after <= 1.0
        assert 0.2 <= silence <= 1.0

    fairly(measure)


def test_where_nobody_is_signed_in_the_call_rings_in_the_queue_it_goes_on_to(
    product: Product, robot: MakeRobot
) -> None:
    agent = robot("3001").sign_in()
    with Caller(product.sip_port, "5005") as customer:
        customer.dial().answered()
        offered = agent.event("call.offered")
        assert offered["queue"] == "patient"
        customer.hang_up()
        agent.event("call.withdrawn")
    kept = until(lambda: over(product, "3001", offered["call"]), 10, "the record of the call")
    assert [(each["kind"], each["queue"], each["cause"]) for each in kept["transfers"]] == [
        ("queue", "patient", "nobody was signed in")
    ]
    agent.do("agent.sign_out")


def test_a_caller_rings_at_who_served_it_last_and_why_tells_so(product: Product, robot: MakeRobot) -> None:
    longest, other = robot("4001").sign_in(), robot("4002").sign_in()
    longest.do("agent.state", state="break")
    with Caller(product.sip_port, "5006") as customer:
        customer.dial().answered()
        served = other.event("call.offered")["call"]
        other.do("call.answer")
        other.event("call.connected")
        other.do("call.hang_up")
        customer.ended()
    until(lambda: product.ask(f"/api/calls/{served}", "4002").json.get("ended"), 10, "the record in which it looks")
    longest.do("agent.state", state="idle")
    other.do("agent.start_answering")
    with Caller(product.sip_port, "5006") as customer:
        customer.dial().answered()
        call = other.event("call.offered")["call"]
        customer.hang_up()
        other.event("call.withdrawn")
    for agent in (longest, other):
        agent.do("agent.sign_out")
    until(lambda: over(product, "4002", call), 10, "the record of the call")
    told = cordboard("why", call, "--agent", "4001", "--data", str(product.data))
    print(told.stdout)
    assert told.returncode == 0, told.stderr
    assert "offered to Dee (4002): caller left" in told.stdout
    assert "4001: free, while it was kept for who served the caller last" in told.stdout
    assert "made again: the same" in told.stdout


def over(product: Product, agent: str, call: str) -> dict[str, Any]:
    """What is kept of a call, when it is over and its recording is made."""
    reply = product.ask(f"/api/calls/{call}", agent)
    found: dict[str, Any] = reply.json if reply.status == 200 else {}
    return found if found.get("ended") and found["recording"] in ("none", "ready") else {}


def test_an_agent_who_is_not_heard_is_announced_until_it_is(product: Product, robot: MakeRobot) -> None:
    def measure() -> None:
        agent = robot("1001")
        with (
            Voice(sound.tone(AGENT_HZ)) as voice,
            Caller(product.sip_port, "5001", sound.tone(CUSTOMER_HZ)) as customer,
        ):
            voice.connect(agent.do("agent.sign_in", sdp=voice.offer())["sdp"])
            customer.dial().answered()
            call = agent.event("call.offered")["call"]
            agent.do("call.answer")
            agent.event("call.connected")
            until(lambda: sound.strength(customer.hears(0.2), AGENT_HZ) > 4000, 5, "the agent's voice")
            customer.hears(1.0)  # the first second is the agent's to find the microphone
            hushed = time.time()
            voice.speaks = False
            away = agent.event("call.away", 3)
            score, after = said("agent-away", listen("agent-away", customer, hushed))
            voice.speaks = True
            spoken = time.time()
            back = agent.event("call.back", 3)
            until(lambda: sound.strength(customer.hears(0.1), AGENT_HZ) > 4000, 3, "the agent's voice again")
            heard = customer.heard(spoken, time.time())
            loud = [sound.strength(heard[at : at + 160], AGENT_HZ) > 4000 for at in range(0, len(heard) - 159, 160)]
            again = loud.index(True) * 0.02
            talked = customer.hears(0.5)
            agent.do("call.hang_up")
            customer.ended()
            agent.state("after_call_work")
            agent.do("agent.sign_out")
        told, told_back = 1000 * (away["at"] - hushed), 1000 * (back["at"] - spoken)
        print(
            f"not heard: told after {told:.0f} ms, first word after {1000 * after:.0f} ms, correlation {score:.3f}; "
            f"heard again: told after {told_back:.0f} ms, at the customer after {1000 * again:.0f} ms; then "
            f"{sound.loudest(talked):.0f} Hz at {sound.level(talked):.0f} dBFS"
        )
        kept = until(lambda: over(product, "1001", call), 15, "the record of the call")
        file = product.ask(f"/api/calls/{call}/recording", "1001").body
        left, right = channels(file, "stereo")
        begin, end = (round((at - kept["answered"]) * sound.RATE) for at in (hushed + 1.0, spoken))
        whole = [sound.strength(left[at : at + 1600], CUSTOMER_HZ) for at in range(1600, len(left) - 3200, 1600)]
        silent, before = sound.level(right[begin:end]), sound.level(right[begin - 14400 : begin - 9600])
        print(
            f"its recording: {len(left) / sound.RATE:.2f} s of {kept['ended'] - kept['answered']:.2f} s; "
            f"the customer's tone at {min(whole):.0f} or more throughout; "
            f"the agent's side {before:.0f} dBFS, while away {silent:.0f} dBFS"
        )
        assert len(left) / sound.RATE == pytest.approx(kept["ended"] - kept["answered"], abs=0.1)
        assert min(whole) > 4000
        assert silent < SILENT_DB
        assert before > -25
        assert score >= SAME
        assert after <= 1.0
        assert again <= 1.0
        assert abs(sound.loudest(talked) - AGENT_HZ) < 5

    fairly(measure)
