"""Holds a statement to what it declares beside its text: tables, width of its rows, indexes,
scans and sorts."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from vacancy.contracts.finding import Finding, Kind
from vacancy.db.plan import Plan, Way, homes
from vacancy.db.statement import Access, AnyStatement, Engine
from vacancy.db.witness import Touched, Witness
from vacancy.errors import VacancyError

SMALL_ROWS = 10_000
"""In a table below this size a planner may take whichever index, and be right. That the declared
one is there, and as declared, is asked of tables of every size."""
_DECLARED = re.compile(r"(\w+) \((\w+(?:, \w+)*)\)")


async def check_statement(witness: Witness, statement: AnyStatement) -> list[Finding]:
    """What does not hold of one statement, on the database of the witness; empty when all does."""
    judge = _Judge(witness, statement)
    access = statement.access
    if not statement.registered:
        judge.find("UNREGISTERED_STATEMENT", "It is not registered and cannot run.")
    if access is None:
        judge.find(
            "NO_CONTRACT",
            "It does not say which indexes serve it.",
            "Give it access=Access(served_by=…) beside its text.",
        )
        return judge.findings
    try:
        touched, plan = await witness.touched(statement), await witness.plan(statement)
        judge.touches(touched)
        judge.declares(access)
        judge.goes(access, plan)
        judge.sees(touched, plan)
    except VacancyError as error:
        if error.code == "PLAN_UNREADABLE":
            judge.find("INDEX_NOT_USED", f"Its plan cannot be the declared one: {error.detail}")
        else:
            judge.find("STATEMENT_REFUSED", f"The database does not take it: {error.detail}")
    return judge.findings


def declared_ways(access: Access, engine: Engine) -> dict[str, list[Way]]:
    """The ways to each table that the statement declares for this database."""
    told = dict(access.served_by)
    if engine == "postgresql":
        told |= access.postgresql_served_by
    return {
        table: [_way(table, one) for one in ([ways] if isinstance(ways, str) else ways)]
        for table, ways in told.items()
    }


class _Judge:
    """Collects findings of one statement."""

    def __init__(self, witness: Witness, statement: AnyStatement) -> None:
        self.findings: list[Finding] = []
        self._witness = witness
        self._statement = statement
        self._indexes = homes(witness.catalog)

    def find(self, kind: Kind, sentence: str, fix: str = "") -> None:
        self.findings.append(
            Finding(
                kind=kind,
                subject=self._statement.name,
                engine=self._witness.engine,
                sentence=sentence,
                fix=fix,
            )
        )

    def touches(self, touched: Touched) -> None:
        """Tables and width. A change may read the table that it writes without saying so."""
        statement = self._statement
        writes = frozenset(statement.writes)
        reads = frozenset(statement.reads) - writes
        if touched.writes != writes:
            self.find(
                "TABLES_DIFFER",
                f"It writes {_names(touched.writes)} and declares {_names(writes)}.",
            )
        if touched.reads != reads:
            self.find(
                "TABLES_DIFFER", f"It reads {_names(touched.reads)} and declares {_names(reads)}."
            )
        fields = len(msgspec.structs.fields(statement.row))
        if touched.width != fields:
            self.find(
                "WIDTH_DIFFERS",
                f"Its rows have {touched.width} columns, and {statement.row.__name__} {fields}.",
            )

    def declares(self, access: Access) -> None:
        """Each declared index stands in the database, with these columns first."""
        for table, ways in declared_ways(access, self._witness.engine).items():
            for way in ways:
                known_table, columns = self._indexes.get(way.index, ("", ()))
                if known_table != table:
                    self.find(
                        "INDEX_MISSING",
                        f"{table} has no valid index {way.index}.",
                        "Run `vacancy db migrate`, or build the index anew.",
                    )
                elif columns[: len(way.columns)] != way.columns:
                    self.find(
                        "INDEX_NOT_USED",
                        f"{way.index} is on ({', '.join(columns)}) and cannot be searched by"
                        f" ({', '.join(way.columns)}).",
                        "The columns that are compared for equality come first.",
                    )

    def goes(self, access: Access, plan: Plan) -> None:
        """The plan keeps to the declared ways."""
        declared = declared_ways(access, self._witness.engine)
        for way in plan.ways:
            ways = declared.get(way.table, [])
            if any(_keeps_to(way, one) for one in ways):
                continue
            if way.reads_all and way.table in access.may_scan:
                continue
            if ways and self._is_small(way.table):
                continue
            told = " or ".join(map(str, ways)) or "no index"
            self.find(
                "TABLE_SCANNED" if way.reads_all else "INDEX_NOT_USED",
                f"It comes to {way.table} by {way}; {told} is declared.",
                "Compare the bare columns of the index, its first ones for equality.",
            )
        self._changes_by_index(access, declared, plan)
        small = all(self._is_small(way.table) for way in plan.ways)
        if plan.sorts and not access.may_sort and not small:
            self.find(
                "ROWS_SORTED",
                f"It sorts {'; '.join(plan.sorts)}.",
                "Let the rows come in the order of an index, or say why they may be sorted.",
            )

    def sees(self, touched: Touched, plan: Plan) -> None:
        """What the plan does not tell of is not in order: it may be read from end to end."""
        for table in sorted(touched.reads - {way.table for way in plan.ways}):
            self.find(
                "TABLE_SCANNED",
                f"Its plan does not tell how it comes to {table}.",
                "Write `FROM table AS name`, so that the plan can be read.",
            )

    def _changes_by_index(self, access: Access, declared: dict[str, list[Way]], plan: Plan) -> None:
        """What may be scanned in order to find rows may not be scanned in order to change them:
        each row that is looked at is one that others may hold."""
        for table in self._statement.writes:
            ways = [way for way in plan.ways if way.table == table]
            if (
                table in access.may_scan
                and declared.get(table)
                and ways
                and all(way.reads_all for way in ways)
                and not self._is_small(table)
            ):
                told = " or ".join(map(str, declared[table]))
                self.find(
                    "TABLE_SCANNED",
                    f"It changes {table} by way of {ways[0]} alone; {told} is declared.",
                    "Find the rows first, and change them by their index.",
                )

    def _is_small(self, table: str) -> bool:
        """Whether the planner knew so few rows that it may go as it likes."""
        rows = self._witness.known_rows(table)
        return rows is not None and rows < SMALL_ROWS


def _keeps_to(way: Way, declared: Way) -> bool:
    """Binding more columns than declared is better than declared."""
    return way.index == declared.index and way.columns[: len(declared.columns)] == declared.columns


def _way(table: str, told: str) -> Way:
    found = _DECLARED.fullmatch(told)
    if found is None:
        raise ValueError(f"{told!r} is no way to {table}: write `index (column, column)`.")
    return Way(table=table, index=found[1], columns=tuple(found[2].split(", ")))


def _names(tables: Iterable[str]) -> str:
    return ", ".join(sorted(tables)) or "nothing"
