"""The organisation file: where a number leads, and what a person is told who wrote it wrong."""

from __future__ import annotations

import pytest
from cordboard.actors.entries import Queue, Skill
from cordboard.actors.keys import ConfigError
from cordboard.actors.organisation import Organisation, parse_organisation
from cordboard.actors.routes import Echo, Hold, Room, Route, ToneRoute, ToQueue, parse_route, route_text
from hypothesis import given
from hypothesis import strategies as st

SUPPORT = '[[queue]]\nid = "support"\n'


def with_numbers(*numbers: str, country: str = "CN") -> Organisation:
    entries = "".join(f"[[number]]\n{number}\n" for number in numbers)
    return parse_organisation(f'[organisation]\ncountry = "{country}"\n{SUPPORT}{entries}')


def test_nothing_written_is_the_default() -> None:
    assert parse_organisation("") == Organisation()


def test_names_are_ids_until_given() -> None:
    organisation = parse_organisation(SUPPORT + '[[agent]]\nid = "1001"\nskills = { support = 2 }\n')
    assert organisation.queues == (Queue("support", name="support"),)
    (agent,) = organisation.agents
    assert agent.name == "1001"
    assert agent.skills == (Skill("support", 2),)
    assert agent.password is None


def test_passwords_and_secrets_are_not_in_what_is_logged() -> None:
    shown = repr(
        parse_organisation("""
        [[trunk]]
        id = "t"
        password = "hidden one"
        [[agent]]
        id = "a"
        password = "hidden two"
        [[window]]
        name = "w"
        url = "https://crm.example"
        secret = "hidden three"
    """)
    )
    assert "hidden" not in shown


def test_a_mobile_number_is_kept_as_e164() -> None:
    for written in ("13800138000", "+86 138-0013-8000", "008613800138000"):
        (agent,) = parse_organisation(f'[[agent]]\nid = "a"\nmobile = "{written}"').agents
        assert agent.mobile == "+8613800138000"


# --- routes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("country", "written", "dialled"),
    [
        ("CN", "+861055501000", ["+861055501000", "00861055501000", "01055501000", "861055501000", "010-5550 1000"]),
        ("CN", "01055501000", ["+861055501000", "00861055501000"]),
        ("GB", "+442079460000", ["+442079460000", "02079460000", "00442079460000", "(020) 7946 0000"]),
        ("US", "+12025550100", ["+12025550100", "2025550100", "12025550100"]),
    ],
)
def test_one_number_in_every_writing(country: str, written: str, dialled: list[str]) -> None:
    organisation = with_numbers(f'number = "{written}"\nroute = "queue:support"', country=country)
    assert {number: organisation.route(number) for number in dialled} == dict.fromkeys(dialled, ToQueue("support"))


@pytest.mark.parametrize(
    "dialled", ["", "600 ", "6001", "+86600", "+861055501001", "+441055501000", "1055501000x", "٦٠٠", "６００", "echo"]
)
def test_a_number_that_is_not_ours_leads_nowhere(dialled: str) -> None:
    organisation = with_numbers('number = "600"\nroute = "echo"', 'number = "+861055501000"\nroute = "queue:support"')
    assert organisation.route(dialled) is None


def test_exact_numbers_come_before_patterns_and_patterns_in_order() -> None:
    organisation = with_numbers(
        "pattern = '7\\d\\d'\nroute = 'room'",
        "pattern = '7.*'\nroute = 'hold'",
        "number = '700'\nroute = 'echo'",
        "number = 'reception'\nroute = 'tone:440'",
    )
    dialled = ["700", "701", "7", "70111", "17011", "reception", "Reception"]
    assert [organisation.route(number) for number in dialled] == [
        Echo(),
        Room(),
        Hold(),
        Hold(),
        None,
        ToneRoute(440.0),
        None,
    ]


@pytest.mark.parametrize(
    "pattern",
    [
        r"(\d+)+",
        r"(\d|7)*x",
        r"(?:7?\d)*",
        r"((\d*)5)+",
        r"(a*){9}",
        r"([^)]*\))*",
        r"\d*1\d*2\d*3\d*4\d*",
        r"(\d{1,9}){2,}x",
    ],
)
def test_a_pattern_that_a_caller_could_keep_busy_is_refused(pattern: str) -> None:
    """`(\\d+)+` would look at 64 dialled digits and a letter for longer than the world has been."""
    with pytest.raises(ConfigError, match="repeats what is itself repeated or a choice"):
        with_numbers(f"pattern = '{pattern}'\nroute = 'room'")


@pytest.mark.parametrize(
    ("pattern", "dialled"),
    [
        (r"7\d\d", "701"),
        (r"(?:\+49|0)89\d{3,8}", "089123456"),
        (r"(\d{2}){3}", "123456"),
        (r"[+*)]+\(?\d*", "+*)(7"),
        (r"(10|20)?5+", "105"),
        (r".*", "reception"),
        (r"a{b}+", "a{b}"),
    ],
)
def test_a_pattern_that_ends_soon_is_taken(pattern: str, dialled: str) -> None:
    organisation = with_numbers(f"pattern = '{pattern}'\nroute = 'room'")
    assert organisation.route(dialled) == Room()
    assert organisation.route("9" * 100) is None  # nobody's number is so long


@given(
    st.one_of(
        st.sampled_from([Echo(), Hold(), Room()]),
        st.integers(20, 3999).map(lambda hertz: ToneRoute(float(hertz))),
        st.from_regex(r"[A-Za-z0-9_.-]{1,64}", fullmatch=True).map(ToQueue),
    )
)
def test_a_route_survives_its_text(route: Route) -> None:
    assert parse_route(route_text(route)) == route


def test_an_offer_rings_long_enough_to_be_answered() -> None:
    with pytest.raises(ConfigError, match=r"ring_seconds: must be 1 to 86400 seconds, found 0"):
        parse_organisation("[[queue]]\nid = 'sales'\nring_seconds = 0")


# --- errors -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("[[queues]]", 'unknown section [queues]; did you mean "queue"?'),
        ("[organisation]\ntimezone = 'UTC'", '[organisation]: unknown key "timezone"; did you mean "time_zone"?'),
        (
            "[organisation]\ntime_zone = 'Asia/Shanghia'",
            "[organisation] time_zone: must be a time zone as \"Asia/Shanghai\", found 'Asia/Shanghia'; "
            'did you mean "Asia/Shanghai"?',
        ),
        (
            "[organisation]\ncountry = 'cn'",
            "[organisation] country: must be a country as \"CN\" (ISO 3166), found 'cn'",
        ),
        ("[organisation]\nlanguage = 'de'", "[organisation] language: must be one of zh, en; found 'de'"),
        ("[queue]\nid = 'a'", "[[queue]]: must be written with two brackets, found {id = 'a'}"),
        ("[[queue]]\nname = 'a'", "[[queue]] 1 ('a'): the key \"id\" is missing"),
        (SUPPORT + SUPPORT, '[[queue]]: two entries have the id "support"'),
        (
            SUPPORT + "skills = 1",
            "[[queue]] 1 ('support'): unknown key \"skills\"",
        ),
        (
            "[[queue]]\nid = 'a'\nstrategy = 'longest_idle'",
            "[[queue]] 1 ('a') strategy: must be one of longest-idle, round-robin, fewest-calls, least-talk-time, "
            "random, ring-all, top-down; found 'longest_idle'; did you mean \"longest-idle\"?",
        ),
        (
            "[[agent]]\nid = 'a'\nrole = 'admin'",
            "[[agent]] 1 ('a') role: must be one of agent, supervisor, administrator; found 'admin'; "
            'did you mean "administrator"?',
        ),
        (
            "[[agent]]\nid = '小林'",
            "[[agent]] 1 ('小林') id: must be 1 to 64 of A-Z, a-z, 0-9, _, . and -, found '小林'",
        ),
        (
            "[[agent]]\nid = 'a'\npassword = ''",
            "[[agent]] 1 ('a') password: must have 1 to 256 characters; leave it out to keep the one it has",
        ),
        ("[[agent]]\nid = 'a'\nmobile = '12'", "[[agent]] 'a' mobile: '12' is no telephone number"),
        ("[[agent]]\nid = 'a'\nskills = 1", "[[agent]] 1 ('a') skills: must be a table as {support = 1}, found 1"),
        ("[[agent]]\nid = 'a'\nskills = {s = 0}", "[[agent]] 1 ('a') skills: s must be 1 to 100, found 0"),
        (
            "[[agent]]\nid = 'a'\nskills = {s = 1, desk = 'two'}",
            "[[agent]] 1 ('a') skills: desk must be a whole number, found 'two'",
        ),
        (
            "[[agent]]\nid = 'a'\nskills = {desk = '2'}",
            "[[agent]] 1 ('a') skills: desk must be a whole number, found '2': write it without the quotes",
        ),
        (
            SUPPORT + "[[agent]]\nid = 'a'\nskills = {suport = 1}",
            "[[agent]] 'a' skills: no queue 'suport'; did you mean \"support\"?",
        ),
        (
            SUPPORT + "[[number]]\nnumber = '1'\nroute = 'queue:suport'",
            "[[number]] '1' route: no queue 'suport'; did you mean \"support\"?",
        ),
        ("[[number]]\nnumber = '1'", "[[number]] 1 ('1'): the key \"route\" is missing"),
        ("[[number]]\nroute = 'echo'", "[[number]]: each entry has either number or pattern"),
        (
            "[[number]]\nnumber = '1'\npattern = '1'\nroute = 'echo'",
            "[[number]]: each entry has either number or pattern",
        ),
        (
            "[[number]]\nnumber = '1'\nroute = 'eccho'",
            "[[number]] 1 ('1') route: must be one of echo, hold, room, queue:ID, tone:HZ; found 'eccho'; "
            'did you mean "echo"?',
        ),
        (
            "[[number]]\nnumber = '1'\nroute = 'tone:4000'",
            "[[number]] 1 ('1') route: must be a tone of 20 to 3999 Hz, found 'tone:4000'",
        ),
        (
            "[[number]]\npattern = '7(\\d'\nroute = 'room'",
            "[[number]] 1 ('7(\\\\d') pattern: must be a regular expression, found '7(\\\\d': "
            "missing ), unterminated subpattern at position 1",
        ),
        (
            "[[number]]\nnumber = '+861055501000'\nroute = 'echo'\n[[number]]\nnumber = '01055501000'\nroute = 'hold'",
            "[[number]] '01055501000': is the same number as '+861055501000'",
        ),
        (
            "[[trunk]]\nid = 't'\npeers = ['carrier.example']",
            "[[trunk]] 1 ('t') peers: must be an IP address or a network in CIDR form, found 'carrier.example'",
        ),
        (
            "[[trunk]]\nid = 't'\nproxy = 'carrier.example'",
            "[[trunk]] 1 ('t') proxy: must be a SIP address as \"sip:carrier.example:5060\", found 'carrier.example'",
        ),
        ("[[trunk]]\nid = 't'\nregister = true", "[[trunk]] 't': register needs proxy and username"),
        ("[[trunk]]\nid = 't'\ndomain = 'ims.example'", "[[trunk]] 't': domain needs proxy"),
        ("[[trunk]]\nid = 't'\nrealms = 'r'", "[[trunk]] 't': realms needs proxy"),
        (
            "[[trunk]]\nid = 't'\nproxy = 'sip:carrier.example'\nrealms = ['r']",
            "[[trunk]] 't': realms needs username",
        ),
        (
            "[[trunk]]\nid = 't'\nproxy = 'sip:carrier.example'\nusername = 'u'\nrealms = ['a', 'b', 'c', 'd', 'e']",
            "[[trunk]] 't': has at most 4 realms, found 5",
        ),
        (
            "[[trunk]]\nid = 't'\nproxy = 'sip:carrier.example:5060'\nlogin = 'u'\npassword = 'p'",
            "[[trunk]] 't': login needs username",
        ),
        ("[[trunk]]\nid = 't'\nusername = 'u'", "[[trunk]] 't': username without proxy needs password"),
        ("[[dialling]]\nallow = '+86'\ndeny = '+86'", "[[dialling]]: each entry has either allow or deny"),
        (
            "[[dialling]]\nallow = '+86'\n[[dialling]]\ndeny = '+86'",
            '[[dialling]]: two entries have the prefix "+86"',
        ),
        (
            "[[dialling]]\nallow = '86x'",
            "[[dialling]] 1 allow: must be the beginning of a number as \"+86\", found '86x'",
        ),
        (
            "[[window]]\nname = 'w'\nurl = 'javascript:alert(1)'",
            "[[window]] 1 ('w') url: must be an address as \"https://crm.example/pop?number={number}\", "
            "found 'javascript:alert(1)'",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(source: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_organisation(source)
    assert str(caught.value) == message
