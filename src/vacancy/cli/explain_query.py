"""`vacancy perf analyze-queries --explain NAME`: one statement, and how the database runs it."""

from __future__ import annotations

from inspect import cleandoc
from typing import TYPE_CHECKING, Any

import msgspec

from vacancy.cli.command import run_async
from vacancy.cli.output import answer, listing

if TYPE_CHECKING:
    from vacancy.config import Settings
    from vacancy.db.statement import AnyStatement, Engine
    from vacancy.perf.queries.analyze import Contract, Known, QueryReport
    from vacancy.perf.queries.record import StatementRecord


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """The document of `--explain NAME --json`."""

    name: str
    engine: Engine
    text: str
    contract: Contract
    declared: dict[str, list[str]]
    """Table to the ways that its contract names."""
    may_scan: dict[str, str]
    may_sort: str
    why: list[str]
    """What does not hold, a sentence each."""
    plan: str
    plan_text: str
    """In the database's own words; empty where it gives no plan."""
    figures: list[Any]
    """Its lines of the analysis; empty where nobody has counted it."""


def explain_query(settings: Settings, name: str, database: str | None) -> None:
    """Answers the command. `name` is one of ours, a shortened text, or PostgreSQL's number."""
    explained = run_async(_explain(settings, name, database))
    answer(explained, _shown(explained))


async def _explain(settings: Settings, name: str, database: str | None) -> Explained:
    from vacancy.cli.queries_seen import look, plan_of_text_by, statements_by_name
    from vacancy.db.open_witness import open_witness
    from vacancy.errors import Missing
    from vacancy.hotel.sizes import SIZES
    from vacancy.hotel.wiring import uncached
    from vacancy.perf.queries.analyze import NOTHING, analyze
    from vacancy.perf.queries.know import know_statement, know_text

    statement = statements_by_name().get(name)
    seen = await look(settings, database, must=statement is None)
    records = [one for one in seen.records if name in (one.name, str(one.query_id))]
    if statement is None and records:
        statement = statements_by_name().get(records[0].name)
    if statement is None and not records:
        raise Missing(
            "STATEMENT_UNKNOWN",
            f"No statement is called {name!r}, and none of that name ran.",
            hint="`vacancy perf analyze-queries --json` names all that ran.",
        )
    async with open_witness(seen.url, SIZES) as witness:
        plan_of_text = plan_of_text_by(witness)
        if statement is not None:
            known = await know_statement(witness, statement, uncached().get(statement.name, ""))
        elif plan_of_text is not None and records[0].text:
            known = await know_text(plan_of_text, records[0].text)
        else:
            known = NOTHING
        engine = witness.engine
    everything = analyze(
        seen.records,
        {one.name: known for one in records},
        slow_ms=settings.slow_ms,
        table_rows=seen.table_rows,
    )
    figures = [one for one in everything if any(one.name == record.name for record in records)]
    return _explained(name, engine, statement, known, records, figures)


def _explained(
    name: str,
    engine: Engine,
    statement: AnyStatement | None,
    known: Known,
    records: list[StatementRecord],
    figures: list[QueryReport],
) -> Explained:
    from vacancy.contracts.access import declared_ways
    from vacancy.perf.queries.analyze import contract_of, plan_of

    access = None if statement is None else statement.access
    declared = {} if access is None else declared_ways(access, engine)
    return Explained(
        name=records[0].name if statement is None else statement.name,
        engine=engine,
        text=records[0].text if statement is None else _text(statement, engine),
        contract=contract_of(known),
        declared={table: [str(way) for way in ways] for table, ways in declared.items()},
        may_scan={} if access is None else dict(access.may_scan),
        may_sort="" if access is None else access.may_sort,
        why=[f"{finding.kind}: {finding.sentence}" for finding in known.findings or ()],
        plan=plan_of(known),
        plan_text=known.plan.text if known.plan is not None else "",
        figures=list(figures),
    )


def _text(statement: AnyStatement, engine: Engine) -> str:
    from vacancy.db.statement import SetStatement

    if engine == "postgresql":
        return statement.postgresql
    return statement.sqlite(1) if isinstance(statement, SetStatement) else statement.sqlite


def _shown(one: Explained) -> str:
    blocks = [f"{one.name} on {one.engine}", cleandoc(one.text)]
    lines = [f"contract {one.contract}"]
    lines += [f"    {table}: {', '.join(ways)}" for table, ways in one.declared.items()]
    lines += [f"    {table}: read whole, {reason}" for table, reason in one.may_scan.items()]
    lines += [f"    sorts {one.may_sort}"] if one.may_sort else []
    blocks.append("\n".join([*lines, *one.why]))
    blocks.append(f"plan: {one.plan}")
    if one.plan_text:
        blocks.append(one.plan_text)
    blocks += [listing(msgspec.structs.asdict(figure)) for figure in one.figures]
    if not one.figures:
        blocks.append("Nobody has counted it: it has not run, or no server runs.")
    return "\n\n".join(blocks)
