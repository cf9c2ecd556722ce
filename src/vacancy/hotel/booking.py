"""The verbs of a booking. Each checks the question, then asks admission, which owns the
transaction; a refusal is raised as its error."""

from __future__ import annotations

from datetime import date

from vacancy.errors import Refusal
from vacancy.hotel import refusals
from vacancy.hotel.admission.batches import Admission
from vacancy.hotel.admission.requests import (
    ChangeStatus,
    CreateBooking,
    Idempotency,
    Outcome,
)
from vacancy.hotel.model import (
    MAX_ROOMS_IN_A_BOOKING,
    Actor,
    Booking,
    Verb,
)

MAX_LINES = 20
MAX_TEXT = 200
MAX_HOLD_S = 24 * 3600


def check_stay(check_in: date, check_out: date) -> None:
    """A stay has at least one night. Raises `Invalid` STAY_INVALID."""
    if check_out <= check_in:
        raise refusals.stay_reversed(check_in, check_out)


def check_request(request: CreateBooking) -> None:
    """What can be said without the database. Raises `Invalid`."""
    check_stay(request.check_in, request.check_out)
    if not 1 <= len(request.rooms) <= MAX_LINES:
        raise refusals.out_of_range("rooms", len(request.rooms), 1, MAX_LINES)
    for wanted in request.rooms:
        if not 1 <= wanted.count <= MAX_ROOMS_IN_A_BOOKING:
            raise refusals.out_of_range("count", wanted.count, 1, MAX_ROOMS_IN_A_BOOKING)
        if wanted.adults < 0:
            raise refusals.out_of_range("adults", wanted.adults, 0, MAX_ROOMS_IN_A_BOOKING)
    if request.hold_for is not None:
        seconds = int(request.hold_for.total_seconds())
        if not 1 <= seconds <= MAX_HOLD_S:
            raise refusals.out_of_range("expires_in_s", seconds, 1, MAX_HOLD_S)
    check_text("guest.name", request.guest.name)
    check_text("guest.email", request.guest.email)
    if "@" not in request.guest.email:
        raise refusals.text_refused("guest.email", "is no address")


def check_text(field: str, value: str) -> None:
    """Text that people and both databases can take. Raises `Invalid` TEXT_INVALID."""
    if not value.strip():
        raise refusals.text_refused(field, "is empty")
    if len(value) > MAX_TEXT:
        raise refusals.text_refused(field, f"has {len(value)} characters; the limit is {MAX_TEXT}")
    if not value.isprintable():
        raise refusals.text_refused(field, "holds a control character")


async def create_booking(admission: Admission, request: CreateBooking) -> Outcome:
    """Books all the rooms or none. The outcome is known after the commit.

    Raises `Invalid` for what is wrong by itself; a refusal by the state of the hotel (sold out,
    unknown room type, key used before) is in the outcome, and stored behind the key.
    """
    check_request(request)
    return await admission.submit(request)


async def change_status(
    admission: Admission,
    verb: Verb,
    booking_id: int,
    property_code: str,
    actor: Actor | None,
    idempotency: Idempotency | None = None,
) -> Outcome:
    """Confirms, cancels or expires a booking; compare-and-swap on its status."""
    request = ChangeStatus(
        verb=verb,
        booking_id=booking_id,
        property=property_code,
        actor=actor,
        idempotency=idempotency,
    )
    return await admission.submit(request)


def booking_of(outcome: Outcome) -> Booking:
    """The booking, or the refusal raised as its error."""
    if isinstance(outcome.answer, Refusal):
        raise outcome.answer.to_error()
    return outcome.answer
