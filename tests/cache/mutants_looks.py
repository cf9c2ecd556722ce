"""Mutants of looks: when one is made, whom it answers for, and for how long."""

from __future__ import annotations

from tests.cache.mutant import POSTGRESQL, SQLITE, Edit, Mutant

LOOKS = "cache/looks.py"
QUERY_CACHE = "cache/query_cache.py"
SCOPES = "cache/scopes.py"
DATABASE = "db/postgres/database.py"

LOOK_MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        name="fills-do-not-hold-up-a-settle",
        breaks="A query that began before a commit of its own process is not stored after it.",
        edits=(
            Edit(
                QUERY_CACHE,
                "return not len(self._store) and self._fills.are_idle()",
                "return not len(self._store)",
            ),
        ),
        engines=POSTGRESQL,
    ),
    Mutant(
        name="a-look-for-latecomers",
        breaks="A look answers for those who asked before it began, and for nobody else.",
        edits=(
            Edit(
                LOOKS,
                "            self._next = None\n            sent_at = self._clock()",
                "            sent_at = self._clock()",
            ),
            Edit(
                LOOKS,
                "        self._tasks.discard(task)\n",
                "        self._tasks.discard(task)\n        self._next = None\n",
            ),
        ),
        engines=POSTGRESQL,
    ),
    Mutant(
        name="bounded-where-strict-is-promised",
        breaks="A strict read is never older than its own beginning.",
        edits=(
            Edit(
                "cache/reader.py",
                "self.bound_s = cached.bound_ms / 1000",
                "self.bound_s = max(cached.bound_ms, 250) / 1000",
            ),
        ),
        engines=POSTGRESQL,
    ),
    Mutant(
        name="the-bound-is-never-checked",
        breaks="A bounded read is not older than its bound.",
        edits=(
            Edit(
                QUERY_CACHE,
                "if age_s <= bound_s:",
                "if looks.sent_at > float('-inf'):",
            ),
        ),
        engines=POSTGRESQL,
    ),
    Mutant(
        name="sent-when-it-came-back",
        breaks="The age of what is stored counts from when the look was sent.",
        edits=(
            Edit(
                LOOKS,
                "            self.sent_at = sent_at",
                "            self.sent_at = self._clock()",
            ),
        ),
        engines=POSTGRESQL,
    ),
    Mutant(
        name="a-clock-that-stands-still",
        breaks="The bound goes on while the process is stopped.",
        edits=(
            Edit(
                QUERY_CACHE,
                '_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)',
                "_CLOCK = time.CLOCK_PROCESS_CPUTIME_ID",
            ),
        ),
        engines=POSTGRESQL,
    ),
    Mutant(
        name="a-clock-that-is-set",
        breaks="The bound is measured by a clock that nobody sets.",
        edits=(Edit(QUERY_CACHE, "return time.clock_gettime(_CLOCK)", "return time.time()"),),
        engines=POSTGRESQL,
    ),
    Mutant(
        name="settled-before-the-commit",
        breaks="A commit is acknowledged after a look that began after it.",
        edits=(
            Edit(
                DATABASE,
                "            if has_changed:\n                await self.settle()\n",
                "",
            ),
            Edit(
                DATABASE,
                '        try:\n            await connection.execute("COMMIT")',
                "        if session.has_changed:\n            await self.settle()\n"
                '        try:\n            await connection.execute("COMMIT")',
            ),
        ),
        engines=POSTGRESQL,
    ),
    Mutant(
        name="own-commits-are-not-settled",
        breaks="Bounded reads are exact in the process that wrote.",
        edits=(
            Edit(
                QUERY_CACHE,
                "if self.instant or self._is_empty():",
                "if True:",
            ),
        ),
        engines=POSTGRESQL,
    ),
    Mutant(
        name="several-sets-are-no-change",
        breaks="Every way of changing rows is followed by a look.",
        edits=(
            Edit(
                DATABASE,
                "tuple(same))\n        self.has_changed = True\n",
                "tuple(same))\n",
            ),
        ),
        engines=POSTGRESQL,
    ),
    Mutant(
        name="a-failed-look-is-a-look",
        breaks="A look that fails empties the store, and reads go to the database.",
        edits=(
            Edit(
                LOOKS,
                "the one who looks has told of it\n            return False",
                "the one who looks has told of it\n            return True",
            ),
            Edit(
                QUERY_CACHE,
                'self.clear(f"the database could not',
                'str(f"the database could not',
            ),
        ),
        engines=POSTGRESQL,
    ),
    Mutant(
        name="a-failed-look-is-a-look-on-sqlite",
        breaks="A look that fails empties the store, and reads go to the database.",
        edits=(
            Edit(
                QUERY_CACHE,
                "if BYPASS.get() or IN_UNIT.get() or not self._look_now():",
                "if BYPASS.get() or IN_UNIT.get() or self._look_now() is None:",
            ),
            Edit(
                QUERY_CACHE,
                'self.clear(f"the database could not',
                'str(f"the database could not',
            ),
        ),
        engines=SQLITE,
    ),
    Mutant(
        name="rest-is-trust",
        breaks="Nothing is answered from the store while looks fail.",
        edits=(
            Edit(
                LOOKS, "< REST_S:\n            return False", "< REST_S:\n            return True"
            ),
        ),
        engines=POSTGRESQL,
    ),
    Mutant(
        name="a-scope-without-an-end",
        breaks="One look is enough inside `one_look`, and nowhere else.",
        edits=(
            Edit(
                SCOPES,
                "        scope.is_over = True\n        SCOPE.reset(token)",
                "        pass",
            ),
        ),
        engines=POSTGRESQL,
    ),
    Mutant(
        name="a-scope-goes-back",
        breaks="Who has read past the store in a scope is not led back behind it.",
        edits=(Edit(QUERY_CACHE, "            scope.looked.discard(self)", "            pass"),),
        engines=POSTGRESQL,
    ),
)

SECOND_LINES: tuple[Mutant, ...] = (
    # When the look after a commit fails, the failure itself has emptied the store and what is being
    # filled; until a look succeeds nothing is stored, and it sees the commit or began in the rest
    # before it, with an empty store.
    Mutant(
        name="a-failed-settle-is-forgotten",
        breaks="When the look after a commit fails, no look from before the commit counts.",
        edits=(
            Edit(QUERY_CACHE, 'self.clear("the database could not', 'str("the database could not'),
        ),
        engines=POSTGRESQL,
    ),
)
"""Faults behind which another line holds: nobody can tell them from outside. They are here so that
nobody takes them for forgotten."""
