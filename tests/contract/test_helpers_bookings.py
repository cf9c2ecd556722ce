"""The helpers of bookings and payments against a clerk who goes through all bookings for every
question: on random bookings, on both databases, whose answers must be the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.booked import (
    STATUSES,
    STAYS,
    USERS,
    Line,
    Stay,
    a_stay,
    add,
    add_users,
    ask,
    clerk_finds,
    clerk_shows,
    clerk_shows_payments,
    clerk_shows_user,
    clerk_sums,
    clerk_tells_all,
    fill,
    may_see,
)
from tests.nights import DAYS, PLACES, World, a_world
from vacancy.db.database import Database
from vacancy.hotel.model import Actor
from vacancy.hotel.queries import (
    BookingDetails,
    BookingPage,
    get_booking_details,
    get_bookings_by_ids,
    get_bookings_for_date_range,
    get_user_bookings_with_room_type,
    get_user_payment_summary,
)
from vacancy.hotel.queries.bookings import MAX_IDS, MAX_PAGE
from vacancy.hotel.queries.bookings_desk import By

BOUNDED = settings(max_examples=40, deadline=None, derandomize=True, database=None)
ACTORS = st.sampled_from(
    [
        Actor(101, "guest"),
        Actor(103, "guest", PLACES["alpine"].id),
        Actor(7, "staff"),
        Actor(7, "staff", PLACES["summit"].id),
        Actor(7, "superadmin", PLACES["empty"].id),
    ]
)
CODES = st.sampled_from([None, "alpine", "summit", "empty"])
MAYBE_STATUS = st.none() | st.sampled_from(STATUSES)
LIMITS = st.sampled_from([1, 1, 2, 3, MAX_PAGE])
BYS: tuple[By, ...] = ("stay", "arrival", "departure")


@pytest.fixture(scope="module")
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    spare = request.getfixturevalue("spare_databases")
    name = spare.take()
    url = request.getfixturevalue("postgres").url(name)
    with a_world(tmp_path_factory.mktemp("booked"), url) as made:
        add_users(made)
        yield made
    spare.give_back(name)


def numbers_of(pages: list[dict[str, Any]]) -> list[int]:
    return [int(item["id"]) % 100 for page in pages for item in page["items"]]


async def _details(booking_id: int, actor: Actor, db: Database) -> BookingDetails:
    return await get_booking_details(db, booking_id, actor)


def walk(
    world: World, question: Callable[[str | None], Any], between: Sequence[Stay]
) -> list[dict[str, Any]]:
    """All pages, one after the other; before each page but the first somebody books."""
    coming = iter(between)
    pages = [ask(world, question(None))]
    while pages[-1]["next"] is not None:
        more = next(coming, None)
        if more is not None:
            add(world, [more])
        pages.append(ask(world, question(pages[-1]["next"])))
        assert len(pages) < 50, "the pages go round in a circle"
    return pages


@BOUNDED
@given(
    stays=STAYS,
    user_id=st.sampled_from([*USERS, 999]),
    status=MAYBE_STATUS,
    code=CODES,
    limit=LIMITS,
    paid=st.booleans(),
)
def test_a_users_bookings(
    world: World,
    stays: list[Stay],
    user_id: int,
    status: Any,
    code: str | None,
    limit: int,
    paid: bool,
) -> None:
    fill(world, stays)
    expected = [
        clerk_shows(stay)
        | ({"payments": clerk_shows_payments(stay, refunds=False)} if paid else {})
        for stay in sorted(stays, key=lambda stay: -stay.id)
        if stay.user_id == user_id and status in (None, stay.status) and code in (None, stay.code)
    ]

    def question(cursor: str | None) -> Any:
        return lambda db: get_user_bookings_with_room_type(
            db,
            user_id,
            status=status,
            limit=limit,
            cursor=cursor,
            property_id=None if code is None else PLACES[code].id,
            include_payments=paid,
        )

    pages = walk(world, question, ())
    assert [item for page in pages for item in page["items"]] == expected
    assert all(len(page["items"]) == limit for page in pages[:-1])
    assert len(pages[-1]["items"]) == len(expected) - limit * (len(pages) - 1)


@BOUNDED
@given(
    stays=STAYS,
    length=st.integers(1, 4),
    kind=st.sampled_from([None, None, "double"]),
    with_status=st.booleans(),
    limit=LIMITS,
    user=st.booleans(),
)
def test_the_front_desk(
    world: World,
    stays: list[Stay],
    length: int,
    kind: str | None,
    with_status: bool,
    limit: int,
    user: bool,
) -> None:
    """From each day on, whatever must lie in the range."""
    fill(world, stays)
    code = stays[0].code
    status = stays[0].status if with_status else None
    for from_date in DAYS:
        days = (from_date, from_date + timedelta(days=length))
        for by in BYS:

            def question(cursor: str | None, days: Any = days, by: Any = by) -> Any:
                return lambda db: get_bookings_for_date_range(
                    db,
                    code,
                    *days,
                    room_type=kind,
                    status=status,
                    include_user=user,
                    by=by,
                    limit=limit,
                    cursor=cursor,
                )

            expected = [
                clerk_shows(stay) | ({"user": clerk_shows_user(stay)} if user else {})
                for stay in clerk_finds(stays, code, *days, by)
                if status in (None, stay.status)
                and (kind is None or any(line.kind == kind for line in stay.lines))
            ]
            pages = walk(world, question, ())
            assert [item for page in pages for item in page["items"]] == expected, (days, by)
            assert all(len(page["items"]) == limit for page in pages[:-1])


def test_what_touches_a_day(world: World) -> None:
    day = DAYS[4]
    twice = (Line("double", 1, 2, 100), Line("suite", 1, 0, 0), Line("double", 2, 0, 50))
    before = {number: day - timedelta(days=number) for number in (1, 2, 3)}
    fill(
        world,
        [
            a_stay(1, check_in=before[1], nights=1),  # leaves on the day
            a_stay(2, check_in=before[2], nights=3, lines=twice),
            a_stay(3, check_in=day, nights=0),  # day use
            a_stay(4, check_in=before[1], nights=0),
            a_stay(5, check_in=day - timedelta(days=399), nights=400),  # the longest there may be
            a_stay(6, check_in=day, nights=1, lines=twice),
            a_stay(7, check_in=day + timedelta(days=1), nights=1),
            a_stay(8, check_in=before[3], nights=2, code="alpine"),
        ],
    )
    for by, kind, expected in (
        ("stay", None, [5, 2, 3, 6]),
        ("stay", "suite", [2, 6]),
        ("stay", "double", [5, 2, 3, 6]),
        ("arrival", None, [3, 6]),
        ("arrival", "suite", [6]),
        ("departure", None, [1, 3]),
        ("departure", "suite", []),
    ):
        said = {"by": by, "room_type": kind, "from_date": day, "to_date": DAYS[5]}
        for limit in (1, 3, MAX_PAGE):
            pages = walk(world, partial(_desk_page, said | {"limit": limit}), ())
            assert numbers_of(pages) == expected, (by, kind, limit)


def _desk_page(said: dict[str, Any], cursor: str | None) -> Any:
    return lambda db: get_bookings_for_date_range(db, "summit", cursor=cursor, **said)


def test_the_front_desk_of_nowhere(world: World) -> None:
    for code, kind, refused in (
        ("nowhere", None, "PROPERTY_UNKNOWN"),
        ("nowhere", "double", "PROPERTY_UNKNOWN"),
        ("alpine", "suite", "ROOM_TYPE_UNKNOWN"),
        ("empty", "double", "ROOM_TYPE_UNKNOWN"),
        ("empty", None, {"items": [], "next": None}),
    ):
        for status in (None, STATUSES[0]):
            found = ask(
                world,
                partial(_desk, code, {"room_type": kind, "status": status}),
            )
            assert found == refused


async def _desk(code: str, said: dict[str, Any], db: Database) -> BookingPage:
    return await get_bookings_for_date_range(db, code, DAYS[0], DAYS[1], **said)


@BOUNDED
@given(stays=STAYS, actor=ACTORS, unknown=st.integers(0, 99))
def test_the_details_of_a_booking(
    world: World, stays: list[Stay], actor: Actor, unknown: int
) -> None:
    fill(world, stays)
    for stay in stays:
        found = ask(world, partial(_details, stay.id, actor))
        told = clerk_tells_all(stay, actor) if may_see(actor, stay) else "BOOKING_UNKNOWN"
        assert found == told
    nobody = ask(world, partial(_details, unknown, actor))
    assert nobody == "BOOKING_UNKNOWN"


@BOUNDED
@given(stays=STAYS, actor=ACTORS, data=st.data())
def test_many_bookings_by_their_ids(
    world: World, stays: list[Stay], actor: Actor, data: st.DataObject
) -> None:
    fill(world, stays)
    known = {stay.id: stay for stay in stays}
    asked = data.draw(st.lists(st.sampled_from([*known, 1, 2**63 - 1]), max_size=12))
    found = ask(world, lambda db: get_bookings_by_ids(db, asked, actor))
    assert found == [
        clerk_shows(known[one])
        for one in dict.fromkeys(asked)
        if one in known and may_see(actor, known[one])
    ]


@BOUNDED
@given(stays=STAYS, user_id=st.sampled_from([*USERS, 999]), code=CODES)
def test_what_a_user_has_paid(
    world: World, stays: list[Stay], user_id: int, code: str | None
) -> None:
    fill(world, stays)
    property_id = None if code is None else PLACES[code].id
    found = ask(world, lambda db: get_user_payment_summary(db, user_id, property_id=property_id))
    assert found == clerk_sums(stays, user_id, code)


def test_pages_of_a_user_stand_still_while_others_book(world: World) -> None:
    fill(world, [a_stay(number) for number in (10, 20, 30, 40, 50)])
    # Newer than everything, between the pages, older than everything.
    coming = [a_stay(60), a_stay(35), a_stay(5)]
    pages = walk(
        world,
        lambda cursor: lambda db: get_user_bookings_with_room_type(db, 101, limit=1, cursor=cursor),
        coming,
    )
    assert numbers_of(pages) == [50, 40, 35, 30, 20, 10, 5]


@pytest.mark.parametrize("kind", [None, "double"])
def test_pages_of_the_desk_stand_still_while_others_book(world: World, kind: str | None) -> None:
    days = {9: 0, 2: 1, 4: 1, 8: 1, 1: 3}
    fill(world, [a_stay(number, check_in=DAYS[day]) for number, day in days.items()])
    # Before the page that was read, between the pages of one day, at the end.
    coming = [a_stay(number, check_in=DAYS[day]) for number, day in {7: 0, 6: 1, 3: 5}.items()]
    pages = walk(
        world,
        lambda cursor: (
            lambda db: get_bookings_for_date_range(
                db, "summit", DAYS[0], DAYS[8], room_type=kind, limit=1, cursor=cursor
            )
        ),
        coming,
    )
    assert numbers_of(pages) == [9, 2, 4, 6, 8, 1, 3]


def test_what_is_no_question(world: World) -> None:
    fill(world, [])
    staff = Actor(7, "staff")
    first, last = DAYS[0], DAYS[-1]
    refused = {
        "PERIOD_INVALID": lambda db: get_bookings_for_date_range(db, "alpine", last, first),
        "PERIOD_TOO_LONG": lambda db: get_bookings_for_date_range(
            db, "alpine", first, first + timedelta(days=367)
        ),
        "PROPERTY_NOT_YOURS": lambda db: get_bookings_for_date_range(
            db, "alpine", first, last, actor=Actor(7, "staff", PLACES["summit"].id)
        ),
    }
    for code, asked in refused.items():
        assert ask(world, asked) == code
    for limit in (0, -1, MAX_PAGE + 1):
        for asked in (
            lambda db, limit=limit: get_user_bookings_with_room_type(db, 101, limit=limit),
            lambda db, limit=limit: get_bookings_for_date_range(
                db, "alpine", first, last, limit=limit
            ),
        ):
            assert ask(world, asked) == "VALUE_OUT_OF_RANGE"
    for cursor in ("", ".", "x", "2027-03-01", "2027-03-01.", "2027-02-30.1", "2027-03-01.-1"):
        for asked in (
            lambda db, cursor=cursor: get_user_bookings_with_room_type(db, 101, cursor=cursor),
            lambda db, cursor=cursor: get_bookings_for_date_range(
                db, "alpine", first, last, cursor=cursor
            ),
        ):
            assert ask(world, asked) == "CURSOR_INVALID", cursor
    most = list(range(MAX_IDS))
    assert ask(world, lambda db: get_bookings_by_ids(db, most, staff)) == []
    assert ask(world, lambda db: get_bookings_by_ids(db, [*most, 1], staff)) == "VALUE_OUT_OF_RANGE"
    assert ask(world, lambda db: get_bookings_by_ids(db, [], staff)) == []


def test_a_guest_is_no_front_desk(world: World) -> None:
    fill(world, [a_stay(1)])
    found = ask(
        world,
        lambda db: get_bookings_for_date_range(
            db, "summit", DAYS[0], DAYS[1], actor=Actor(101, "guest")
        ),
    )
    assert found == "PROPERTY_NOT_YOURS"
