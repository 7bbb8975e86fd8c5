"""What the demonstration says of itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import trio
from attrs import evolve
from cordboard.actors.config import Config
from cordboard.actors.organisation import parse_organisation
from cordboard.actors.records import CallEntry
from cordboard.actors.store import Store
from cordboard.actors.store.told import Listing
from cordboard.bench.acquaintances import Agent
from cordboard.bench.customer import PEOPLE
from cordboard.bench.demo import SAMPLE, run, welcome


@pytest.mark.parametrize(("port", "phone"), [(5060, "127.0.0.1"), (5064, "127.0.0.1:5064")])
def test_a_telephone_is_told_the_port_where_it_is_not_the_usual_one(port: int, phone: str) -> None:
    config = Config()
    config = evolve(config, sip=evolve(config.sip, udp=(evolve(config.sip.udp[0], port=port),)))
    said = welcome(config, parse_organisation(SAMPLE))
    assert f"sip:600@{phone} (echo)" in said
    assert "https://127.0.0.1:8443/" in said
    for agent in ("agent 1001", "agent 1002", "agent 1003", "supervisor 2001", "administrator 3001"):
        assert f"{agent} (" in said
        assert f"password harbour-{agent.split()[1]}" in said
    assert "https://127.0.0.1:8443/admin" in said


@pytest.mark.parametrize("starts", [True, False])
def test_nobody_is_welcomed_before_calls_can_come(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], starts: bool
) -> None:
    """... and not at all where a port is taken: what is wrong is then the last that is read."""

    async def switch(on_ready: Callable[[], None]) -> int:
        print("starting", flush=True)
        if starts:
            on_ready()
        return 2

    assert trio.run(run, Config(), tmp_path, switch) == 2
    said, _ = capfd.readouterr()
    assert said.startswith("starting\n")
    assert ("Harbour Travel: a demonstration" in said) == starts


def test_some_customers_are_known_from_the_first_start_on(tmp_path: Path) -> None:
    """What an agent wrote stays with the next start; of who has not called before nothing is known."""

    async def switch(on_ready: Callable[[], None]) -> int:
        return 0

    async def look() -> None:
        async with await Store.open(tmp_path) as store:
            people = [
                CallEntry(person.name, "customer", "inbound", person.number, "", "1", "q", 2e9) for person in PEOPLE
            ]
            await store.apply(people)
            papers = {
                person.name: await store.papers.paper(Agent("2001", "supervisor"), person.name) for person in PEOPLE
            }
            assert await store.history.calls(Agent("1001"), 7) == Listing((), None)
        fang, emma = papers["王芳"], papers["Emma Clarke"]
        assert (fang.customer.fields.name.value, fang.customer.tags) == ("王芳", ("vip",))
        assert [each.fields.status.value for each in fang.tickets] == ["open"]
        assert [(each.agents, bool(each.summary)) for each in fang.earlier] == [(("Chen",), True), (("Lin",), True)]
        assert emma.known_tags[0] == "vip"
        assert papers["李静"].customer.customer == ""

    for _ in range(2):
        trio.run(run, Config(), tmp_path, switch)
        trio.run(look)
