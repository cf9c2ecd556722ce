"""A report as one page that needs nothing else: no script, no font, no address."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from vacancy.perf.bench.page_style import STYLE
from vacancy.perf.bench.report import BenchReport, OperationReport, Side

_LABELS = {"before": "Before", "after": "After", "cached": "Cached"}
_NARROWEST_PERCENT = 1.5
_TIGHT = "\N{NO-BREAK SPACE}"
_TIMES = ((1e6, "s"), (1e3, "ms"), (1, "µs"))


def page_of(report: BenchReport, counted: str) -> str:
    """The whole page, as HTML. `counted` says what the size of the database counts."""
    engine = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[report.engine]
    cards = "\n".join(_card(operation, _scale(report)) for operation in report.operations)
    title = f"Before and after: {report.size:,} {counted} on {engine}"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<link rel="icon" href="data:,">
<style>{STYLE}</style>
</head>
<body>
<main>
<header>
<p class="kicker">Vacancy bench</p>
<h1>Before and after</h1>
<p class="lead">{report.size:,} {escape(counted)} on {escape(report.machine.database)}. Each
question asked as people first write it, then through the helpers, then from the cache.</p>
<ul class="legend">{"".join(f'<li class="{n}"><i></i>{t}</li>' for n, t in _LABELS.items())}</ul>
</header>
<section class="cards">
{cards}
</section>
<p class="note">Bars show the time that half of the answers took at most, on a scale where each step
is ten times the last; the thin line goes on to the 95th percentile. Shorter is better.</p>
<section>
<h2>All figures</h2>
<div class="scroll">{_table(report.operations)}</div>
</section>
<section>
<h2>Conditions of measuring</h2>
{_conditions(report, counted)}
</section>
</main>
</body>
</html>
"""


def shown_us(us: float) -> str:
    """A time to three figures, in the unit that suits it."""
    size, unit = next((one for one in _TIMES if us >= one[0]), _TIMES[-1])
    value = us / size
    digits = max(0, 2 - math.floor(math.log10(value))) if value > 0 else 0
    return f"{value:,.{digits}f}{_TIGHT}{unit}"


def shown_ratio(before: Side, after: Side) -> str:
    """How many times as fast, to two figures."""
    ratio = before.p50_us / after.p50_us if after.p50_us else math.inf
    return f"{ratio:,.0f}{_TIGHT}×" if ratio >= 10 else f"{ratio:.1f}{_TIGHT}×"


def _gain(operation: OperationReport) -> str:
    percent = operation.improvement_percent
    ratio = f"<b>{shown_ratio(operation.before, operation.after)}</b> as fast"
    if percent < 0:
        return f'<p class="gain loss">{ratio}, {-percent:.0f}{_TIGHT}% more time'
    return f'<p class="gain">{ratio}, {percent:.2f}{_TIGHT}% less time'


def sides(operation: OperationReport) -> list[tuple[str, Side]]:
    """The sides that were measured, by name."""
    named = [("before", operation.before), ("after", operation.after), ("cached", operation.cached)]
    return [(name, side) for name, side in named if side is not None]


def _scale(report: BenchReport) -> tuple[float, float]:
    """The powers of ten between which everything lies."""
    times = [
        us
        for operation in report.operations
        for _, side in sides(operation)
        for us in (side.p50_us, side.p95_us)
    ]
    lowest = math.floor(math.log10(max(min(times), 0.01)))
    return lowest, max(lowest + 1, math.ceil(math.log10(max(times))))


def _percent(us: float, scale: tuple[float, float]) -> float:
    low, high = scale
    place = (math.log10(max(us, 0.01)) - low) / (high - low) * 100
    return min(100.0, max(_NARROWEST_PERCENT, place))


def _card(operation: OperationReport, scale: tuple[float, float]) -> str:
    bars = "\n".join(_bar(name, side, scale) for name, side in sides(operation))
    best = operation.cached or operation.after
    with_cache = (
        f" · {shown_ratio(operation.before, best)} from the cache" if operation.cached else ""
    )
    return f"""<article>
<h3>{escape(_words(operation.name))}</h3>
{_gain(operation)}{with_cache}</p>
{bars}
<p class="counts">Statements {_counts(operation, "statements")} · rows \
{_counts(operation, "rows")}</p>
</article>"""


def _counts(operation: OperationReport, what: str) -> str:
    return " → ".join(f"{getattr(side, what):,}" for _, side in sides(operation))


def _bar(name: str, side: Side, scale: tuple[float, float]) -> str:
    width, whisker = _percent(side.p50_us, scale), _percent(side.p95_us, scale)
    return f"""<div class="row {name}"><span class="label">{_LABELS[name]}</span>\
<span class="track"><i class="whisker" style="width:{whisker:.2f}%"></i>\
<i class="bar" style="width:{width:.2f}%"></i></span>\
<span class="time">{shown_us(side.p50_us)}</span></div>"""


def _table(operations: Sequence[OperationReport]) -> str:
    rows = "\n".join(
        f"<tr{' class=first' if name == 'before' else ''}><th scope=row>"
        f"{escape(_words(operation.name)) if name == 'before' else ''}</th><td>{_LABELS[name]}</td>"
        f"<td>{shown_us(side.p50_us)}</td><td>{shown_us(side.p95_us)}</td>"
        f"<td>{shown_us(side.p99_us)}</td><td>{side.statements:,}</td><td>{side.rows:,}</td></tr>"
        for operation in operations
        for name, side in sides(operation)
    )
    return (
        "<table><thead><tr><th>Operation</th><th>Side</th><th>p50</th><th>p95</th><th>p99</th>"
        f"<th>Statements</th><th>Rows</th></tr></thead><tbody>{rows}</tbody></table>"
    )


def _conditions(report: BenchReport, counted: str) -> str:
    machine = report.machine
    told = {
        "Measured": machine.measured_at,
        counted.capitalize(): f"{report.size:,}",
        "Database": machine.database,
        "Processor": f"{machine.cpu}, {machine.cores} cores",
        "System": machine.os,
        "Python": machine.python,
        "One fsync": shown_us(machine.fsync_p50_us),
        "Rounds": f"{machine.rounds}, each side {machine.seconds:g} s in each, in turns",
        "Noise": f"{report.noise:.2f}: what is closer together than this factor may be the machine",
        "Before": "asked row by row and summed in Python, without the composite indexes,"
        " on our own driver: kinder than an ORM",
    }
    items = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in told.items())
    return f"<dl>{items}</dl>"


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()
