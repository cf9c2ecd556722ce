"""The checks of `contracts` on one database of each kind, for tests that break things under them.

One empty database, which its planner takes to be of full size, for the statements; one with hotels
of 1, 10, 100 and 1,000 of everything for the helpers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from tests.scaled import Asked, calls_at, make_scaled
from tests.seeds import HelperFault, SchemaFault, Seed, StatementFault
from tests.seeds.seed import broken_helper, broken_statement, statements_by_name
from tests.shape import Shape, open_shape
from vacancy.bootstrap import House, open_house
from vacancy.config import Settings
from vacancy.contracts.access import check_statement
from vacancy.contracts.contract import Contract, contract_of
from vacancy.contracts.finding import Finding
from vacancy.contracts.measure import check_helper
from vacancy.db.statement import AnyStatement
from vacancy.db.witness import Witness
from vacancy.errors import VacancyError
from vacancy.hotel import queries
from vacancy.hotel.migrating import migrate_database
from vacancy.hotel.wiring import CONTRACTS

Calls = dict[str, list[tuple[int, Asked]]]
"""Every way to call a helper, at every size, by `helper/variant`."""


class Detector:
    """Asks one engine. The statements' database stays as it is: what breaks it is undone."""

    def __init__(self, shape: Shape, house: House, calls: Calls) -> None:
        self.house = house
        self.engine = house.db.engine
        self._shape = shape
        self._calls = calls
        self._witness: Witness | None = None

    async def find_in_statements(self, statements: Iterable[AnyStatement]) -> list[Finding]:
        """What does not hold of these statements."""
        if self._witness is None:
            self._witness = await self._shape.look()
        return [
            finding
            for statement in statements
            for finding in await check_statement(self._witness, statement)
        ]

    async def find_in_helper(self, contract: Contract) -> list[Finding]:
        """What does not hold of a helper, in each way to call it, over all sizes."""
        found = []
        for variant, calls in self._calls.items():
            if variant.partition("/")[0] == contract.name:
                fitting = [(size, call) for size, call in calls if call.fits(contract.helper)]
                found += (await check_helper(self.house.db, contract, fitting))[1]
        return found

    async def find(self, seed: Seed) -> list[Finding]:
        """What is found while the seed is in the tree."""
        if isinstance(seed, SchemaFault):
            return await self._find_in_schema(seed)
        if isinstance(seed, StatementFault):
            with broken_statement(seed) as statement:
                found = await self.find_in_statements([statement])
                if found:
                    return found  # it may not even run
                for contract in CONTRACTS:
                    if statement in contract.uses:
                        found += await self.find_in_helper(contract)
                return found
        assert isinstance(seed, HelperFault)
        with broken_helper(seed):
            try:
                contract = contract_of(getattr(queries, seed.at))
            except VacancyError as error:
                return [
                    Finding(
                        kind="NO_CONTRACT",
                        subject=seed.at,
                        engine=self.engine,
                        sentence=error.detail,
                    )
                ]
            return await self.find_in_helper(contract)

    async def _find_in_schema(self, fault: SchemaFault) -> list[Finding]:
        async with self._shape.broken(fault) as witness:
            return await check_statement(witness, statements_by_name()[fault.at])


@asynccontextmanager
async def open_detector(shape_url: str, scaled_url: str) -> AsyncIterator[Detector]:
    """On two empty databases of one engine."""
    await migrate_database(scaled_url)
    settings = Settings(database_url=scaled_url, env="test")
    async with open_house(settings) as house, open_shape(shape_url) as shape:
        calls: Calls = {}
        for scaled in await make_scaled(house):
            for variant, call in calls_at(scaled).items():
                calls.setdefault(variant, []).append((scaled.size, call))
        yield Detector(shape, house, calls)
