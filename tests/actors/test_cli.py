"""`cordboard import` and `cordboard check`: what they print and how they exit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
import trio
from click.testing import CliRunner, Result
from cordboard.actors.commands import check, commands, import_
from cordboard.actors.main import COMMANDS, cli
from cordboard.actors.options import read_config
from cordboard.actors.organisation import Organisation
from cordboard.actors.preflight import trouble
from cordboard.actors.store import Store

ORGANISATION = """
[organisation]
name = "Harbour Travel"
[[queue]]
id = "support"
[[agent]]
id = "1001"
password = "secret"
skills = { support = 1 }
[[agent]]
id = "1002"
"""
# Of an agent who may have been meant to log in.
WARNING = 'warning: agent "1002": has no password here; without one of an earlier import it cannot log in'


def run(command: click.Command, *arguments: object) -> Result:
    assert command in commands
    return CliRunner().invoke(command, [str(each) for each in arguments])


def stored(data: Path) -> Organisation:
    async def load() -> Organisation:
        async with await Store.open(data) as store:
            return await store.load_organisation()

    return trio.run(load)


@pytest.fixture
def organisation(tmp_path: Path) -> Path:
    path = tmp_path / "org.toml"
    path.write_text(ORGANISATION)
    return path


def test_import_into_a_stopped_data_directory(tmp_path: Path, organisation: Path) -> None:
    data = tmp_path / "data"
    result = run(import_, organisation, "--data", data)
    said = f'imported organisation "Harbour Travel": 1 queue, 2 agents\n{WARNING}\n'
    assert (result.exit_code, result.output) == (0, said)
    assert [agent.id for agent in stored(data).agents] == ["1001", "1002"]


SERVER = """
import signal  # cordboard
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
print("up", flush=True)
print(signal.sigwait({signal.SIGHUP}).name, flush=True)
"""


def test_import_tells_the_running_server(tmp_path: Path, organisation: Path) -> None:
    with subprocess.Popen([sys.executable, "-S", "-c", SERVER], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "up\n"
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "supervisor.pid").write_text(f"{server.pid}\n")
        result = run(import_, organisation, "--data", tmp_path)
        assert result.exit_code == 0
        assert result.output.endswith(f"told the running server (process {server.pid})\n")
        assert server.stdout.readline() == "SIGHUP\n"


def test_a_refused_import_changes_nothing(tmp_path: Path, organisation: Path) -> None:
    data = tmp_path / "data"
    assert run(import_, organisation, "--data", data).exit_code == 0
    organisation.write_text(ORGANISATION.replace("[[queue]]", "[[queues]]"))
    result = run(import_, organisation, "--data", data)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f'{organisation}: unknown section [queues]; did you mean "queue"?\n'
    assert len(stored(data).agents) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file or directory"),
        (b"[organisation]\nname = '\xff'", "is not UTF-8: byte 23 is 0xff"),
        ("[organisation]".encode("utf-16"), "is UTF-16: it has to be saved as UTF-8"),
        (b"[organisation", "is not TOML: Expected ']' at the end of a table declaration (at end of document)"),
    ],
)
@pytest.mark.parametrize("command", [import_, check])
def test_a_file_that_cannot_be_read(
    tmp_path: Path, content: bytes | None, message: str, command: click.Command
) -> None:
    path = tmp_path / "org.toml"
    if content is not None:
        path.write_bytes(content)
    result = run(command, path)
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"{path}: {message}\n")


def test_a_mark_of_utf_8_is_no_part_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "org.toml"
    path.write_bytes(b"\xef\xbb\xbf" + ORGANISATION.encode())
    assert run(check, path).output.startswith(f'{path}: organisation "Harbour Travel"')


def test_import_with_a_broken_infrastructure_or_data_directory(tmp_path: Path, organisation: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[sipp]")
    result = run(import_, organisation, "--config", config, "--data", tmp_path)
    assert (result.exit_code, result.stderr) == (2, f'{config}: unknown section [sipp]; did you mean "sip"?\n')
    (tmp_path / "cordboard.db").write_bytes(b"no database" * 100)
    result = run(import_, organisation, "--data", tmp_path)
    assert (result.exit_code, result.stderr) == (2, f"{tmp_path}/cordboard.db: file is not a database\n")


def test_check_tells_the_two_kinds_of_file_apart(tmp_path: Path, organisation: Path) -> None:
    result = run(check, organisation)
    assert (result.exit_code, result.output) == (
        0,
        f'{organisation}: organisation "Harbour Travel": 1 queue, 2 agents\n{WARNING}\n',
    )
    config = tmp_path / "config.toml"
    config.write_text('[web]\nnames = ["desk"]\n')
    result = run(check, config)
    assert (result.exit_code, result.output) == (
        0,
        f"{config}: infrastructure: SIP on udp 0.0.0.0:5060, tcp 0.0.0.0:5060; RTP on 16 ports, 20002 to 20032; "
        "access points main 0.0.0.0:20000; web on 0.0.0.0:8443\n",
    )


def test_check_refuses_the_certificates_that_run_refuses(tmp_path: Path) -> None:
    config, there = tmp_path / "config.toml", tmp_path / "chain.pem"
    there.write_text("")
    tls = '[sip]\ntls = "0.0.0.0:5061"\nauthorities = "/nowhere/ca.pem"\n'
    config.write_text(f'{tls}[web]\ncertificate = "{there}"\nkey = "/nowhere/key.pem"\n')
    result = run(check, config)
    said = ["[web] key: /nowhere/key.pem", "[sip] authorities: /nowhere/ca.pem"]
    assert (result.exit_code, result.output.splitlines()) == (
        2,
        [f"{config}: {each}: No such file or directory" for each in said],
    )
    assert [f"{config}: {each}" for each in trouble(read_config(config))][:2] == result.output.splitlines()


def test_check_warns_of_files_that_are_not_there_and_not_used_yet(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        '[media]\nrtp_ports = "0"\n'
        '[sip]\nauthorities = "/nowhere/ca.pem"\ncertificate = "/nowhere/chain.pem"\nkey = "/nowhere/key.pem"\n'
    )
    result = run(check, config)
    assert "; RTP on 8 free ports; " in result.output
    assert (result.exit_code, result.output.splitlines()[1:]) == (
        0,
        [
            "warning: [sip] authorities: cannot be read here: /nowhere/ca.pem",
            "warning: [sip] certificate: cannot be read here: /nowhere/chain.pem",
            "warning: [sip] key: cannot be read here: /nowhere/key.pem",
        ],
    )


def test_check_says_how_a_number_leaves_and_why_another_does_not(tmp_path: Path, organisation: Path) -> None:
    organisation.write_text("""
[[trunk]]
id = "carrier"
proxy = "sip:192.0.2.1"
format = "national"
[[trunk]]
id = "spare"
proxy = ["sip:198.51.100.1"]
priority = 2
strip = 1
[[dialling]]
allow = "+86"
""")
    numbers = ("01055501000", "110", "+442079460958", "16812345", "x")
    result = run(check, organisation, *(f"--dial={number}" for number in numbers))
    assert result.exit_code == 0
    assert result.output.splitlines()[-5:] == [
        '01055501000: +861055501000 leaves by "carrier" as 01055501000, else by "spare" as 861055501000',
        '110: 110, an emergency number, leaves by "carrier" as 110, else by "spare" as 110; who is up comes first',
        "+442079460958: The dialling rules do not allow this number.",
        "16812345: This is a premium-rate number, and no dialling rule allows it as such.",
        "x: That is no number that can be dialled.",
    ]
    config = tmp_path / "config.toml"
    config.write_text("[sip]\n")
    result = run(check, config, "--dial=110")
    assert (result.exit_code, result.stderr) == (2, f"{config}: has no dialling rules; give the organisation's file\n")


def test_check_says_what_is_not_there_yet(tmp_path: Path) -> None:
    path = tmp_path / "org.toml"
    path.write_text(
        '[[queue]]\nid = "a"\nsurvey = true\n[[queue]]\nid = "b"\nsurvey = true\nwrap_up_seconds = 9\n'
        '[[sms_template]]\nid = "a"\ntext = "b"\n[[sms_template]]\nid = "c"\ntext = "d"\n'
    )
    assert run(check, path).output.splitlines()[1:] == [
        "note: [[sms_template]] is not used yet",
    ]
    path.write_text('[sip]\ntls = "0.0.0.0:5061"\n[recording]\nformat = "wav"\n')
    assert run(check, path).output.splitlines()[1:] == []


def test_check_says_whose_the_calls_are_where_two_trunks_have_one_address(tmp_path: Path) -> None:
    path = tmp_path / "org.toml"
    path.write_text(
        '[[trunk]]\nid = "a"\npeers = ["192.0.2.9", "192.0.2.10"]\n[[trunk]]\nid = "b"\npeers = ["192.0.2.9"]\n'
    )
    assert run(check, path).output.splitlines()[1:] == [
        'warning: trunk "b": calls from 192.0.2.9/32 come by trunk "a", which has it too'
    ]


def test_check_says_that_an_emergency_call_asks_no_rule(tmp_path: Path) -> None:
    path = tmp_path / "org.toml"
    path.write_text(
        '[[trunk]]\nid = "a"\nproxy = "sip:192.0.2.1"\npriority = 2\n[[trunk]]\nid = "b"\nproxy = "sip:192.0.2.2"\n'
        '[[trunk]]\nid = "in"\npeers = "192.0.2.3"\n'
        '[[dialling]]\nallow = "110"\ntrunks = "a"\n[[dialling]]\ndeny = "119"\n[[dialling]]\nallow = "120"\n'
        '[[dialling]]\nallow = "1"\ntrunks = "a"\n'
    )
    assert run(check, path).output.splitlines()[1:] == [
        'warning: dialling rule "110": its trunks do not count, as it is an emergency number of CN, which goes by any '
        'trunk that is up: "b", then "a"',
        'warning: dialling rule "119": it is an emergency number of CN, and is dialled nevertheless',
    ]


def test_a_section_of_the_other_file_is_named_as_such(tmp_path: Path, organisation: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[sip]\ntcp = ""\n')
    for result, path, words in (
        (run(import_, config, "--data", tmp_path), config, "[sip] belongs to the infrastructure"),
        (
            run(import_, organisation, "--config", organisation, "--data", tmp_path),
            organisation,
            "belongs to the organ",
        ),
    ):
        assert result.exit_code == 2
        assert result.stderr.startswith(f"{path}: ")
        assert words in result.stderr


def test_check_says_what_is_wrong_in_either(tmp_path: Path) -> None:
    path = tmp_path / "file.toml"
    for content, message in (
        ("[[queue]]\nid = 'a'\nrings = 1", "[[queue]] 1 ('a'): unknown key \"rings\""),
        ("[sip]\nupd = ''", '[sip]: unknown key "upd"; did you mean "udp"?'),
        ("[zebra]", "unknown section [zebra]"),
    ):
        path.write_text(content)
        result = run(check, path)
        assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"{path}: {message}\n")


@pytest.mark.parametrize(
    ("process", "never"),
    [
        ("main", {"sqlalchemy", "starlette", "numpy", "cordboard.actors.control", "cordboard.bench"}),
        ("controlplane", {"alembic", "numpy", "av", "cordboard.switch.engine", "cordboard.bench"}),
    ],
)
def test_what_calls_wait_for_while_it_begins_loads_nothing_it_need_not(process: str, never: set[str]) -> None:
    source = f"import sys, cordboard.actors.{process}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert never & set(done.stdout.split()) == set()


def test_every_command_is_there_by_its_name() -> None:
    with click.Context(cli) as context:
        found = [cli.get_command(context, name) for name in cli.list_commands(context)]
        assert [each.name for each in found if each is not None] == list(COMMANDS)
    assert CliRunner().invoke(cli, ["zebra"]).exit_code == 2


def test_a_wrong_command_line_is_unusable_input_too() -> None:
    assert run(check).exit_code == 2
    assert run(import_, "org.toml", "--zebra").exit_code == 2


TRUNKS = """
[[trunk]]
id = "carrier"
peers = ["198.51.100.0/24"]
proxy = ["sips:carrier.example", "sip:198.51.100.7;transport=tls", "sip:c.example"]
srtp = false
[[trunk]]
id = "office"
peers = ["10.1.0.0/16", "2001:db8::/32", "fd00::/8"]
proxy = "sip:[2001:db8::1]:5060"
[[trunk]]
id = "guest"
username = "pbx"
password = "secret"
srtp = true
"""


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (
            "",
            [
                'trunk "carrier": sips:carrier.example wants TLS, and [sip] tls is off: no call goes out there',
                'trunk "carrier": sip:198.51.100.7;transport=tls wants TLS, and [sip] tls is off: '
                "no call goes out there",
                'trunk "office": sip:[2001:db8::1]:5060 is of IPv6, and no address of [sip] udp is',
                'trunk "guest": srtp wants TLS, and [sip] tls is off: no call comes in',
            ],
        ),
        ('[sip]\nudp = ["0.0.0.0:5060", "[::]:5060"]\ntls = "0.0.0.0:5061"', []),
        (
            '[sip]\nudp = []\ntls = "0.0.0.0:5061"\npublic_address = "203.0.113.1"\n'
            '[media]\npublic_address = "203.0.113.1"\nlocal_networks = "10.1.2.0/24"',
            [
                'trunk "office": sip:[2001:db8::1]:5060 wants UDP, and [sip] udp is off: no call goes out there',
                'trunk "office": 10.1.0.0/16 is no public address, and not in [media] local_networks: it is told the '
                "public one",
                'trunk "office": fd00::/8 is no public address, and not in [media] local_networks: it is told the '
                "public one",
            ],
        ),
        (
            '[sip]\nudp = "[::]:5060"\ntls = "0.0.0.0:5061"\npublic_address = "203.0.113.1"\n'
            '[media]\npublic_address = "203.0.113.1"\nlocal_networks = ["10.0.0.0/8", "fd00::/8"]',
            [],
        ),
    ],
)
@pytest.mark.parametrize("command", [check, import_])
def test_what_the_two_files_want_of_each_other(
    tmp_path: Path, command: click.Command, config: str, says: list[str]
) -> None:
    """A trunk that nobody could reach, or who would be told a wrong address: a warning, for it may be on its way."""
    (tmp_path / "org.toml").write_text(TRUNKS)
    (tmp_path / "config.toml").write_text(config)
    data = ("--data", tmp_path / "data") if command is import_ else ("--offline",)
    result = run(command, tmp_path / "org.toml", "--config", tmp_path / "config.toml", *data)
    assert result.exit_code == 0
    assert result.output.splitlines()[1:] == [f"warning: {each}" for each in says]
    assert run(command, tmp_path / "org.toml", *data).output.count("\n") == 1


@pytest.mark.parametrize(("one", "other"), [("sip", "media"), ("media", "sip")])
def test_a_public_address_is_one_of_both(tmp_path: Path, one: str, other: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(f'[{one}]\npublic_address = "203.0.113.1"')
    assert f"warning: [{one}] has a public_address and [{other}] has none" in run(check, path).output
    path.write_text('[sip]\npublic_address = "203.0.113.1"\n[media]\npublic_address = "203.0.113.1"')
    assert run(check, path).output.count("\n") == 1
    assert run(check, path, "--config", path).exit_code == 2


def test_srtp_goes_by_tls_alone(tmp_path: Path) -> None:
    """Said of one file, which is refused: there is no way in which that could be meant."""
    path = tmp_path / "org.toml"
    path.write_text('[[trunk]]\nid = "carrier"\nproxy = ["sips:a.example", "sip:b.example"]\nsrtp = true')
    result = run(check, path)
    assert result.exit_code == 2
    assert "srtp needs sips: or transport=tls, found 'sip:b.example'" in result.output
