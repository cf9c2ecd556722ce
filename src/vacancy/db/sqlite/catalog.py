"""Reads the catalog of a SQLite file: its PRAGMAs, and the text of its tables for what they omit.

SQLite keeps checks, generated columns and the names of constraints only in the text that made the
table, so that text is read here, as far as needed.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import apsw
import msgspec

from vacancy.db.catalog import Catalog, Column, Constraint, ConstraintKind, Definition, Index, Table
from vacancy.db.sqlite.locks import PresenceLock
from vacancy.db.sqlite.session import open_connection, translated

_TOKEN = re.compile(
    r"""
    (?P<skip>\s+|--[^\n]*|/\*.*?\*/)
    |(?P<text>'(?:[^']|'')*')
    |(?P<quoted>"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\])
    |(?P<word>[^\W\d][\w$]*)
    |(?P<sign>\|\||<=|>=|<>|!=|==|<<|>>|->>|->|[\d.][\w.]*|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
_CONSTRAINT_WORDS = frozenset(
    {"as", "check", "collate", "constraint", "default", "foreign", "generated"}
    | {"primary", "references", "unique"}
)
"""Words that begin a part of a definition: a column called so keeps its quotes."""


def read_sqlite_file(path: Path) -> Catalog:
    """Opens the file, reads its catalog and closes it again. Raises `Unsupported` NOT_A_DATABASE
    and what else opening may raise."""
    presence = PresenceLock(path)
    try:
        connection = open_connection(path, read_only=True)
        try:
            return read_sqlite_catalog(connection)
        finally:
            connection.close()
    finally:
        presence.release()


def read_sqlite_catalog(connection: apsw.Connection) -> Catalog:
    """The catalog of the main database of an open connection, in one snapshot."""
    try:
        with connection:
            tables = [
                _read_table(connection, str(name), str(sql), bool(without_rowid), bool(strict))
                for name, sql, without_rowid, strict in connection.execute(
                    """
                    SELECT
                        l.name,
                        s.sql,
                        l.wr,
                        l.strict
                    FROM pragma_table_list AS l
                    JOIN sqlite_master AS s ON s.type = 'table' AND s.name = l.name
                    WHERE l.schema = 'main'
                        AND l.type = 'table'
                        AND l.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
                    ORDER BY l.name
                    """
                ).fetchall()
            ]
            others = [
                Definition(kind=kind, name=name, definition=_joined(_tokens(str(sql))))
                for kind, name, sql in connection.execute(
                    """
                    SELECT
                        CASE WHEN s.type = 'table' THEN 'virtual table' ELSE s.type END,
                        s.name,
                        s.sql
                    FROM sqlite_master AS s
                    LEFT JOIN pragma_table_list AS l ON l.schema = 'main' AND l.name = s.name
                    WHERE s.type IN ('trigger', 'view') OR l.type = 'virtual'
                    ORDER BY 1, 2
                    """
                )
            ]
    except apsw.Error as error:
        raise translated(error, "reading the catalog") from error
    return Catalog(engine="sqlite", tables=tuple(tables), others=tuple(others))


def _read_table(
    connection: apsw.Connection, name: str, sql: str, without_rowid: bool, strict: bool
) -> Table:
    written = _read_text(sql)
    indexes: list[Any] = connection.execute(
        'SELECT name, "unique", origin FROM pragma_index_list(?)', (name,)
    ).fetchall()
    constraints = [
        *_keys(connection, name, indexes, written),
        *_foreign_keys(connection, name, written),
        *written.checks,
    ]
    options = [("strict", strict), ("without rowid", without_rowid)]
    options.append(("autoincrement", written.autoincrement))
    return Table(
        name=name,
        columns=tuple(_columns(connection, name, written)),
        constraints=tuple(sorted(constraints, key=lambda one: (one.name, one.definition))),
        indexes=tuple(
            _read_index(connection, index, bool(unique))
            for index, unique, origin in sorted(indexes)
            if origin == "c"
        ),
        options=tuple(option for option, is_set in options if is_set),
    )


def _columns(connection: apsw.Connection, table: str, written: _Written) -> list[Column]:
    rows = connection.execute(
        'SELECT name, type, "notnull", dflt_value, hidden FROM pragma_table_xinfo(?)', (table,)
    )
    columns = []
    for name, kind, not_null, default, hidden in rows:
        stored = {2: " virtual", 3: " stored"}.get(hidden)
        collation = written.collations.get(name.lower())
        columns.append(
            Column(
                name=name,
                type=kind.upper() + (f" COLLATE {collation.upper()}" if collation else ""),
                nullable=not not_null,
                default="" if default is None else _joined(_tokens(default)),
                generated=written.generated.get(name.lower(), "") + stored if stored else "",
            )
        )
    return columns


def _keys(
    connection: apsw.Connection, table: str, indexes: list[Any], written: _Written
) -> list[Constraint]:
    """The primary key and the unique constraints; a rowid table's INTEGER key has no index."""
    sql = "SELECT name FROM pragma_table_xinfo(?) WHERE pk > 0 ORDER BY pk"
    primary = tuple(name for (name,) in connection.execute(sql, (table,)))
    keys = [_named(written, "primary key", primary)] if primary else []
    for index, _, origin in indexes:
        if origin == "u":
            sql = "SELECT name FROM pragma_index_info(?) ORDER BY seqno"
            columns = tuple(name for (name,) in connection.execute(sql, (index,)))
            keys.append(_named(written, "unique", columns))
    return keys


def _foreign_keys(connection: apsw.Connection, table: str, written: _Written) -> list[Constraint]:
    sql = """
    SELECT id, "table", "from", "to", on_update, on_delete
    FROM pragma_foreign_key_list(?)
    ORDER BY id, seq
    """
    keys: dict[int, list[Any]] = {}
    for row in connection.execute(sql, (table,)):
        keys.setdefault(row[0], []).append(row)
    constraints = []
    for rows in keys.values():
        columns = tuple(row[2] for row in rows)
        parent, on_update, on_delete = rows[0][1], rows[0][4], rows[0][5]
        # A key that names no columns of its parent means the parent's primary key.
        referred = ", ".join(row[3] for row in rows if row[3] is not None)
        definition = f"references {parent} ({referred}) on update {on_update} on delete {on_delete}"
        constraints.append(_named(written, "foreign key", columns, definition))
    return constraints


def _read_index(connection: apsw.Connection, index: str, unique: bool) -> Index:
    sql = connection.execute(
        "SELECT sql FROM sqlite_master WHERE type = 'index' AND name = ?", (index,)
    ).get
    tokens = _tokens(sql)
    body = tokens[tokens.index("on") + 2 :]
    inside, after = _group(body, 0)
    parts = [_joined(part) for part in _split(inside)]
    names = connection.execute(
        "SELECT name FROM pragma_index_xinfo(?) WHERE key ORDER BY seqno", (index,)
    ).fetchall()
    return Index(
        name=index,
        columns=tuple(
            str(name).lower()
            if name is not None
            else re.sub(r"( collate \w+)?( asc| desc)?$", "", part)
            for (name,), part in zip(names, parts, strict=True)
        ),
        unique=unique,
        predicate=_joined(body[after + 2 :]),  # without WHERE
        definition=_joined(body),
    )


# -- the text of a table


class _Written(msgspec.Struct):
    """What only the text of a table says. Names of columns are in small letters."""

    checks: list[Constraint] = msgspec.field(default_factory=list)
    names: dict[tuple[str, tuple[str, ...]], str] = msgspec.field(default_factory=dict)
    generated: dict[str, str] = msgspec.field(default_factory=dict)
    collations: dict[str, str] = msgspec.field(default_factory=dict)
    autoincrement: bool = False


def _named(
    written: _Written, kind: ConstraintKind, columns: tuple[str, ...], more: str = ""
) -> Constraint:
    return Constraint(
        kind=kind,
        name=written.names.get((kind, tuple(column.lower() for column in columns)), ""),
        columns=columns,
        definition=f"{kind} ({', '.join(columns)}) {more}".strip(),
    )


def _read_text(sql: str) -> _Written:
    tokens = _tokens(sql)
    inside, _ = _group(tokens, tokens.index("("))
    written = _Written(autoincrement="autoincrement" in tokens)
    for definition in _split(inside):
        _read_definition(definition, written)
    return written


def _read_definition(tokens: list[str], written: _Written) -> None:
    """One column or one constraint of the table, between two commas."""
    of_column = tokens[0] not in _CONSTRAINT_WORDS
    column = tokens[0].strip('"').lower()
    name = ""
    position = 1 if of_column else 0
    while position < len(tokens):
        word = tokens[position]
        inside, after = _group(tokens, position + 1)
        if word == "constraint":
            name = tokens[position + 1]
            position += 2
            continue
        if word == "check":
            check = Constraint(kind="check", name=name, columns=(), definition=_joined(inside))
            written.checks.append(check)
        elif word == "as":
            written.generated[column] = _joined(inside)
        elif word == "collate":
            written.collations[column] = tokens[position + 1]
        elif word in ("primary", "unique", "foreign") or (word == "references" and of_column):
            if word in ("primary", "foreign"):
                inside, after = _group(tokens, position + 2)
            listed = tuple(part[0].strip('"') for part in _split(inside))
            kind = {"primary": "primary key", "unique": "unique"}.get(word, "foreign key")
            if name:
                written.names[kind, (column,) if of_column else listed] = name
        name = ""
        position = after + 1 if inside else position + 1


def _tokens(sql: str) -> list[str]:
    """The words and signs of a text: no comments, small letters, no quotes that need not be."""
    tokens = []
    for match in _TOKEN.finditer(sql):
        text = match.group()
        if match.lastgroup == "word":
            tokens.append(text.lower())
        elif match.lastgroup == "quoted":
            bare = text[1:-1].lower()
            is_plain = _PLAIN.fullmatch(bare) and bare not in _CONSTRAINT_WORDS
            tokens.append(bare if is_plain else f'"{bare}"')
        elif match.lastgroup != "skip":
            tokens.append(text)
    return tokens


def _group(tokens: list[str], start: int) -> tuple[list[str], int]:
    """What stands in the brackets that open at `start`, and where they close; nothing and `start`
    when none opens there."""
    if start >= len(tokens) or tokens[start] != "(":
        return [], start
    depth = 0
    for position in range(start, len(tokens)):
        depth += (tokens[position] == "(") - (tokens[position] == ")")
        if depth == 0:
            return tokens[start + 1 : position], position
    return tokens[start + 1 :], len(tokens)


def _split(tokens: list[str]) -> list[list[str]]:
    """The parts between the commas that stand in no brackets."""
    parts: list[list[str]] = [[]]
    depth = 0
    for word in tokens:
        depth += (word == "(") - (word == ")")
        if word == "," and depth == 0:
            parts.append([])
        else:
            parts[-1].append(word)
    return [part for part in parts if part]


def _joined(tokens: list[str]) -> str:
    text = " ".join(tokens)
    return re.sub(r"\( ", "(", re.sub(r" ([),])", r"\1", text))
