"""The whole corpus of schema mutants."""

from __future__ import annotations

from tests.index_advice.mutant import Mutant
from tests.index_advice.mutants_declared import DECLARED_MUTANTS
from tests.index_advice.mutants_extra import EXTRA_MUTANTS
from tests.index_advice.mutants_shapes import SHAPE_MUTANTS
from tests.index_advice.mutants_state import STATE_MUTANTS
from vacancy.db.statement import Engine

MUTANTS: tuple[Mutant, ...] = (
    *DECLARED_MUTANTS,
    *SHAPE_MUTANTS,
    *EXTRA_MUTANTS,
    *STATE_MUTANTS,
)


def mutants_on(engine: Engine) -> list[Mutant]:
    """Those that are a fault there."""
    return [mutant for mutant in MUTANTS if engine in mutant.engines]
