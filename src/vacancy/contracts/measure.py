"""Holds a helper to its promise by running it: how many statements, how many rows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, cast

import msgspec

from vacancy.contracts.contract import Contract
from vacancy.contracts.finding import Finding, Kind
from vacancy.db.database import Database
from vacancy.db.trace import Trace
from vacancy.errors import Internal, VacancyError

Call = Callable[[Callable[..., Awaitable[Any]], Database], Awaitable[Any]]
"""Calls the helper that it is given on the database, with the arguments that it knows."""


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What one call took."""

    size: int
    """How many rows the question was about: what is varied while the cost must not vary."""
    statements: dict[str, int]
    """Runs by the statement's name."""
    rows: int
    allowed_rows: int

    @property
    def runs(self) -> int:
        return sum(self.statements.values())


async def measure(db: Database, contract: Contract, size: int, call: Call) -> Cost:
    """Runs the helper once; nothing else may use this handle meanwhile."""
    with _counted(db.trace) as counted:
        answer = await call(contract.helper, cast(Database, _WithoutDoor(db)))
    runs, rows = counted()
    return Cost(size=size, statements=runs, rows=rows, allowed_rows=contract.rows(answer))


class _WithoutDoor:
    """The database as helpers know it: `adhoc` is for tools, is in no contract and not traced."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    async def adhoc(self, sql: str, **options: Any) -> NoReturn:
        raise Internal("STATEMENT_UNREGISTERED", "A helper asks by `adhoc`, which is for tools.")


async def check_helper(
    db: Database, contract: Contract, calls: Sequence[tuple[int, Call]]
) -> tuple[list[Cost], list[Finding]]:
    """Runs the helper for each call, by size, and judges what it took."""
    costs: list[Cost] = []
    for size, call in calls:
        try:
            costs.append(await measure(db, contract, size, call))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what was to be found
            kind: Kind = "STATEMENT_REFUSED"
            told = f"{type(error).__name__}: {error}"
            if isinstance(error, VacancyError):
                told = f"{error.code}: {error.detail}"
                if error.code == "STATEMENT_UNREGISTERED":
                    kind = "UNREGISTERED_STATEMENT"
            sentence = f"At size {size} it ended with {told}"
            finding = Finding(kind=kind, subject=contract.name, engine=db.engine, sentence=sentence)
            return costs, [finding]
    return costs, judge_costs(contract, db.engine, costs)


@contextmanager
def _counted(trace: Trace) -> Iterator[Callable[[], tuple[dict[str, int], int]]]:
    before = {name: (stats.calls, stats.rows) for name, stats in trace.statements.items()}

    def counted() -> tuple[dict[str, int], int]:
        runs, rows = {}, 0
        for name, stats in trace.statements.items():
            calls, fetched = before.get(name, (0, 0))
            if stats.calls > calls:
                runs[name] = stats.calls - calls
                rows += stats.rows - fetched
        return runs, rows

    yield counted


def judge_costs(contract: Contract, engine: str, costs: Sequence[Cost]) -> list[Finding]:
    """What does not hold of a helper that was run at one or several sizes."""
    findings: list[Finding] = []

    def find(kind: Kind, sentence: str, fix: str = "") -> None:
        findings.append(
            Finding(kind=kind, subject=contract.name, engine=engine, sentence=sentence, fix=fix)
        )

    runs = {cost.size: cost.runs for cost in costs}
    over = [cost for cost in costs if cost.runs != contract.statements]
    if len(set(runs.values())) > 1:
        told = ", ".join(f"{count} at {size}" for size, count in runs.items())
        find(
            "STATEMENTS_GROW",
            f"Its statements are not the same at every size: {told}.",
            "Ask for all of them in one statement.",
        )
    if over:
        find(
            "STATEMENTS_OVER",
            f"It ran {over[-1].runs} statements at size {over[-1].size};"
            f" {contract.statements} are promised.",
        )
    named = {statement.name for statement in contract.uses}
    for name in sorted({name for cost in costs for name in cost.statements} - named):
        find("STATEMENT_NOT_NAMED", f"It runs {name}, which its contract does not name.")
    for name, times in sorted(_most(costs).items()):
        if times > 1:
            find(
                "REPEATED_STATEMENT",
                f"N+1: it runs {name} {times} times for one answer.",
                "Ask for all rows at once: a set statement takes many.",
            )
    for cost in costs:
        if cost.rows > cost.allowed_rows:
            find(
                "ROWS_OVER",
                f"At size {cost.size} it fetched {cost.rows} rows;"
                f" {cost.allowed_rows} are promised ({contract.rows_in_words}).",
                "Let the database cut and sum.",
            )
            break
    return findings


def _most(costs: Sequence[Cost]) -> dict[str, int]:
    most: dict[str, int] = {}
    for cost in costs:
        for name, times in cost.statements.items():
            most[name] = max(times, most.get(name, 0))
    return most
