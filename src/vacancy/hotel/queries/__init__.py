"""The helpers: each question that a booking site asks, answered in a fixed number of statements.

from vacancy.hotel.queries import get_user_bookings_with_room_type
"""

from vacancy.hotel.queries.availability import (
    Availability,
    CheckedStay,
    StayCheck,
    batch_check_availability,
    check_room_availability,
    get_all_room_availability,
)
from vacancy.hotel.queries.bookings import (
    BookingPage,
    ListedBooking,
    find_booking_property,
    get_bookings_by_ids,
    get_user_bookings_with_room_type,
)
from vacancy.hotel.queries.bookings_desk import get_bookings_for_date_range
from vacancy.hotel.queries.bookings_details import BookingDetails, get_booking_details
from vacancy.hotel.queries.catalogue import (
    find_property,
    get_property,
    list_properties,
    list_room_types,
)
from vacancy.hotel.queries.inventory import (
    NightInventory,
    RoomTypeNights,
    get_room_type_with_inventory,
    get_room_types_with_inventory,
)
from vacancy.hotel.queries.occupancy import OccupancyRate, get_occupancy_rate
from vacancy.hotel.queries.payments import PaymentSummary, get_user_payment_summary
from vacancy.hotel.queries.reports import KpiReport, get_kpi_report
from vacancy.hotel.queries.statistics import BookingStatistics, get_booking_statistics
from vacancy.hotel.queries.users import get_user
from vacancy.hotel.statements.inventory import RoomTypeInventory

__all__ = [
    "Availability",
    "BookingDetails",
    "BookingPage",
    "BookingStatistics",
    "CheckedStay",
    "KpiReport",
    "ListedBooking",
    "NightInventory",
    "OccupancyRate",
    "PaymentSummary",
    "RoomTypeInventory",
    "RoomTypeNights",
    "StayCheck",
    "batch_check_availability",
    "check_room_availability",
    "find_booking_property",
    "find_property",
    "get_all_room_availability",
    "get_booking_details",
    "get_booking_statistics",
    "get_bookings_by_ids",
    "get_bookings_for_date_range",
    "get_kpi_report",
    "get_occupancy_rate",
    "get_property",
    "get_room_type_with_inventory",
    "get_room_types_with_inventory",
    "get_user",
    "get_user_bookings_with_room_type",
    "get_user_payment_summary",
    "list_properties",
    "list_room_types",
]
