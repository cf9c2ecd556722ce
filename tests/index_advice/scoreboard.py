"""The score of the whole corpus as a table, ours and PgHero's side by side.

`python -m tests.index_advice.scoreboard [sqlite|postgresql] [name …]` runs all, or those.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.index_advice.clean import clean_on
from tests.index_advice.mutants import mutants_on
from tests.index_advice.score import (
    Copies,
    Verdict,
    in_words,
    judge,
    judge_clean,
    our_copies,
    our_subject,
)
from tests.servers import postgres_server
from vacancy.db.statement import Engine
from vacancy.hotel.wiring import introduce


def as_table(engine: Engine, verdicts: Sequence[Verdict]) -> str:
    """Found of how many, by family, ours and PgHero's side by side."""
    lines = [f"{engine:36}{'mutants':>8}{'ours':>8}" + (f"{'PgHero':>8}" if _rival(engine) else "")]
    families = list(dict.fromkeys(one.family for one in verdicts))
    for family in [*families, "all"]:
        some = [one for one in verdicts if family in (one.family, "all")]
        counts = [len(some), sum(one.found for one in some)]
        if _rival(engine):
            counts.append(sum(one.rival_found for one in some))
        lines.append(f"{family:36}" + "".join(f"{count:8}" for count in counts))
    of_ours = sum(bool(one.false) for one in verdicts)
    of_rival = sum(bool(one.rival_false) for one in verdicts)
    wrong = sum(bool(one.wrong) for one in verdicts)
    lines.append(f"{'with a false finding beside':36}{'':8}{of_ours:8}")
    if _rival(engine):
        lines[-1] += f"{of_rival:8}"
    lines.append(f"{'whose advice was wrong':36}{'':8}{wrong:8}")
    return "\n".join(lines)


def _rival(engine: Engine) -> bool:
    return engine == "postgresql"


def problems(verdicts: Iterable[Verdict]) -> list[str]:
    """What went wrong, a line each."""
    told = []
    for one in verdicts:
        if not one.found:
            told.append(f"{one.name} ({one.family}) is missed; found: {'; '.join(one.told) or '-'}")
        told += [f"{one.name}: false: {false}" for false in one.false]
        told += [f"{one.name}: wrong: {wrong}" for wrong in one.wrong]
    return told


def main(*words: str) -> None:
    """Runs the corpus and prints what came of it."""
    introduce()
    engines: list[Engine] = [one for one in ("sqlite", "postgresql") if one in words] or [
        "sqlite",
        "postgresql",
    ]
    names = set(words) - {"sqlite", "postgresql"}
    folder = Path(tempfile.mkdtemp(prefix="vacancy-score-"))
    try:
        for engine in engines:
            if engine == "sqlite":
                _run(engine, our_copies(folder, None), names)
            else:
                with postgres_server(folder / "postgres") as server:
                    _run(engine, our_copies(folder, server), names)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(engine: Engine, copies: Copies, names: set[str]) -> None:
    subject = our_subject(engine)
    for variant in clean_on(engine):
        if names and variant.name not in names:
            continue
        ours, rival = judge_clean(subject, copies, variant)
        for one in ours:
            _tell(f"clean {variant.name}: {in_words(one)}")
        if rival:
            _tell(f"clean {variant.name}: PgHero: {', '.join(one.name for one in rival)}")
    wanted = [one for one in mutants_on(engine) if not names or one.name in names]
    verdicts = [judge(subject, copies, mutant, rival=True) for mutant in wanted]
    _tell(*problems(verdicts))
    _tell(as_table(engine, verdicts))


def _tell(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
