"""The infrastructure file: what its text means, and what a person is told who wrote it wrong."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from cordboard.actors.config import SECTIONS, AccessPoint, Address, Config, parse_config
from cordboard.actors.entries import ENTRIES, About
from cordboard.actors.keys import ConfigError, table_keys
from cordboard.actors.organisation import parse_organisation
from hypothesis import given, settings
from hypothesis import strategies as st

DOCS = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_nothing_written_is_the_defaults() -> None:
    config = parse_config("")
    assert config == Config()
    assert config.sip.udp == (Address("0.0.0.0", 5060),)
    assert config.sip.tls == ()
    assert config.media.rtp_ports == tuple(range(20002, 20033, 2))
    assert config.access_points == (AccessPoint("main", "Main", ("0.0.0.0",), 20000),)


def test_everything_written() -> None:
    config = parse_config("""
        [sip]
        udp = ["192.0.2.1:5060", "[2001:db8::1]:5070"]
        tcp = ""
        tls = "[::]:5061"
        public_address = "sip.example.com"
        [media]
        address = ["192.0.2.1", "2001:db8::1"]
        public_address = "198.51.100.7"
        local_networks = ["10.0.0.0/8", "192.168.1.1"]
        webrtc_port = 0
        rtp_ports = "30001-30007"
        process = "inline"
        webrtc_codecs = ["pcma", "opus"]
        [[access_point]]
        id = "north"
        name = "North"
        address = "192.0.2.1"
        port = 21000
        public_port = 443
        [[access_point]]
        id = "south"
        port = 21002
        [web]
        listen = ["127.0.0.1:0", "[::1]:0"]
        certificate = "cert.pem"
        key = "key.pem"
        names = ["pbx.example.com"]
        origins = "https://crm.example:8080"
        [store]
        url = "sqlite"
        [recording]
        format = "wav"
        directory = "/srv/recordings"
        [limits]
        drain_seconds = 2.5
        calls = 300
    """)
    assert config.sip.udp == (Address("192.0.2.1", 5060), Address("2001:db8::1", 5070))
    assert [str(address) for address in config.sip.udp] == ["192.0.2.1:5060", "[2001:db8::1]:5070"]
    assert config.sip.tcp == ()
    assert config.media.local_networks == (
        ipaddress.ip_network("10.0.0.0/8"),
        ipaddress.ip_network("192.168.1.1/32"),
    )
    assert config.media.rtp_ports == (30002, 30004, 30006)
    assert config.media.webrtc_codecs == ("pcma", "opus")
    assert [point.id for point in config.access_points] == ["north", "south"]
    assert config.web.origins == ("https://crm.example:8080",)
    assert config.limits.drain_seconds == 2.5


def test_without_access_points_there_is_the_media_address() -> None:
    config = parse_config('[media]\naddress = "192.0.2.1"\nwebrtc_port = 4000\npublic_address = "198.51.100.7"')
    assert config.access_points == (AccessPoint("main", "Main", ("192.0.2.1",), 4000, "198.51.100.7"),)


def test_any_free_rtp_ports() -> None:
    assert set(parse_config('[media]\nrtp_ports = "0"').media.rtp_ports) == {0}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("[sipp]", 'unknown section [sipp]; did you mean "sip"?'),
        ("[zebra]", "unknown section [zebra]"),
        ("[sip]\nudpp = ''", '[sip]: unknown key "udpp"; did you mean "udp"?'),
        ("[sip]\nzebra = 1", '[sip]: unknown key "zebra"'),
        ("sip = 1", "[sip]: must be a section, found 1"),
        ("[sip", "is not TOML: Expected ']' at the end of a table declaration (at end of document)"),
        (
            "[sip]\nudp = '5060'",
            '[sip] udp: must be "address:port", as "0.0.0.0:5060" or "[::]:5060", found \'5060\'',
        ),
        ("[sip]\nudp = 5060", "[sip] udp: must be a text in quotes, found 5060"),
        ("[sip]\nudp = ['127.0.0.1:1', '127.0.0.1:1']", "[sip] udp: has '127.0.0.1:1' twice"),
        ("[sip]\npublic_address = 'a b'", "[sip] public_address: must be an IP address or a host name, found 'a b'"),
        (
            "[sip]\npublic_address = '1.2.3'",
            "[sip] public_address: must be an IP address or a host name, found '1.2.3'",
        ),
        ("[media]\naddress = 'localhost'", "[media] address: must be an IP address, found 'localhost'"),
        ("[media]\naddress = []", "[media] address: must name at least one address"),
        (
            "[media]\nlocal_networks = '10.0.0.1/8'",
            "[media] local_networks: must be an IP address or a network in CIDR form, found '10.0.0.1/8': "
            "it has bits set after its prefix",
        ),
        ("[media]\nwebrtc_port = 70000", "[media] webrtc_port: must be 0 to 65535, found 70000"),
        ("[media]\nwebrtc_port = true", "[media] webrtc_port: must be a whole number, found true"),
        ("[media]\nwebrtc_port = 1.5", "[media] webrtc_port: must be a whole number, found 1.5"),
        (
            "[media]\nrtp_ports = '20002'",
            "[media] rtp_ports: must be a range of ports, as \"20002-20032\", found '20002'",
        ),
        (
            "[media]\nrtp_ports = '20032-20002'",
            "[media] rtp_ports: must go upwards within 1024 to 65535, found '20032-20002'",
        ),
        (
            "[media]\nrtp_ports = '20003-20003'",
            "[media] rtp_ports: must have 1 to 256 even ports, found 0 in '20003-20003'",
        ),
        ("[media]\nrtp_ports = '19990-20010'", "[media] rtp_ports: 20000 is the port of access point 'main'"),
        (
            "[media]\nprocess = 'seperate'",
            "[media] process: must be one of separate, inline; found 'seperate'; did you mean \"separate\"?",
        ),
        (
            "[media]\nwebrtc_codecs = ['speex']",
            "[media] webrtc_codecs: must be one of opus, g722, pcmu, pcma; found 'speex'",
        ),
        ("[media]\nwebrtc_codecs = []", "[media] webrtc_codecs: must name at least one codec"),
        (
            "[media]\ntrunk_codecs = ['speex']",
            "[media] trunk_codecs: must be one of g722, pcma, pcmu, opus; found 'speex'",
        ),
        ("[access_point]\nid = 'a'", "[[access_point]]: must be written with two brackets, found {id = 'a'}"),
        (
            "[[access_point]]\nid = 'a'\n[[access_point]]\nid = 'a'",
            '[[access_point]]: two entries have the id "a"',
        ),
        (
            "[[access_point]]\nid = 'a'\n[[access_point]]\nid = 'b'\nports = 1",
            '[[access_point]] 2 (\'b\'): unknown key "ports"; did you mean "port"?',
        ),
        (
            "[[access_point]]\nid = 'a b'",
            "[[access_point]] 1 ('a b') id: must be 1 to 64 of A-Z, a-z, 0-9, _, . and -, found 'a b'",
        ),
        ("[web]\nlisten = ''", "[web] listen: must name at least one address"),
        ("[web]\ncertificate = 'cert.pem'", "[web]: certificate and key go together; one is missing"),
        ("[sip]\nkey = 'key.pem'", "[sip]: certificate and key go together; one is missing"),
        (
            "[web]\norigins = 'crm.example'",
            "[web] origins: must be an origin, as \"https://crm.example\", found 'crm.example'",
        ),
        (
            "[store]\nurl = 'postgresql://db'",
            "[store] url: must be \"sqlite\", the only store there is so far; found 'postgresql://db'",
        ),
        (
            "[limits]\ndrain_seconds = -1",
            "[limits] drain_seconds: must be 0 to 86400 seconds, found -1",
        ),
        ("[limits]\ndrain_seconds = nan", "[limits] drain_seconds: must be 0 to 86400 seconds, found nan"),
        (
            "[limits]\ndrain_seconds = '1'",
            "[limits] drain_seconds: must be a number of seconds, found '1': write it without the quotes",
        ),
        ("[limits]\ndrain_seconds = 'a'", "[limits] drain_seconds: must be a number of seconds, found 'a'"),
        (f"[limits]\ncalls = 0x{'f' * 9000}", "[limits] calls: must be 0 to 1000000, found a huge number"),
        ('[web]\nkey = "a\\nb"', "[web] key: must be one line of printable characters, found 'a\\nb'"),
        ("[web]\nkey = 1979-05-27", "[web] key: must be a text in quotes, found 1979-05-27"),
        ("[web]\nkey = 07:32:00", "[web] key: must be a text in quotes, found 07:32:00"),
        ("[web]\nkey = 1979-05-27T07:32:00Z", "[web] key: must be a text in quotes, found 1979-05-27T07:32:00+00:00"),
        ("[web]\nkey = [true, {a = 1.5}]", "[web] key: must be a text in quotes, found [true, {a = 1.5}]"),
        (
            f"[sip]\nchallenges = 0x{'f' * 9000}",
            "[sip] challenges: must be one of MD5, SHA-256; found a huge number",
        ),
        (f"[limits]\ncalls = {'9' * 5000}", "is not TOML that can be used: there is a number of thousands of digits"),
        ("[sip]\n[sip]", "is not TOML: Cannot declare [sip] twice (at line 2, column 5): '[sip]'"),
        ("[a.'b c']\n[a.'b c']", "is not TOML: Cannot declare [a.b c] twice (at line 2, column 9): \"[a.'b c']\""),
        (
            "[sip]\nudp = a",
            """is not TOML: No value: a text stands in straight quotes, as "text" (at line 2, column 7): 'udp = a'""",
        ),
        (
            "[sip]\nudp = “a”",
            """is not TOML: No value: a text stands in straight quotes, as "text" (at line 2, column 7): 'udp = “a”'""",
        ),
        ("[sip]\nudp = ''\nudp = ''\n", """is not TOML: A key stands there twice (at line 3, column 9): "udp = ''\""""),
        (
            "sip.udp = ''\nsip.udp = ''\n",
            """is not TOML: A key stands there twice (at line 2, column 13): "sip.udp = ''\"""",
        ),
        ('[sip]\nudp = "a\n', """is not TOML: A text does not end on its line (at line 2, column 9): 'udp = "a'"""),
        (
            "{}",
            """is not TOML: No line of such a file: it has [sections] and key = "value" (at line 1, column 1): '{}'""",
        ),
        ("password = a", 'is not TOML: No value: a text stands in straight quotes, as "text" (at line 1, column 12)'),
        ("udp = ''", 'the key "udp" stands in no section'),
        ("[[sip]]", "[sip]: must be written with one bracket, and once"),
        ("[sip]\nudp = {}\nudp.x = 1", "is not TOML: Cannot mutate immutable namespace [sip.udp] (at end of document)"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(source: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(source)
    assert str(caught.value) == message


# Digits and spaces that Python's int() and str.strip() take and nobody else does.
@pytest.mark.parametrize("port", ["+5060", "5_060", "٥٠٦٠", "5060\u2028", " 5060", ""])
def test_ports_are_ascii_digits(port: str) -> None:
    with pytest.raises(ConfigError):
        parse_config(f'[sip]\nudp = "127.0.0.1:{port}"')


# Every key of both files: what reads it, and what stands before its value.
KEYS: list[tuple[Callable[[str], object], str]] = [
    *(
        (parse_config, f"{'[[access_point]]' if name == 'access_point' else f'[{name}]'}\n{key} = ")
        for name, section in SECTIONS.items()
        for key in table_keys(section)
    ),
    *((parse_organisation, f"[organisation]\n{key} = ") for key in table_keys(About)),
]
# ... with what an entry may not be without.
NEEDED = {
    "trunk": {"id": "'a'"},
    "queue": {"id": "'a'"},
    "agent": {"id": "'a'"},
    "number": {"number": "'1'", "route": "'echo'"},
    "dialling": {"allow": "'+8'"},
    "sms_template": {"id": "'a'", "text": "'a'"},
    "window": {"name": "'a'", "url": "'https://crm.example/'"},
    "webhook": {"id": "'a'", "url": "'https://crm.example/'"},
}
for _name, (_, _section) in ENTRIES.items():
    for _key in table_keys(_section):
        _before = "".join(f"{each} = {value}\n" for each, value in NEEDED[_name].items() if each != _key)
        KEYS.append((parse_organisation, f"[[{_name}]]\n{_before}{_key} = "))

# Text of all that means something to one reader or another, and no letters that could spell the words below.
TEXT = st.text("ab1 +-*/.:,;?#@%&={}[]()|\\^$\u0660é", max_size=30).map(lambda text: f"'{text}'")
ATOMS = st.one_of(
    TEXT,
    st.integers().map(str),
    st.sampled_from([f"0x{'f' * 9000}", "9" * 5000, "1e400", "1_000"]),
    st.floats().map(repr),
    st.sampled_from(["true", "false", "1979-05-27", "07:32:00", "1979-05-27T07:32:00Z", '"\\u0000"', '"\\n"']),
)
VALUES = st.recursive(
    ATOMS,
    lambda values: st.one_of(
        st.lists(values, max_size=3).map(lambda each: f"[{', '.join(each)}]"),
        st.dictionaries(st.sampled_from(["a", "'b c'", "support"]), values, max_size=2).map(
            lambda each: f"{{{', '.join(f'{name} = {value}' for name, value in each.items())}}}"
        ),
    ),
    max_leaves=6,
)
# What a person who writes TOML has never heard of.
PYTHON = re.compile(
    r"unhashable|datetime|\b(?:True|False|None|NoneType|dict|tuple|str|int|float|bool)\b|<|object at|sys\.|codec can|"
    r"Error|argument|Exceeds|subscript|expected str"
)


def refused(parse: Callable[[str], object], begins: str, value: str) -> str:
    """With which words; empty where it is read."""
    try:
        parse(f"{begins}{value}")
    except ConfigError as error:
        return str(error)
    return ""


@settings(max_examples=400)
@given(key=st.sampled_from(KEYS), value=VALUES)
def test_no_value_is_anything_but_read_or_refused_in_words(
    key: tuple[Callable[[str], object], str], value: str
) -> None:
    refusal = refused(*key, value)
    assert "\n" not in refusal
    assert PYTHON.search(refusal) is None, refusal


@pytest.mark.parametrize(
    "value", ["1979-05-27", "[true]", "{a = 1}", "[[1]]", "''", "-1", "nan", "'['", "true", f"0x{'f' * 9000}"]
)
def test_each_kind_of_value_for_each_key_is_read_or_refused_in_words(value: str) -> None:
    for parse, begins in KEYS:
        refusal = refused(parse, begins, value)
        assert PYTHON.search(refusal) is None, refusal


@pytest.mark.parametrize("pattern", ["a{99999999999}", "[", "a**", "(?P<a"])
def test_what_is_no_expression_is_refused(pattern: str) -> None:
    with pytest.raises(ConfigError, match=r"^\[\[number\]\] 1 .* pattern: (must be a regular expression|repeats what)"):
        parse_organisation(f"[[number]]\nroute = 'echo'\npattern = '{pattern}'")


@pytest.mark.parametrize("url", ["http://[", "https://[x]/", "ftp://crm.example/", "crm.example", "http://"])
def test_what_is_no_address_of_the_web_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="url: must be an address as"):
        parse_organisation(f"[[window]]\nname = 'a'\nurl = '{url}'")


# --- docs/configuration.md --------------------------------------------------------------------------------------


def as_toml(value: object) -> str:
    """A default as one would write it."""
    match value:
        case attrs.NOTHING:
            return "required"
        case None:
            return ""
        case bool():
            return str(value).lower()
        case (int(first), *_, int(last)):
            return f'"{first}-{last}"'
        case (one,):
            return as_toml(one)
        case tuple():
            return "[" + ", ".join(as_toml(each) for each in value) + "]"
        case Address():
            return f'"{value}"'
        case float():
            return f"{value:g}"
        case str():
            return f'"{value}"'
        case _:
            return str(value)


def drawn(header: str, section: type[attrs.AttrsInstance]) -> str:
    """The reference of one section, as it stands in the page."""
    rows = [
        (
            f"`{name}`",
            key.shape,
            f"`{as_toml(attribute.default)}`".replace("``", "").replace("`required`", "required"),
            key.meaning,
        )
        for name, (attribute, key) in table_keys(section).items()
    ]
    lines = [f"### `{header}`", "", str(section.__doc__).strip(), "", "| key | value | default | meaning |"]
    lines += ["|---|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines) + "\n"


def page_with_references(page: str) -> str:
    """The page with the two references between its marks drawn anew from the classes."""
    infrastructure = {f"[[{name}]]" if name == "access_point" else f"[{name}]": each for name, each in SECTIONS.items()}
    organisation: dict[str, type[attrs.AttrsInstance]] = {"[organisation]": About}
    organisation |= {f"[[{name}]]": each for name, (_, each) in ENTRIES.items()}
    for mark, tables in (("infrastructure", infrastructure), ("organisation", organisation)):
        before, rest = page.split(f"<!-- {mark} -->\n", 1)
        _, after = rest.split(f"<!-- end of {mark} -->\n", 1)
        drawing = "\n".join(drawn(header, section) for header, section in tables.items())
        page = f"{before}<!-- {mark} -->\n{drawing}<!-- end of {mark} -->\n{after}"
    return page


def test_the_page_has_every_key_with_its_default_and_meaning() -> None:
    page = DOCS.read_text(encoding="utf-8")
    assert page_with_references(page) == page, f"run: python {Path(__file__).relative_to(DOCS.parents[1])}"


@pytest.mark.parametrize(("example", "parse"), [(0, parse_config), (1, parse_organisation)])
def test_the_examples_of_the_page_are_read(example: int, parse: Callable[[str], object]) -> None:
    sources = DOCS.read_text(encoding="utf-8").split("```toml\n")[1:]
    parse(sources[example].split("```")[0])


if __name__ == "__main__":
    DOCS.write_text(page_with_references(DOCS.read_text(encoding="utf-8")), encoding="utf-8")
