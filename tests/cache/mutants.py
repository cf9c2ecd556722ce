"""All mutants that the checker must catch, by theme. They were written before the checker."""

from __future__ import annotations

from tests.cache.mutant import Mutant
from tests.cache.mutants_feeds import POSTGRES_FEED_MUTANTS, SQLITE_FEED_MUTANTS
from tests.cache.mutants_looks import LOOK_MUTANTS
from tests.cache.mutants_store import STORE_MUTANTS
from tests.cache.mutants_triggers import TRIGGER_MUTANTS

MUTANTS: tuple[Mutant, ...] = (
    *STORE_MUTANTS,
    *LOOK_MUTANTS,
    *SQLITE_FEED_MUTANTS,
    *POSTGRES_FEED_MUTANTS,
    *TRIGGER_MUTANTS,
)
