"""Voicemail on a real trunk: the caller hears greeting and tone, what it says is kept, and other systems are told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from attrs import frozen
from cordboard.actors.announcements import BEEP_HZ
from cordboard.actors.webhooks import signature

from tests.receiver import Came, receiver

from . import sound
from .caller import Caller
from .product import Organisation, Product, infrastructure, until
from .robot import Robot
from .test_waiting import channels, prompt

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
CUSTOMER_HZ = 500.0


@frozen
class Scene:
    product: Product
    told: list[Came]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A queue that keeps nobody while nobody is signed in."""
    with receiver() as (base, told):
        organisation = Organisation("zh").trunk("carrier", "127.0.0.1")
        organisation.queue("support", unattended="overflow", overflow="voicemail")
        organisation.agent("1001", "Lin", support=1).agent("1002", "Maya").number("5001", "queue:support")
        organisation.webhook("crm", f"{base}/events", SECRET)
        made = Product(tmp_path_factory.mktemp("voicemail"), infrastructure(), organisation.text).start()
        yield Scene(made, told)
        made.stop()
    assert made.complaints == []


def messages(scene: Scene, agent: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = scene.product.ask("/api/calls?class=voicemail", agent).json["calls"]
    return found


def test_a_message_is_heard_by_the_agents_of_its_queue_and_told_to_other_systems(scene: Scene) -> None:
    product = scene.product
    before = [each["call"] for each in messages(scene, "1001")]  # of this test, where it is told again
    scene.told.clear()
    with Caller(product.sip_port, "5001", sound.tone(CUSTOMER_HZ, 1)) as customer:
        customer.dial().answered()
        heard = customer.hears(9.5)
        words = prompt("voicemail")
        likeness, at = sound.correlation(words[: 2 * sound.RATE], heard)
        beep = heard[at + len(words) :]
        parts = beep[: len(beep) // 1600 * 1600].reshape(-1, 1600)
        tone = max(sound.strength(part, BEEP_HZ) for part in parts)
        print(f"greeting: correlation {likeness:.3f}; the tone after it has an amplitude of {tone:.0f}")
        assert likeness > 0.8
        assert tone > 2000
        customer.hears(3.0)
        customer.press("#")
        until(lambda: customer.ended_by, 10, "BYE")

    def left() -> list[dict[str, Any]]:
        there = (each for each in messages(scene, "1001") if each["call"] not in before)
        return [each for each in there if each["recording"] == "ready"]

    (message,) = until(left, 20, "it")
    length = message["message"]["ended"] - message["message"]["began"]
    assert 2.5 < length < 5.5
    assert messages(scene, "1002") == []
    file = product.ask(f"/api/calls/{message['call']}/recording").body
    hers, ours = (sound.strength(side[sound.RATE : 2 * sound.RATE], CUSTOMER_HZ) for side in channels(file, "stereo"))
    print(f"a message of {length:.1f} s; the customer with an amplitude of {hers:.0f} left and {ours:.0f} right")
    assert hers > 4000
    assert ours < 40
    ((path, headers, body),) = until(lambda: scene.told, 10, "the webhook")
    assert path == "/events"
    signed = signature(SECRET, headers["webhook-id"], int(headers["webhook-timestamp"]), body)
    assert headers["webhook-signature"] == signed
    said = json.loads(body)
    assert said["type"] == "voicemail.left"
    assert (said["data"]["call"], said["data"]["queue"]) == (message["call"], "support")


def test_an_agent_that_comes_in_is_told_that_there_is_one(scene: Scene) -> None:
    with Robot(scene.product, "1001") as lin:
        lin.sign_in()
        (queue,) = lin.ask("snapshot")["queues"]
        lin.do("agent.sign_out")
    assert queue["message_at"] is not None
