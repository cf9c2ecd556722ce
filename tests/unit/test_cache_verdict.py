"""Whether caching a statement pays: the arithmetic, and the sentence that it ends in."""

from __future__ import annotations

import pytest

from vacancy.cache.stats import NameStats
from vacancy.cache.verdict import ENOUGH, duration, judge


def stats(
    hits: int, misses: int, *, hit_us: float = 4.1, query_us: float = 41.0, **counts: int
) -> NameStats:
    """Figures of one name: one hit in ten is timed, and every miss is a query."""
    timed = hits // 10
    return NameStats(
        hits=hits,
        misses=misses,
        hits_timed=timed,
        hit_ns=round(timed * hit_us * 1000),
        queries=misses,
        fill_ns=round(misses * query_us * 1000),
        **counts,
    )


def test_what_pays_says_what_it_saved() -> None:
    verdict = judge("availability.all", stats(81_200, 8_810))
    assert verdict.pays is True
    assert verdict.sentence == (
        "availability.all pays: 81,200 of 90,010 answers were hits (90.2 %), a hit took 4.1 us and"
        " a query 41.0 us: 3.0 s of waiting saved."
    )
    # 81,200 queries less, and 90,010 looks into the store.
    assert verdict.saved_ms == pytest.approx((81_200 * 41.0 - 90_010 * 4.1) / 1000)


def test_it_pays_from_the_rate_where_both_cost_the_same() -> None:
    """A hit of 4 us and a query of 40 us: one answer in ten must be a hit."""
    assert judge("s", stats(100, 890, hit_us=4.0, query_us=40.0)).pays is True
    level = judge("s", stats(100, 900, hit_us=4.0, query_us=40.0))
    assert level.pays is False
    assert level.saved_ms == pytest.approx(0.0)
    verdict = judge("s", stats(50, 950, hit_us=4.0, query_us=40.0))
    assert verdict.pays is False
    assert verdict.saved_ms == pytest.approx(-2.0)
    assert "it pays from 10.0 % on" in verdict.sentence


def test_a_hit_that_is_no_quicker_than_the_query_never_pays() -> None:
    verdict = judge("s", stats(990, 10, hit_us=45.0, query_us=41.0))
    assert verdict.pays is False
    assert verdict.sentence == (
        "s does not pay: a hit took 45.0 us and a query 41.0 us, so a hit is no quicker than"
        " asking; take it out of the table."
    )


@pytest.mark.parametrize(
    ("cause", "told", "mend"),
    [
        ("invalidations", "900 answers were thrown away", "give it tags that are more precise"),
        (
            "fills_superseded",
            "900 queries could not be stored",
            "give it tags that are more precise",
        ),
        ("evictions_size", "900 answers had to give way", "let the cache keep more"),
        ("evictions_ttl", "900 answers were too old", "let it live longer"),
    ],
)
def test_what_does_not_pay_says_why_and_what_to_do(cause: str, told: str, mend: str) -> None:
    verdict = judge("s", stats(20, 980, **{cause: 900}))
    assert verdict.pays is False
    assert told in verdict.sentence
    assert verdict.sentence.endswith(f"take it out of the table, or {mend}.")


def test_a_cause_of_few_misses_is_not_named() -> None:
    sentence = judge("s", stats(20, 980, invalidations=100)).sentence
    assert "thrown away" not in sentence
    assert sentence.endswith("or see whether its questions come back at all.")


def test_no_hit_at_all_does_not_pay_although_no_hit_was_timed() -> None:
    verdict = judge("s", stats(0, 500))
    assert (verdict.pays, verdict.saved_ms) == (False, None)
    assert "0 of 500 answers were hits (0.0 %)" in verdict.sentence


def test_too_few_answers_say_nothing() -> None:
    assert judge("s", NameStats()).pays is None
    verdict = judge("s", stats(ENOUGH - 1, 0))
    assert (verdict.pays, verdict.saved_ms) == (None, None)
    assert verdict.sentence == f"s: too few answers yet to say ({ENOUGH - 1})."
    assert judge("s", stats(ENOUGH - 1, 1)).pays is True


def test_what_was_not_timed_is_not_guessed() -> None:
    verdict = judge("s", NameStats(hits=900, misses=100, queries=100, fill_ns=1_000_000))
    assert verdict.pays is None
    assert "no hit has been timed yet" in verdict.sentence
    verdict = judge("s", NameStats(hits=900, misses=100, hits_timed=9, hit_ns=9_000))
    assert verdict.pays is None
    assert "no query has been timed yet" in verdict.sentence


def test_durations_for_people() -> None:
    assert [duration(us) for us in (4.12, 999.0, 12_345.0, 3_000_000.0, 7_200_000_000.0)] == [
        "4.1 us",
        "999.0 us",
        "12.3 ms",
        "3.0 s",
        "7,200.0 s",
    ]
