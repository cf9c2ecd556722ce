"""Performance, found and measured: statements that ran, indexes and their proof, before and after.
Knows no hotels, and works on any SQLite file or PostgreSQL database."""
