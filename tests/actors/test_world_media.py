"""The media process dies in a hold, a consultation, a conversation of three, and while it rings: whole stories.

Another takes its place. Whose page renews its voice hears what it heard, and so do the customer and the recording;
whose page does not is missed as ever, and nobody is held for somebody who is not there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from cordboard.actors import page
from cordboard.actors.agent_state import Phase
from cordboard.switch import protocol as media

from .books import books
from .dialler import Far, dialling, rings_and_answers
from .far import Caller, Robot
from .house import PAGE_OFFER
from .playing import play
from .test_world import HOTLINE, organisation, phase, settle
from .world import World

# What the first agent does in its conversation, and whether the second answers when it is asked: before the death.
STANDINGS: Mapping[str, tuple[Sequence[page.Command], bool]] = {
    "talking": ((), False),
    "held": ((page.Hold(),), False),
    "consult rings": ((page.Consult("1002"),), False),
    "consult": ((page.Consult("1002"),), True),
    "swapped": ((page.Consult("1002"), page.Swap()), True),
    "merged": ((page.Consult("1002"), page.Merge()), True),
    "invited": ((page.Invite("1002"),), False),
    "three-way": ((page.Invite("1002"),), True),
    "three-way held": ((page.Invite("1002"), page.Hold()), True),
    "transfer": ((page.Transfer("1002"),), False),
}
RINGS = ("consult rings", "invited", "transfer")
OUTSIDE: Mapping[str, Sequence[page.Command]] = {
    "consult": (page.Consult(number="13800138000"),),
    "swapped": (page.Consult(number="13800138000"), page.Swap()),
    "three-way": (page.Invite(number="13800138000"),),
    "joined": (page.Consult(number="13800138000"), page.Complete()),
}
AGENTS = {"lin": "1001", "wei": "1002"}


async def stand(world: World, acts: Sequence[page.Command], *, answers: bool) -> tuple[dict[str, Robot], Caller]:
    """A customer and the first agent talk, and it does all this."""
    pages = {"lin": await world.sign_in("1001")}
    caller = world.dial(HOTLINE)
    await pages["lin"].hears(page.CallOffered)
    assert await pages["lin"].ask(page.Answer()) == page.Accepted()
    pages["wei"] = await world.sign_in("1002")
    for act in acts:
        await settle(world, 2)
        assert await pages["lin"].ask(act) == page.Accepted()
        if answers and isinstance(act, page.Consult | page.Invite):
            await pages["wei"].hears(page.CallOffered)
            assert await pages["wei"].ask(page.Answer()) == page.Accepted()
    await settle(world, 4)
    return pages, caller


def heard(world: World) -> dict[str, list[str]]:
    """What every leg and channel hears, by names that outlive legs and sources."""
    names = {leg: "customer" if leg.startswith("call:") else "outside" for leg in world.engine.legs}
    names |= {world.agent(agent).voice: name for name, agent in AGENTS.items()}
    channels = {channel: side for each in world.engine.recordings
                for channel, side in ((media.left(each), "left"), (media.right(each), "right"))}  # fmt: skip

    def named(source: str) -> str:
        if source in names:
            return names[source]
        kind = world.engine.kind(source)
        return repr(kind.parts) if isinstance(kind, media.Playlist) else source

    listeners = {**names, **channels}
    return {name: sorted(map(named, world.engine.hears(leg))) for leg, name in listeners.items() if leg}


async def renew(robot: Robot) -> None:
    """The page finds its voice lost, and makes another."""
    await robot.hears(page.MediaFailed)
    assert isinstance(await robot.ask(page.RenewMedia(PAGE_OFFER)), page.Accepted)


def seen(robot: Robot) -> object:
    """Who is in the call, as its page was told last."""
    told = [event for _, event in robot.heard if isinstance(event, page.CallParties | page.CallEnded)]
    return told[-1] if told else None


async def over(world: World, caller: Caller) -> None:
    caller.hang_up()
    await settle(world, 60)
    world.assert_empty()
    books(world)


def stands(world: World, pages: Mapping[str, Robot]) -> object:
    """All that there is to be told: what is heard, the states of the agents, and who is in the call by each page."""
    return heard(world), [phase(world, each) for each in AGENTS.values()], [seen(each) for each in pages.values()]


@pytest.mark.parametrize("standing", STANDINGS)
def test_who_renews_its_voice_is_where_it_was(standing: str) -> None:
    acts, answers = STANDINGS[standing]

    async def tell(world: World) -> None:
        pages, caller = await stand(world, acts, answers=answers)
        before = stands(world, pages)
        world.start_engine("second")
        for robot in pages.values():
            await renew(robot)
        await settle(world, 2)
        assert stands(world, pages) == before
        assert not caller.over.is_set()
        await over(world, caller)

    play(tell, organisation())


@pytest.mark.parametrize("standing", RINGS)
def test_who_rings_answers_with_the_voice_that_its_page_has_made_anew(standing: str) -> None:
    acts, answers = STANDINGS[standing]

    async def tell(world: World) -> None:
        pages, caller = await stand(world, acts, answers=answers)
        world.start_engine("second")
        for robot in pages.values():
            await renew(robot)
        await settle(world, 2)
        assert phase(world, "1002") is Phase.RINGING
        assert await pages["wei"].ask(page.Answer()) == page.Accepted()
        await settle(world)
        assert phase(world, "1002") is Phase.TALKING
        assert "wei" in heard(world)["customer" if standing != "consult rings" else "lin"]
        await over(world, caller)

    play(tell, organisation())


@pytest.mark.parametrize("standing", OUTSIDE)
def test_a_line_to_an_outside_number_is_where_it_was(standing: str) -> None:
    async def tell(world: World) -> None:
        Far(world, rings_and_answers)
        pages, caller = await stand(world, (), answers=False)
        for act in OUTSIDE[standing]:
            assert await pages["lin"].ask(act) == page.Accepted()
            await settle(world, 4)
        before = stands(world, pages)
        assert "outside" in heard(world)
        world.start_engine("second")
        for robot in pages.values():
            await renew(robot)
        await settle(world, 2)
        assert stands(world, pages) == before
        await over(world, caller)

    play(tell, dialling())


@pytest.mark.parametrize("absent", [("lin",), ("wei",), ("lin", "wei")], ids=" and ".join)
@pytest.mark.parametrize("standing", STANDINGS)
def test_whose_page_does_not_renew_it_is_missed_and_nobody_waits_for_it(standing: str, absent: tuple[str, ...]) -> None:
    acts, answers = STANDINGS[standing]

    async def tell(world: World) -> None:
        pages, caller = await stand(world, acts, answers=answers)
        world.start_engine("second")
        for name, robot in pages.items():
            if name not in absent:
                await renew(robot)
        await settle(world, 60)
        for name in absent:
            assert phase(world, AGENTS[name]) is not Phase.TALKING
        if not caller.over.is_set():
            # Whoever holds the customer is there, and so is whoever it hears.
            customer = heard(world)["customer"]
            assert not set(customer) & set(absent)
            talking = [name for name, agent in AGENTS.items() if phase(world, agent) is Phase.TALKING]
            assert talking or "music" in repr(customer) or "ringback" in repr(customer), customer
        await over(world, caller)

    play(tell, organisation())
