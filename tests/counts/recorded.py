"""What each operation costs, as last written down; see `test_counts.py`."""

from __future__ import annotations

from tests.counts.counted import Counted
from vacancy.db.statement import Engine

RECORDED: dict[Engine, dict[str, Counted]] = {
    "sqlite": {
        "room_types": Counted(statements=1, rows=100, calls=23, peak_bytes=34_900, steps=3_923),
        "availability": Counted(statements=1, rows=1, calls=30, peak_bytes=1_400, steps=72),
        "user_bookings": Counted(statements=1, rows=21, calls=191, peak_bytes=33_600, steps=1_538),
        "report": Counted(statements=2, rows=2, calls=71, peak_bytes=1_900, steps=10_597),
        "front_desk": Counted(statements=1, rows=21, calls=123, peak_bytes=38_200, steps=2_160),
        "cached_availability": Counted(statements=0, rows=0, calls=21, peak_bytes=800),
        "create_booking": Counted(
            statements=12, rows=19, calls=712, peak_bytes=15_200, steps=1_398
        ),
        "create_booking_64_clients": Counted(
            statements=12, rows=523, calls=7_264, peak_bytes=303_500, steps=34_800
        ),
        "GET availability": Counted(statements=0, rows=0, calls=32, peak_bytes=6_800),
        "GET user bookings": Counted(statements=1, rows=1, calls=145, peak_bytes=32_300, steps=18),
        "POST booking": Counted(statements=13, rows=17, calls=785, peak_bytes=22_700, steps=1_209),
    },
    "postgresql": {
        "room_types": Counted(statements=1, rows=100, calls=29, peak_bytes=265_800),
        "availability": Counted(statements=1, rows=1, calls=33, peak_bytes=265_800),
        "user_bookings": Counted(statements=1, rows=21, calls=133, peak_bytes=265_900),
        "report": Counted(statements=2, rows=2, calls=79, peak_bytes=266_600),
        "front_desk": Counted(statements=1, rows=21, calls=117, peak_bytes=267_300),
        "cached_availability": Counted(statements=0, rows=0, calls=20, peak_bytes=1_100),
        "create_booking": Counted(statements=12, rows=17, calls=950, peak_bytes=352_300),
        "create_booking_64_clients": Counted(
            statements=12, rows=395, calls=7_313, peak_bytes=709_700
        ),
        "GET availability": Counted(statements=0, rows=0, calls=31, peak_bytes=7_000),
        "GET user bookings": Counted(statements=1, rows=1, calls=196, peak_bytes=277_000),
        "POST booking": Counted(statements=13, rows=16, calls=1_064, peak_bytes=359_600),
    },
}
