"""What all reports have in common: the periods they take, and where they round."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

from vacancy.errors import Invalid

DECIMALS = 6
"""Of rates, lengths and days; halves to even."""


def check_period(from_date: date, to_date: date, max_days: int) -> None:
    """A period `[from_date, to_date)`. Raises `Invalid` PERIOD_INVALID, PERIOD_TOO_LONG."""
    if from_date >= to_date:
        raise Invalid(
            "PERIOD_INVALID",
            f"to {to_date} is not after from {from_date}.",
            hint="The period ends before `to`: a month goes to the first day of the next.",
            errors=({"field": "to", "value": str(to_date), "after": str(from_date)},),
        )
    days = (to_date - from_date).days
    if days > max_days:
        raise Invalid(
            "PERIOD_TOO_LONG",
            f"The period has {days} days; this takes at most {max_days}.",
            hint="Ask for several periods.",
            errors=({"field": "to", "days": days, "limit": max_days},),
        )


def ratio(part: int, whole: int) -> float | None:
    """A fraction, not percent; None where it would divide by nothing."""
    return float(round(Fraction(part, whole), DECIMALS)) if whole else None


def share_minor(amount_minor: int, parts: int) -> int | None:
    """An amount by so many, in whole minor units, halves to even; None where there are none."""
    return round(Fraction(amount_minor, parts)) if parts else None
