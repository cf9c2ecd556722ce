"""Each rule on what stands in a database: what it finds, what it leaves alone, what it advises."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vacancy.db.catalog import Catalog
from vacancy.db.statement import Engine
from vacancy.perf.indexes.alike import alike_indexes, replaces
from vacancy.perf.indexes.facts import (
    Facts,
    FileFacts,
    ForeignKey,
    IndexFacts,
    KeyPart,
    NumberedKey,
    ReplicationSlot,
    RunningQuery,
    ServerFacts,
    TableFacts,
    UnvalidatedConstraint,
)
from vacancy.perf.indexes.finding import IndexFinding
from vacancy.perf.indexes.standing import invalid_indexes, standing_findings
from vacancy.perf.indexes.words import in_bytes, in_time

MIB = 1 << 20
VISITS = TableFacts(name="visits", sql_name="visits", rows=50_000, has_statistics=True)


def index(name: str, *columns: str, made: int = 0, **more: Any) -> IndexFacts:
    """An index of visits; a column with - before it goes down."""
    parts = tuple(
        KeyPart(
            text=column.lstrip("-"),
            descending=column.startswith("-"),
            nulls_first=column.startswith("-"),
        )
        for column in columns
    )
    told = {"table": "visits", "name": name, "sql_name": name, "made": made, "parts": parts, **more}
    return IndexFacts(**told)


def facts_of(*indexes: IndexFacts, engine: Engine = "postgresql", **more: Any) -> Facts:
    told: dict[str, Any] = {"tables": (VISITS,), "indexes": indexes, **more}
    return Facts(engine=engine, catalog=Catalog(engine=engine, tables=()), **told)


def found(facts: Facts, **more: Any) -> list[tuple[str, bool, str]]:
    return [(one.name, one.ok, one.index) for one in standing_findings(facts, **more)]


def only(facts: Facts, **more: Any) -> IndexFinding:
    (one,) = standing_findings(facts, **more)
    return one


KEY = index("visits_pkey", "id", is_unique=True, constraint="primary key")


# -- the same, and the beginning


def test_of_two_alike_the_later_one_goes() -> None:
    one = only(facts_of(KEY, index("b", "day", made=1), index("a", "day", made=2)))
    assert (one.name, one.ok, one.index) == ("index_duplicate", False, "a")
    assert one.fix == "DROP INDEX CONCURRENTLY a;"


def test_of_two_alike_one_that_is_kept_stays() -> None:
    facts = facts_of(index("old", "day", made=1), index("declared", "day", made=2))
    assert only(facts, kept=frozenset({"declared"})).index == "old"


def test_the_beginning_of_a_longer_index_goes() -> None:
    one = only(facts_of(index("short", "a", size_bytes=3 * MIB), index("long", "a", "b")))
    assert (one.name, one.index) == ("index_prefix", "short")
    assert "long (a, b)" in one.sentence
    assert "3.0 MB" in one.sentence


@pytest.mark.parametrize(
    "other",
    [
        index("other", "b", "a"),
        index("other", "a", "b", predicate="b > 1"),
        index("other", "a", "b", method="gist"),
        index("other", "a", "b", is_valid=False),
        index("other", "a", "b", table="elsewhere"),
        index("other", "a", "b", is_partitioned=True),
        msgspec.structs.replace(
            index("other"), parts=(KeyPart(text="a", collation="C"), KeyPart(text="b"))
        ),
        msgspec.structs.replace(
            index("other"), parts=(KeyPart(text="a", opclass="pattern"), KeyPart(text="b"))
        ),
        msgspec.structs.replace(
            index("other"), parts=(KeyPart(text="a", is_expression=True), KeyPart(text="b"))
        ),
        # All of it backwards would do; one column backwards is another order.
        index("other", "a", "-b", "c"),
    ],
)
def test_what_differs_replaces_nothing(other: IndexFacts) -> None:
    assert not replaces("postgresql", other, index("one", "a", "b"))
    assert list(alike_indexes(facts_of(index("one", "a", "b"), other))) == []


def test_an_index_read_backwards_is_the_same_on_postgresql() -> None:
    up, down = index("up", "a", "b", made=1), index("down", "-a", "-b", made=2)
    assert replaces("postgresql", up, down)
    assert not replaces("sqlite", up, down)


def test_what_is_unique_is_no_beginning() -> None:
    short = index("short", "a", is_unique=True)
    assert found(facts_of(short, index("long", "a", "b"))) == []
    assert found(facts_of(short, index("long", "a", "b", is_unique=True))) == []


def test_a_unique_index_goes_for_a_key_with_the_same_columns() -> None:
    twin = index("twin", "id", is_unique=True, made=-1)
    assert only(facts_of(KEY, twin)).index == "twin"


def test_a_unique_constraint_is_dropped_as_one() -> None:
    facts = facts_of(
        KEY,
        index(
            "visits_id_key", "id", is_unique=True, constraint="unique", constraint_sql_name='"Id"'
        ),
    )
    assert only(facts).fix == 'ALTER TABLE visits DROP CONSTRAINT "Id";'


def test_what_something_else_needs_stays() -> None:
    held = index("held", "a", is_held=True, made=2)
    assert only(facts_of(index("free", "a", made=1), held)).index == "free"
    assert found(facts_of(index("long", "a", "b"), held)) == []


def test_doubles_of_null_are_refused_by_one_kind_alone() -> None:
    strict = index("strict", "a", is_unique=True, nulls_are_equal=True, made=2)
    loose = index("loose", "a", is_unique=True, made=1)
    assert only(facts_of(strict, loose)).index == "loose"


def test_included_columns_have_to_be_in_the_other_too() -> None:
    one = index("one", "a", included=("c",))
    assert not replaces("postgresql", index("other", "a", "b"), one)
    assert replaces("postgresql", index("other", "a", "c"), one)
    assert replaces("postgresql", index("other", "a", included=("c", "d")), one)


def test_only_a_tree_serves_by_its_first_columns() -> None:
    short, long = index("short", "a", method="gin"), index("long", "a", "b", method="gin")
    assert found(facts_of(short, long)) == []
    assert only(facts_of(short, index("twin", "a", method="gin", made=1))).index == "twin"


def test_on_sqlite_a_beginning_may_order_rows_by_their_rowid() -> None:
    table = msgspec.structs.replace(VISITS, rowid_key="id")
    short, day, key = index("short", "a"), index("long", "a", "day"), index("long", "a", "id")
    note = only(facts_of(short, day, engine="sqlite", tables=(table,)))
    assert note.ok
    assert "order of id" in note.sentence
    assert not only(facts_of(short, key, engine="sqlite", tables=(table,))).ok


_PART = st.builds(
    KeyPart, text=st.sampled_from("abc"), descending=st.booleans(), collation=st.sampled_from("xy")
)
_INDEXES = st.lists(
    st.builds(
        lambda parts, is_unique, predicate, constraint: (
            parts,
            is_unique or bool(constraint),
            "" if constraint else predicate,
            constraint,
        ),
        st.lists(_PART, min_size=1, max_size=3).map(tuple),
        st.booleans(),
        st.sampled_from(["", "", "a > 1"]),
        st.sampled_from(["", "", "", "unique"]),
    ),
    max_size=7,
)


@given(_INDEXES, st.sampled_from(["sqlite", "postgresql"]))
def test_whatever_goes_something_that_stays_does_its_work(
    drawn: list[tuple[tuple[KeyPart, ...], bool, str, str]], engine: Engine
) -> None:
    indexes = tuple(
        index(
            f"i{made}",
            made=made,
            parts=parts,
            is_unique=is_unique,
            predicate=predicate,
            constraint=constraint,
            constraint_sql_name=constraint and f"i{made}",
        )
        for made, (parts, is_unique, predicate, constraint) in enumerate(drawn)
    )
    going = {one.index for one in alike_indexes(facts_of(*indexes, engine=engine))}
    staying = tuple(one for one in indexes if one.name not in going)
    for one in indexes:
        is_replaced = any(replaces(engine, other, one) for other in staying)
        assert one.name not in going or is_replaced
    assert list(alike_indexes(facts_of(*staying, engine=engine))) == []


# -- the rest of what stands


def test_a_build_that_failed_is_told_and_one_under_way_is_not() -> None:
    failed = index("failed", "a", is_valid=False)
    rest = index("failed_ccnew1", "a", is_valid=False)
    building = index("building", "a", is_valid=False, is_being_built=True)
    told = list(invalid_indexes(facts_of(failed, rest, building)))
    assert [one.fix for one in told] == [
        "REINDEX INDEX CONCURRENTLY failed;",
        "DROP INDEX CONCURRENTLY failed_ccnew1;",
    ]


WEEK_S = 7 * 86_400.0


@pytest.mark.parametrize(
    ("change", "counted_s", "is_told"),
    [
        ({}, WEEK_S, True),
        ({}, WEEK_S - 1, False),
        ({}, None, False),
        ({"scans": 1}, WEEK_S, False),
        ({"scans": None}, WEEK_S, False),
        ({"is_unique": True}, WEEK_S, False),
        ({"size_bytes": MIB - 1}, WEEK_S, False),
    ],
)
def test_an_index_is_unused_after_a_week_of_counting(
    change: dict[str, Any], counted_s: float | None, is_told: bool
) -> None:
    one = index("one", "a", **{"scans": 0, "size_bytes": MIB, **change})
    told = found(facts_of(one, server=ServerFacts(counted_s=counted_s)))
    assert told == ([("index_unused", True, "one")] if is_told else [])


PERSON = ForeignKey(
    table="visits", name="fk", columns=("person",), columns_sql="person", parent="people"
)
PAIR = msgspec.structs.replace(PERSON, columns=("a", "b"), columns_sql='a, "b"')


def test_a_reference_without_an_index_is_told_with_the_index() -> None:
    one = only(facts_of(foreign_keys=(PERSON,)))
    assert (one.name, one.ok) == ("foreign_key_unindexed", False)
    assert one.fix == "CREATE INDEX CONCURRENTLY ix_visits_person ON visits (person);"


def test_a_reference_of_a_small_table_is_only_a_note() -> None:
    small = msgspec.structs.replace(VISITS, rows=9_999)
    unknown = msgspec.structs.replace(VISITS, rows=None)
    assert only(facts_of(foreign_keys=(PERSON,), tables=(small,))).ok
    assert not only(facts_of(foreign_keys=(PERSON,), tables=(unknown,))).ok


def test_nobody_looks_for_the_children_of_what_stays() -> None:
    facts = facts_of(foreign_keys=(PERSON,))
    assert found(facts, parents_changed=frozenset()) == []
    assert len(found(facts, parents_changed=frozenset({"people"}))) == 1


@pytest.mark.parametrize(
    ("one", "key", "is_served"),
    [
        (index("one", "person", "day"), PERSON, True),
        (index("one", "day", "person"), PERSON, False),
        (index("one", "person", predicate="person IS NOT NULL"), PERSON, True),
        (index("one", "person", predicate="day IS NOT NULL"), PERSON, False),
        (index("one", "person", is_valid=False), PERSON, False),
        (index("one", "person", method="hash"), PERSON, True),
        (index("one", "person", method="brin"), PERSON, False),
        (index("one", "person", table="elsewhere"), PERSON, False),
        (index("one", "b", "a", "c"), PAIR, True),
        (index("one", "a", "c", "b"), PAIR, False),
        (index("one", "a"), PAIR, False),
    ],
)
def test_an_index_that_begins_with_the_reference_serves_it(
    one: IndexFacts, key: ForeignKey, is_served: bool
) -> None:
    assert found(facts_of(one, foreign_keys=(key,))) == (
        [] if is_served else [("foreign_key_unindexed", False, "")]
    )


def test_a_constraint_is_validated() -> None:
    one = only(
        facts_of(unvalidated=(UnvalidatedConstraint(table="visits", name="Ck", sql_name='"Ck"'),))
    )
    assert one.fix == 'ALTER TABLE visits VALIDATE CONSTRAINT "Ck";'


@pytest.mark.parametrize(
    ("change", "ok"),
    [
        ({"has_statistics": False}, False),
        ({"has_statistics": False, "is_seen_to": True}, True),
        ({"has_statistics": False, "rows": 9_999}, None),
        ({"has_statistics": None}, None),
        ({"changed_rows": 10_001}, False),
        ({"changed_rows": 10_001, "is_seen_to": True}, True),
        ({"changed_rows": 10_000}, None),
        ({"changed_rows": 10_001, "rows": 60_000}, None),
        ({"rows_in_statistics": 100}, False),
        ({"rows_in_statistics": 45_000}, None),
        ({"rows_in_statistics": 200_000}, False),
        ({"rows": None, "has_statistics": False}, None),
    ],
)
def test_statistics_are_stale(change: dict[str, Any], ok: bool | None) -> None:
    told = found(facts_of(tables=(msgspec.structs.replace(VISITS, **change),)))
    assert told == ([] if ok is None else [("statistics_stale", ok, "")])


def test_a_sqlite_file_without_statistics_is_only_a_note() -> None:
    table = msgspec.structs.replace(VISITS, has_statistics=False)
    one = only(facts_of(engine="sqlite", tables=(table,)))
    assert (one.ok, one.fix) == (True, "ANALYZE visits;")


@pytest.mark.parametrize(
    ("wasted_mib", "size_mib", "ok"),
    [(1, 2, True), (1, 3, None), (99, 100, True), (100, 150, False), (100, 201, None)],
)
def test_pages_are_wasted_when_half_of_them_are_empty(
    wasted_mib: int, size_mib: int, ok: bool | None
) -> None:
    sizes = {"size_bytes": size_mib * MIB, "wasted_bytes": wasted_mib * MIB}
    told = found(
        facts_of(index("one", "a", **sizes), tables=(msgspec.structs.replace(VISITS, **sizes),))
    )
    expected = [("index_bloated", ok, "one"), ("table_bloated", ok, "")]
    assert told == ([] if ok is None else expected)


def test_dead_rows_are_vacuumed_and_what_they_leave_is_given_back() -> None:
    few = msgspec.structs.replace(VISITS, dead_rows=30_000, size_bytes=20 * MIB)
    half = msgspec.structs.replace(VISITS, rows=20_000, dead_rows=15_000, size_bytes=20 * MIB)
    most = msgspec.structs.replace(VISITS, dead_rows=500_000, size_bytes=200 * MIB)
    assert found(facts_of(tables=(few,))) == []
    assert only(facts_of(tables=(half,))).fix == "VACUUM (ANALYZE) visits;"
    one = only(facts_of(tables=(most,)))
    assert (one.ok, one.fix) == (False, "VACUUM (FULL, ANALYZE) visits;")


def test_rows_that_died_since_they_were_counted_are_not_counted_as_living() -> None:
    full = msgspec.structs.replace(
        VISITS, rows=50_000, dead_rows=48_000, size_bytes=20 * MIB, wasted_bytes=0
    )
    one = only(facts_of(tables=(full,)))
    assert "48,000 dead rows beside 2,000 that live" in one.sentence
    assert one.fix == "VACUUM (FULL, ANALYZE) visits;"


def key(largest: int, **more: Any) -> NumberedKey:
    told: dict[str, Any] = {"type": "integer", "column_end": 2**31 - 1, **more}
    return NumberedKey(table="visits", column="id", column_sql="id", largest_used=largest, **told)


@pytest.mark.parametrize(
    ("share", "ok"), [(0.74, None), (0.751, True), (0.89, True), (0.901, False)]
)
def test_a_key_is_near_its_end(share: float, ok: bool | None) -> None:
    told = found(facts_of(keys=(key(int(share * 2**31)),)))
    assert told == ([] if ok is None else [("key_near_end", ok, "")])


def test_a_key_is_made_wider_with_its_sequence() -> None:
    serial = key(2**31 - 2, sequence_sql="visits_id_seq", sequence_end=2**31 - 1)
    assert only(facts_of(keys=(serial,))).fix == (
        "ALTER TABLE visits ALTER COLUMN id TYPE bigint;\n"
        "ALTER SEQUENCE visits_id_seq AS bigint NO MAXVALUE;"
    )
    # The sequence of an identity goes with its column.
    identity = msgspec.structs.replace(serial, is_identity=True)
    assert only(facts_of(keys=(identity,))).fix == "ALTER TABLE visits ALTER COLUMN id TYPE bigint;"
    own_end = key(990, type="bigint", sequence_sql="s", sequence_end=1_000, column_end=2**63 - 1)
    assert only(facts_of(keys=(own_end,))).fix == "ALTER SEQUENCE s AS bigint NO MAXVALUE;"


def test_nothing_wider_than_64_bits_is_advised() -> None:
    last = key(2**63 - 2, type="bigint", sequence_end=2**63 - 1, column_end=2**63 - 1)
    assert only(facts_of(keys=(last,))).fix == ""


def test_a_sequence_that_begins_high_is_not_near_its_end() -> None:
    begun = key(9_100, type="bigint", smallest=9_000, sequence_end=10_000, column_end=2**63 - 1)
    assert found(facts_of(keys=(begun,))) == []


# -- the server, and the file


@pytest.mark.parametrize(
    ("server", "rule", "ok"),
    [
        (ServerFacts(), "", True),
        (ServerFacts(transaction_age=999_999_999, multixact_age=5), "", True),
        (ServerFacts(transaction_age=1_000_000_000), "transaction_ids_near_end", True),
        (ServerFacts(multixact_age=1_700_000_000), "transaction_ids_near_end", False),
        (ServerFacts(connections=79, connections_max=100), "", True),
        (ServerFacts(connections=80, connections_max=100), "connections_many", True),
        (ServerFacts(connections=97, connections_max=100), "connections_many", False),
        (ServerFacts(table_hits=5, table_reads=95), "", True),
        (ServerFacts(table_hits=950_000, table_reads=60_000), "", True),
        (ServerFacts(table_hits=850_000, table_reads=200_000), "cache_hit_rate_low", True),
        (ServerFacts(index_hits=850_000, index_reads=200_000), "cache_hit_rate_low", True),
        (ServerFacts(replay_behind_s=59.0), "", True),
        (ServerFacts(replay_behind_s=61.0), "replication_slot_behind", True),
    ],
)
def test_how_the_server_is_doing(server: ServerFacts, rule: str, ok: bool) -> None:
    told = [(one.name, one.ok) for one in standing_findings(facts_of(server=server))]
    assert told == ([(rule, ok)] if rule else [])


def test_long_queries_are_cancelled_and_idle_transactions_ended() -> None:
    running = (
        RunningQuery(pid=7, running_s=2_000.0, is_idle=False),
        RunningQuery(pid=8, running_s=90.0, is_idle=True),
        RunningQuery(pid=9, running_s=59.0, is_idle=False),
    )
    told = standing_findings(facts_of(server=ServerFacts(running=running)))
    assert [(one.ok, one.fix) for one in told] == [
        (False, "SELECT pg_cancel_backend(7);"),
        (True, "SELECT pg_terminate_backend(8);"),
    ]


def test_slots_keep_the_log_that_fills_the_disk() -> None:
    slots = (
        ReplicationSlot(name="near", is_active=True, behind_bytes=5 * MIB),
        ReplicationSlot(name="slow", is_active=True, behind_bytes=2_000 * MIB),
        ReplicationSlot(name="gone", is_active=False, behind_bytes=2_000 * MIB),
        ReplicationSlot(name="lost", is_active=False, is_lost=True),
    )
    server = ServerFacts(slots=slots, slots_keep_all_log=True)
    told = standing_findings(facts_of(server=server))
    assert [(one.name, one.ok, one.fix[:40]) for one in told] == [
        ("replication_slot_behind", True, ""),
        ("replication_slot_behind", False, "SELECT pg_drop_replication_slot('gone');"),
        ("replication_slot_behind", False, "SELECT pg_drop_replication_slot('lost');"),
        ("log_unbounded", True, "ALTER SYSTEM SET max_slot_wal_keep_size "),
    ]
    limited = msgspec.structs.replace(server, slots_keep_all_log=False, slots=slots[:1])
    assert found(facts_of(server=limited)) == []


def a_file(pages: int, free_pages: int = 0, log_bytes: int = 0) -> FileFacts:
    return FileFacts(
        page_bytes=4096,
        pages=pages,
        free_pages=free_pages,
        journal_mode="wal",
        log_bytes=log_bytes,
        has_statistics=True,
    )


def test_a_file_with_free_pages_and_a_long_log() -> None:
    def told(file: FileFacts) -> list[tuple[str, bool, str]]:
        findings = standing_findings(facts_of(engine="sqlite", file=file))
        return [(one.name, one.ok, one.fix) for one in findings]

    assert told(a_file(1_000, free_pages=400, log_bytes=63 * MIB)) == []
    assert told(a_file(1_000, free_pages=600)) == [("table_bloated", True, "VACUUM;")]
    assert told(a_file(100_000, free_pages=60_000)) == [("table_bloated", False, "VACUUM;")]
    assert told(a_file(10, log_bytes=64 * MIB)) == [
        ("log_unbounded", True, "PRAGMA wal_checkpoint(TRUNCATE);")
    ]
    assert not told(a_file(10, log_bytes=1 << 30))[0][1]


@given(st.integers(min_value=0, max_value=1 << 50))
def test_sizes_are_told_in_the_unit_that_fits(size: int) -> None:
    number, unit = in_bytes(size).split()
    scale = {"bytes": 0, "KB": 10, "MB": 20, "GB": 30, "TB": 40}[unit]
    assert abs(float(number) - size / 2**scale) <= 0.05
    assert scale == 0 or size >= 2**scale


def test_times_are_told_in_the_unit_that_fits() -> None:
    told = [in_time(seconds) for seconds in (9, 119, 120, 7_200, 172_800, 864_000)]
    assert told == ["9 seconds", "119 seconds", "2 minutes", "2 hours", "2 days", "10 days"]
