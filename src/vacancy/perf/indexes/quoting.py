"""Names in SQL, written so that both databases read them as names."""

from __future__ import annotations

import re

import apsw

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
_POSTGRESQL = """
    ANALYSE ANY ARRAY ASYMMETRIC AUTHORIZATION BINARY BOTH COLLATION CONCURRENTLY
    CURRENT_CATALOG CURRENT_ROLE
    CURRENT_SCHEMA CURRENT_USER FALSE FETCH FREEZE GRANT ILIKE LATERAL LEADING LOCALTIME
    LOCALTIMESTAMP ONLY OVERLAPS PLACING SESSION_USER SIMILAR SOME SYMMETRIC SYSTEM_USER TABLESAMPLE
    TRAILING TRUE USER VARIADIC VERBOSE
"""
_KEYWORDS = frozenset(apsw.keywords) | frozenset(_POSTGRESQL.split())
"""SQLite's, and what PostgreSQL reserves beyond them."""


def quoted(name: str) -> str:
    """The name with quotes, where it needs them."""
    if _PLAIN.fullmatch(name) and name.upper() not in _KEYWORDS:
        return name
    return '"' + name.replace('"', '""') + '"'
