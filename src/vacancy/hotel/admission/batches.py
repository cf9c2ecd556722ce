"""Runs admission for many callers: who comes while a batch is being written joins the next one.

A batch takes whoever waits, of whatever property. Two may be under way on PostgreSQL: while the
server works on one, we make up the other. SQLite has one writer, and so one batch. Should a batch
wait too long for a lock, its properties go on apart: a stuck hotel holds up the others by that time
and no longer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import Context
from time import perf_counter_ns

import msgspec

from vacancy.contracts.guard import Mode, watched
from vacancy.db.database import Database, Repeat, Transaction
from vacancy.errors import Conflict, Internal, Invalid, Refusal, Unavailable, VacancyError
from vacancy.hotel.admission.decide import decide, replay
from vacancy.hotel.admission.load import list_due_holds, load_state
from vacancy.hotel.admission.record import AdmissionRecord
from vacancy.hotel.admission.requests import Outcome, Request, nights_touched
from vacancy.hotel.admission.write import write_changes
from vacancy.hotel.statements.admission_state import GET_ANSWERS

SPOILED: tuple[type[VacancyError], ...] = (Conflict, Invalid, Internal)
"""Errors of a write that one request may have caused; the others then go on without it."""


BATCH_STATEMENTS = 16
"""Six to read what is decided on, ten to write it, however many requests share the batch."""

LOOKS = 3
"""So often a batch begins again because holds have come to their end. Where they end one by one,
within milliseconds, it would run out of attempts; who finds no room after that is told so."""


class Limits(msgspec.Struct, frozen=True):
    """How much admission takes on."""

    batch_requests: int = 256
    batch_nights: int = 4_096
    queue_requests: int = 4_096
    """When it is full, the answer is 503 and nothing is done."""
    wait_s: float = 10.0
    """A request that has not been taken into a batch by then is never executed."""
    batches_at_once: int = 2
    """Each on a connection of its own (PostgreSQL)."""


class _Ticket:
    """One caller's place in the queue."""

    __slots__ = ("answered", "came_at_ns", "request", "timer")

    def __init__(self, request: Request, answered: asyncio.Future[Outcome]) -> None:
        self.request = request
        self.answered = answered
        self.came_at_ns = perf_counter_ns()
        self.timer: asyncio.TimerHandle | None = None

    def answer(self, outcome: Outcome) -> None:
        # A caller that gave up is not told; what was committed for it stands.
        if not self.answered.done():
            self.answered.set_result(outcome)

    def fail(self, error: VacancyError) -> None:
        if not self.answered.done():
            self.answered.set_exception(error)


class Admission:
    """The one path to inventory for one process and event loop."""

    def __init__(
        self,
        db: Database,
        next_id: Callable[[], int],
        limits: Limits | None = None,
        *,
        guard: Mode = "raise",
    ) -> None:
        self._db = db
        self._next_id = next_id
        self._limits = limits or Limits()
        self._guard = guard
        self._record = AdmissionRecord()
        self._queue: deque[_Ticket] = deque()
        self._drains: set[asyncio.Task[None]] = set()
        self._poised = False
        """One drain is about to take: whoever comes now is in its batch."""
        self._width = self._limits.batches_at_once if db.engine == "postgresql" else 1

    async def submit(self, request: Request) -> Outcome:
        """Queues the request and waits for its outcome, which is known after the commit.

        Raises `Unavailable`: QUEUE_FULL, DEADLINE_PASSED (never executed), or what the database
        says. A refusal is an outcome, not an exception.
        """
        limits = self._limits
        if len(self._queue) >= limits.queue_requests:
            self._record.refuse("QUEUE_FULL")
            raise Unavailable(
                "QUEUE_FULL",
                f"{len(self._queue)} requests are waiting already; the limit is"
                f" {limits.queue_requests}.",
                hint="Nothing was done. Try again in a second.",
            )
        loop = asyncio.get_running_loop()
        ticket = _Ticket(request, loop.create_future())
        ticket.timer = loop.call_later(limits.wait_s, self._give_up, ticket)
        self._queue.append(ticket)
        self._start()
        try:
            outcome = await ticket.answered
        except VacancyError as error:
            self._record.refuse(error.code)
            raise
        if isinstance(outcome.answer, Refusal):
            self._record.refuse(outcome.answer.code)
        return outcome

    def record(self) -> AdmissionRecord:
        """What was done since the start, and how many wait now."""
        self._record.waiting = len(self._queue)
        return self._record

    async def finish(self) -> None:
        """Waits until everything that was accepted is answered."""
        while self._drains:
            await asyncio.wait(self._drains)

    def _give_up(self, ticket: _Ticket) -> None:
        ticket.fail(
            Unavailable(
                "DEADLINE_PASSED",
                f"The request waited for over {self._limits.wait_s} s and was not executed.",
                hint="Try again; the same Idempotency-Key may be used.",
            )
        )

    def _start(self) -> None:
        if not self._poised and len(self._drains) < self._width:
            self._poised = True
            # In a context of its own: a batch is not the affair of the request that began it.
            drain = asyncio.get_running_loop().create_task(self._drain(), context=Context())
            self._drains.add(drain)

    async def _drain(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            await self._run()
            while self._queue and not self._poised:
                self._poised = True
                await self._run()
        finally:
            # At once, not in a callback: whoever submits next must find the place free.
            self._drains.discard(task)

    async def _run(self) -> None:
        """One batch, taken when the database's turn is ours and not before: the longer the wait
        for the turn, the more requests share it."""
        taken: list[_Ticket] = []
        taken_at_ns = 0
        looks: list[set[int]] = []

        async def unit(tx: Transaction) -> list[Outcome]:
            nonlocal taken_at_ns
            if not taken:
                taken.extend(self._take())
                taken_at_ns = perf_counter_ns()
                for ticket in taken:
                    self._record.add_wait(taken_at_ns - ticket.came_at_ns)
            return await self._judge(tx, taken, looks)

        try:
            outcomes = await self._db.transact(unit, wait_s=self._limits.wait_s)
        except Exception as error:  # noqa: BLE001 - whatever it is, every caller gets an answer
            if taken:
                await self._fail(taken, error)
            else:  # the transaction did not begin: those who wait in vain are told why
                for ticket in self._take():
                    ticket.fail(_ours(error))
        else:
            for ticket, outcome in zip(taken, outcomes, strict=True):
                ticket.answer(outcome)
        finally:
            if taken:
                self._record.add_batch(len(taken), perf_counter_ns() - taken_at_ns)

    def _take(self) -> list[_Ticket]:
        """The next batch. From here on its requests are executed, whoever gives up."""
        taken: list[_Ticket] = []
        nights = 0
        while self._queue and len(taken) < self._limits.batch_requests:
            touched = nights_touched(self._queue[0].request)
            if taken and nights + touched > self._limits.batch_nights:
                break
            ticket = self._queue.popleft()
            if ticket.timer is not None:
                ticket.timer.cancel()
            if not ticket.answered.done():
                nights += touched
                taken.append(ticket)
        self._poised = False
        if self._queue:
            self._start()
        return taken

    async def _judge(
        self, tx: Transaction, tickets: Sequence[_Ticket], looks: list[set[int]]
    ) -> list[Outcome]:
        """Judges the requests and writes what follows. Raises `Repeat` when holds stand in their
        way whose time is over: they are then in `looks`, to be locked before any night."""
        requests = [ticket.request for ticket in tickets]
        due_holds: set[int] = set().union(*looks)
        if not requests:
            return []
        with watched("a batch of admission", BATCH_STATEMENTS, self._guard):
            state = await load_state(tx, requests, due_holds)
            outcomes, changes = decide(state, requests, self._next_id)
            # Only where somebody finds no room: seldom, and looking costs a twentieth of a batch.
            if len(looks) < LOOKS and any(map(_is_short, outcomes)):
                in_the_way = set(await list_due_holds(tx, requests, state)) - due_holds
                if in_the_way:
                    looks.append(in_the_way)
                    raise Repeat("holds whose time is over stand in the way")
            await write_changes(tx, changes)
        return outcomes

    async def _fail(self, tickets: Sequence[_Ticket], error: Exception) -> None:
        """Nothing of this batch was written, unless the commit itself was cut off."""
        error = _ours(error)
        if error.code == "OUTCOME_UNKNOWN":
            await self._look_up(tickets, error)
        elif isinstance(error, SPOILED) and len(tickets) > 1:
            middle = len(tickets) // 2
            for half in (tickets[:middle], tickets[middle:]):
                await self._run_again(half)
        elif error.code == "DATABASE_BUSY" and len(apart := _by_property(tickets)) > 1:
            await asyncio.gather(*(self._run_again(group) for group in apart))
        else:
            for ticket in tickets:
                ticket.fail(error)

    async def _run_again(self, tickets: Sequence[_Ticket]) -> None:
        try:
            looks: list[set[int]] = []
            outcomes = await self._db.transact(lambda tx: self._judge(tx, tickets, looks))
        except Exception as error:  # noqa: BLE001
            await self._fail(tickets, error)
        else:
            for ticket, outcome in zip(tickets, outcomes, strict=True):
                ticket.answer(outcome)

    async def _look_up(self, tickets: Sequence[_Ticket], error: VacancyError) -> None:
        """The keys tell whether the commit happened; where there is none, nobody can."""
        names = {
            (ticket.request.actor.user_id, ticket.request.idempotency.key)
            for ticket in tickets
            if ticket.request.actor and ticket.request.idempotency
        }
        try:
            stored = await self._db.fetch_set(GET_ANSWERS, sorted(names)) if names else []
            if stored:  # the commit is there, and nothing older may be shown once we say so
                await self._db.settle()
        except VacancyError:
            stored = []
        answers = {(answer.user_id, answer.key): answer for answer in stored}
        for ticket in tickets:
            request = ticket.request
            answer = (
                answers.get((request.actor.user_id, request.idempotency.key))
                if request.actor and request.idempotency
                else None
            )
            if answer is None or request.idempotency is None:
                ticket.fail(error)
            else:
                ticket.answer(replay(answer, request.idempotency.request_sha256))


def _ours(error: Exception) -> VacancyError:
    if isinstance(error, VacancyError):
        return error
    if isinstance(error, Repeat):
        return Unavailable(
            "DATABASE_BUSY",
            f"Others changed again and again what was to be decided on ({error}).",
            hint="Nothing was done. Try again; the same Idempotency-Key may be used.",
        )
    return Internal("BATCH_FAILED", f"{type(error).__name__}: {error}")


def _is_short(outcome: Outcome) -> bool:
    answer = outcome.answer
    return (
        isinstance(answer, Refusal)
        and answer.code == "INSUFFICIENT_INVENTORY"
        and not outcome.replayed
    )


def _by_property(tickets: Sequence[_Ticket]) -> list[list[_Ticket]]:
    groups: dict[str, list[_Ticket]] = {}
    for ticket in tickets:
        groups.setdefault(ticket.request.property, []).append(ticket)
    return list(groups.values())
