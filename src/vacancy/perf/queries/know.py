"""Finds out, by a witness, what is to be known of the statements that ran: plans and contracts.
Only reads."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any

from vacancy.contracts.access import check_statement
from vacancy.db.plan import Plan
from vacancy.db.statement import AnyStatement
from vacancy.db.witness import Witness
from vacancy.errors import VacancyError
from vacancy.perf.queries.analyze import Known
from vacancy.perf.queries.record import StatementRecord

PlanOfText = Callable[[str], Coroutine[Any, Any, Plan]]

_READS = ("select", "with", "values", "table", "(")


async def know_statement(witness: Witness, statement: AnyStatement, uncached: str = "") -> Known:
    """What is known of one of ours."""
    findings = tuple(await check_statement(witness, statement))
    plan, no_plan = None, ""
    try:
        plan = await witness.plan(statement)
    except VacancyError as error:
        no_plan = error.detail
    return Known(
        plan=plan,
        no_plan=no_plan,
        findings=findings if statement.access is not None else None,
        may_scan={} if statement.access is None else statement.access.may_scan,
        heavy=getattr(statement, "heavy", False),
        writes=bool(statement.writes),
        uncached=uncached,
    )


async def know_text(plan_of_text: PlanOfText, text: str) -> Known:
    """What is known of a text that is none of ours."""
    plan, no_plan = None, ""
    try:
        plan = await plan_of_text(text)
    except VacancyError as error:
        no_plan = error.detail.partition("\n")[0]
    return Known(plan=plan, no_plan=no_plan, writes=not text.lstrip().lower().startswith(_READS))


async def know_all(
    records: Iterable[StatementRecord],
    witness: Witness,
    statements: Mapping[str, AnyStatement],
    *,
    uncached: Mapping[str, str],
    plan_of_text: PlanOfText | None = None,
) -> dict[str, Known]:
    """What is known of each record's statement, by its name. `statements` are ours by name;
    `uncached` says of some of them why they are not to be cached (once more)."""
    found: dict[str, Known] = {}
    for record in records:
        parts = [statements[part] for part in record.name.split(", ") if part in statements]
        if len(parts) == 1 and record.name in statements:
            found[record.name] = await know_statement(
                witness, parts[0], uncached.get(record.name, "")
            )
        elif parts and not record.text:
            found[record.name] = await _know_together(witness, parts)
        elif record.text and plan_of_text is not None:
            found[record.name] = await know_text(plan_of_text, record.text)
    return found


async def _know_together(witness: Witness, parts: Iterable[AnyStatement]) -> Known:
    """Several changes that go in one round trip."""
    known = [await know_statement(witness, part) for part in parts]
    findings = tuple(finding for one in known for finding in one.findings or ())
    return Known(
        no_plan="several changes in one round trip; ask for each by its own name",
        findings=findings,
        writes=True,
    )
