"""What must hold of a hotel's tables at any moment, recomputed row by row in plain Python.

The check reads whole tables and shares no arithmetic with the code that wrote them, so it also
judges that code. It is for small databases.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from operator import itemgetter
from typing import Any

import msgspec

from tests.runnable import Statement
from vacancy.db.database import Reader
from vacancy.hotel.verify import verify_inventory

TAKEN_BY = {
    "provisional": "held",
    "confirmed": "reserved",
    "checked_in": "reserved",
    "checked_out": "reserved",
}
"""Which statuses take rooms, written down a second time on purpose."""


class InventoryRow(msgspec.Struct, frozen=True):
    property_id: int
    room_type_id: int
    night: date
    capacity: int
    out_of_order: int
    sell_limit: int
    reserved: int
    held: int
    rooms_sold: int
    room_revenue_minor: int
    available: int


class BookingRow(msgspec.Struct, frozen=True):
    id: int
    property_id: int
    user_id: int
    status: str
    check_in: date
    check_out: date
    total_minor: int
    segment: str
    channel: str
    lead_days: int
    created_at: datetime
    changed_at: datetime


class StayRow(msgspec.Struct, frozen=True):
    booking_id: int
    line: int
    property_id: int
    room_type_id: int
    check_in: date
    check_out: date
    rooms: int
    prices_minor: tuple[int, ...]


class LedgerRow(msgspec.Struct, frozen=True):
    property_id: int
    booking_id: int
    room_type_id: int
    night: date
    held: int
    reserved: int
    rooms_sold: int
    room_revenue_minor: int


class AuditRow(msgspec.Struct, frozen=True):
    property_id: int
    action: str
    subject_id: int
    detail: dict[str, Any]


class EventRow(msgspec.Struct, frozen=True):
    property_id: int
    kind: str
    subject_id: int
    payload: dict[str, Any]


class KeyRow(msgspec.Struct, frozen=True):
    user_id: int
    key: str
    refused: int
    answer: dict[str, Any]


class LeadTimeRow(msgspec.Struct, frozen=True):
    property_id: int
    month: date
    lead_days: int
    bookings: int


class BookingCountRow(msgspec.Struct, frozen=True):
    property_id: int
    arrival: date
    room_type_id: int
    status: str
    bookings: int
    room_nights: int
    value_minor: int
    stays: int
    nights_sold: int


def _whole(table: str, row: type[msgspec.Struct], order: str) -> Statement[Any]:
    columns = ", ".join(field.name for field in msgspec.structs.fields(row))
    return Statement(
        f"promises.{table}", f"SELECT {columns} FROM {table} ORDER BY {order}", row=row
    )


_INVENTORY = _whole("room_inventory", InventoryRow, "property_id, room_type_id, night")
_BOOKINGS = _whole("bookings", BookingRow, "id")
_STAYS = _whole("room_stays", StayRow, "booking_id, line")
_LEDGER = _whole("night_ledger", LedgerRow, "entry")
_AUDIT = _whole("audit_entries", AuditRow, "entry")
_EVENTS = _whole("outbox_events", EventRow, "entry")
_KEYS = _whole("idempotency_keys", KeyRow, "entry")
_LEAD_TIMES = _whole("lead_time_counts", LeadTimeRow, "property_id, month, lead_days")
_BOOKING_COUNTS = _whole(
    "booking_counts", BookingCountRow, "property_id, arrival, room_type_id, status"
)

Key = tuple[int, int, date]


async def list_bookings(db: Reader) -> list[BookingRow]:
    """Every booking there is, by id."""
    return await db.fetch_all(_BOOKINGS)


async def list_inventory(db: Reader) -> list[InventoryRow]:
    """Every night there is."""
    return await db.fetch_all(_INVENTORY)


async def list_keys(db: Reader) -> list[KeyRow]:
    """Every stored answer, the oldest first."""
    return await db.fetch_all(_KEYS)


async def broken_promises(db: Reader, *, every_booking_has_a_key: bool = False) -> list[str]:
    """A sentence for each thing that is not as it must be; an empty list when all is well.

    What operators run, `verify_inventory`, is asked as well: it must not see ghosts.
    `every_booking_has_a_key` is for tests that give every request one: then each booking must be
    the answer stored behind exactly one key.
    """
    bookings = await db.fetch_all(_BOOKINGS)
    stays = await db.fetch_all(_STAYS)
    ledger = await db.fetch_all(_LEDGER)
    inventory = await db.fetch_all(_INVENTORY)
    return [
        *_inventory_within_limits(inventory),
        *_inventory_is(inventory, "the ledger", _sums_of_ledger(ledger)),
        *_inventory_is(inventory, "the bookings", _sums_of_bookings(bookings, stays)),
        *_bookings_whole(bookings, stays, ledger),
        *_told(bookings, await db.fetch_all(_AUDIT), await db.fetch_all(_EVENTS)),
        *_counted(bookings, stays, await db.fetch_all(_BOOKING_COUNTS)),
        *_lead_times(bookings, await db.fetch_all(_LEAD_TIMES)),
        *_keyed(bookings, await db.fetch_all(_KEYS), every_booking_has_a_key),
        *[f"verify-inventory: {each}" for each in (await verify_inventory(db)).differences],
    ]


def _inventory_within_limits(inventory: Iterable[InventoryRow]) -> Iterable[str]:
    for row in inventory:
        limit = row.capacity - row.out_of_order + row.sell_limit
        taken = row.held + row.reserved
        if row.held < 0 or row.reserved < 0 or taken > limit:
            yield f"{_name(row)}: {row.reserved} reserved + {row.held} held of {limit}"
        if row.available != limit - taken:
            yield f"{_name(row)}: available says {row.available}"


def _inventory_is(
    inventory: Iterable[InventoryRow], what: str, sums: dict[Key, list[int]]
) -> Iterable[str]:
    left = dict(sums)
    for row in inventory:
        expected = left.pop((row.property_id, row.room_type_id, row.night), [0, 0, 0, 0])
        found = [row.held, row.reserved, row.rooms_sold, row.room_revenue_minor]
        if found != expected:
            yield f"{_name(row)}: inventory {found}, {what} {expected}"
    for key, moved in left.items():
        if any(moved):
            yield f"{what} moved {moved} on {key}, which is no night of the inventory"


def _name(row: InventoryRow) -> str:
    return f"room type {row.room_type_id} on {row.night}"


def _sums_of_ledger(ledger: Iterable[LedgerRow]) -> dict[Key, list[int]]:
    sums: dict[Key, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for row in ledger:
        total = sums[row.property_id, row.room_type_id, row.night]
        total[0] += row.held
        total[1] += row.reserved
        total[2] += row.rooms_sold
        total[3] += row.room_revenue_minor
    return sums


def _sums_of_bookings(
    bookings: Iterable[BookingRow], stays: Iterable[StayRow]
) -> dict[Key, list[int]]:
    statuses = {booking.id: booking.status for booking in bookings}
    sums: dict[Key, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for stay in stays:
        taken = TAKEN_BY.get(statuses.get(stay.booking_id, ""))
        for number, price in enumerate(stay.prices_minor):
            total = sums[
                stay.property_id, stay.room_type_id, stay.check_in + timedelta(days=number)
            ]
            if taken == "held":
                total[0] += stay.rooms
            elif taken == "reserved":
                total[1] += stay.rooms
                total[2] += stay.rooms if price else 0
                total[3] += stay.rooms * price
    return sums


def _bookings_whole(
    bookings: Sequence[BookingRow], stays: Iterable[StayRow], ledger: Iterable[LedgerRow]
) -> Iterable[str]:
    """Each booking has its lines and its ledger rows, and neither is there without a booking."""
    known = {booking.id for booking in bookings}
    lines: dict[int, list[StayRow]] = defaultdict(list)
    for stay in stays:
        lines[stay.booking_id].append(stay)
    net: dict[int, Counter[tuple[str, int, date]]] = defaultdict(Counter)
    for row in ledger:
        net[row.booking_id]["held", row.room_type_id, row.night] += row.held
        net[row.booking_id]["reserved", row.room_type_id, row.night] += row.reserved
    for orphan in (lines.keys() | net.keys()) - known:
        yield f"booking {orphan} has lines or ledger rows, but is not there"
    for booking in bookings:
        mine = lines[booking.id]
        if [stay.line for stay in mine] != list(range(1, len(mine) + 1)) or not mine:
            yield f"booking {booking.id} has the lines {[stay.line for stay in mine]}"
        total = sum(stay.rooms * sum(stay.prices_minor) for stay in mine)
        if total != booking.total_minor:
            yield f"booking {booking.id} costs {booking.total_minor}, its lines {total}"
        nights = (booking.check_out - booking.check_in).days
        for stay in mine:
            if (stay.check_in, stay.check_out) != (booking.check_in, booking.check_out):
                yield f"booking {booking.id}: line {stay.line} has other dates"
            if len(stay.prices_minor) != nights:
                yield f"booking {booking.id}: line {stay.line} lacks prices"
        expected: Counter[tuple[str, int, date]] = Counter()
        taken = TAKEN_BY.get(booking.status)
        for stay in mine:
            for number in range(nights):
                night = booking.check_in + timedelta(days=number)
                if taken:
                    expected[taken, stay.room_type_id, night] += stay.rooms
        found = {key: rooms for key, rooms in net[booking.id].items() if rooms}
        if found != dict(expected) or (nights and not net[booking.id]):
            yield f"booking {booking.id} ({booking.status}) has the ledger {found}"


def _told(
    bookings: Iterable[BookingRow], audit: Sequence[AuditRow], events: Sequence[EventRow]
) -> Iterable[str]:
    """Audit and outbox tell the same story of each booking, and it ends at its status."""
    told = [(row.subject_id, row.property_id, row.action, row.detail) for row in audit]
    sent = [(row.subject_id, row.property_id, row.kind, row.payload) for row in events]
    # Batches of two properties may mix in one table otherwise than in the other; what happens to
    # one booking keeps its order.
    if sorted(told, key=itemgetter(0)) != sorted(sent, key=itemgetter(0)):
        yield f"{len(told)} audit entries and {len(sent)} outbox events differ"
    stories: dict[int, list[AuditRow]] = defaultdict(list)
    for row in audit:
        stories[row.subject_id].append(row)
    for booking in bookings:
        story = stories.pop(booking.id, [])
        actions = [row.action for row in story]
        if not actions or actions[0] not in ("booking.created", "hold.created"):
            yield f"booking {booking.id} begins with {actions[:1]}"
            continue
        if any(action.endswith(".created") for action in actions[1:]):
            yield f"booking {booking.id} was created twice: {actions}"
        status = "provisional"
        for row in story[1:]:
            if row.detail["from"] != status:
                yield f"booking {booking.id} went from {row.detail['from']}, but was {status}"
            status = row.detail["status"]
        if status != booking.status:
            yield f"booking {booking.id} is {booking.status}, its audit ends at {status}"
    for orphan in stories:
        yield f"the audit tells of booking {orphan}, which is not there"


def _counted(
    bookings: Iterable[BookingRow], stays: Iterable[StayRow], counts: Iterable[BookingCountRow]
) -> Iterable[str]:
    """Each booking stands in the counts once as a whole and once for each of its room types."""
    lines: dict[int, list[StayRow]] = defaultdict(list)
    for stay in stays:
        lines[stay.booking_id].append(stay)
    expected: Counter[tuple[Any, ...]] = Counter()
    for booking in bookings:
        place, when = booking.property_id, (booking.check_in, booking.status)
        is_sold = TAKEN_BY.get(booking.status) == "reserved"
        for room_type_id in {0} | {stay.room_type_id for stay in lines[booking.id]}:
            key = (place, room_type_id, *when)
            expected[*key, "bookings"] += 1
            for stay in lines[booking.id]:
                if room_type_id in (0, stay.room_type_id):
                    paid = len([price for price in stay.prices_minor if price]) if is_sold else 0
                    expected[*key, "room nights"] += stay.rooms * len(stay.prices_minor)
                    expected[*key, "value"] += stay.rooms * sum(stay.prices_minor)
                    expected[*key, "stays"] += stay.rooms if paid else 0
                    expected[*key, "nights sold"] += stay.rooms * paid
    found: Counter[tuple[Any, ...]] = Counter()
    for row in counts:
        key = (row.property_id, row.room_type_id, row.arrival, row.status)
        found[*key, "bookings"] += row.bookings
        found[*key, "room nights"] += row.room_nights
        found[*key, "value"] += row.value_minor
        found[*key, "stays"] += row.stays
        found[*key, "nights sold"] += row.nights_sold
    for name in expected.keys() | found.keys():
        if expected[name] != found[name]:
            yield f"counts {name}: {found[name]}, there are {expected[name]}"


def _lead_times(bookings: Iterable[BookingRow], counts: Iterable[LeadTimeRow]) -> Iterable[str]:
    expected: Counter[tuple[int, date, int]] = Counter()
    for booking in bookings:
        # A hold that ended by itself was never a booking of anybody's: reports leave it out.
        if booking.status != "expired":
            month = booking.check_in.replace(day=1)
            expected[booking.property_id, month, booking.lead_days] += 1
    found = {(row.property_id, row.month, row.lead_days): row.bookings for row in counts}
    if dict(expected) != {key: counted for key, counted in found.items() if counted}:
        yield "the counts of lead times are not those of the bookings"


def _keyed(
    bookings: Iterable[BookingRow], keys: Iterable[KeyRow], every_booking: bool
) -> Iterable[str]:
    known = {booking.id for booking in bookings}
    created = Counter(
        int(row.answer["id"])
        for row in keys
        if not row.refused and row.answer["status"] == "provisional"
    )
    for booking_id, answers in created.items():
        if booking_id not in known:
            yield f"a key answers with booking {booking_id}, which is not there"
        if answers > 1:
            yield f"{answers} keys answer with booking {booking_id}"
    if every_booking:
        for booking_id in known - created.keys():
            yield f"booking {booking_id} has no key"
