"""The gate: what may leave, by which trunks, and how the number is written."""

from __future__ import annotations

import ast
import inspect
import re
from collections import Counter
from pathlib import Path

import phonenumbers
import pytest
from cordboard.actors.entries import Dialling, Trunk
from cordboard.actors.gate import Barred, Passed, Target, decide, follow, read, rule_for, written
from cordboard.actors.keys import ConfigError
from cordboard.actors.organisation import Organisation, parse_organisation
from hypothesis import given
from hypothesis import strategies as st

CARRIER = Trunk("carrier", proxy=("sip:192.0.2.1",))
COUNTRIES = ("CN", "US", "GB", "DE", "FR", "JP", "BR", "IN")


def centre(*rules: Dialling, trunks: tuple[Trunk, ...] = (CARRIER,), country: str = "CN") -> Organisation:
    return Organisation(country=country, trunks=trunks, dialling=rules)


def allow(*prefixes: str) -> tuple[Dialling, ...]:
    return tuple(Dialling(allow=prefix) for prefix in prefixes)


def why(organisation: Organisation, number: str) -> str:
    decided = decide(organisation, number, "c")
    return decided.why if isinstance(decided, Barred) else "passed"


# --- default deny -------------------------------------------------------------------------------------------------


def test_nothing_leaves_that_no_rule_allows() -> None:
    for number in ("+8613800138000", "013800138000", "600", "10086", "*98", "+12025550100"):
        assert why(centre(), number) == "not_allowed"


def test_without_a_proxy_no_trunk_takes_calls_out() -> None:
    assert why(centre(*allow("+86"), trunks=(Trunk("carrier"),)), "+8613800138000") == "no_way_out"


def test_a_rule_that_names_trunks_has_its_numbers_leave_by_no_other() -> None:
    office = Trunk("office", username="pbx", password="secret")
    rules = (Dialling(allow="+86", trunks=("carrier",)), Dialling(allow="2", trunks=("office",)), Dialling(allow="3"))
    organisation = centre(*rules, trunks=(CARRIER, office, Trunk("calls us alone")))

    def ways(number: str) -> set[str]:
        decided = decide(organisation, number, "c")
        return set(decided.trunks) if isinstance(decided, Passed) else {decided.why}

    assert (ways("+8613800138000"), ways("21")) == ({"carrier"}, {"office"})
    assert ways("31") == {"carrier", "office"}
    assert ways("110") == {"carrier", "office"}  # whichever there is
    # who sends a call on does not get it to another trunk, and to no emergency number
    assert follow(organisation, "22", "c", "office") == Target("22", "22")
    assert follow(organisation, "22", "c", "carrier") == Barred("not_allowed")
    assert follow(organisation, "110", "c", "carrier") == Barred("not_allowed")
    # ... but for who dialled one
    assert follow(organisation, "110", "c", "carrier", emergency=True) == Target("110", "110", emergency=True)
    assert follow(organisation, "+442079460958", "c", "carrier", emergency=True) == Barred("not_allowed")
    assert follow(organisation, "+442079460958", "c", "carrier") == Barred("not_allowed")


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        ('allow = "2"\ntrunks = "offise"', """[[dialling]] '2' trunks: no trunk 'offise'; did you mean "office"?"""),
        ('deny = "2"\ntrunks = "office"', "[[dialling]] '2': trunks goes with allow"),
    ],
)
def test_a_rule_names_trunks_that_there_are(rule: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_organisation(f'[[trunk]]\nid = "office"\n[[dialling]]\n{rule}\n')
    assert str(error.value) == complaint


def test_there_is_one_gate() -> None:
    """Whatever leaves is an INVITE of `outward`, of an `Out` that only the switchboard makes, behind `decide`; where it
    is sent on to is what `follow` lets through."""
    made: dict[str, set[str]] = {"Out": set(), "Dial": set(), "Follow": set(), "Reach": set(), "Target": set()}
    for path in Path(inspect.getfile(Barred)).parent.glob("**/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                for one, places in made.items():
                    if name in (one, f"calls.{one}", f"call_state.{one}", f"signals.{one}", f"line.{one}"):
                        places.add(f"{path.stem} {name}")
    assert made["Out"] == {"switchboard calls.Out"}
    assert made["Follow"] == {"switchboard calls.Follow"}
    # what a far side refers to (REFER) is asked for by a line, of that trunk alone, which `follow` says of
    assert made["Reach"] == {
        "mobile Reach",
        "seconds Reach",
        "control Reach",
    }  # the last is the pages' way to the media
    assert made["Target"] == {"gate Target"}
    # `calls.Dial` asks the switchboard, `signals.Dial` is the INVITE
    assert {each for each in made["Dial"] if "signals" in each} == {"outward signals.Dial"}


def test_the_longest_prefix_decides_whatever_the_order() -> None:
    rules = [Dialling(allow="+86"), Dialling(deny="+86900"), Dialling(allow="+869001"), Dialling(deny="")]
    for organisation in (centre(*rules), centre(*reversed(rules))):
        assert why(organisation, "+8613800138000") == "passed"
        assert why(organisation, "+86900555000") == "not_allowed"
        assert why(organisation, "+86900155500") == "passed"
        assert why(organisation, "+442079460958") == "not_allowed"


@pytest.mark.parametrize(
    "number", ["+8613800138000", "13800138000", "013800138000", "0086 138-0013-8000", "(138) 0013.8000"]
)
def test_a_rule_holds_for_a_number_in_every_writing(number: str) -> None:
    assert why(centre(*allow("+86138")), number) == "passed"
    assert why(centre(Dialling(allow="+86"), Dialling(deny="+86138")), number) == "not_allowed"


@pytest.mark.parametrize(
    "number",
    ["", " ", "+", "lin", "sip:1@x", "1\r\n2", "1;2", '1"2', "<1>", "٦٠٠", "６００", "1" * 33, "++86", "86+1", "1@h",
     "1%32", "1x2", "+1", "+0"],
)  # fmt: skip
def test_what_is_no_number_goes_nowhere(number: str) -> None:
    assert why(centre(*allow("")), number) == "not_a_number"


# --- premium and emergency ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("country", "number"),
    [("CN", "16812345"), ("CN", "+19005551234"), ("US", "1 900 555 1234"), ("GB", "0909 879 1234")],
)
def test_premium_numbers_need_a_rule_that_says_so(country: str, number: str) -> None:
    assert why(centre(*allow(""), country=country), number) == "premium_rate"
    assert why(centre(Dialling(allow="", premium=True), country=country), number) == "passed"
    # of another prefix, which is not the longest
    longest = Dialling(allow=read_(number, country).number[:4])
    assert why(centre(Dialling(allow="", premium=True), longest, country=country), number) == "premium_rate"


def read_(number: str, country: str) -> Target:
    target = read(number, country)
    assert target is not None
    return target


@pytest.mark.parametrize(
    ("country", "number"), [("CN", "110"), ("CN", "119"), ("CN", "120"), ("US", "911"), ("GB", "999"), ("DE", "112")]
)
def test_emergency_numbers_always_leave_as_dialled(country: str, number: str) -> None:
    trunk = Trunk("carrier", proxy=("sip:192.0.2.1",), strip=1, prefix="0086", format="national")
    decided = decide(centre(Dialling(deny=""), trunks=(trunk,), country=country), number, "c")
    assert decided == Passed(Target(number, number, emergency=True), ("carrier",))
    assert written(decided.target, trunk, country) == number


def test_another_countrys_emergency_number_is_a_number_like_others() -> None:
    assert why(centre(Dialling(deny="")), "911") == "not_allowed"


def test_service_numbers_are_what_was_dialled_and_have_rules_of_their_own() -> None:
    assert read_("10086", "CN") == Target("10086", "10086")
    assert why(centre(*allow("+86")), "10086") == "not_allowed"
    assert why(centre(*allow("100")), "10086") == "passed"


# --- how it is written --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trunk", "number", "as_written"),
    [
        (Trunk("t"), "13800138000", "+8613800138000"),
        (Trunk("t", strip=1), "13800138000", "8613800138000"),
        (Trunk("t", strip=1, prefix="00"), "01055501000", "00861055501000"),
        (Trunk("t", strip=3, prefix="0"), "+8613800138000", "013800138000"),
        (Trunk("t", format="national"), "+861055501000", "01055501000"),
        (Trunk("t", format="national"), "+8613800138000", "13800138000"),
        (Trunk("t", format="national"), "+442079460958", "00442079460958"),
        (Trunk("t", format="national", prefix="9"), "+442079460958", "900442079460958"),
        (Trunk("t", format="as-dialled"), "0086 138 0013 8000", "008613800138000"),
        (Trunk("t", format="as-dialled", prefix="9"), "01055501000", "901055501000"),
        (Trunk("t", strip=1, prefix="9"), "10086", "10086"),
        (Trunk("t", strip=1, prefix="9"), "*98", "*98"),
    ],
)
def test_a_trunk_gets_numbers_as_it_wants_them(trunk: Trunk, number: str, as_written: str) -> None:
    assert written(read_(number, "CN"), trunk, "CN") == as_written


# --- the order of the trunks --------------------------------------------------------------------------------------


def test_the_lowest_priority_comes_first_and_weights_share() -> None:
    trunks = tuple(
        Trunk(name, proxy=("sip:192.0.2.1",), priority=priority, weight=weight)
        for name, priority, weight in (("spare", 2, 1000), ("one", 1, 1), ("three", 1, 3))
    )
    organisation = centre(*allow("+"), trunks=(*trunks, Trunk("inbound only")))
    orders = Counter(trunks_of(organisation, f"call {number}") for number in range(4000))
    assert set(orders) == {("one", "three", "spare"), ("three", "one", "spare")}
    assert 2850 < orders["three", "one", "spare"] < 3150
    assert trunks_of(organisation, "call 7") == trunks_of(organisation, "call 7")


def trunks_of(organisation: Organisation, call: str) -> tuple[str, ...]:
    decided = decide(organisation, "+8613800138000", call)
    assert isinstance(decided, Passed)
    return decided.trunks


# --- any plan, any number -----------------------------------------------------------------------------------------

PREFIXES = st.from_regex(r"\A(\+[1-9][0-9]{0,4}|[0-9*]{0,4})\Z")
RULES = st.lists(
    st.builds(
        lambda begins, allows, premium: Dialling(begins, None, premium) if allows else Dialling(None, begins),
        PREFIXES,
        st.booleans(),
        st.booleans(),
    ),
    max_size=6,
    unique_by=lambda rule: rule.begins,
)
NUMBERS = st.one_of(
    st.from_regex(r"\A\+?[0-9*#]{1,16}\Z"),
    st.sampled_from(["110", "911", "16812345", "+19005551234"]),
    st.text(max_size=8),
)
SHAPES = st.builds(
    Trunk,
    st.just("carrier"),
    proxy=st.just(("sip:192.0.2.1",)),
    format=st.sampled_from(["e164", "national", "as-dialled"]),
    strip=st.integers(0, 20),
    prefix=st.from_regex(r"\A\+?[0-9*#]{0,6}\Z"),
)


@given(RULES, NUMBERS, st.sampled_from(COUNTRIES), SHAPES)
def test_what_leaves_was_allowed_and_is_a_number(
    rules: list[Dialling], number: str, country: str, trunk: Trunk
) -> None:
    organisation = centre(*rules, trunks=(trunk,), country=country)
    decided = decide(organisation, number, "c")
    if isinstance(decided, Barred):
        if decided.why == "not_allowed":
            rule = rule_for(organisation, read_(number, country).number)
            assert rule is None or rule.deny is not None
        return
    target = decided.target
    if not target.emergency:
        rule = rule_for(organisation, target.number)
        assert rule is not None
        assert rule.allow is not None
        assert target.number.startswith(rule.allow)
        longer = [each for each in rules if len(each.begins) > len(rule.begins)]
        assert not any(target.number.startswith(each.begins) for each in longer)
        assert rule.premium or not target.premium
    assert set(written(target, trunk, country)) <= set("+0123456789*#")


@given(st.sampled_from(COUNTRIES), st.sampled_from(COUNTRIES), st.integers(0, 10**6))
def test_a_telephone_number_is_one_number_however_it_is_written(home: str, abroad: str, ending: int) -> None:
    """National and international writings of both countries read as the same E.164, and are decided alike."""
    example = phonenumbers.example_number(abroad)
    assert example is not None
    text = str(example.national_number)
    example.national_number = (
        int(text[: -len(str(ending))] + str(ending)) if len(str(ending)) < len(text) - 3 else int(text)
    )
    full = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    if read(full, home) != Target(full, full):
        return  # what became of the example is a premium number, or too short
    for trunk in (Trunk("t", format="national"), Trunk("t")):
        again = read_(written(read_(full, home), trunk, home), home)
        assert again.number == full
        assert why(centre(*allow(full[:3]), country=home), again.dialled) == "passed"


# --- the file -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ('[[dialling]]\ndeny = "+86"\npremium = true', "[[dialling]] '+86': premium goes with allow"),
        ('[[dialling]]\nallow = "+86"\n[[dialling]]\ndeny = "+86"', "two entries have the prefix"),
        ('[[trunk]]\nid = "t"\nformat = "E164"', "format: must be one of e164, national, as-dialled; found 'E164'"),
        ('[[trunk]]\nid = "t"\nprefix = "x"', "prefix: must be the beginning of a number as \"+86\", found 'x'"),
        ('[[trunk]]\nid = "t"\nweight = 0', "weight: must be 1 to 1000, found 0"),
        ('[[trunk]]\nid = "t"\nrefer = true', "[[trunk]] 't': refer needs a way out: proxy, or username and password"),
        ('[[trunk]]\nid = "t"\nnumber_in = "address"', "[[trunk]] 't': number_in is for one that registers with us"),
        ('[[trunk]]\nid = "t"\nnumber_in = "from"', "number_in: must be one of to, address; found 'from'"),
    ],
)
def test_a_file_that_is_wrong(wrong: str, said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        parse_organisation(wrong)
