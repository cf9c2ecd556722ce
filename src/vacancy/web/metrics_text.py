"""Figures in the text format of Prometheus. What each name means stands here, once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from vacancy.cache.stats import NameStats
from vacancy.db.durations import bucket_of
from vacancy.web.figures import Collected, Figures

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

# Bounds are powers of two in nanoseconds: there the buckets of the record end, and nothing is
# guessed.
REQUEST_BOUNDS_NS = tuple(1 << power for power in (*range(17, 30), 31, 33))
STATEMENT_BOUNDS_NS = tuple(1 << power for power in range(13, 34, 2))

_ROUTE = ("route", "method")


def metrics_text(collected: Collected) -> bytes:
    """The whole document."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(collected))
    return generate_latest(registry)


class _Collector(Collector):
    def __init__(self, collected: Collected) -> None:
        self._collected = collected

    def collect(self) -> Iterable[Metric]:
        yield from families(self._collected)


def families(collected: Collected) -> Iterator[Metric]:
    """Every family of metrics, also those that hold nothing yet."""
    yield from _of_the_server(collected)
    yield from _of_routes(collected.counts)
    yield from _of_statements(collected.counts)
    yield from _of_the_pool(collected)
    yield from _of_admission(collected)
    yield from _of_the_cache(collected)
    yield from _of_alerts(collected.counts)


def _of_the_server(collected: Collected) -> Iterator[Metric]:
    sizes = collected.sizes
    yield _gauge(
        "vacancy_build_info",
        "1; the labels tell what runs.",
        ("version", "engine"),
        {(sizes.version, sizes.pool.engine): 1},
    )
    yield GaugeMetricFamily(
        "vacancy_workers", "Workers that live.", collected.workers + collected.workers_silent
    )
    yield GaugeMetricFamily(
        "vacancy_workers_silent",
        "Workers that live and did not answer: sizes are without them, counts are as they were.",
        collected.workers_silent,
    )
    yield GaugeMetricFamily(
        "vacancy_start_time_seconds",
        "When the first of the workers that live began, since 1970.",
        collected.began_ms / 1_000,
    )


def _of_routes(counts: Figures) -> Iterator[Metric]:
    requests = _counter(
        "vacancy_http_requests", "Requests that were answered.", (*_ROUTE, "status")
    )
    seconds = HistogramMetricFamily(
        "vacancy_http_request_seconds",
        "From when the route was found until the answer was made.",
        labels=_ROUTE,
    )
    statements = _counter("vacancy_http_statements", "Statements that requests ran.", _ROUTE)
    over_budget = _counter(
        "vacancy_http_over_budget", "Requests that ran more statements than they may.", _ROUTE
    )
    refused: dict[str, int] = {}
    for record in counts.routes:
        method, _, path = record.route.rpartition(" ")
        route = (path, method)
        for status, number in sorted(record.requests.items()):
            requests.add_metric((*route, str(status)), number)
        for code, number in record.refusals.items():
            refused[code] = refused.get(code, 0) + number
        if method:
            _add_times(seconds, route, record.buckets, record.total_ns, REQUEST_BOUNDS_NS)
            statements.add_metric(route, record.statements)
            over_budget.add_metric(route, record.over_budget)
    yield from (requests, seconds, statements, over_budget)
    yield _counter(
        "vacancy_refusals", "Answers that are a problem, by code.", ("code",), _by_label(refused)
    )


def _of_statements(counts: Figures) -> Iterator[Metric]:
    names = ("statement",)
    seconds = HistogramMetricFamily(
        "vacancy_statement_seconds", "Time in the database, by statement.", labels=names
    )
    rows = _counter("vacancy_statement_rows", "Rows that statements gave or changed.", names)
    errors = _counter("vacancy_statement_errors", "Statements that failed.", names)
    for stats in counts.statements:
        name = stats.name
        _add_times(seconds, (name,), stats.buckets or (), stats.total_ns, STATEMENT_BOUNDS_NS)
        rows.add_metric((name,), stats.rows)
        errors.add_metric((name,), stats.errors)
    yield from (seconds, rows, errors)


def _of_the_pool(collected: Collected) -> Iterator[Metric]:
    sizes, counts = collected.sizes.pool, collected.counts.pool
    for name, meaning, value in (
        ("size", "The most connections there may be.", sizes.size),
        ("open", "Connections that are open.", sizes.open),
        ("idle", "Connections that are open and free.", sizes.idle),
        ("waiting", "Callers who wait for a connection, or for the turn to write.", sizes.waiting),
    ):
        yield GaugeMetricFamily(f"vacancy_pool_{name}", meaning, value)
    waits = HistogramMetricFamily(
        "vacancy_pool_wait_seconds",
        "Waiting for a connection (PostgreSQL) or for the turn to write (SQLite).",
        labels=(),
    )
    _add_times(waits, (), counts.wait_buckets, counts.wait_total_ns, REQUEST_BOUNDS_NS)
    yield waits
    yield CounterMetricFamily(
        "vacancy_pool_timeouts", "Callers who gave up waiting.", counts.timeouts
    )


def _of_admission(collected: Collected) -> Iterator[Metric]:
    counts = collected.counts.admission
    yield GaugeMetricFamily(
        "vacancy_admission_waiting",
        "Requests that are in no batch yet.",
        collected.sizes.admission.waiting,
    )
    size = HistogramMetricFamily(
        "vacancy_admission_batch_size", "Requests in one batch.", labels=()
    )
    bounds = [str(float(1 << power)) for power in range(len(counts.batch_sizes) - 1)]
    size.add_metric((), _cumulated(bounds, counts.batch_sizes), counts.requests)
    yield size
    for name, meaning, buckets, total_ns in (
        ("wait", "From coming until a batch took it.", counts.wait_buckets, counts.wait_total_ns),
        ("batch", "From taking until the commit.", counts.batch_buckets, counts.batch_total_ns),
    ):
        times = HistogramMetricFamily(f"vacancy_admission_{name}_seconds", meaning, labels=())
        _add_times(times, (), buckets, total_ns, REQUEST_BOUNDS_NS)
        yield times
    yield _counter(
        "vacancy_admission_refusals",
        "Booking requests that were refused, by code; the sweep's own among them.",
        ("code",),
        _by_label(counts.refusals),
    )


_CACHE_COUNTS: Mapping[str, str] = {
    "hits": "Answers that were given from the cache.",
    "misses": "Answers that were not there.",
    "fills": "Queries whose result was stored.",
    "fills_superseded": "Queries whose result was not stored: something of it had changed.",
    "coalesced_waits": "Callers who waited for the query of another.",
    "bypasses": "Callers who were sent past the cache.",
    "invalidations": "Entries that left because something they depend on was changed.",
    "evictions_size": "Entries that gave way to others.",
    "evictions_ttl": "Entries that were too old when they were asked for.",
    "shadow_checks": "Hits that were compared with the database.",
    "shadow_mismatches": "Of those, the ones that differed: must be 0.",
}


def _of_the_cache(collected: Collected) -> Iterator[Metric]:
    names: Mapping[str, NameStats] = collected.counts.cache.names
    for key, meaning in _CACHE_COUNTS.items():
        values = {name: getattr(stats, key) for name, stats in names.items()}
        yield _counter(f"vacancy_cache_{key}", meaning, ("statement",), _by_label(values))
    counts, sizes = collected.counts.cache.cache, collected.sizes.cache.cache
    yield CounterMetricFamily(
        "vacancy_cache_looks",
        "How often the database was asked what has changed.",
        counts.looks if counts else 0,
    )
    yield CounterMetricFamily(
        "vacancy_cache_looks_failed",
        "Of those, the ones that were not answered.",
        counts.looks_failed if counts else 0,
    )
    for key, meaning in (
        ("entries", "Answers that are kept."),
        ("max_entries", "The most that may be kept."),
        ("size_bytes", "Memory that they take."),
        ("max_bytes", "The most memory that they may take."),
    ):
        yield GaugeMetricFamily(
            f"vacancy_cache_{key}", meaning, getattr(sizes, key) if sizes else 0
        )


def _of_alerts(counts: Figures) -> Iterator[Metric]:
    values = {name: getattr(counts.alerts, name) for name in counts.alerts.__struct_fields__}
    yield _counter("vacancy_alerts", "What has become of alerts.", ("outcome",), _by_label(values))


# -- families


def _counter(
    name: str,
    meaning: str,
    labels: Sequence[str],
    values: Mapping[tuple[str, ...], int] | None = None,
) -> CounterMetricFamily:
    family = CounterMetricFamily(name, meaning, labels=labels)
    for label, value in (values or {}).items():
        family.add_metric(label, value)
    return family


def _gauge(
    name: str, meaning: str, labels: Sequence[str], values: Mapping[tuple[str, ...], float]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, meaning, labels=labels)
    for label, value in values.items():
        family.add_metric(label, value)
    return family


def _by_label(counts: Mapping[str, int]) -> dict[tuple[str, ...], int]:
    return {(label,): counts[label] for label in sorted(counts)}


def _add_times(
    family: HistogramMetricFamily,
    labels: Sequence[str],
    buckets: Sequence[int],
    total_ns: int,
    bounds_ns: Sequence[int],
) -> None:
    """Adds a record's durations under these bounds."""
    edges = [0, *(bucket_of(bound) for bound in bounds_ns), len(buckets)]
    within = [sum(buckets[a:b]) for a, b in pairwise(edges)]
    bounds = [str(bound / 1e9) for bound in bounds_ns]
    family.add_metric(labels, _cumulated(bounds, within), total_ns / 1e9)


def _cumulated(bounds: Sequence[str], counts: Sequence[int]) -> list[tuple[str, float]]:
    """Up to each bound; one count more than there are bounds is for what is over the last."""
    total = 0
    found: list[tuple[str, float]] = []
    for bound, count in zip((*bounds, "+Inf"), counts, strict=True):
        total += count
        found.append((bound, total))
    return found
