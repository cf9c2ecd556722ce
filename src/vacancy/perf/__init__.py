"""Performance, found and measured: statements that ran, indexes and their proof, before and after.
Works on any SQLite file or PostgreSQL database."""
