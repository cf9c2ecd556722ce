"""Speaks to SQLite or PostgreSQL through named statements, and knows nothing else."""
