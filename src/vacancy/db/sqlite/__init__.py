"""SQLite behind the database protocol: `database.py` is the door, the rest stands behind it."""
