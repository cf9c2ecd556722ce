"""The clerks with whom helpers are compared see what no contract can: an answer that is wrong. Each
faulty answer of the corpus is shown to them, on both databases at once and on either alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.booked import STAYS, USERS, Stay, add_users
from tests.conftest import SpareDatabases
from tests.contract import test_helpers_availability as of_nights
from tests.contract import test_helpers_bookings as of_bookings
from tests.contract import test_helpers_statistics as of_statistics
from tests.contract import test_kpi as of_reports
from tests.nights import DAYS, NIGHTS, Nights, World, a_world
from tests.seeds import STATEMENT_FAULTS, StatementFault
from tests.seeds.seed import BOTH, broken_statement
from tests.servers import PostgresServer
from vacancy.db.connect import engine_of
from vacancy.db.gate import COUNT
from vacancy.db.statement import Engine
from vacancy.hotel.queries import StayCheck

# The same few examples every time, and the first that differs is enough.
FEW = settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.generate,),
    report_multiple_bugs=False,
)
FAULTS = [seed for seed in STATEMENT_FAULTS if seed.family == "answer"]
ENGINES: tuple[tuple[Engine, ...], ...] = (BOTH, ("sqlite",), ("postgresql",))

# The comparisons are those of the helpers' own tests, without the many examples.
_one_room_type: Any = of_nights.test_one_room_type
_all_room_types: Any = of_nights.test_all_room_types
_a_users_bookings: Any = of_bookings.test_a_users_bookings
_the_front_desk: Any = of_bookings.test_the_front_desk
_what_a_user_has_paid: Any = of_bookings.test_what_a_user_has_paid
_statistics: Any = of_statistics.test_statistics_are_what_a_clerk_counts


@st.composite
def _checks(draw: st.DrawFn) -> StayCheck:
    """Stays that can be had: most of those in the helpers' own tests are refused."""
    check_in = draw(st.sampled_from(DAYS))
    nights = draw(st.sampled_from([1, 1, 2]))
    code = draw(st.sampled_from(["alpine", "summit"]))
    return StayCheck(code, "double", check_in, check_in + timedelta(days=nights))


CHECKS = st.lists(_checks(), min_size=10, max_size=20)


@FEW
@given(nights=NIGHTS, checks=CHECKS)
def compare_one_room_type(world: World, nights: Nights, checks: list[StayCheck]) -> None:
    _one_room_type.hypothesis.inner_test(world, nights, checks)


@FEW
@given(nights=NIGHTS, checks=CHECKS)
def compare_all_room_types(world: World, nights: Nights, checks: list[StayCheck]) -> None:
    _all_room_types.hypothesis.inner_test(world, nights, checks)


@FEW
@given(stays=STAYS, user_id=st.sampled_from(list(USERS)), limit=st.sampled_from([1, 2]))
def compare_a_users_bookings(world: World, stays: list[Stay], user_id: int, limit: int) -> None:
    _a_users_bookings.hypothesis.inner_test(world, stays, user_id, None, None, limit, True)


@FEW
@given(stays=STAYS, length=st.integers(1, 2))
def compare_the_front_desk(world: World, stays: list[Stay], length: int) -> None:
    _the_front_desk.hypothesis.inner_test(world, stays, length, None, False, 200, False)


@FEW
@given(stays=STAYS, user_id=st.sampled_from(list(USERS)))
def compare_what_a_user_has_paid(world: World, stays: list[Stay], user_id: int) -> None:
    _what_a_user_has_paid.hypothesis.inner_test(world, stays, user_id, None)


@FEW
@given(stays=STAYS, code=of_statistics.CODES, period=of_statistics.PERIODS)
def compare_statistics(
    world: World, stays: list[Stay], code: str, period: tuple[date, date]
) -> None:
    _statistics.hypothesis.inner_test(world, stays, code, period, None)


COMPARISONS: dict[str, Callable[[World], None]] = {
    "the-day-of-departure-is-a-night": compare_one_room_type,
    "a-missing-night-is-free": compare_all_room_types,
    "room-types-backwards": compare_all_room_types,
    "the-last-of-a-page-comes-again": compare_a_users_bookings,
    "who-left-is-still-there": compare_the_front_desk,
    "euros-and-dollars-in-one-sum": compare_what_a_user_has_paid,
    "nobody-comes-to-an-unknown-house": compare_statistics,
}
REPORTS = {
    "the-last-day-of-a-report-counts-twice": (
        of_reports.test_a_period_that_cuts_months_counts_only_its_part
    ),
}


@pytest.fixture(scope="module")
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    server: PostgresServer = request.getfixturevalue("postgres")
    spare: SpareDatabases = request.getfixturevalue("spare_databases")
    name = spare.take()
    with a_world(tmp_path_factory.mktemp("answers"), server.url(name)) as made:
        add_users(made)
        yield made
    spare.give_back(name)


def test_every_faulty_answer_has_somebody_who_sees_it() -> None:
    assert {seed.name for seed in FAULTS} == {*COMPARISONS, *REPORTS}


@pytest.mark.parametrize("name", COMPARISONS)
def test_the_clean_tree_answers_right(world: World, name: str) -> None:
    """And what the fault would break is asked of both databases: it could be seen."""
    for database in world.databases:
        database.trace.reset()
    COMPARISONS[name](world)
    for database in world.databases:
        assert database.trace.counts().get(_fault(name, BOTH).at, 0) > 0


@pytest.mark.parametrize("name", REPORTS)
def test_the_clean_tree_reports_right(name: str, database_url: str) -> None:
    ran: list[str] = []
    before = COUNT.set(lambda statement: ran.append(statement.name))
    try:
        REPORTS[name](database_url)
    finally:
        COUNT.reset(before)
    assert _fault(name, BOTH).at in ran


@pytest.mark.parametrize("engines", ENGINES, ids="+".join)
@pytest.mark.parametrize("name", COMPARISONS)
def test_a_wrong_answer_is_seen(world: World, name: str, engines: tuple[Engine, ...]) -> None:
    with broken_statement(_fault(name, engines)), pytest.raises(AssertionError):
        COMPARISONS[name](world)


@pytest.mark.parametrize("name", REPORTS)
def test_a_wrong_report_is_seen(database_url: str, name: str) -> None:
    engine = engine_of(database_url)
    with broken_statement(_fault(name, (engine,))), pytest.raises(AssertionError):
        REPORTS[name](database_url)


def _fault(name: str, engines: tuple[Engine, ...]) -> StatementFault:
    found = next(seed for seed in FAULTS if seed.name == name)
    return msgspec.structs.replace(found, engines=engines)
