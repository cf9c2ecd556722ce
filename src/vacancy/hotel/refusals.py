"""Every refusal of the hotel: its code, what it says, and what to do now."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from vacancy.errors import Conflict, Forbidden, Invalid, Mismatch, Missing
from vacancy.hotel.model import TRANSITIONS, Status, Verb


def unknown_property(code: str) -> Missing:
    return Missing(
        "PROPERTY_UNKNOWN",
        f"There is no property {code!r}.",
        hint="GET /v1/properties lists them.",
        errors=({"field": "property", "value": code},),
    )


def unknown_room_type(property_code: str, code: str) -> Missing:
    return Missing(
        "ROOM_TYPE_UNKNOWN",
        f"The property {property_code!r} has no room type {code!r}.",
        hint=f"GET /v1/properties/{property_code}/room-types lists them.",
        errors=({"field": "room_type", "value": code},),
    )


def unknown_booking(booking_id: int | str) -> Missing:
    return Missing("BOOKING_UNKNOWN", f"There is no booking {booking_id} that you may see.")


def unknown_user(user_id: int | str) -> Missing:
    return Missing("USER_UNKNOWN", f"There is no user {user_id} that you may see.")


def not_for_others() -> Forbidden:
    return Forbidden(
        "NOT_FOR_OTHERS",
        "Only staff of the property may book for another user.",
        hint="Leave user_id out to book for yourself.",
    )


def not_this_property(code: str) -> Forbidden:
    return Forbidden(
        "PROPERTY_NOT_YOURS",
        f"This key is bound to another property than {code!r}.",
        hint="Use a key of that property, or one that is bound to none.",
        errors=({"field": "property", "value": code},),
    )


def stay_reversed(check_in: date, check_out: date) -> Invalid:
    return Invalid(
        "STAY_INVALID",
        f"check_out {check_out} is not after check_in {check_in}.",
        hint="A stay has at least one night; the check-out date is not a night.",
        errors=({"field": "check_out", "value": str(check_out), "after": str(check_in)},),
    )


def stay_in_the_past(check_in: date, today: date) -> Invalid:
    return Invalid(
        "STAY_IN_THE_PAST",
        f"check_in {check_in} is before the property's date, {today}.",
        hint=f"Choose a check_in from {today} on.",
        errors=({"field": "check_in", "value": str(check_in), "earliest": str(today)},),
    )


def stay_too_long(nights: int, limit: int) -> Invalid:
    return Invalid(
        "STAY_TOO_LONG",
        f"The stay has {nights} nights; this property takes at most {limit}.",
        hint=f"Book stays of at most {limit} nights.",
        errors=({"field": "check_out", "nights": nights, "limit": limit},),
    )


def out_of_range(field: str, value: object, low: int, high: int) -> Invalid:
    return Invalid(
        "VALUE_OUT_OF_RANGE",
        f"{field} is {value}; it goes from {low} to {high}.",
        errors=({"field": field, "value": value, "minimum": low, "limit": high},),
    )


def too_many_checks(checks: int, limit: int) -> Invalid:
    return Invalid(
        "TOO_MANY_CHECKS",
        f"{checks} checks came at once; the limit is {limit}.",
        hint=f"Send them in several requests of at most {limit}.",
        errors=({"field": "checks", "value": checks, "limit": limit},),
    )


def too_many_adults(room_type: str, adults: int, max_adults: int) -> Invalid:
    return Invalid(
        "TOO_MANY_ADULTS",
        f"{adults} adults do not fit: a {room_type!r} takes {max_adults} in each room.",
        hint="Add rooms to this line.",
        errors=({"field": "adults", "value": adults, "limit": max_adults},),
    )


def text_refused(field: str, why: str) -> Invalid:
    return Invalid("TEXT_INVALID", f"{field} {why}.", errors=({"field": field},))


def insufficient_inventory(short: Iterable[tuple[str, date, int, int]]) -> Conflict:
    """Room type, night, wanted, left: one for each night that is short."""
    errors = tuple(
        {
            "room_type": room_type,
            "night": night.isoformat(),
            "requested": requested,
            "available": available,
        }
        for room_type, night, requested, available in short
    )
    first = errors[0]
    more = f", and {len(errors) - 1} more" if len(errors) > 1 else ""
    return Conflict(
        "INSUFFICIENT_INVENTORY",
        f"{first['requested']} {first['room_type']} wanted on {first['night']},"
        f" {first['available']} left{more}.",
        hint="Ask for fewer rooms or other nights; the availability endpoint shows what is left.",
        errors=errors,
    )


def transition_refused(status: Status, verb: Verb) -> Conflict:
    allowed = [name for name, steps in TRANSITIONS.items() if status in steps and name != "expire"]
    goal = next(iter(TRANSITIONS[verb].values()))
    return Conflict(
        "TRANSITION_NOT_ALLOWED",
        f"A booking that is {status} cannot become {goal}.",
        hint=f"Allowed now: {', '.join(allowed) or 'nothing'}.",
        errors=({"field": "status", "from": status, "to": goal, "allowed": allowed},),
    )


def not_due(booking_id: int) -> Conflict:
    return Conflict("HOLD_NOT_DUE", f"The hold {booking_id} has not ended yet.")


def hold_expired(booking_id: int, expires_at: datetime) -> Conflict:
    return Conflict(
        "HOLD_EXPIRED",
        f"The hold {booking_id} ended at {expires_at:%Y-%m-%dT%H:%M:%SZ};"
        " its rooms are free again.",
        hint="Make a new booking.",
    )


def key_reused(key: str) -> Mismatch:
    return Mismatch(
        "IDEMPOTENCY_KEY_REUSED",
        f"The Idempotency-Key {key!r} came before with another request.",
        hint="Use a new key for each new request, the same one only to repeat a request.",
    )


def cursor_invalid(cursor: str | None) -> Invalid:
    return Invalid(
        "CURSOR_INVALID",
        f"{cursor!r} is no cursor of ours.",
        hint="Pass on the value of `next` from the page before, or leave it out.",
        errors=({"field": "cursor", "value": cursor},),
    )
