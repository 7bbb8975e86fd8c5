"""What is typed and by how many at once: no text that was stored is ever gone, and in the end all see the same."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from attrs import define, field
from cordboard.actors.records import CallEntry
from cordboard.actors.store import customers, entries, fields, schema
from cordboard.actors.store.customers import TAGS, Subject
from cordboard.actors.store.database import open_database, writing
from cordboard.actors.store.fields import KEPT, RUN_SECONDS, VERSIONS, Author, Field, Kind, Place, Put
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, func, insert, select

T0 = 1_800_000_000.0


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = open_database(tmp_path_factory.mktemp("shared"))
    with writing(engine) as connection:
        connection.execute(insert(schema.customers).values(customer="k", made=T0))
    yield engine
    engine.dispose()


@pytest.fixture
def db(shared: Engine) -> Iterator[Connection]:
    """Nothing that a test writes stays."""
    with shared.connect() as connection, connection.begin() as transaction:
        yield connection
        transaction.rollback()


NOTE = Place(Kind.CUSTOMER, "k", "note")


def newest(db: Connection, place: Place = NOTE) -> Field:
    return fields.read(db, place.kind, [place.of]).get((place.of, place.field), Field())


# --- one field --------------------------------------------------------------------------------------------------


@define
class Stored:
    value: str
    by: Author


@define
class Server:
    """The field, and all that was ever stored in it."""

    db: Connection
    now: float = T0
    stored: list[Stored] = field(factory=list)

    def put(self, agent: str, value: str, version: int) -> Put:
        by = Author(agent, f"call of {agent}", self.now)
        done = fields.put(self.db, NOTE, value, version, by)
        if done is Put.STORED:
            self.stored.append(Stored(value, by))
        return done

    def check(self) -> None:
        """What was stored can be read, but for what its own author typed on within a minute."""
        versions = fields.versions(self.db, NOTE)
        assert [each.version for each in versions] == sorted({each.version for each in versions}, reverse=True)
        assert (versions[0].version if versions else 0) == len(self.stored) == newest(self.db).version
        kept = {each.version for each in versions}
        for number, (before, after) in enumerate(itertools.pairwise(self.stored), 1):
            if number not in kept:
                assert (before.by.agent, before.by.call) == (after.by.agent, after.by.call)
                assert 0 <= after.by.at - before.by.at < RUN_SECONDS
                assert 2 * stays(before.value, after.value) >= len(before.value)
        assert {each.version: each.value for each in versions} == {
            number: each.value for number, each in enumerate(self.stored, 1) if number in kept
        }


def stays(before: str, after: str) -> int:
    """The most that both begin with and end with, taken together."""
    least = min(len(before), len(after))
    ends = [n for n in range(least + 1) if before[len(before) - n :] == after[len(after) - n :]]
    return max(n + min(max(ends), least - n) for n in range(least + 1) if before[:n] == after[:n])


@define
class Desk:
    """A page: what it shows, from which version that was made, and what it asked and heard no answer to."""

    agent: str
    server: Server
    draft: str = ""
    version: int = 0
    unheard: list[tuple[str, int]] = field(factory=list)

    def send(self, *, heard: bool, mine: bool) -> None:
        self.unheard.append((self.draft, self.version))
        done = self.server.put(self.agent, self.draft, self.version)
        if heard:
            self.hear(done, mine=mine)

    def again(self, *, mine: bool) -> None:
        """What it never heard an answer to comes a second time, however late."""
        if self.unheard:
            self.hear(self.server.put(self.agent, *self.unheard[0]), mine=mine)

    def hear(self, done: Put, *, mine: bool) -> None:
        self.unheard.clear()
        stands = newest(self.server.db)
        self.version = stands.version
        if done is Put.CONFLICT and not mine:
            self.draft = stands.value

    def look(self) -> str:
        return newest(self.server.db).value


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["type", "send", "again", "wait"]),
        st.integers(0, 1),
        st.text("abü\n", max_size=6),
        st.booleans(),
        st.booleans(),
        st.sampled_from([0.0, 1.0, RUN_SECONDS, -3600.0]),
    ),
    max_size=30,
)


@given(STEPS)
def test_two_agents_and_a_network_that_loses_answers_lose_no_text(
    shared: Engine, steps: list[tuple[object, ...]]
) -> None:
    with shared.connect() as connection, connection.begin() as transaction:
        server = Server(connection)
        desks = [Desk("lin", server), Desk("wei", server)]
        for what, who, text, heard, mine, seconds in steps:
            desk = desks[int(str(who))]
            match what:
                case "type":
                    desk.draft = str(text)
                case "send":
                    desk.send(heard=bool(heard), mine=bool(mine))
                case "again":
                    desk.again(mine=bool(mine))
                case _:
                    server.now += float(str(seconds))
            server.check()
        for desk in desks:
            while newest(connection).value != desk.draft:
                desk.send(heard=True, mine=True)
                server.check()
        assert desks[0].look() == desks[1].look() == desks[1].draft
        assert {each.draft for each in desks} <= {each.value for each in server.stored} | {""}
        transaction.rollback()


def test_what_one_agent_types_on_is_one_version_for_a_minute(db: Connection) -> None:
    lin = "lin"
    for at, text in ((0, "w"), (1, "wants"), (59, "wants a ref"), (61, "wants a refund"), (62, "wants a refund now")):
        assert fields.put(db, NOTE, text, newest(db).version, Author(lin, "c1", T0 + at)) is Put.STORED
    assert [each.value for each in fields.versions(db, NOTE)] == ["wants a refund now", "wants a ref"]


@pytest.mark.parametrize(
    ("agent", "call", "after", "value"),
    [
        ("wei", "c1", 1, "wants a refund now"),
        ("lin", "c2", 1, "wants a refund now"),
        ("lin", "c1", RUN_SECONDS, "wants a refund now"),
        ("lin", "c1", 1, "gone"),  # most of it was taken away
        ("lin", "c1", 1, "asked for the way"),  # most of it was written over
        ("lin", "c1", -3600, "wants a refund now"),  # by a clock that was set back
    ],
)
def test_what_is_not_typed_on_is_a_version_of_its_own(
    db: Connection, agent: str, call: str, after: float, value: str
) -> None:
    assert fields.put(db, NOTE, "wants a refund", 0, Author("lin", "c1", T0)) is Put.STORED
    assert fields.put(db, NOTE, value, 1, Author(agent, call, T0 + after)) is Put.STORED
    assert [each.value for each in fields.versions(db, NOTE)] == [value, "wants a refund"]


def test_so_many_versions_are_told_the_newest_first(db: Connection) -> None:
    for number in range(VERSIONS + 10):
        assert fields.put(db, NOTE, str(number), number, Author(str(number % 2), "c", T0)) is Put.STORED
    told = [each.value for each in fields.versions(db, NOTE)]
    assert told == [str(number) for number in range(VERSIONS + 9, 9, -1)]


def test_so_many_versions_are_kept_of_each_field(db: Connection) -> None:
    """... and those of another field are none of its own."""
    other = Place(Kind.CUSTOMER, NOTE.of, "address")
    for number in range(3):
        fields.put(db, other, str(number), number, Author(str(number % 2), "c", T0))
    for number in range(KEPT + 10):
        assert fields.put(db, NOTE, str(number), number, Author(str(number % 2), "c", T0)) is Put.STORED
    kept = schema.field_versions.c
    asked = select(kept.field, func.count(), func.min(kept.version)).group_by(kept.field).order_by(kept.field)
    assert db.execute(asked).all() == [("address", 2, 1), ("note", KEPT, 10)]
    assert [each.value for each in fields.versions(db, other)] == ["2", "1", "0"]


@pytest.mark.parametrize("version", [0, 2, -1, 2**70])
def test_a_version_that_is_not_the_newest_is_a_conflict_whatever_it_is(db: Connection, version: int) -> None:
    by = Author("lin", "c", T0)
    assert fields.put(db, NOTE, "a", 0, by) is Put.STORED
    assert fields.put(db, NOTE, "b", version, by) is Put.CONFLICT
    assert fields.put(db, NOTE, "a", version, by) is Put.SAME
    assert newest(db).value == "a"


def test_blank_is_what_stands_where_nothing_was_written(db: Connection) -> None:
    assert fields.put(db, NOTE, "", 0, Author("lin", "c", T0)) is Put.SAME
    assert newest(db).version == 0


# --- tags -------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([f"tag {n}" for n in range(TAGS)])), max_size=25), st.data())
def test_tags_are_a_set_however_often_and_in_which_order_they_come(
    shared: Engine, acts: list[tuple[bool, str]], data: st.DataObject
) -> None:
    by = Author("lin", "c", T0)
    last = {tag: on for on, tag in acts}
    for order in (acts, [(on, tag) for tag, on in data.draw(st.permutations(list(last.items())))]):
        with shared.connect() as connection, connection.begin() as transaction:
            for on, tag in order:
                for first in (True, False):
                    done = (
                        customers.add_tag(connection, "k", tag, by)
                        if on
                        else customers.remove_tag(connection, "k", tag)
                    )
                    assert first or done is Put.SAME
            assert set(customers.tags(connection, "k")) == {tag for tag, on in last.items() if on}
            transaction.rollback()


@pytest.mark.parametrize(
    ("text", "tag"), [(" vip ", "vip"), ("老客户", "老客户"), ("Cafe\u0301", "Café"), ("x" * 32, "x" * 32)]
)
def test_a_tag_as_it_is_kept(text: str, tag: str) -> None:
    assert customers.tag_of(text) == tag


# --- numbers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("country", "number", "written"),
    [
        ("CN", "+8613912345678", {"+8613912345678", "008613912345678", "13912345678", "013912345678", "8613912345678"}),
        ("CN", "+861055501000", {"+861055501000", "00861055501000", "01055501000"}),
        ("CN", "+447700900142", {"+447700900142", "00447700900142"}),
        ("GB", "+447700900142", {"+447700900142", "00447700900142", "07700900142"}),
        ("US", "+12125550178", {"+12125550178", "12125550178", "2125550178"}),
        ("US", "+447700900142", {"+447700900142", "011447700900142"}),
        ("CN", "10086", {"10086"}),
        ("CN", "front.desk", {"front.desk"}),
        ("CN", "+1", {"+1"}),
    ],
)
def test_all_writings_of_a_number_are_one_customer(
    db: Connection, country: str, number: str, written: set[str]
) -> None:
    about = {"id": 1, "name": "", "time_zone": "UTC", "country": country, "language": "en", "holidays": []}
    db.execute(insert(schema.organisation).values(about))
    assert written <= customers.writings(db, number)
    assert {customers.normal(db, each) for each in customers.writings(db, number)} == {number}


def test_two_who_write_first_at_once_make_one_customer(db: Connection) -> None:
    """The second takes its turn when the first is done, and what it had looked up is old."""
    calls = [CallEntry(call, "t", "inbound", "013912345678", "", "1", "q", T0) for call in ("c1", "c2")]
    entries.write(db, calls)
    drawn = itertools.count()
    made = []
    for call in ("c1", "c2"):
        whose = customers.subject(db, call)
        assert whose is not None
        made.append(customers.customer_of(db, whose, lambda: f"customer {next(drawn)}", T0))
    assert made == ["customer 0", "customer 0"]
    assert Subject("c2", "+8613912345678", "customer 0", "inbound", T0) == customers.subject(db, "c2")
    assert db.execute(select(schema.customer_numbers)).all() == [("+8613912345678", "customer 0")]
