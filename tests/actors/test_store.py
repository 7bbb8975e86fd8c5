"""The store against a real file: what comes back, who may log in, and that migrations and metadata are one thing."""

from __future__ import annotations

import sqlite3
import stat
import time
import traceback
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import alembic.command
import alembic.config
import argon2
import attrs
import pytest
import trio
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from cordboard.actors.entries import Agent
from cordboard.actors.organisation import Organisation, parse_organisation
from cordboard.actors.store import Store, StoreError, logins, schema
from cordboard.actors.store.database import FILE, MIGRATIONS, newest_revision, open_database, reading

CENTRE = parse_organisation("""
[organisation]
name = "Harbour Travel"
time_zone = "Europe/London"
country = "GB"
language = "en"
[[trunk]]
id = "carrier"
peers = ["192.0.2.0/24", "2001:db8::1"]
proxy = ["sip:192.0.2.1", "sip:192.0.2.2:5070;transport=tcp"]
trusted = true
weight = 3
format = "national"
strip = 1
prefix = "9"
calls = 30
calls_per_minute = 120
username = "harbour"
password = "trunk secret"
realms = ["edge.example", "carrier.example"]
[[queue]]
id = "sales"
ring_seconds = 12.5
hours = ["Mon-Fri 09:00-18:00", "Sat 10:00-14:00"]
closed = "number:+861055502000"
overflow = "queue:complaints"
unattended = "overflow"
max_waiting = 7
announce_wait = false
[[queue]]
id = "complaints"
[[agent]]
id = "ann"
name = "Ann"
password = "correct horse"
calls = 1
calls_per_minute = 5
skills = { sales = 1, complaints = 2 }
[[agent]]
id = "bob"
password = "battery staple"
role = "supervisor"
skills = { complaints = 1 }
[[agent]]
id = "cy"
[[number]]
number = "+442079460000"
route = "queue:sales"
outbound = true
[[number]]
pattern = '7\\d\\d'
route = "room"
[[number]]
number = "601"
route = "tone:440"
[[dialling]]
allow = "+44"
premium = true
[[dialling]]
deny = "+4490"
[[sms_template]]
id = "visit"
text = "Dear {name}"
approved = true
[[window]]
name = "CRM"
url = "https://crm.example/pop?number={number}"
""")


def without_passwords(organisation: Organisation) -> Organisation:
    return attrs.evolve(organisation, agents=tuple(attrs.evolve(each, password=None) for each in organisation.agents))


def without_agent(organisation: Organisation, agent: str) -> Organisation:
    return attrs.evolve(organisation, agents=tuple(each for each in organisation.agents if each.id != agent))


def with_agent(organisation: Organisation, agent: Agent) -> Organisation:
    return attrs.evolve(
        organisation, agents=tuple(agent if each.id == agent.id else each for each in organisation.agents)
    )


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def story(data: Path, tell: Callable[[Store, Clock], Awaitable[None]]) -> None:
    """Runs `tell` with a store in which CENTRE was imported."""

    async def run() -> None:
        clock = Clock()
        async with await Store.open(data, clock) as store:
            await store.import_organisation(CENTRE)
            await tell(store, clock)

    trio.run(run)


def test_an_empty_store_is_the_default_organisation(tmp_path: Path) -> None:
    async def run() -> None:
        async with await Store.open(tmp_path / "made" / "here") as store:
            assert await store.load_organisation() == Organisation()

    trio.run(run)


def test_what_was_imported_comes_back_in_order_and_without_passwords(tmp_path: Path) -> None:
    async def tell(store: Store, clock: Clock) -> None:
        assert await store.load_organisation() == without_passwords(CENTRE)

    story(tmp_path, tell)


def test_an_import_replaces_what_was_there(tmp_path: Path) -> None:
    other = parse_organisation('[[queue]]\nid = "complaints"\nname = "Moved"\n[[agent]]\nid = "bob"\n')

    async def tell(store: Store, clock: Clock) -> None:
        await store.import_organisation(other)
        assert await store.load_organisation() == other

    story(tmp_path, tell)


def test_a_failing_import_changes_nothing(tmp_path: Path) -> None:
    broken = attrs.evolve(CENTRE, queues=CENTRE.queues[:1])  # skills of a queue that is gone

    async def tell(store: Store, clock: Clock) -> None:
        with pytest.raises(Exception, match="FOREIGN KEY"):
            await store.import_organisation(broken)
        assert await store.load_organisation() == without_passwords(CENTRE)

    story(tmp_path, tell)


def test_an_error_of_the_database_is_one_line_without_what_was_to_be_stored(tmp_path: Path) -> None:
    async def tell(store: Store, clock: Clock) -> None:
        login = await store.accounts.log_in("ann", "correct horse")
        assert login is not None
        clock.now += logins.SLIDE_SECONDS + 1
        await store.write(lambda connection: connection.exec_driver_sql("DROP TABLE windows"))
        await store.write(
            lambda connection: connection.exec_driver_sql(
                "CREATE TRIGGER full BEFORE UPDATE ON logins BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
            )
        )
        with pytest.raises(StoreError, match=r"cordboard\.db: no such table: windows$"):
            await store.load_organisation()
        with pytest.raises(StoreError) as failed:
            await store.import_organisation(CENTRE)
        told = "".join(traceback.format_exception(failed.value))
        assert "trunk secret" not in told
        assert "argon2" not in told.replace("import argon2", "")
        # The login cannot be prolonged, and is one all the same.
        assert await store.accounts.who(login.token) == login

    story(tmp_path, tell)


def test_a_second_process_sees_what_the_first_wrote(tmp_path: Path) -> None:
    async def tell(store: Store, clock: Clock) -> None:
        async with await Store.open(tmp_path) as other:
            await other.import_organisation(without_agent(CENTRE, "bob"))
        known = [agent.id for agent in (await store.load_organisation()).agents]
        assert "bob" not in known
        assert len(known) == len(CENTRE.agents) - 1

    story(tmp_path, tell)


def test_the_file_is_for_its_owner_only_and_holds_no_password_and_no_token(tmp_path: Path) -> None:
    async def tell(store: Store, clock: Clock) -> None:
        login = await store.accounts.log_in("ann", "correct horse")
        assert login is not None
        files = list(tmp_path.iterdir())
        assert FILE in {path.name for path in files}
        for path in files:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert b"correct horse" not in path.read_bytes()
            assert login.token.encode() not in path.read_bytes()

    story(tmp_path, tell)


# --- accounts ---------------------------------------------------------------------------------------------------


def test_an_agent_logs_in_is_known_and_logs_out(tmp_path: Path) -> None:
    async def tell(store: Store, clock: Clock) -> None:
        login = await store.accounts.log_in("bob", "battery staple")
        assert login is not None
        assert (login.agent, login.name, login.role) == ("bob", "bob", "supervisor")
        assert login.token not in repr(login)
        assert await store.accounts.who(login.token) == login
        await store.accounts.log_out(login.token)
        assert await store.accounts.who(login.token) is None

    story(tmp_path, tell)


@pytest.mark.parametrize(
    ("agent", "password"),
    [
        ("ann", "battery staple"),
        ("ann", ""),
        ("ann", "x" * 1_000_000),
        ("nobody", "correct horse"),
        ("cy", "anything"),  # has no password
        ("ann' or 1=1 --", "correct horse"),
        ("ann\ud800", "correct horse"),
        ("ann", "correct horse\ud800"),
    ],
)
def test_nobody_else_logs_in(tmp_path: Path, agent: str, password: str) -> None:
    async def tell(store: Store, clock: Clock) -> None:
        assert await store.accounts.log_in(agent, password) is None

    story(tmp_path, tell)


def test_no_token_is_anyones(tmp_path: Path) -> None:
    async def tell(store: Store, clock: Clock) -> None:
        for token in ("", "x", "\ud800", "x" * 100_000):
            assert await store.accounts.who(token) is None

    story(tmp_path, tell)


def test_a_login_in_use_slides_and_one_left_alone_expires(tmp_path: Path) -> None:
    async def tell(store: Store, clock: Clock) -> None:
        used = await store.accounts.log_in("ann", "correct horse")
        left = await store.accounts.log_in("ann", "correct horse")
        assert used is not None
        assert left is not None
        for _ in range(4):
            clock.now += logins.LOGIN_SECONDS / 2
            assert await store.accounts.who(used.token) == used
        assert await store.accounts.who(left.token) is None
        clock.now += logins.LOGIN_SECONDS
        assert await store.accounts.who(used.token) is None

    story(tmp_path, tell)


@pytest.mark.parametrize(
    ("after", "stays"),
    [
        (CENTRE, True),
        (without_passwords(CENTRE), True),
        (with_agent(CENTRE, Agent("ann", name="Anna")), True),
        (with_agent(CENTRE, Agent("ann", password="new one")), False),
        (without_agent(CENTRE, "ann"), False),
    ],
    ids=["the same", "without passwords", "renamed", "new password", "removed"],
)
def test_what_an_import_does_to_a_login(tmp_path: Path, after: Organisation, stays: bool) -> None:
    async def tell(store: Store, clock: Clock) -> None:
        login = await store.accounts.log_in("ann", "correct horse")
        assert login is not None
        await store.import_organisation(after)
        known = await store.accounts.who(login.token)
        assert (known is not None) == stays
        if known is not None:
            assert known.name == after.agents[0].name

    story(tmp_path, tell)


def test_an_unchanged_password_keeps_its_hash(tmp_path: Path) -> None:
    async def tell(store: Store, clock: Clock) -> None:
        before = await store.read(logins.password_hashes)
        await store.import_organisation(CENTRE)
        assert await store.read(logins.password_hashes) == before

    story(tmp_path, tell)


def test_an_old_hash_is_renewed_at_the_next_login(tmp_path: Path) -> None:
    weak = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("correct horse")

    async def tell(store: Store, clock: Clock) -> None:
        agents = schema.agents
        await store.write(lambda c: c.execute(agents.update().where(agents.c.id == "ann").values(password_hash=weak)))
        assert await store.accounts.log_in("ann", "correct horse") is not None
        hashes = await store.read(logins.password_hashes)
        assert not logins.HASHER.check_needs_rehash(hashes["ann"])
        assert await store.accounts.log_in("ann", "correct horse") is not None

    story(tmp_path, tell)


def test_the_same_password_from_another_keyboard(tmp_path: Path) -> None:
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    assert logins.verify(logins.hash_password(composed), decomposed)


def test_an_unknown_agent_costs_what_a_wrong_password_costs(tmp_path: Path) -> None:
    async def tell(store: Store, clock: Clock) -> None:
        async def spent(agent: str) -> float:
            started = time.process_time()
            await store.accounts.log_in(agent, "wrong")
            return time.process_time() - started

        await spent("ann")  # the decoy is made
        known = min([await spent("ann") for _ in range(5)])
        for agent in ("nobody", "cy"):
            assert min([await spent(agent) for _ in range(5)]) > known / 3

    story(tmp_path, tell)


def test_the_event_loop_runs_while_a_password_is_hashed(tmp_path: Path) -> None:
    async def tell(store: Store, clock: Clock) -> None:
        rounds = 0

        async def count() -> None:
            nonlocal rounds
            while True:
                rounds += 1
                await trio.sleep(0)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(count)
            await store.accounts.log_in("ann", "correct horse")
            nursery.cancel_scope.cancel()
        assert rounds > 10

    story(tmp_path, tell)


# --- the file ---------------------------------------------------------------------------------------------------


def test_migrations_and_metadata_agree(tmp_path: Path) -> None:
    engine = open_database(tmp_path)
    with reading(engine) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, schema.metadata) == []
    engine.dispose()


def test_a_database_that_has_the_newest_schema_is_not_migrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = alembic.config.Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert newest_revision() == ScriptDirectory.from_config(config).get_current_head()
    open_database(tmp_path).dispose()
    monkeypatch.delattr(alembic.command, "upgrade")
    open_database(tmp_path).dispose()


def test_a_database_of_a_newer_version_is_refused_untouched(tmp_path: Path) -> None:
    open_database(tmp_path).dispose()
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(StoreError, match=r"cordboard\.db: was made by a newer version"):
        open_database(tmp_path)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"not a database at all, " * 100)
    with pytest.raises(StoreError, match="not a database"):
        open_database(tmp_path)


def test_a_data_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="file"):
        open_database(tmp_path / "file" / "data")


def test_a_reader_is_not_held_up_by_a_writer(tmp_path: Path) -> None:
    async def tell(store: Store, clock: Clock) -> None:
        entered, left = trio.Event(), trio.Event()

        def slow(connection: object) -> None:
            trio.from_thread.run_sync(entered.set)
            trio.from_thread.run(left.wait)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(store.write, slow))
            await entered.wait()
            assert (await store.load_organisation()).name == "Harbour Travel"
            left.set()

    story(tmp_path, tell)
