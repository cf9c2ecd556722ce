"""Introduces the hotel to the engines: its statements to the gate, its helpers to contracts. The
one file in which they meet."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from types import ModuleType
from typing import Any

from vacancy.contracts.contract import Contract, contract_of
from vacancy.db.gate import register
from vacancy.db.statement import SetStatement, Statement
from vacancy.hotel import queries
from vacancy.hotel.statements import (
    accounts,
    admission_changes,
    admission_state,
    availability,
    bookings,
    bookings_desk,
    bookings_details,
    catalogue,
    generate,
    imports,
    inventory,
    occupancy,
    payments,
    reports,
    statistics,
    upkeep,
    users,
    verify,
    verify_bookings,
    verify_counts,
)

STATEMENTS: tuple[ModuleType, ...] = (
    accounts,
    admission_changes,
    admission_state,
    availability,
    bookings,
    bookings_desk,
    bookings_details,
    catalogue,
    generate,
    imports,
    inventory,
    occupancy,
    payments,
    reports,
    statistics,
    upkeep,
    users,
    verify,
    verify_bookings,
    verify_counts,
)
"""Where statements stand. Nothing else may run."""

_HELPERS: tuple[Callable[..., Awaitable[Any]], ...] = (
    # The twelve of the brief.
    queries.get_room_types_with_inventory,
    queries.get_room_type_with_inventory,
    queries.get_user_bookings_with_room_type,
    queries.get_bookings_for_date_range,
    queries.get_booking_details,
    queries.check_room_availability,
    queries.get_all_room_availability,
    queries.batch_check_availability,
    queries.get_booking_statistics,
    queries.get_occupancy_rate,
    queries.get_user_payment_summary,
    queries.get_bookings_by_ids,
    # What else the API and the commands ask.
    queries.list_properties,
    queries.find_property,
    queries.get_property,
    queries.list_room_types,
    queries.find_booking_property,
    queries.get_kpi_report,
    queries.get_user,
)
CONTRACTS: tuple[Contract, ...] = tuple(contract_of(helper) for helper in _HELPERS)
"""What each helper promises."""


def introduce() -> None:
    """Registers all statements. Doing it again changes nothing."""
    for module in STATEMENTS:
        register(_statements_of(module))


def _statements_of(module: ModuleType) -> Iterator[Statement[Any] | SetStatement[Any]]:
    for value in vars(module).values():
        if isinstance(value, Statement | SetStatement):
            yield value
