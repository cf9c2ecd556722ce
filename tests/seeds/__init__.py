"""The corpus of seeded regressions: what a change may break unseen, and the detector must name."""

from __future__ import annotations

from tests.seeds.desk_index_faults import DESK_INDEX_FAULTS
from tests.seeds.helper_faults import HELPER_FAULTS
from tests.seeds.index_faults import INDEX_FAULTS
from tests.seeds.seed import HelperFault, SchemaFault, Seed, StatementFault
from tests.seeds.statement_faults import STATEMENT_FAULTS
from tests.seeds.table_faults import TABLE_FAULTS

SCHEMA_FAULTS: tuple[SchemaFault, ...] = (*INDEX_FAULTS, *DESK_INDEX_FAULTS, *TABLE_FAULTS)
ALL: tuple[Seed, ...] = (*SCHEMA_FAULTS, *STATEMENT_FAULTS, *HELPER_FAULTS)

__all__ = [
    "ALL",
    "HELPER_FAULTS",
    "SCHEMA_FAULTS",
    "STATEMENT_FAULTS",
    "HelperFault",
    "SchemaFault",
    "Seed",
    "StatementFault",
]
