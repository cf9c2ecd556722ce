"""Everything that helpers promise, and whether it holds on one database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from vacancy.contracts.access import check_statement, declared_ways
from vacancy.contracts.contract import Contract
from vacancy.contracts.finding import Finding
from vacancy.contracts.measure import Call, Cost, check_helper
from vacancy.db.database import Database
from vacancy.db.statement import AnyStatement, Engine
from vacancy.db.witness import Witness

ENGINES: tuple[Engine, ...] = ("sqlite", "postgresql")


class StatementReport(msgspec.Struct, frozen=True, kw_only=True):
    """One statement's declared ways to its tables, on each database."""

    name: str
    indexes: dict[Engine, dict[str, list[str]]]
    """Engine, table, ways: `ix_orders_user (user_id, id)`."""
    may_scan: dict[str, str]
    may_sort: str


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What one call on this database took."""

    statements: int
    rows: int
    rows_allowed: int


class HelperReport(msgspec.Struct, frozen=True, kw_only=True):
    """One helper's promise."""

    name: str
    statements: int
    rows: str
    uses: tuple[StatementReport, ...]
    measured: Measured | None
    """None where the database holds nothing to ask for."""
    holds: bool
    why: tuple[str, ...]
    """What does not hold, a sentence each."""


class ContractsReport(msgspec.Struct, frozen=True, kw_only=True):
    """All helpers, and the statements that belong to none."""

    engine: Engine
    holds: bool
    helpers: tuple[HelperReport, ...]
    statements_checked: int
    findings: tuple[Finding, ...]
    """Everything that does not hold; those of helpers' statements too."""


async def report_contracts(
    witness: Witness,
    db: Database,
    contracts: Sequence[Contract],
    statements: Sequence[AnyStatement],
    calls: Mapping[str, Call],
) -> ContractsReport:
    """Checks every statement, and runs each helper once that there is a call for. Only reads."""
    found = {statement.name: await check_statement(witness, statement) for statement in statements}
    findings = [finding for one in found.values() for finding in one]
    helpers = []
    for promise in contracts:
        asked = [(1, calls[promise.name])] if promise.name in calls else []
        costs, own = await check_helper(db, promise, asked)
        findings += own
        for statement in promise.uses:
            own += found.get(statement.name) or []
        helpers.append(_helper(promise, costs, own))
    return ContractsReport(
        engine=witness.engine,
        holds=not findings,
        helpers=tuple(helpers),
        statements_checked=len(statements),
        findings=tuple(findings),
    )


def _helper(promise: Contract, costs: Sequence[Cost], findings: Sequence[Finding]) -> HelperReport:
    return HelperReport(
        name=promise.name,
        statements=promise.statements,
        rows=promise.rows_in_words,
        uses=tuple(map(_statement, promise.uses)),
        measured=Measured(
            statements=costs[0].runs, rows=costs[0].rows, rows_allowed=costs[0].allowed_rows
        )
        if costs
        else None,
        holds=not findings,
        why=tuple(f"{finding.subject}: {finding.sentence}" for finding in findings),
    )


def _statement(statement: AnyStatement) -> StatementReport:
    access = statement.access
    indexes: dict[Engine, dict[str, list[str]]] = {}
    if access is not None:
        for engine in ENGINES:
            ways = declared_ways(access, engine)
            indexes[engine] = {table: list(map(str, told)) for table, told in ways.items()}
    return StatementReport(
        name=statement.name,
        indexes=indexes,
        may_scan={} if access is None else dict(access.may_scan),
        may_sort="" if access is None else access.may_sort,
    )
