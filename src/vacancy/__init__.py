"""Vacancy: a hotel-booking backend that never sells a room twice and never loses a booking."""

__version__ = "0.1.0"
