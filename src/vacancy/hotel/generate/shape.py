"""The figures that generated hotels follow: small tables, each with the sentence that gives it.

All are computed from the data set *Hotel booking demand*: N. Antonio, A. de Almeida, L. Nunes,
Data in Brief 22 (2019) 41-49, doi 10.1016/j.dib.2018.11.126, CC BY 4.0; `hotel_bookings.csv`, its
119,389 rows whose `adr` is not negative. The figures of `CITY` are those of `hotel = 'City Hotel'`,
those of `RESORT` of `hotel = 'Resort Hotel'`.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal["city", "resort"]

LEVELS = (*(n / 20 for n in range(20)), 0.99, 1.0)
"""Of every quantile table here: each 5 %, then 99 %; the last is the 99.9 % quantile, so that one
odd booking does not stretch the end."""

LEAD_BINS = (8, 31, 91, 181, 366)
"""Days of lead at which the next column of `cancelled_percent` begins."""


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """The bookings of one market segment of one kind of hotel."""

    name: str
    """`market_segment`."""
    channels: dict[str, int]
    """Bookings in 10,000 of the hotel, by `distribution_channel`; pairs under 3 are left out."""
    lead_days: tuple[int, ...]
    """Quantiles of `lead_time`, at `LEVELS`."""
    cancelled_percent: tuple[int, ...]
    """The share of `reservation_status = 'Canceled'` in each bin of `lead_time`. A bin of fewer
    than 50 rows takes the one before it."""
    free_per_mille: int
    """The share of `adr = 0` among stays with nights: complimentary."""
    agency_percent: int
    """The share of rows of both hotels whose `agent` is not NULL."""


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of hotel."""

    segments: tuple[Segment, ...]
    months: tuple[int, ...]
    """Arrivals in 10,000 by calendar month, over the two whole years from September 2015."""
    weekdays: tuple[int, ...]
    """Arrivals in 10,000 by weekday, Monday first."""
    nights: dict[int, int]
    """Bookings in 10,000 by `stays_in_weekend_nights + stays_in_week_nights`; 0 is day use. Longer
    than 30 is left out: 0.1 % and less."""
    room_types: tuple[tuple[int, float], ...]
    """Bookings in 10,000 by `reserved_room_type`, the most wanted first, types under 50 left out;
    and the median of paid `adr` over that of type A in the month of the arrival."""
    prices: tuple[int, ...]
    """The median of paid `adr` of room type A by month of arrival, in whole units."""
    price_ratios: tuple[float, ...]
    """Quantiles of paid `adr` of type A over that median, at `LEVELS`."""
    adults: tuple[int, ...]
    """Bookings in 10,000 by `adults`, from none to four."""
    no_show_per_mille: int
    """The share of `reservation_status = 'No-Show'` among bookings that were not cancelled."""


AGENCY_LEVELS = (0, 0.3102, 0.4453, 0.515, 0.5847, 0.692, 0.7834, 0.8965, 0.9623, 0.9951, 1)
AGENCY_RANKS = (0, 1, 2, 3, 5, 10, 20, 50, 100, 200, 333)
"""Of bookings with an agent: the share that the so many largest of the 333 agents made together."""

CANCELLED_AT = (
    0, 0, 0, 0, 0.02, 0.05, 0.09, 0.14, 0.20, 0.23, 0.28,
    0.33, 0.40, 0.49, 0.59, 0.68, 0.76, 0.82, 0.89, 0.95, 0.99, 1,
)  # fmt: skip
"""Quantiles, at `LEVELS`, of the part of its lead time after which a cancelled booking with one was
cancelled: (`reservation_status_date` − booking date) / `lead_time`."""

CITY = Shape(
    segments=(
        Segment(
            name="Online TA",
            channels={"TA/TO": 4855, "GDS": 19, "Direct": 7, "Corporate": 4},
            lead_days=(
                0, 1, 5, 9, 14, 20, 27, 34, 41, 50, 60,
                71, 83, 96, 111, 128, 148, 170, 195, 237, 310, 356,
            ),
            cancelled_percent=(9, 33, 39, 42, 51, 51),
            free_per_mille=1,
            agency_percent=99,
        ),
        Segment(
            name="Offline TA/TO",
            channels={"TA/TO": 2080, "Corporate": 25, "GDS": 6},
            lead_days=(
                0, 4, 14, 26, 34, 44, 56, 69, 80, 99, 110,
                122, 147, 166, 183, 211, 256, 280, 315, 386, 465, 507,
            ),
            cancelled_percent=(15, 24, 34, 48, 57, 43),
            free_per_mille=9,
            agency_percent=98,
        ),
        Segment(
            name="Groups",
            channels={"TA/TO": 1709, "Corporate": 30, "Direct": 22},
            lead_days=(
                0, 16, 30, 46, 59, 69, 87, 98, 126, 140, 162,
                189, 219, 264, 279, 300, 321, 350, 395, 451, 601, 629,
            ),
            cancelled_percent=(19, 39, 55, 68, 81, 86),
            free_per_mille=10,
            agency_percent=79,
        ),
        Segment(
            name="Direct",
            channels={"Direct": 762, "TA/TO": 5},
            lead_days=(
                0, 0, 0, 0, 1, 2, 4, 6, 9, 14, 19,
                27, 36, 49, 64, 81, 102, 126, 155, 190, 277, 343,
            ),
            cancelled_percent=(8, 17, 19, 18, 24, 24),
            free_per_mille=9,
            agency_percent=52,
        ),
        Segment(
            name="Corporate",
            channels={"Corporate": 332, "TA/TO": 37, "Direct": 7},
            lead_days=(
                0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 10,
                12, 15, 19, 24, 31, 38, 55, 86, 99, 182, 290,
            ),
            cancelled_percent=(8, 15, 39, 62, 62, 62),
            free_per_mille=4,
            agency_percent=13,
        ),
        Segment(
            name="Complementary",
            channels={"Direct": 55, "Corporate": 9, "TA/TO": 5},
            lead_days=(
                0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 2,
                3, 3, 4, 5, 7, 11, 15, 26, 54, 121, 386,
            ),
            cancelled_percent=(10, 9, 9, 9, 9, 9),
            free_per_mille=934,
            agency_percent=14,
        ),
        Segment(
            name="Aviation",
            channels={"Corporate": 29},
            lead_days=(
                0, 0, 0, 0, 1, 1, 2, 2, 2, 3, 3,
                3, 4, 4, 5, 6, 7, 9, 11, 13, 21, 23,
            ),
            cancelled_percent=(16, 16, 16, 16, 16, 16),
            free_per_mille=0,
            agency_percent=11,
        ),
    ),
    months=(495, 658, 856, 991, 1091, 1046, 887, 862, 981, 1008, 577, 548),
    weekdays=(1490, 1151, 1415, 1640, 1759, 1386, 1159),
    nights={
        0: 42, 1: 1673, 2: 2701, 3: 2695, 4: 1583, 5: 630, 6: 260, 7: 260, 8: 49, 9: 27, 10: 25,
        11: 10, 12: 8, 13: 5, 14: 13, 15: 5, 16: 2, 17: 1, 18: 1, 19: 2, 20: 2, 21: 1, 22: 1,
        24: 1, 27: 1, 28: 1, 29: 1, 30: 1,
    },
    room_types=((7890, 1.0), (1483, 1.36), (226, 1.98), (196, 1.65), (141, 0.98), (61, 2.37)),
    prices=(79, 78, 84, 99, 111, 112, 96, 99, 102, 95, 84, 79),
    price_ratios=(
        0.01, 0.62, 0.66, 0.75, 0.80, 0.84, 0.88, 0.90, 0.95, 0.97, 1.00,
        1.02, 1.06, 1.10, 1.13, 1.16, 1.21, 1.27, 1.36, 1.51, 1.80, 2.31,
    ),
    adults=(49, 2002, 7343, 602, 4),
    no_show_per_mille=19,
)  # fmt: skip

RESORT = Shape(
    segments=(
        Segment(
            name="Online TA",
            channels={"TA/TO": 4404, "Direct": 19, "Corporate": 3},
            lead_days=(
                0, 0, 2, 4, 9, 14, 20, 27, 35, 43, 54,
                66, 79, 95, 113, 131, 154, 179, 211, 258, 327, 358,
            ),
            cancelled_percent=(5, 25, 39, 48, 56, 56),
            free_per_mille=1,
            agency_percent=99,
        ),
        Segment(
            name="Offline TA/TO",
            channels={"TA/TO": 1859, "Corporate": 3},
            lead_days=(
                0, 2, 6, 13, 22, 32, 45, 57, 74, 91, 108,
                127, 143, 159, 172, 191, 209, 226, 253, 293, 361, 424,
            ),
            cancelled_percent=(4, 11, 12, 14, 24, 18),
            free_per_mille=4,
            agency_percent=98,
        ),
        Segment(
            name="Groups",
            channels={"TA/TO": 887, "Direct": 323, "Corporate": 247},
            lead_days=(
                0, 7, 15, 31, 45, 72, 87, 103, 118, 143, 160,
                171, 196, 211, 225, 245, 265, 287, 337, 383, 468, 542,
            ),
            cancelled_percent=(14, 23, 43, 52, 42, 51),
            free_per_mille=14,
            agency_percent=79,
        ),
        Segment(
            name="Direct",
            channels={"Direct": 1555, "TA/TO": 50, "Corporate": 21},
            lead_days=(
                0, 0, 0, 0, 0, 0, 1, 2, 4, 7, 12,
                18, 26, 37, 50, 70, 91, 126, 163, 208, 308, 352,
            ),
            cancelled_percent=(5, 17, 18, 19, 27, 27),
            free_per_mille=8,
            agency_percent=52,
        ),
        Segment(
            name="Corporate",
            channels={"Corporate": 537, "Direct": 29, "TA/TO": 10},
            lead_days=(
                0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6,
                7, 8, 11, 15, 21, 29, 35, 47, 73, 125, 343,
            ),
            cancelled_percent=(6, 17, 36, 36, 36, 36),
            free_per_mille=7,
            agency_percent=13,
        ),
        Segment(
            name="Complementary",
            channels={"Direct": 35, "TA/TO": 10, "Corporate": 5},
            lead_days=(
                0, 0, 0, 1, 2, 3, 3, 4, 5, 6, 8,
                9, 11, 13, 15, 22, 28, 43, 57, 88, 144, 252,
            ),
            cancelled_percent=(8, 17, 17, 17, 17, 17),
            free_per_mille=856,
            agency_percent=14,
        ),
    ),
    months=(588, 833, 895, 968, 955, 817, 857, 935, 834, 954, 654, 710),
    weekdays=(1585, 1216, 1226, 1559, 1417, 1763, 1235),
    nights={
        0: 96, 1: 1934, 2: 1552, 3: 1422, 4: 1205, 5: 696, 6: 449, 7: 1647, 8: 194, 9: 157, 10: 234,
        11: 78, 12: 39, 13: 25, 14: 204, 15: 8, 16: 6, 17: 3, 18: 7, 19: 2, 21: 15, 22: 2, 23: 1,
        25: 9, 26: 1, 28: 8, 29: 1, 30: 1,
    },
    room_types=(
        (5841, 1.0), (1856, 1.19), (1244, 1.40), (402, 1.96), (276, 1.58), (229, 1.50), (150, 2.11),
    ),
    prices=(43, 48, 48, 65, 66, 92, 131, 167, 74, 50, 40, 52),
    price_ratios=(
        0.02, 0.59, 0.65, 0.71, 0.75, 0.80, 0.83, 0.88, 0.91, 0.95, 1.00,
        1.03, 1.08, 1.14, 1.21, 1.25, 1.31, 1.38, 1.51, 1.71, 2.21, 4.32,
    ),
    adults=(3, 1784, 7844, 356, 8),
    no_show_per_mille=10,
)  # fmt: skip

SHAPES: dict[Kind, Shape] = {"city": CITY, "resort": RESORT}
KINDS: tuple[Kind, ...] = ("city", "resort", "city")
"""In turn: the city hotel had 66 % of the rows."""

_FEWER = 0.75
"""The data set has six or seven room types worth the name; each further one is wanted so much less
than the one before it. An assumption."""


def room_types(shape: Shape, count: int) -> list[tuple[float, float]]:
    """The share and the price factor of so many room types, the most wanted first."""
    known = shape.room_types
    return [
        known[n]
        if n < len(known)
        else (known[-1][0] * _FEWER ** (n - len(known) + 1), known[n % len(known)][1])
        for n in range(count)
    ]
