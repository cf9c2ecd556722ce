"""The helpers: each question that a booking site asks, answered in a fixed number of statements.

from vacancy.hotel.queries import get_user_bookings_with_room_type
"""

from vacancy.hotel.queries.availability import (
    Availability,
    check_room_availability,
    get_all_room_availability,
)
from vacancy.hotel.queries.bookings import (
    BookingPage,
    find_booking_property,
    get_booking_details,
    get_user_bookings_with_room_type,
)
from vacancy.hotel.queries.catalogue import get_property, list_properties, list_room_types
from vacancy.hotel.queries.reports import KpiReport, get_kpi_report

__all__ = [
    "Availability",
    "BookingPage",
    "KpiReport",
    "check_room_availability",
    "find_booking_property",
    "get_all_room_availability",
    "get_booking_details",
    "get_kpi_report",
    "get_property",
    "get_user_bookings_with_room_type",
    "list_properties",
    "list_room_types",
]
