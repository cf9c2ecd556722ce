"""Whether it pays to cache a statement: time saved by its hits against time spent on looking."""

from __future__ import annotations

import msgspec

from vacancy.cache.stats import NameStats

ENOUGH = 100
"""So many answers must have been given before anything is said."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the figures of one name say."""

    name: str
    pays: bool | None
    """None while it cannot be told."""
    sentence: str
    saved_ms: float | None
    """Waiting that callers were spared; negative where the cache has cost more than it saved."""


def judge(name: str, stats: NameStats) -> Verdict:
    """Weighs what a name has saved.

    A hit saves a query and costs a hit. A miss costs about as much as a hit, for nothing: the cache
    has looked and found none. So it pays where hits / (hits + misses) is over hit time / query
    time. Waiting for the query of another is counted as a miss: what is shared is not held in the
    cache's favour.
    """
    answers = stats.hits + stats.misses
    shown = name or "what has no name"
    if answers < ENOUGH:
        return _untold(name, f"{shown}: too few answers yet to say ({answers})")
    share = f"{stats.hits:,} of {answers:,} answers were hits ({_percent(stats.hits, answers)})"
    if not stats.hits:
        sentence = f"{shown} does not pay: {share}; {_cause(stats)}{_advice(stats)}."
        return Verdict(name=name, pays=False, sentence=sentence, saved_ms=None)
    if not stats.hits_timed or not stats.queries:
        untimed = "hit" if stats.queries else "query"
        return _untold(name, f"{shown}: {share}, but no {untimed} has been timed yet")
    hit_us = stats.hit_ns / stats.hits_timed / 1000
    query_us = stats.fill_ns / stats.queries / 1000
    saved_us = stats.hits * query_us - answers * hit_us
    times = f"a hit took {duration(hit_us)} and a query {duration(query_us)}"
    if saved_us > 0:
        sentence = f"{shown} pays: {share}, {times}: {duration(saved_us)} of waiting saved."
    elif hit_us >= query_us:
        sentence = (
            f"{shown} does not pay: {times}, so a hit is no quicker than asking;"
            " take it out of the table."
        )
    else:
        sentence = (
            f"{shown} does not pay: {share}, {times}: it pays from {_percent(hit_us, query_us)} on;"
            f" {_cause(stats)}{_advice(stats)}."
        )
    return Verdict(name=name, pays=saved_us > 0, sentence=sentence, saved_ms=saved_us / 1000)


def duration(us: float) -> str:
    """Microseconds for people: 4.1 us, 12.3 ms, 3.0 s."""
    if us < 1_000:
        return f"{us:.1f} us"
    if us < 1_000_000:
        return f"{us / 1_000:.1f} ms"
    return f"{us / 1_000_000:,.1f} s"


def _untold(name: str, why: str) -> Verdict:
    return Verdict(name=name, pays=None, sentence=f"{why}.", saved_ms=None)


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %"


_CAUSES = {
    "invalidations": (
        "{:,} answers were thrown away because something had changed; ",
        "give it tags that are more precise",
    ),
    "fills_superseded": (
        "{:,} queries could not be stored because something changed meanwhile; ",
        "give it tags that are more precise",
    ),
    "evictions_size": ("{:,} answers had to give way to others; ", "let the cache keep more"),
    "evictions_ttl": ("{:,} answers were too old when they were asked for; ", "let it live longer"),
}
"""Why answers were not there when they were asked for, and what helps."""


def _main_cause(stats: NameStats) -> str | None:
    counts = {cause: getattr(stats, cause) for cause in _CAUSES}
    most = max(counts, key=counts.__getitem__)
    # A cause that explains less than half of the misses is not the one to name.
    return most if counts[most] * 2 >= stats.misses else None


def _cause(stats: NameStats) -> str:
    cause = _main_cause(stats)
    return _CAUSES[cause][0].format(getattr(stats, cause)) if cause else ""


def _advice(stats: NameStats) -> str:
    cause = _main_cause(stats)
    mend = _CAUSES[cause][1] if cause else "see whether its questions come back at all"
    return f"take it out of the table, or {mend}"
