"""Writes a generated hotel group into a database, hotel by hotel, through the bulk path. A run that
was killed half-way is completed by the next one; where all stands, nothing is written."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from itertools import islice

import msgspec

from vacancy.db.database import Database, Transaction
from vacancy.errors import Conflict
from vacancy.hotel.admission.decide import HOUSE_ID
from vacancy.hotel.admission.state import Line
from vacancy.hotel.bulk import PastBooking, load_past_bookings
from vacancy.hotel.generate.draw import (
    Draw,
    draw_bookings,
    list_prices_minor,
    most_on_the_books,
)
from vacancy.hotel.generate.plan import (
    CURRENCY,
    NIGHTS,
    TIME_ZONE,
    GroupPlan,
    PropertyPlan,
    midnight,
    opened_at,
    property_plans,
    property_rng,
    require_period,
)
from vacancy.hotel.generate.shape import AGENCY_RANKS, SHAPES
from vacancy.hotel.ids import NODES, IdSource
from vacancy.hotel.model import RoomType
from vacancy.hotel.setup import NewProperty, NewRoomType, create_property
from vacancy.hotel.statements import catalogue
from vacancy.hotel.statements import generate as sql
from vacancy.hotel.statements.admission_changes import INSERT_AUDIT

MADE_PROPERTY = "generate.property"
"""The audit entry that holds the plan of a property."""
MADE_BOOKINGS = "generate.bookings"
"""The audit entry of each transaction of bookings."""
SOURCE = "generated"
MAIL = "generated.invalid"

AT_ONCE = 10_000
"""Bookings in a transaction: many nights and counts are then written once for several bookings. The
same in every run, so that a run that goes on after a kill cuts where the first one would have."""
_AGENCIES = AGENCY_RANKS[-1]
_BOOKINGS_OF_GUEST = 10
"""One guest for so many bookings of a hotel; as agencies make most of these, a guest's account has
one or two. An assumption: the data set does not know its guests. Each hotel has its own, which also
keeps what a transaction touches together."""
_MAX_ADULTS = 4

_encode = msgspec.json.Encoder().encode

Progress = Callable[[int, int], None]
"""Hears how many bookings stand, of how many."""


class GenerateReport(msgspec.Struct, frozen=True, kw_only=True):
    """What stands now."""

    properties: int
    room_types: int
    """In each property."""
    bookings: int
    new: int
    """Those of `bookings` that this run has written."""
    users: int
    first_night: date
    nights: int
    seed: int
    seconds: float


class _Users(msgspec.Struct, frozen=True):
    """Who books and who stays, the same in every run."""

    agency_ids: list[int]
    guest_ids: list[int]
    guest_names: list[str]
    guest_emails: list[str]

    def rows(self) -> Iterator[tuple[int, str, str]]:
        for number, user_id in enumerate(self.agency_ids, start=1):
            yield user_id, f"Agency {number}", f"agency-{number:03}@{MAIL}"
        yield from zip(self.guest_ids, self.guest_names, self.guest_emails, strict=True)


async def generate_group(
    db: Database,
    plan: GroupPlan,
    *,
    at_once: int = AT_ONCE,
    progress: Progress | None = None,
    timer: Callable[[], float] = time.perf_counter,
) -> GenerateReport:
    """Makes what is missing of the group.

    Properties, users and audit entries bear the time of the database's clock: let it stand at
    `written_at(plan)`, and equal plans give equal tables; `at_once` bookings are written in one
    transaction, which the audit entries show. Raises `Conflict` GENERATE_REFUSED for a
    database that holds other properties, GENERATE_DIFFERS for one that holds another group,
    `Invalid` VALUE_OUT_OF_RANGE for a period without ids; then nothing is written.
    """
    require_period(plan)
    started = timer()
    made = await _made_before(db, plan)
    users = _users(plan)
    if not made:
        await _make_users(db, users)
    standing = new = 0
    for wanted in property_plans(plan):

        def tell(here: int, before: int = standing) -> None:
            if progress:
                progress(before + here, plan.bookings)

        stood = await _make_property(db, plan, wanted, users, wanted.code in made, at_once, tell)
        standing += wanted.bookings
        new += wanted.bookings - stood
    if progress and not new:
        progress(standing, plan.bookings)
    return GenerateReport(
        properties=plan.properties,
        room_types=plan.room_types,
        bookings=standing,
        new=new,
        users=len(users.agency_ids) + len(users.guest_ids),
        first_night=plan.first_night,
        nights=NIGHTS,
        seed=plan.seed,
        seconds=round(timer() - started, 3),
    )


async def _made_before(db: Database, plan: GroupPlan) -> set[str]:
    """The codes of the hotels that stand already, all of them this plan's."""
    found = await db.fetch_all(sql.LIST_PLANS, action=MADE_PROPERTY)
    for one in found:
        if one.plan is None:
            raise Conflict(
                "GENERATE_REFUSED",
                f"The database holds the property {one.code!r}, which was not generated; nothing"
                " was changed.",
                hint="Generate into a database of its own: --database-url sqlite:///generated.db.",
            )
        if one.plan != plan:
            raise Conflict(
                "GENERATE_DIFFERS",
                f"The database holds another generated group: {_words(one.plan)}. Asked for:"
                f" {_words(plan)}. Nothing was changed.",
                hint="Repeat the numbers of the group that stands, or use another database.",
            )
    return {one.code for one in found}


def _words(plan: GroupPlan) -> str:
    return (
        f"--properties {plan.properties} --bookings {plan.bookings} --seed {plan.seed}"
        f" --from {plan.first_night} --room-types {plan.room_types}"
    )


def _users(plan: GroupPlan) -> _Users:
    # The last nodes: no process takes them for ids of its own before its 8,000th start.
    ids = IdSource(NODES - 1, lambda: opened_at(plan))
    guests = range(1, plan.bookings // _BOOKINGS_OF_GUEST + 2)
    return _Users(
        [ids.next() for _ in range(_AGENCIES)],
        [ids.next() for _ in guests],
        [f"Guest {number}" for number in guests],
        [f"guest-{number:07}@{MAIL}" for number in guests],
    )


async def _make_users(db: Database, users: _Users) -> None:
    rows = users.rows()
    while some := list(islice(rows, AT_ONCE)):

        async def unit(tx: Transaction, some: Sequence[tuple[int, str, str]] = some) -> None:
            await tx.execute_set(sql.INSERT_USERS, [(*row, "regular", tx.now) for row in some])

        await db.transact(unit)


async def _make_property(
    db: Database,
    plan: GroupPlan,
    wanted: PropertyPlan,
    users: _Users,
    is_made: bool,
    at_once: int,
    progress: Callable[[int], None],
) -> int:
    """One hotel with its bookings; answers how many of them stood before."""
    standing = 0
    if is_made:
        standing = await _standing(db, wanted)
        if standing >= wanted.bookings:
            return wanted.bookings
    shape = SHAPES[wanted.kind]
    draws = draw_bookings(
        shape,
        property_rng(plan, wanted.number),
        wanted.bookings,
        types=plan.room_types,
        first_night=plan.first_night,
        nights=NIGHTS,
    )
    if not is_made:
        await _open_property(db, plan, wanted, draws)
    types = await db.fetch_all(catalogue.LIST_ROOM_TYPES, property=wanted.code)
    await load_past_bookings(
        db,
        islice(_past_bookings(plan, wanted, users, types, draws), standing, None),
        _no_id,
        action=MADE_BOOKINGS,
        at_once=at_once,
        progress=lambda written: progress(standing + written),
    )
    return standing


async def _standing(db: Database, wanted: PropertyPlan) -> int:
    place = await db.fetch_one(catalogue.GET_PROPERTY, property=wanted.code)
    assert place is not None
    row = await db.fetch_one(sql.COUNT_STANDING, property_id=place.id)
    assert row is not None
    return row.bookings


async def _open_property(
    db: Database, plan: GroupPlan, wanted: PropertyPlan, draws: Sequence[Draw]
) -> None:
    """The property with its room types, their inventory, and the plan that it comes from."""
    prices = list_prices_minor(SHAPES[wanted.kind], plan.room_types)
    capacities = most_on_the_books(draws, types=plan.room_types, nights=NIGHTS)
    new = NewProperty(
        code=wanted.code,
        name=wanted.name,
        currency=CURRENCY,
        time_zone=TIME_ZONE,
        room_types=tuple(
            NewRoomType(
                code=f"type-{number:02}",
                name=f"Type {number}",
                price_minor=price,
                max_adults=_MAX_ADULTS,
                capacity=capacity,
            )
            for number, (price, capacity) in enumerate(
                zip(prices, capacities, strict=True), start=1
            )
        ),
        first_night=plan.first_night,
        nights=NIGHTS,
    )
    detail = _encode(plan).decode()

    async def unit(tx: Transaction) -> None:
        # Here, so that a second attempt gives the same ids.
        ids = IdSource(_node(wanted), lambda: opened_at(plan))
        place, _ = await create_property(tx, new, ids.next)
        entry = (place.id, HOUSE_ID, MADE_PROPERTY, place.id, detail, tx.now)
        await tx.execute_set(INSERT_AUDIT, [entry])

    await db.transact(unit)


def _past_bookings(
    plan: GroupPlan,
    wanted: PropertyPlan,
    users: _Users,
    types: Sequence[RoomType],
    draws: Sequence[Draw],
) -> Iterator[PastBooking]:
    """Each draw as a booking. Its id bears the instant at which it was made, as a live one does."""
    beginning = midnight(plan)
    days = [plan.first_night + timedelta(days=number) for number in range(NIGHTS + 1)]
    type_ids = [room_type.id for room_type in types]
    first_guest = wanted.before // _BOOKINGS_OF_GUEST
    guests = max(1, (wanted.before + wanted.bookings) // _BOOKINGS_OF_GUEST - first_guest)
    created_at = beginning
    ids = IdSource(_node(wanted), lambda: created_at)
    for number, draw in enumerate(draws, start=1):
        created_at = beginning + timedelta(seconds=draw.created_s)
        guest = first_guest + int(draw.guest * guests)
        yield PastBooking(
            id=ids.next(),
            property_id=types[0].property_id,
            user_id=users.guest_ids[guest] if draw.agency < 0 else users.agency_ids[draw.agency],
            check_in=days[draw.arrival_day],
            check_out=days[draw.arrival_day + draw.nights],
            lines=(
                Line(type_ids[draw.room_type], 1, draw.adults, (draw.price_minor,) * draw.nights),
            ),
            steps=(
                ("confirmed", created_at),
                (draw.status, beginning + timedelta(seconds=draw.changed_s)),
            ),
            guest_name=users.guest_names[guest],
            guest_email=users.guest_emails[guest],
            segment=draw.segment,
            channel=draw.channel,
            lead_days=draw.lead_days,
            source_ref=f"{SOURCE}:{number:08}",
        )


def _node(wanted: PropertyPlan) -> int:
    return NODES - 2 - wanted.number


def _no_id() -> int:
    raise AssertionError("every generated booking has its id")
