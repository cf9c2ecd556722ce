"""Reads a CSV file by the names of its columns, and writes down the rows that were refused."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from vacancy.errors import Invalid, Misconfigured, Missing


class Reject(msgspec.Struct, frozen=True):
    """A row that was not taken, and why."""

    line: int
    """In the file; the header is line 1."""
    reason: str
    cells: tuple[str, ...]


Rows = Iterator[tuple[int, list[str]]]
"""The line on which a row ends, and its cells."""


@contextmanager
def csv_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[list[str], Rows]]:
    """The header and the rows of a UTF-8 file that has at least these columns; blank lines are
    skipped.

    Raises `Missing` FILE_MISSING, `Invalid` FILE_UNREADABLE, FILE_EMPTY, FILE_NOT_UTF8,
    FILE_NOT_CSV, COLUMNS_MISSING; the first rows may have been given by then.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            header = [name.strip() for name in next(reader, [])]
            if not header:
                raise Invalid("FILE_EMPTY", f"{path} is empty.", hint="Fetch the file again.")
            _require_columns(path, header, columns)
            yield header, ((reader.line_num, cells) for cells in reader if cells)
    except FileNotFoundError:
        raise Missing("FILE_MISSING", f"There is no file {path}.") from None
    except UnicodeDecodeError as error:
        raise Invalid(
            "FILE_NOT_UTF8",
            f"{path} is not UTF-8 text: byte {error.object[error.start]:#04x} cannot stand there.",
            hint="Nothing was written. Unpack it if it is an archive, or convert it to UTF-8.",
        ) from None
    except csv.Error as error:
        raise Invalid(
            "FILE_NOT_CSV", f"{path} is no CSV: {error}.", hint="Nothing was written."
        ) from None
    except OSError as error:
        raise Invalid("FILE_UNREADABLE", f"{path} cannot be read: {error.strerror}.") from None


def _require_columns(path: Path, header: Sequence[str], columns: Sequence[str]) -> None:
    absent = [name for name in columns if name not in header]
    if absent:
        raise Invalid(
            "COLUMNS_MISSING",
            f"{path} lacks {len(absent)} of the {len(columns)} columns that are needed:"
            f" {', '.join(absent[:5])}{', …' if len(absent) > 5 else ''}.",
            hint="Nothing was written. The first line must name the columns, with commas between.",
            errors=tuple({"field": name} for name in absent),
        )


def write_rejects(path: Path, rejects: Sequence[Reject]) -> None:
    """One line for each: line, reason, row. The file is whole or not there.

    Raises `Misconfigured` REJECTS_FILE_FAILED.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("line", "reason", "row"))
            for reject in rejects:
                writer.writerow((reject.line, reject.reason, _joined(reject.cells)))
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise Misconfigured(
            "REJECTS_FILE_FAILED",
            f"The {len(rejects)} refused rows cannot be written to {path}: {error.strerror}.",
            hint="Nothing was written. Name another file for them.",
        ) from None


def _joined(cells: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(cells)
    return text.getvalue()
