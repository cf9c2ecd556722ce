"""Judges what ran: what each statement costs, how the database runs it, and what to change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from vacancy.contracts.access import SMALL_ROWS
from vacancy.contracts.finding import Finding
from vacancy.contracts.guard import REPEATS
from vacancy.db.plan import Plan
from vacancy.perf.queries.record import Source, StatementRecord
from vacancy.perf.queries.words import in_words

SLOW_MS = 100.0
ENOUGH_CALLS = 20
"""With fewer, one that was slow once stands for all."""
MANY_ROWS = 1_000
"""So many rows a call are more than anybody reads at once."""
LARGE_SHARE_PERCENT = 25.0
OFTEN = 1_000
WORTH_CACHING_US = 100.0
"""A cache has its price: what is answered faster than this is left alone."""
FAILING_PERCENT = 1.0

Contract = Literal["holds", "does not hold", "none"]


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a statement beside its costs."""

    plan: Plan | None = None
    no_plan: str = ""
    """Why there is none."""
    findings: tuple[Finding, ...] | None = None
    """What does not hold of its contract; None where it has none."""
    may_scan: Mapping[str, str] = {}
    """Tables that it may read whole, with the reason."""
    heavy: bool = False
    """Whether it may take its time."""
    writes: bool = False
    uncached: str = ""
    """Why advice to cache it would be wrong; empty when nothing is known against it."""


NOTHING = Known(no_plan="its text is not known here")


class QueryReport(msgspec.Struct, frozen=True, kw_only=True):
    """One statement, judged."""

    name: str
    source: Source
    query_id: int | None
    calls: int
    errors: int
    total_ms: float
    mean_us: float | None
    p95_us: float | None
    """None where nobody has kept the durations: PostgreSQL does not."""
    rows_per_call: float | None
    share_percent: float
    """Of the time of all statements of the same source."""
    contract: Contract
    plan: str
    """In words."""
    ok: bool
    """False where the contract does not hold, or it is slow at p95: the command ends with 1."""
    finding: str
    """What to change, in a sentence."""


def analyze(
    records: Iterable[StatementRecord],
    known: Mapping[str, Known],
    *,
    slow_ms: float = SLOW_MS,
    table_rows: Mapping[str, int] | None = None,
) -> list[QueryReport]:
    """A report for each record; what takes most of the time comes first. `slow_ms` of 0: nothing is
    slow. `table_rows`: about how many rows tables have, for what has no contract; one that is not
    there is the database's own, or small."""
    given = list(records)
    totals: dict[Source, int] = {}
    for record in given:
        totals[record.source] = totals.get(record.source, 0) + record.total_ns
    shares = [
        (100 * record.total_ns / totals[record.source] if totals[record.source] else 0.0, record)
        for record in given
    ]
    shares.sort(key=lambda one: (-one[0], one[1].name))
    return [
        _report(record, known.get(record.name, NOTHING), share_percent, slow_ms, table_rows or {})
        for share_percent, record in shares
    ]


def _report(
    record: StatementRecord,
    known: Known,
    share_percent: float,
    slow_ms: float,
    table_rows: Mapping[str, int],
) -> QueryReport:
    judge = _Judge(record, known, share_percent, slow_ms, table_rows)
    finding = judge.finding()
    return QueryReport(
        name=record.name,
        source=record.source,
        query_id=record.query_id,
        calls=record.calls,
        errors=record.errors,
        total_ms=round(record.total_ns / 1_000_000, 3),
        mean_us=_rounded(record.mean_us),
        p95_us=_rounded(record.p95_us),
        rows_per_call=_rounded(record.rows_per_call),
        share_percent=round(share_percent, 1),
        contract=contract_of(known),
        plan=plan_of(known),
        ok=judge.ok,
        finding=finding,
    )


def contract_of(known: Known) -> Contract:
    if known.findings is None:
        return "none"
    return "does not hold" if known.findings else "holds"


def plan_of(known: Known) -> str:
    """In words, or why there is none."""
    return in_words(known.plan) if known.plan is not None else f"unknown: {known.no_plan}"


class _Judge:
    """Looks for the first thing to change about one statement: the worst comes first."""

    def __init__(
        self,
        record: StatementRecord,
        known: Known,
        share_percent: float,
        slow_ms: float,
        table_rows: Mapping[str, int],
    ) -> None:
        self.ok = True
        self._record = record
        self._known = known
        self._share_percent = share_percent
        self._slow_us = slow_ms * 1_000
        self._table_rows = table_rows
        self._rows = record.rows_per_call or 0.0

    def finding(self) -> str:
        for look in (
            self._contract,
            self._slow,
            self._loop,
            self._whole_tables,
            self._many_rows,
            self._failing,
            self._worth_caching,
        ):
            sentence = look()
            if sentence:
                return sentence
        return "nothing to change"

    def _contract(self) -> str:
        if not self._known.findings:
            return ""
        self.ok = False
        first = self._known.findings[0]
        return f"its contract does not hold: {first.sentence} {first.fix}".strip()

    def _slow(self) -> str:
        record = self._record
        if not self._slow_us or record.calls < ENOUGH_CALLS:
            return ""
        took_us, where = record.p95_us, "at p95"
        if took_us is None:
            took_us, where = record.mean_us, "in the mean"
        if took_us is None or took_us < self._slow_us:
            return ""
        over = f"over {self._slow_us / 1_000:g} ms {where} ({took_us / 1_000:,.0f} ms)"
        if self._known.heavy:
            return f"{over}: it is declared heavy and may be; ask for it less often if it hurts"
        self.ok = False
        return f"{over}: {self._cause()}"

    def _cause(self) -> str:
        plan = self._known.plan
        whole = self._whole()
        if whole:
            return f"it reads all of {', '.join(whole)}; give an index to what it compares"
        if self._rows >= MANY_ROWS:
            return f"it fetches {self._rows:,.0f} rows a call; page it"
        if plan is not None and plan.sorts:
            return "it sorts; let the rows come in the order of an index"
        if self._known.writes:
            return "look for who holds its rows meanwhile, and for how much it is given at once"
        if plan is None:
            return "look at its plan with --explain"
        return "its plan is good; ask for less at once, or look for what the machine waits for"

    def _loop(self) -> str:
        times = self._record.repeated
        if times < REPEATS:
            return ""
        return f"a loop: asked {times} times in one request; ask for all of it at once"

    def _whole_tables(self) -> str:
        """What its contract allows is not told again."""
        whole = self._whole()
        if not whole:
            return ""
        return f"reads all of {', '.join(whole)}: give an index to what it compares"

    def _whole(self) -> list[str]:
        plan = self._known.plan
        if plan is None or self._known.findings is not None:
            return []
        return list(
            dict.fromkeys(
                way.table for way in plan.ways if way.reads_all and self._is_large(way.table)
            )
        )

    def _is_large(self, table: str) -> bool:
        if table in self._known.may_scan:
            return False
        return self._table_rows.get(table, 0) >= SMALL_ROWS

    def _many_rows(self) -> str:
        if self._rows < MANY_ROWS or self._known.heavy or self._known.writes:
            return ""
        return f"fetches {self._rows:,.0f} rows a call: page it, or let the database add up"

    def _failing(self) -> str:
        record = self._record
        asked = record.calls + record.errors
        if asked < ENOUGH_CALLS or 100 * record.errors < FAILING_PERCENT * asked:
            return ""
        return f"failed {record.errors:,} times of {asked:,}: the log of the server says why"

    def _worth_caching(self) -> str:
        record, known = self._record, self._known
        if (
            known.writes
            or known.uncached
            or self._share_percent < LARGE_SHARE_PERCENT
            or record.calls < OFTEN
            or (record.mean_us or 0.0) < WORTH_CACHING_US
            or self._rows >= MANY_ROWS
        ):
            return ""
        return (
            f"takes {self._share_percent:.0f} % of all time: asked {record.calls:,} times at"
            f" {self._rows:,.0f} rows; cache it, if the same is asked again"
        )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def all_ok(reports: Sequence[QueryReport]) -> bool:
    """Whether the command may end with 0."""
    return all(report.ok for report in reports)
