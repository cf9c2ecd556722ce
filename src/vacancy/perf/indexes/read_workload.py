"""Reads the statements of a workload that is not ours: what the server has counted, or a file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import asyncpg

from vacancy.db.postgres.errors import CONNECTING_ERRORS, DRIVER_ERRORS, translated
from vacancy.db.statement import Engine, number_parameters
from vacancy.errors import Misconfigured
from vacancy.perf.indexes.workload import NO_WORKLOAD, Question, Workload

MOST_STATEMENTS = 500
"""Of those that a server has counted, the ones that ran most."""
_CONNECT_TIMEOUT_S = 5.0
_LONGEST_NAME = 72
_FIRST_WORDS = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "MERGE", "VALUES", "REPLACE")
_FIRST_WORD = re.compile(r"(?:\s|\()*([A-Za-z]+)")
_NAME = re.compile(r"^\s*--\s*name:\s*([^\s;]+)", re.MULTILINE)
_PIECE = re.compile(
    r"""
    (?P<comment>--[^\n]*|/\*.*?\*/)
    |(?P<text>[eE]'(?:[^'\\]|''|\\.)*'|'(?:[^']|'')*')
    |(?P<quoted>"(?:[^"]|"")*"|`[^`]*`)
    |(?P<dollar>\$(?P<tag>[A-Za-z_]*)\$.*?\$(?P=tag)\$)
    |(?P<end>;)
    |(?P<other>[^-/'"`$;eE]+|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_CATALOGUE = re.compile(r"\bpg_\w+|\binformation_schema\b", re.IGNORECASE)
"""What tools and drivers ask, and we: no affair of the tables' indexes."""
_PUBLIC = re.compile(r'\b(?:"public"|public)\.', re.IGNORECASE)
_HOME = """
    SELECT extnamespace::regnamespace::text
    FROM pg_extension
    WHERE extname = 'pg_stat_statements'
    """
_COUNTED = """
    SELECT
        min(query) AS query,
        sum(calls)::bigint AS calls
    FROM {schema}.pg_stat_statements
    WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND toplevel
    GROUP BY queryid
    ORDER BY sum(calls) DESC
    LIMIT 10000
    """


def read_query_file(path: Path, engine: Engine) -> Workload:
    """The statements of a file: SQL with `;` between them, and a line `-- name: x` before those
    that have a name. Parameters are written as :name, ? or $1.

    Raises `Misconfigured` QUERIES_UNREADABLE.
    """
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(
            "QUERIES_UNREADABLE",
            f"The file of queries {path} cannot be read: {error}.",
            hint="Give a text file with SQL statements, each ended by a semicolon.",
        ) from None
    questions: list[Question] = []
    left_out = 0
    for piece in _split(text):
        bare, name = _bare(piece), _NAME.search(piece)
        if not bare:
            continue
        if not _is_question(bare):
            left_out += 1
            continue
        given = _free(name[1] if name else _short(bare), questions)
        questions.append(Question(name=given, sql=_for(engine, bare)))
    if not questions:
        raise Misconfigured(
            "QUERIES_UNREADABLE",
            f"The file of queries {path} holds no statement that reads or changes rows.",
            hint="Give SQL statements, each ended by a semicolon.",
        )
    more = f", {left_out} left out" if left_out else ""
    source = f"{len(questions)} statements of {path.name}{more}"
    return Workload(questions=tuple(questions), source=source)


async def read_counted_statements(url: str) -> Workload:
    """What pg_stat_statements has counted in this database; nothing where it is not installed or
    may not be read. Raises what connecting raises."""
    try:
        connection = await asyncpg.connect(url, timeout=_CONNECT_TIMEOUT_S)
    except CONNECTING_ERRORS as error:
        raise translated(error, "connecting") from error
    try:
        schema = await connection.fetchval(_HOME)
        if schema is None:
            return NO_WORKLOAD
        rows = await connection.fetch(_COUNTED.format(schema=schema))
    except DRIVER_ERRORS:  # it is not among the libraries that the server has loaded
        return NO_WORKLOAD
    finally:
        await connection.close()
    questions: list[Question] = []
    for row in rows:
        bare = _bare(row["query"] or "")
        if len(questions) == MOST_STATEMENTS:
            break
        if _is_question(bare) and not _CATALOGUE.search(bare):
            questions.append(
                Question(
                    name=_free(_short(bare), questions),
                    sql=_PUBLIC.sub("", bare),
                    calls=row["calls"],
                )
            )
    source = f"{len(questions)} statements that pg_stat_statements has counted"
    return Workload(questions=tuple(questions), source=source)


def _split(text: str) -> Iterator[str]:
    """The texts between the semicolons that stand in no literal and no comment."""
    pieces: list[str] = []
    for found in _PIECE.finditer(text):
        if found.lastgroup == "end":
            yield "".join(pieces)
            pieces = []
        else:
            pieces.append(found.group())
    yield "".join(pieces)


def _bare(sql: str) -> str:
    """The text without comments."""
    pieces = (
        " " if found.lastgroup == "comment" else found.group() for found in _PIECE.finditer(sql)
    )
    return "".join(pieces).strip().rstrip(";").strip()


def _is_question(bare: str) -> bool:
    word = _FIRST_WORD.match(bare)
    return word is not None and word[1].upper() in _FIRST_WORDS


def _for(engine: Engine, bare: str) -> str:
    """With the parameters as the database knows them, outside of literals; PostgreSQL's names
    without the schema, so that they mean the copy."""
    if engine == "sqlite":
        return bare
    if not re.search(r"\$\d", bare):
        numbered, order = number_parameters(bare)
        bare = numbered if order else _number_marks(bare)
    return _PUBLIC.sub("", bare)


def _number_marks(sql: str) -> str:
    count = 0
    pieces = []
    for found in _PIECE.finditer(sql):
        piece = found.group()
        if found.lastgroup == "other":
            while "?" in piece:
                count += 1
                piece = piece.replace("?", f"${count}", 1)
        pieces.append(piece)
    return "".join(pieces)


def _short(sql: str) -> str:
    """A statement that has no name is called by its beginning."""
    text = " ".join(sql.split())
    return text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 1]}…"


def _free(name: str, taken: list[Question]) -> str:
    names = {one.name for one in taken}
    number, free = 1, name
    while free in names:
        number += 1
        free = f"{name} ({number})"
    return free
