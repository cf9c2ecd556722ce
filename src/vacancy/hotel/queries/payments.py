"""What a user has paid."""

from __future__ import annotations

import msgspec

from vacancy.contracts.contract import contract
from vacancy.db.database import Reader
from vacancy.hotel.statements import payments as sql
from vacancy.hotel.statements.payments import PaymentTotals


class PaymentSummary(msgspec.Struct, frozen=True):
    """A user's payments in sums, by status and currency; amounts of two currencies are never
    added."""

    user_id: str
    items: list[PaymentTotals]


@contract(
    sql.GET_USER_PAYMENT_SUMMARY,
    statements=1,
    rows=lambda found: len(found.items),
    rows_in_words="one for each status and currency",
)
async def get_user_payment_summary(
    db: Reader, user_id: int, *, property_id: int | None = None
) -> PaymentSummary:
    """How many payments, how much, and how much of it went back, by status and currency, in one
    property or in all. Nothing for a user who has paid nothing or does not exist."""
    totals = await db.fetch_all(
        sql.GET_USER_PAYMENT_SUMMARY, user_id=user_id, property_id=property_id or 0
    )
    return PaymentSummary(str(user_id), totals)
