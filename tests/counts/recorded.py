"""What each operation costs, as last written down; see `test_counts.py`."""

from __future__ import annotations

from tests.counts.counted import Counted
from vacancy.db.statement import Engine

RECORDED: dict[Engine, dict[str, Counted]] = {
    "sqlite": {
        "room_types": Counted(statements=1, rows=100, calls=21, peak_bytes=34_900, steps=3_923),
        "availability": Counted(statements=1, rows=1, calls=28, peak_bytes=1_500, steps=72),
        "user_bookings": Counted(statements=1, rows=21, calls=189, peak_bytes=33_700, steps=1_538),
        "report": Counted(statements=2, rows=2, calls=67, peak_bytes=1_900, steps=10_597),
        "front_desk": Counted(statements=1, rows=21, calls=121, peak_bytes=38_400, steps=2_160),
        "cached_availability": Counted(statements=0, rows=0, calls=21, peak_bytes=800),
        "create_booking": Counted(
            statements=12, rows=19, calls=706, peak_bytes=15_500, steps=1_398
        ),
        "create_booking_64_clients": Counted(
            statements=12, rows=523, calls=7_573, peak_bytes=307_200, steps=34_800
        ),
        "GET availability": Counted(statements=0, rows=0, calls=38, peak_bytes=6_900),
        "GET user bookings": Counted(statements=1, rows=1, calls=149, peak_bytes=32_500, steps=18),
        "POST booking": Counted(statements=13, rows=17, calls=783, peak_bytes=23_100, steps=1_209),
    },
    "postgresql": {
        "room_types": Counted(statements=1, rows=100, calls=27, peak_bytes=265_800),
        "availability": Counted(statements=1, rows=1, calls=31, peak_bytes=265_800),
        "user_bookings": Counted(statements=1, rows=21, calls=131, peak_bytes=265_900),
        "report": Counted(statements=2, rows=2, calls=75, peak_bytes=266_700),
        "front_desk": Counted(statements=1, rows=21, calls=115, peak_bytes=267_300),
        "cached_availability": Counted(statements=0, rows=0, calls=20, peak_bytes=1_100),
        "create_booking": Counted(statements=12, rows=17, calls=940, peak_bytes=352_400),
        "create_booking_64_clients": Counted(
            statements=12, rows=395, calls=7_618, peak_bytes=713_600
        ),
        "GET availability": Counted(statements=0, rows=0, calls=37, peak_bytes=7_200),
        "GET user bookings": Counted(statements=1, rows=1, calls=200, peak_bytes=277_200),
        "POST booking": Counted(statements=13, rows=16, calls=1_058, peak_bytes=359_900),
    },
}
