"""Properties and their room types."""

from __future__ import annotations

from vacancy.db.statement import Access, NoRow, SetStatement, Statement
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
    access=Access(may_scan={"properties": "it lists all of them"}),
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
    access=Access(served_by={"properties": "uq_properties_code (code)"}),
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
    access=Access(
        served_by={
            "properties": "uq_properties_code (code)",
            "room_types": "uq_room_types_property_id_code (property_id)",
        },
        may_sort="the room types of one property",
    ),
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
    access=Access(),
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
    access=Access(),
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
    access=Access(),
)
