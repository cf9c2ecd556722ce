"""Random bookings with their money and history in two databases at once, and a clerk who goes
through all of them for every question."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import strategies as st

from tests.nights import DAYS, PLACES, World
from vacancy.db.database import Database
from vacancy.hotel.model import Actor, Status

USERS = {
    101: ("Ada", "ada@example.org", "regular"),
    102: ('Eve "the other" O\'Neil', "eve@example.org", "vip"),
    103: ("Zoë – 客", "zoe@example.org", "corporate"),
}
STATUSES: tuple[Status, ...] = (
    "provisional",
    "confirmed",
    "checked_in",
    "checked_out",
    "cancelled",
    "no_show",
    "expired",
)
BOOKED = datetime(2026, 12, 1, 12, tzinfo=UTC)


class Line(msgspec.Struct, frozen=True):
    kind: str
    rooms: int
    adults: int
    price_minor: int


class Refunded(msgspec.Struct, frozen=True):
    status: str
    amount_minor: int


class Paid(msgspec.Struct, frozen=True):
    status: str
    amount_minor: int
    refunded_minor: int
    currency: str
    refunds: tuple[Refunded, ...]


class Billed(msgspec.Struct, frozen=True):
    total_minor: int
    credits: tuple[int, ...]


class Stay(msgspec.Struct, frozen=True):
    """A booking as it is written into the tables. Its number makes all its ids."""

    number: int
    code: str
    user_id: int
    status: Status
    check_in: date
    nights: int
    lines: tuple[Line, ...]
    paid: tuple[Paid, ...] = ()
    billed: tuple[Billed, ...] = ()
    steps: tuple[tuple[str, int, dict[str, Any]], ...] = ()
    """Action, actor, detail."""

    @property
    def id(self) -> int:
        return 1_000_000_000_000_000_000 + self.number

    @property
    def check_out(self) -> date:
        return self.check_in + timedelta(days=self.nights)

    @property
    def at(self) -> datetime:
        return BOOKED + timedelta(seconds=self.number, microseconds=self.number % 3)

    @property
    def total_minor(self) -> int:
        return sum(line.rooms * line.price_minor * self.nights for line in self.lines)


def a_stay(number: int, **said: Any) -> Stay:
    """A plain booking; everything may be said otherwise."""
    usual: dict[str, Any] = {
        "code": "summit",
        "user_id": 101,
        "status": "confirmed",
        "check_in": DAYS[0],
        "nights": 2,
        "lines": (Line("double", 1, 2, 100),),
        "paid": (Paid("succeeded", 200, 0, "USD", ()),),
    }
    return Stay(number=number, **{**usual, **said})


_MINOR = st.integers(1, 10**6)
_REFUNDS = st.builds(Refunded, st.sampled_from(["pending", "succeeded", "failed"]), _MINOR)


@st.composite
def _paid(draw: st.DrawFn) -> Paid:
    amount = draw(st.integers(2, 10**6))
    status = draw(st.sampled_from(["pending", "succeeded", "partially_refunded", "refunded"]))
    back = {"refunded": amount, "partially_refunded": amount // 2}.get(status, 0)
    refunds = tuple(draw(st.lists(_REFUNDS, max_size=2)))
    return Paid(status, amount, back, draw(st.sampled_from(["EUR", "USD"])), refunds)


_STEP = st.tuples(
    st.sampled_from(["booking.created", "booking.confirmed"]),
    st.sampled_from([0, 101, 7]),
    st.dictionaries(
        st.sampled_from(["status", "from", "to", "booking", "é"]),
        st.sampled_from(["confirmed", 'a "b" \\ c', 7, None, {"to": 1, "at": [1, "x"]}]),
        max_size=3,
    ),
)


@st.composite
def _stay(draw: st.DrawFn, number: int) -> Stay:
    code = draw(st.sampled_from(["alpine", "summit"]))
    kinds = st.sampled_from(list(PLACES[code].prices))
    lengths = [0, 1, 1, 2, 3, 5] + ([200, 400] if code == "summit" else [])
    nights = draw(st.sampled_from(lengths))
    first = DAYS[0] - timedelta(days=draw(st.sampled_from([0, 0, nights, 1])))
    lines = st.builds(Line, kinds, st.integers(1, 3), st.integers(0, 4), st.integers(0, 10**5))
    billed = st.builds(Billed, _MINOR, st.lists(_MINOR, max_size=2).map(tuple))
    return Stay(
        number=number,
        code=code,
        user_id=draw(st.sampled_from(list(USERS))),
        status=draw(st.sampled_from(STATUSES)),
        check_in=first + timedelta(days=draw(st.integers(0, len(DAYS) - 1))),
        nights=nights,
        lines=tuple(draw(st.lists(lines, min_size=1, max_size=3))),
        paid=tuple(draw(st.lists(_paid(), max_size=2))),
        billed=tuple(draw(st.lists(billed, max_size=2))),
        steps=tuple(draw(st.lists(_STEP, max_size=3))),
    )


@st.composite
def _stays(draw: st.DrawFn) -> list[Stay]:
    numbers = draw(st.lists(st.integers(0, 99), unique=True, min_size=1, max_size=8))
    return [draw(_stay(number)) for number in numbers]


STAYS = _stays()


def add_users(world: World) -> None:
    for user_id, (name, email, kind) in USERS.items():
        world._run(
            "INSERT INTO users (id, name, email, guest_type, created_at) VALUES"
            f" ({user_id}, {_text(name)}, '{email}', '{kind}', '2026-01-01T00:00:00.000000Z')"
        )


def fill(world: World, stays: Sequence[Stay]) -> None:
    """Puts these bookings in the place of all others."""
    _write(world, [*(f"DELETE FROM {table}" for table in _TABLES), *insert(stays)])


def add(world: World, stays: Sequence[Stay]) -> None:
    """Writes them beside those that stand."""
    _write(world, insert(stays))


def _write(world: World, statements: Iterable[str]) -> None:
    world._run(";\n".join(("BEGIN", *statements, "COMMIT")))


def ask(world: World, question: Callable[[Database], Awaitable[Any]]) -> Any:
    """The answer of both databases, which must be the same bytes; the code of a refusal."""
    return _plain(world.ask(question))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


_TABLES = (
    "audit_entries",
    "credit_notes",
    "invoices",
    "refunds",
    "payments",
    "room_stays",
    "bookings",
)


def insert(stays: Sequence[Stay]) -> Iterable[str]:
    """The statements that write these bookings, the same text for both databases."""
    rows: dict[str, list[str]] = {}
    for stay in stays:
        _rows_of(stay, rows)
    columns = {
        "bookings": "id, property_id, user_id, status, check_in, check_out, guest_name,"
        " guest_email, total_minor, segment, channel, lead_days, created_at, changed_at,"
        " expires_at",
        "room_stays": "booking_id, line, property_id, room_type_id, check_in, check_out, rooms,"
        " adults, prices_minor",
        "payments": "id, property_id, booking_id, user_id, status, method, amount_minor,"
        " refunded_minor, currency, created_at, changed_at",
        "refunds": "id, property_id, payment_id, status, amount_minor, reason, created_at,"
        " changed_at",
        "invoices": "id, property_id, booking_id, number, billed_to, lines, total_minor,"
        " currency, issued_at",
        "credit_notes": "id, property_id, invoice_id, number, lines, total_minor, reason,"
        " issued_at",
        "audit_entries": "property_id, actor_id, action, subject_id, detail, at",
    }
    for table, names in columns.items():
        if rows.get(table):
            yield f"INSERT INTO {table} ({names}) VALUES {', '.join(rows[table])}"


def _rows_of(stay: Stay, rows: dict[str, list[str]]) -> None:
    place, at = PLACES[stay.code], f"'{_instant(stay.at)}'"
    dates = f"'{stay.check_in}', '{stay.check_out}'"
    ends = f"'{_instant(stay.at + timedelta(hours=1))}'" if stay.status == "provisional" else "NULL"

    def row(table: str, *values: object) -> None:
        rows.setdefault(table, []).append(f"({', '.join(map(str, values))})")

    row("bookings", stay.id, place.id, stay.user_id, f"'{stay.status}'", dates, "'Ada Lovelace'",
        "'ada@example.org'", stay.total_minor, "'direct'", "'api'", 1, at, at, ends)  # fmt: skip
    for number, line in enumerate(stay.lines, start=1):
        prices = [line.price_minor] * stay.nights
        row("room_stays", stay.id, number, place.id, place.kind_id(line.kind), dates, line.rooms,
            line.adults, f"'{prices}'")  # fmt: skip
    for number, paid in enumerate(stay.paid):
        payment_id = stay.number * 10 + number
        row("payments", payment_id, place.id, stay.id, stay.user_id, f"'{paid.status}'", "'card'",
            paid.amount_minor, paid.refunded_minor, f"'{paid.currency}'", at, at)  # fmt: skip
        for nth, refund in enumerate(paid.refunds):
            row("refunds", payment_id * 10 + nth, place.id, payment_id, f"'{refund.status}'",
                refund.amount_minor, "'sorry'", at, at)  # fmt: skip
    for number, billed in enumerate(stay.billed):
        invoice_id = stay.number * 10 + number + 1
        row("invoices", invoice_id, place.id, stay.id, invoice_id, "'Ada'", "'[]'",
            billed.total_minor, f"'{place.currency}'", at)  # fmt: skip
        for nth, credit_minor in enumerate(billed.credits):
            note_id = invoice_id * 10 + nth + 10_000
            row("credit_notes", note_id, place.id, invoice_id, note_id, "'[]'", credit_minor,
                "''", at)  # fmt: skip
    for action, actor_id, detail in stay.steps:
        text = _text(msgspec.json.encode(detail).decode())
        row("audit_entries", place.id, actor_id, f"'{action}'", stay.id, text, at)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _shown_instant(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


# The clerk: all bookings, one at a time.


def clerk_shows(stay: Stay) -> dict[str, Any]:
    """A booking as everybody sees it."""
    ends = _shown_instant(stay.at + timedelta(hours=1)) if stay.status == "provisional" else None
    return {
        "id": str(stay.id),
        "status": stay.status,
        "property": stay.code,
        "user_id": str(stay.user_id),
        "check_in": stay.check_in,
        "check_out": stay.check_out,
        "rooms": [
            {
                "room_type": line.kind,
                "count": line.rooms,
                "adults": line.adults,
                "nights": [
                    {"night": stay.check_in + timedelta(days=n), "price_minor": line.price_minor}
                    for n in range(stay.nights)
                ],
            }
            for line in stay.lines
        ],
        "guest": {"name": "Ada Lovelace", "email": "ada@example.org"},
        "total_minor": stay.total_minor,
        "currency": PLACES[stay.code].currency,
        "segment": "direct",
        "channel": "api",
        "created_at": _shown_instant(stay.at),
        "expires_at": ends,
    }


def clerk_shows_payments(stay: Stay, *, refunds: bool) -> list[dict[str, Any]]:
    """The payments of a booking, with or without their refunds."""
    shown = []
    for number, paid in enumerate(stay.paid):
        payment_id = stay.number * 10 + number
        payment: dict[str, Any] = {
            "id": str(payment_id),
            "status": paid.status,
            "method": "card",
            "amount_minor": paid.amount_minor,
            "refunded_minor": paid.refunded_minor,
            "currency": paid.currency,
            "created_at": _shown_instant(stay.at),
        }
        if refunds:
            payment["refunds"] = [
                {
                    "id": str(payment_id * 10 + nth),
                    "status": refund.status,
                    "amount_minor": refund.amount_minor,
                    "reason": "sorry",
                    "created_at": _shown_instant(stay.at),
                }
                for nth, refund in enumerate(paid.refunds)
            ]
        shown.append(payment)
    return shown


def clerk_shows_user(stay: Stay) -> dict[str, str]:
    name, email, kind = USERS[stay.user_id]
    return {"name": name, "email": email, "guest_type": kind}


def clerk_tells_all(stay: Stay, actor: Actor) -> dict[str, Any]:
    """What `get_booking_details` must say to somebody who may see the booking."""
    at = _shown_instant(stay.at)
    told: dict[str, Any] = clerk_shows(stay) | {
        "user": clerk_shows_user(stay),
        "payments": clerk_shows_payments(stay, refunds=True),
        "invoices": [
            {
                "id": str(stay.number * 10 + number + 1),
                "number": stay.number * 10 + number + 1,
                "billed_to": "Ada",
                "total_minor": billed.total_minor,
                "credited_minor": 0,
                "currency": PLACES[stay.code].currency,
                "issued_at": at,
                "credit_notes": [
                    {
                        "id": str((stay.number * 10 + number + 1) * 10 + nth + 10_000),
                        "number": (stay.number * 10 + number + 1) * 10 + nth + 10_000,
                        "total_minor": credit_minor,
                        "reason": "",
                        "issued_at": at,
                    }
                    for nth, credit_minor in enumerate(billed.credits)
                ],
            }
            for number, billed in enumerate(stay.billed)
        ],
    }
    if actor.role != "guest":
        told["history"] = [
            {
                "action": action,
                "actor_id": None if actor_id == 0 else str(actor_id),
                "detail": detail,
                "at": at,
            }
            for action, actor_id, detail in stay.steps
        ]
    return told


def may_see(actor: Actor, stay: Stay) -> bool:
    if actor.property_id is not None and actor.property_id != PLACES[stay.code].id:
        return False
    return actor.role != "guest" or actor.user_id == stay.user_id


def clerk_finds(
    stays: Sequence[Stay], code: str, from_date: date, to_date: date, by: str
) -> list[Stay]:
    """The bookings of a property that touch these days, day by day."""
    days = [from_date + timedelta(days=n) for n in range((to_date - from_date).days)]
    found = []
    for stay in stays:
        if stay.code != code:
            continue
        if by == "arrival":
            touched = {stay.check_in}
        elif by == "departure":
            touched = {stay.check_out}
        else:
            nights = max(stay.nights, 1)  # day use is there on its day
            touched = {stay.check_in + timedelta(days=n) for n in range(nights)}
        if touched.intersection(days):
            found.append(stay)
    return sorted(found, key=lambda stay: (stay.check_in, stay.id))


def clerk_sums(stays: Sequence[Stay], user_id: int, code: str | None) -> dict[str, Any]:
    """What `get_user_payment_summary` must say."""
    sums: dict[tuple[str, str], list[int]] = {}
    for stay in stays:
        if stay.user_id != user_id or code not in (None, stay.code):
            continue
        for paid in stay.paid:
            total = sums.setdefault((paid.status, paid.currency), [0, 0, 0])
            total[0] += 1
            total[1] += paid.amount_minor
            total[2] += paid.refunded_minor
    return {
        "user_id": str(user_id),
        "items": [
            {
                "status": status,
                "currency": currency,
                "payments": count,
                "amount_minor": amount_minor,
                "refunded_minor": refunded_minor,
            }
            for (status, currency), (count, amount_minor, refunded_minor) in sorted(sums.items())
        ],
    }
