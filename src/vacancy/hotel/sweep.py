"""Upkeep beside the requests: ends holds whose time is over, forgets old idempotency keys, keeps
the log of changes short.

Every process sweeps. Admission locks each booking and changes it only from the status it has, so
however many sweep at once, a hold ends once.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from vacancy.db.change_log import prune_log
from vacancy.db.database import Database, Transaction
from vacancy.errors import VacancyError
from vacancy.hotel.admission.batches import Admission
from vacancy.hotel.booking import change_status
from vacancy.hotel.statements import upkeep as sql

INTERVAL_S = 1.0
_KEYS_EVERY = 60
_log = logging.getLogger(__name__)


class Sweep:
    """One process's upkeep."""

    def __init__(self, db: Database, admission: Admission, *, keep_h: int) -> None:
        self._db = db
        self._admission = admission
        self._keep = timedelta(hours=keep_h)

    async def run(self) -> None:
        """Sweeps every second until it is cancelled. A database that is away is asked again."""
        round_number = 0
        while True:
            try:
                while await self.expire_holds() == sql.AT_ONCE:
                    pass
                while await prune_log(self._db):
                    pass
                if round_number % _KEYS_EVERY == 0:
                    while await self.forget_keys() == sql.AT_ONCE:
                        pass
            except VacancyError as error:
                _log.warning("sweep: %s", error)
            except Exception:  # noqa: BLE001 - a sweep that died would let every hold stay
                _log.exception("sweep")
            round_number += 1
            await asyncio.sleep(INTERVAL_S)

    async def expire_holds(self) -> int:
        """Ends the holds that are due now; answers how many were found."""
        due = await self._db.fetch_all(sql.LIST_DUE, now=self._db.clock())
        # A refusal here means that someone else has ended it meanwhile: just what we want.
        await asyncio.gather(
            *(
                change_status(self._admission, "expire", hold.id, hold.property, None)
                for hold in due
            )
        )
        return len(due)

    async def forget_keys(self) -> int:
        """Deletes some of the answers that are older than they need be kept."""

        async def unit(tx: Transaction) -> int:
            return await tx.execute(sql.DELETE_OLD_KEYS, before=tx.now - self._keep)

        return await self._db.transact(unit)
