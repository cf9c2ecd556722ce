"""Mutants that were put aside before the checker was built and not looked at while it was: what it
catches of them tells what it catches beside what it was made for.

Five of the six were caught at the first try. `fills-do-not-hear-of-a-truncate` was not, in 25 s of
random run: since then the foreign program changes the same rows many times in a row now and then,
which finds it in about that time, and there is a story of it.
"""

from __future__ import annotations

from tests.cache.mutant import BOTH, POSTGRESQL, SQLITE, Edit, Mutant

UNSEEN: tuple[Mutant, ...] = (
    Mutant(
        name="off-by-one-transaction",
        breaks="The transaction that comes next after a look is answered by the one after.",
        edits=(
            Edit(
                "db/postgres/changes.py",
                "WHERE mark >= pg_snapshot_xmax(",
                "WHERE mark > pg_snapshot_xmax(",
            ),
        ),
        engines=POSTGRESQL,
    ),
    Mutant(
        name="one-look-in-sixty-four-is-lost",
        breaks="What a look has found is applied, every time.",
        edits=(
            Edit(
                "cache/query_cache.py",
                "        if changes is not None:\n            self._apply(changes)",
                "        if changes is not None and self._looked % _TIMED:\n"
                "            self._apply(changes)",
            ),
        ),
        engines=SQLITE,
    ),
    Mutant(
        name="fills-do-not-hear-of-a-truncate",
        breaks="What is being filled of a table is not stored once the table was emptied.",
        edits=(
            Edit(
                "cache/fills.py",
                '        if any(change.endswith("/*") for change in changes):\n'
                "            self._all_changed = self._changes",
                "        if False:\n            self._all_changed = self._changes",
            ),
        ),
        engines=POSTGRESQL,
    ),
    Mutant(
        name="the-oldest-row-is-taken-for-the-newest",
        breaks="The next look begins where the last one ended.",
        edits=(
            Edit(
                "db/sqlite/changes.py",
                "            self._entry, self._mark, _ = rows[-1]",
                "            self._entry, self._mark, _ = rows[-1]\n"
                "            self._version, self._state, self._why_all = "
                "self._peek(), state, ''\n"
                "            return Changes(frozenset([rows[0][2]]))",
            ),
        ),
        engines=SQLITE,
    ),
    Mutant(
        name="a-tag-is-forgotten-with-its-first-entry",
        breaks="A tag leads to every entry that depends on it.",
        edits=(
            Edit(
                "cache/store.py",
                "                if not entries:\n                    del self._by_tag[tag]",
                "                del self._by_tag[tag]",
            ),
        ),
        engines=BOTH,
    ),
    Mutant(
        name="twice-the-bound",
        breaks="A bounded read is not older than its bound.",
        edits=(Edit("cache/query_cache.py", "if age_s <= bound_s:", "if age_s <= 2 * bound_s:"),),
        engines=POSTGRESQL,
    ),
)
