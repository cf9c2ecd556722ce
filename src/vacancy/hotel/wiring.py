"""Introduces the hotel to the engines: its statements to the gate and to the cache, its helpers to
contracts. The one file in which they meet."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from types import ModuleType
from typing import Any

from vacancy.cache.reader import Cached
from vacancy.contracts.contract import Contract, contract_of
from vacancy.db.gate import register
from vacancy.db.statement import SetStatement, Statement
from vacancy.hotel import cache_tags, queries
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

HOUR_S = 3_600.0
MINUTE_S = 60.0

SHOWN_BOUND_MS = 1_000
"""PostgreSQL: what is shown to everybody may be so old when another process has written. Nobody
buys from it: admission reads the rows themselves, under lock."""


def _with_payments(params: Mapping[str, Any]) -> bool:
    return bool(params["include_payments"])


CACHED: tuple[Cached, ...] = (
    # What a property sells changes seldom.
    Cached(
        statement=catalogue.LIST_PROPERTIES,
        ttl_s=HOUR_S,
        bound_ms=SHOWN_BOUND_MS,
        tags=cache_tags.of_properties,
    ),
    Cached(
        statement=catalogue.GET_PROPERTY,
        ttl_s=HOUR_S,
        bound_ms=SHOWN_BOUND_MS,
        tags=cache_tags.of_property,
    ),
    Cached(
        statement=catalogue.LIST_ROOM_TYPES,
        ttl_s=HOUR_S,
        bound_ms=SHOWN_BOUND_MS,
        tags=cache_tags.of_room_types,
    ),
    # What is left of it, for those who look.
    Cached(
        statement=availability.GET_ALL_ROOM_AVAILABILITY,
        ttl_s=5 * MINUTE_S,
        bound_ms=SHOWN_BOUND_MS,
        tags=cache_tags.of_all_availability,
    ),
    Cached(
        statement=availability.CHECK_ROOM_AVAILABILITY,
        ttl_s=5 * MINUTE_S,
        bound_ms=SHOWN_BOUND_MS,
        tags=cache_tags.of_availability,
    ),
    # A guest's own: exact everywhere, so that what he has just booked is there.
    Cached(
        statement=bookings.GET_USER_BOOKINGS_WITH_ROOM_TYPE,
        ttl_s=5 * MINUTE_S,
        tags=cache_tags.of_user_bookings,
        unless=_with_payments,
    ),
    Cached(
        statement=bookings.GET_USER_BOOKINGS_OF_STATUS,
        ttl_s=5 * MINUTE_S,
        tags=cache_tags.of_user_bookings,
        unless=_with_payments,
    ),
    # Reports: exact, for they are compared with others.
    Cached(statement=reports.SUM_PERIOD, ttl_s=15 * MINUTE_S, tags=cache_tags.of_period),
    Cached(statement=occupancy.SUM_NIGHTS, ttl_s=15 * MINUTE_S, tags=cache_tags.of_occupancy),
    Cached(
        statement=occupancy.SUM_NIGHTS_OF_ROOM_TYPE,
        ttl_s=15 * MINUTE_S,
        tags=cache_tags.of_occupancy,
    ),
    Cached(
        statement=statistics.GET_BOOKING_STATISTICS,
        ttl_s=15 * MINUTE_S,
        tags=cache_tags.of_statistics,
    ),
    Cached(
        statement=statistics.GET_ROOM_TYPE_STATISTICS,
        ttl_s=15 * MINUTE_S,
        tags=cache_tags.of_statistics,
    ),
)
"""All that is cached. A time to live is a backstop: what has changed goes at once. On SQLite every
answer is exact; on PostgreSQL those with a bound may be that old, the others are exact too."""

NEVER_CACHED: Mapping[ModuleType, str] = {
    accounts: "credentials: a revoked key ends with the next request",
    payments: "money",
    admission_state: "what is sold is decided on the rows themselves, under lock",
    admission_changes: "it writes",
    bookings_desk: "the front desk sees what is, with who pays",
    bookings_details: "it holds payments and the audit trail",
    inventory: "the nights as staff change them",
    users: "it is asked when something was not found",
    generate: "it runs once",
    imports: "they run once",
    upkeep: "it asks what is due now",
    verify: "it must see the rows themselves",
    verify_bookings: "it must see the rows themselves",
    verify_counts: "it must see the rows themselves",
}
"""Whose statements are never answered from the cache, and why."""


def introduce() -> None:
    """Registers all statements. Doing it again changes nothing."""
    for module in STATEMENTS:
        register(_statements_of(module))


def _statements_of(module: ModuleType) -> Iterator[Statement[Any] | SetStatement[Any]]:
    for value in vars(module).values():
        if isinstance(value, Statement | SetStatement):
            yield value


def uncached() -> dict[str, str]:
    """Why a statement is not to be cached, or not once more, by its name."""
    told = {cached.statement.name: "it is cached" for cached in CACHED}
    for module, reason in NEVER_CACHED.items():
        for statement in _statements_of(module):
            told.setdefault(statement.name, reason)
    return told
