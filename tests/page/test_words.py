"""The dictionaries: the same keys in both languages, a word for every refusal, no key that nobody wrote."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest
from cordboard.actors import acts, call_state
from cordboard.actors.page import FAILURES, REFUSALS, Command, Event, State
from cordboard.web.protocol import Own, PaperChanged

STATIC = Path(__file__).parents[2] / "web" / "static"
ACTORS = Path(__file__).parents[2] / "actors"
LANGUAGES = ("en", "zh")
PARTS = ("admin", "call", "kept", "page", "paper", "told")


def dictionary(language: str, *parts: str) -> dict[str, str]:
    """Those parts of it, or all."""
    text = "\n".join((STATIC / "lang" / language / f"{part}.js").read_text() for part in parts or PARTS)
    lines = [line for line in text.splitlines() if line.startswith("  '")]
    found = [re.fullmatch(r"  '([\w.]+)': (['\"])(.*)\2,", line) for line in lines]
    assert all(found), [line for line, match in zip(lines, found, strict=True) if not match]
    keys = [match[1] for match in found if match]
    assert len(keys) == len(set(keys)), "a key is there twice"
    return {match[1]: match[3] for match in found if match}


@pytest.mark.parametrize("part", PARTS)
def test_both_languages_have_the_same_keys_in_the_same_order(part: str) -> None:
    assert list(dictionary("en", part)) == list(dictionary("zh", part))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_dictionary_is_its_parts(language: str) -> None:
    assert {file.stem for file in (STATIC / "lang" / language).iterdir()} == set(PARTS)
    text = (STATIC / "lang" / f"{language}.js").read_text()
    assert re.findall(r"from '\./(\w+)/(\w+)\.js'", text) == [(language, part) for part in PARTS]


def test_both_languages_fill_in_the_same_values() -> None:
    english, chinese = dictionary("en"), dictionary("zh")
    braces = re.compile(r"\{(\w+)\}")
    assert {key: set(braces.findall(text)) for key, text in english.items()} == {
        key: set(braces.findall(text)) for key, text in chinese.items()
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_refusal_and_state_has_words(language: str) -> None:
    words = dictionary(language)
    assert {code for code in REFUSALS if f"refusal.{code}" not in words} == set()
    assert {code for code in FAILURES if f"failed.{code}" not in words} == set()
    assert {state.value for state in State if f"state.{state.value}" not in words} == set()


def said_by(*modules: str) -> str:
    """The source of a behaviour, in those of its modules."""
    return "\n".join((ACTORS / f"{name}.py").read_text() for name in modules)


def said_by_agents() -> str:
    return said_by("agent", "shift", "callee", "dialler", "seat")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_that_ends_an_offer_or_a_call_has_words(language: str) -> None:
    words = dictionary(language)
    call = said_by("call", "arrival", "caller", "dialling", "waiting", "acts", "seconds", "referred")
    agent = said_by_agents()
    causes = re.search(r"_CAUSES = \{(.*?)\}", (ACTORS / "signalling.py").read_text(), re.S)
    assert causes is not None
    reasons = {
        "crashed",
        *re.findall(r'give_back\("([^"]+)"', agent),
        *re.findall(r'end\("system", f?"([^":]+)', call),
        *re.findall(r'_say_goodbye\("([^"]+)"', call),
        *(call_state.CLOSED, call_state.FULL, call_state.UNATTENDED, call_state.TOO_LONG, acts.NOBODY_TOOK_IT),
        *re.findall(r': "([^"]+)"', causes[1]),
    } - {"the room is full", "hung up"}  # no agent is in a room; "hung up" has a sentence of its own
    assert len(reasons) >= 8
    keys = {reason.replace(" ", "_") for reason in reasons}
    assert {key for key in keys if f"reason.{key}" not in words and f"withdrawn.{key}" not in words} == set()
    sent_on = (call_state.CLOSED, call_state.FULL, call_state.UNATTENDED, call_state.TOO_LONG)
    assert {cause for cause in sent_on if f"course.sent_on.{cause.replace(' ', '_')}" not in words} == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_of_a_state_and_of_a_lost_recording_has_words(language: str) -> None:
    words = dictionary(language)
    agent, recordings = said_by_agents(), (ACTORS / "recordings.py").read_text()
    reasons = {
        *re.findall(r'move\([^"\n]*, f?"([^"]+)"', agent),
        *re.findall(r'release_seat\("([^"]+)"', agent),
        *re.findall(r'give_back\("([^"]+)"', agent),
        *re.findall(r'second_out\([^)]*, "(\w+)", now\)', said_by("seconds", "acts")),
        acts.TRANSFERRED,
    }
    told = {reason.replace("{message.by}", by) for reason in reasons for by in ("caller", "agent", "system")}
    assert len(told) >= 15
    keys = {re.sub(r"[\s-]+", "_", reason) for reason in told} - {"break"}  # a break that is chosen is "chosen"
    assert {key for key in keys if f"reason.{key}" not in words} == set()
    lost = set(re.findall(r'_lost\(recording, "([^"]+)"', recordings))
    assert len(lost) >= 3
    assert {reason for reason in lost if f"lost.{reason.replace(' ', '_')}" not in words} == set()


def test_every_key_in_the_code_is_in_the_dictionary_and_the_other_way_round() -> None:
    words = set(dictionary("en"))
    code = "\n".join(file.read_text() for file in [*STATIC.glob("*.js"), *(STATIC / "views").glob("*.js")])
    whole = set(re.findall(r"'([a-z_]+\.[\w.]+)'", code)) - {"app.js"}
    prefixes = tuple(re.findall(r"`([a-z_]+\.(?:[\w.]+\.)?)\$\{", code))
    keys = {key for key in whole if key.split(".")[0] in {word.split(".")[0] for word in words}}
    commands = (*get_args(Command), *get_args(Own))
    events = {command.do for command in commands} | {event.event for event in (*get_args(Event), PaperChanged)}
    assert keys - words - events == set()
    assert {word for word in words if word not in whole and not word.startswith(prefixes)} == set()


def test_the_check_before_modules_has_both_languages() -> None:
    text = (STATIC / "check.js").read_text()
    english, chinese = (re.findall(r"^      (\w+):", part, re.M) for part in text.split("    zh: {")[0:2])
    assert len(english) >= 8
    assert english == chinese


def test_the_name_of_every_state_is_the_guide_s() -> None:
    names = {state: dictionary("zh")[f"state.{state}"] for state in (one.value for one in State)}
    assert names == {
        "signed_out": "签出",
        "idle": "空闲",
        "ringing": "振铃",
        "talking": "通话",
        "after_call_work": "话后处理",
        "break": "小休",
        "mobile_answer": "手机接听",
    }
