"""What is to be generated, and what follows from that alone: sizes, dates, names, ids' order."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from random import Random

import msgspec

from vacancy.errors import Invalid
from vacancy.hotel.generate.shape import KINDS, Kind

NIGHTS = 3 * 365 + 1
"""Of inventory: three years, one of them a leap year."""
FIRST_NIGHT = date(2023, 1, 1)
"""Unless another is named. Not today: the same command shall give the same hotels tomorrow."""
EARLIEST = date(2022, 3, 12)
LATEST = date(2150, 1, 1)
"""Ids bear the time since 2020 in 42 bits: outside of this, some would meet others."""
ROOM_TYPES = 5

CURRENCY = "EUR"
TIME_ZONE = "Europe/Lisbon"
_BEFORE_ALL = timedelta(days=800)
"""Longer than any lead time."""


class GroupPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A hotel group. Equal plans give equal hotels, on every database."""

    properties: int
    bookings: int
    """In all properties together."""
    seed: int
    first_night: date = FIRST_NIGHT
    room_types: int = ROOM_TYPES
    """In each property."""


def require_period(plan: GroupPlan) -> None:
    """Raises `Invalid` VALUE_OUT_OF_RANGE for a first night for which there are no ids."""
    if not EARLIEST <= plan.first_night <= LATEST:
        raise Invalid(
            "VALUE_OUT_OF_RANGE",
            f"The first night is {plan.first_night}; it goes from {EARLIEST} to {LATEST}.",
            hint="Nothing was written. Choose another with --from.",
            errors=({"field": "from", "value": str(plan.first_night)},),
        )


class PropertyPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One hotel of the group."""

    number: int
    """From 0."""
    kind: Kind
    before: int
    """Bookings of the hotels before it."""
    bookings: int

    @property
    def code(self) -> str:
        return f"hotel-{self.number + 1:03}"

    @property
    def name(self) -> str:
        return f"{self.kind.capitalize()} hotel {self.number + 1}"


def property_plans(plan: GroupPlan) -> list[PropertyPlan]:
    """The hotels and their sizes: the largest may have four times the bookings of the smallest."""
    rng = Random(plan.seed)  # noqa: S311 - to be repeated, not to be secret
    weights = [0.5 + 1.5 * rng.random() for _ in range(plan.properties)]
    total = sum(weights)
    plans, given, weight_so_far = [], 0, 0.0
    for number, weight in enumerate(weights):
        weight_so_far += weight
        is_last = number + 1 == plan.properties
        upto = plan.bookings if is_last else int(plan.bookings * weight_so_far / total)
        kind = KINDS[number % len(KINDS)]
        plans.append(PropertyPlan(number=number, kind=kind, before=given, bookings=upto - given))
        given = upto
    return plans


def property_rng(plan: GroupPlan, number: int) -> Random:
    """The random numbers of one hotel: none depends on how many were drawn for another."""
    return Random(plan.seed << 32 | number + 1)  # noqa: S311 - to be repeated, not to be secret


def opened_at(plan: GroupPlan) -> datetime:
    """Before anybody booked."""
    return midnight(plan) - _BEFORE_ALL


def written_at(plan: GroupPlan) -> datetime:
    """When all is over. A database that is generated into has this as its clock: then what is
    written bears no trace of when that was."""
    return midnight(plan) + timedelta(days=NIGHTS)


def midnight(plan: GroupPlan) -> datetime:
    """The beginning of the first day, UTC."""
    return datetime.combine(plan.first_night, time(), tzinfo=UTC)
