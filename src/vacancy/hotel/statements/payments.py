"""Payments, read with their booking or summed up for a user."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from vacancy.db.statement import Access, Engine, Statement
from vacancy.hotel.statements.bookings_parts import json_in, json_list, json_object

PaymentStatus = Literal["pending", "succeeded", "failed", "partially_refunded", "refunded"]
PaymentMethod = Literal["card", "bank_transfer", "cash", "other"]
RefundStatus = Literal["pending", "succeeded", "failed"]


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """Money for a booking."""

    id: str
    status: PaymentStatus
    method: PaymentMethod
    amount_minor: int
    refunded_minor: int
    """What of it went back."""
    currency: str
    created_at: datetime


class Refund(msgspec.Struct, frozen=True, kw_only=True):
    """Money that goes back."""

    id: str
    status: RefundStatus
    amount_minor: int
    reason: str
    created_at: datetime


class RefundedPayment(Payment, frozen=True, kw_only=True):
    """A payment with its refunds."""

    refunds: tuple[Refund, ...]


class PaymentTotals(msgspec.Struct, frozen=True):
    """A user's payments of one status and currency."""

    status: PaymentStatus
    currency: str
    payments: int
    amount_minor: int
    refunded_minor: int


_PAYMENT = {
    "id": "CAST(y.id AS text)",
    "status": "y.status",
    "method": "y.method",
    "amount_minor": "y.amount_minor",
    "refunded_minor": "y.refunded_minor",
    "currency": "y.currency",
    "created_at": "y.created_at",
}
_REFUND = {
    "id": "CAST(r.id AS text)",
    "status": "r.status",
    "amount_minor": "r.amount_minor",
    "reason": "r.reason",
    "created_at": "r.created_at",
}
_OF_BOOKING = "payments AS y WHERE y.booking_id = b.id"


def payments_of_booking(engine: Engine) -> str:
    """The payments of `b`, oldest first, as a JSON list of `Payment`."""
    return json_list(engine, json_object(engine, _PAYMENT), _OF_BOOKING, "y.id")


def refunded_payments_of_booking(engine: Engine) -> str:
    """The same with their refunds, oldest first: a list of `RefundedPayment`."""
    refunds = json_list(
        engine,
        json_object(engine, _REFUND),
        "refunds AS r WHERE r.payment_id = y.id",
        "r.id",
    )
    payment = json_object(engine, {**_PAYMENT, "refunds": json_in(engine, refunds)})
    return json_list(engine, payment, _OF_BOOKING, "y.id")


GET_USER_PAYMENT_SUMMARY = Statement(
    "payments.get_user_payment_summary",
    """
    SELECT
        y.status,
        y.currency,
        COUNT(*),
        CAST(SUM(y.amount_minor) AS bigint),
        CAST(SUM(y.refunded_minor) AS bigint)
    FROM payments AS y
    WHERE y.user_id = :user_id
        AND (y.property_id = :property_id OR :property_id = 0)
    GROUP BY y.status, y.currency
    ORDER BY y.status, y.currency
    """,
    row=PaymentTotals,
    reads=("payments",),
    access=Access(
        served_by={"payments": "ix_payments_user (user_id)"},
        may_sort="one user's payments, by currency",
    ),
)
