"""One thread that runs one thing after the other, and that a process need not wait for to end.

The library's own thread pool joins its threads when the interpreter ends. A thread that waits for
another process's turn to write would keep a command, which has long said that it gave up, for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import SimpleQueue
from threading import Thread
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class WriterThread(Executor):
    """Runs what is submitted, in order. The thread begins with the first work there is."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread: Thread | None = None

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - it belongs to whoever asked
                future.set_exception(error)
            else:
                future.set_result(result)

        if self._thread is None:
            self._thread = Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        self._work.put(work)
        return future

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work()

    def shutdown(self, wait: bool = True, **_: Any) -> None:
        """Lets the thread end after what was submitted; waits for that unless told not to."""
        self._work.put(None)
        if wait and self._thread is not None:
            self._thread.join()
