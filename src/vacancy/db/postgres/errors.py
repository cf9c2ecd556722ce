"""What PostgreSQL's errors mean, by their code and never by their text."""

from __future__ import annotations

import asyncpg

from vacancy.errors import Conflict, Internal, Invalid, Unavailable, Unsupported, VacancyError

READ_ONLY = "25006"
"""The server may not write: a standby, or a primary that was taken out of service."""

REPEATABLE = ("40001", "40P01")
"""Serialization failure and deadlock: the unit did nothing and may be run again."""

CONNECTION_ERRORS: tuple[type[BaseException], ...] = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what the driver says of a connection that broke in mid-word
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
)
DRIVER_ERRORS: tuple[type[BaseException], ...] = (*CONNECTION_ERRORS, asyncpg.PostgresError)
CONNECTING_ERRORS: tuple[type[BaseException], ...] = (*DRIVER_ERRORS, TimeoutError, ValueError)


def sqlstate(error: BaseException | None) -> str:
    """PostgreSQL's code of an error; empty for what did not come from the server."""
    return error.sqlstate or "" if isinstance(error, asyncpg.PostgresError) else ""


def translated(error: BaseException, doing: str) -> VacancyError:
    """A driver's error as one of ours."""
    if not isinstance(error, asyncpg.PostgresError):
        return _away(error, doing)
    code = error.sqlstate or ""
    match code[:2]:
        case "08" | "57" if code != "57014":
            return _away(error, doing)
        case "53":
            return Unavailable(
                "STORAGE_FULL" if code == "53100" else "DATABASE_BUSY",
                f"PostgreSQL is out of a resource ({doing}): {error}.",
                hint="Nothing was changed. Free disk or connections on the database server.",
            )
        case "40":
            return Unavailable(
                "DATABASE_BUSY",
                f"Other writers kept getting in the way ({doing}).",
                hint="Nothing was changed. Try again.",
            )
        case "23":
            name = getattr(error, "constraint_name", None) or "a constraint"
            return Conflict("CONSTRAINT_VIOLATED", f"The database refused it: {name} ({doing}).")
        case "22":
            return Invalid("VALUE_REFUSED", f"The database refused a value ({doing}): {error}.")
        case "28" | "3D":
            return Unsupported(
                "DATABASE_REFUSED",
                f"PostgreSQL does not let us in ({doing}): {error}.",
                hint="Check user, password and database name in VACANCY_DATABASE_URL.",
            )
    if code == READ_ONLY:
        return Unavailable(
            "DATABASE_UNAVAILABLE",
            f"This PostgreSQL only lets itself be read ({doing}): it may be a standby.",
            hint="Nothing was changed. During a failover, try again after a moment; if it stays,"
            " let VACANCY_DATABASE_URL name the primary; see default_transaction_read_only.",
        )
    if code in ("57014", "55P03"):
        return Unavailable(
            "DATABASE_BUSY",
            f"The database took longer than it may ({doing}).",
            hint="Nothing was changed. Try again; if it stays, look for a long transaction.",
        )
    if code in ("42P01", "42703"):
        return Unsupported(
            "SCHEMA_MISMATCH",
            f"The database lacks a table or a column ({doing}): {error}.",
            hint="Run `vacancy db status`, then `vacancy db migrate`.",
        )
    return Internal("STATEMENT_FAILED", f"{doing} failed ({code}): {error}.")


def outcome_unknown(error: BaseException) -> Unavailable:
    """The connection was lost while COMMIT was under way: it may have happened or not."""
    return Unavailable(
        "OUTCOME_UNKNOWN",
        f"The connection was lost during the commit ({type(error).__name__}).",
        hint="Send the request again with the same Idempotency-Key: it tells what happened.",
    )


def _away(error: BaseException, doing: str) -> Unavailable:
    return Unavailable(
        "DATABASE_UNAVAILABLE",
        f"PostgreSQL cannot be reached ({doing}): {type(error).__name__}.",
        hint="Try again; nothing of this change was written.",
    )
