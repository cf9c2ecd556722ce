"""Properties and their room types."""

from __future__ import annotations

from vacancy.db.statement import NoRow, SetStatement, Statement
from vacancy.hotel.model import Property, RoomType

LIST_PROPERTIES = Statement(
    "catalogue.list_properties",
    """
    SELECT
        id,
        code,
        name,
        currency,
        time_zone,
        max_stay_nights
    FROM properties
    ORDER BY code
    """,
    row=Property,
    reads=("properties",),
)

GET_PROPERTY = Statement(
    "catalogue.get_property",
    """
    SELECT
        id,
        code,
        name,
        currency,
        time_zone,
        max_stay_nights
    FROM properties
    WHERE code = :property
    """,
    row=Property,
    reads=("properties",),
)

LIST_ROOM_TYPES = Statement(
    "catalogue.list_room_types",
    """
    SELECT
        t.id,
        t.property_id,
        t.code,
        t.name,
        t.price_minor,
        t.max_adults
    FROM properties AS p
    JOIN room_types AS t ON t.property_id = p.id
    WHERE p.code = :property
    ORDER BY t.code
    """,
    row=RoomType,
    reads=("properties", "room_types"),
)

INSERT_PROPERTIES = SetStatement(
    "catalogue.insert_properties",
    """
    INSERT INTO properties (id, code, name, currency, time_zone, max_stay_nights, created_at)
    {rows}
    """,
    columns={
        "id": "integer",
        "code": "text",
        "name": "text",
        "currency": "text",
        "time_zone": "text",
        "max_stay_nights": "integer",
        "created_at": "instant",
    },
    row=NoRow,
    writes=("properties",),
)

INSERT_ROOM_TYPES = SetStatement(
    "catalogue.insert_room_types",
    """
    INSERT INTO room_types (id, property_id, code, name, price_minor, max_adults, created_at)
    {rows}
    """,
    columns={
        "id": "integer",
        "property_id": "integer",
        "code": "text",
        "name": "text",
        "price_minor": "integer",
        "max_adults": "integer",
        "created_at": "instant",
    },
    row=NoRow,
    writes=("room_types",),
)

INSERT_INVENTORY = SetStatement(
    "catalogue.insert_inventory",
    """
    INSERT INTO room_inventory (property_id, room_type_id, night, capacity)
    {rows}
    """,
    columns={
        "property_id": "integer",
        "room_type_id": "integer",
        "night": "date",
        "capacity": "integer",
    },
    row=NoRow,
    writes=("room_inventory",),
)
