"""Asks all workers of the server of a data directory at once, and names those that say nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from vacancy.errors import Misconfigured, Missing, Refusal
from vacancy.web.run_folder import is_alive, living_pids, run_folder, short_address, socket_of

T = TypeVar("T")

WAIT_S = 2.0
"""How long a worker may take; longer, and it is named as one that says nothing."""
_MAX_ANSWER_BYTES = 16 * 1024 * 1024
_TRY_EVERY_S = 0.02


class Answered(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """A worker's answer."""

    pid: int
    uptime_s: float
    answer: T


class Silent(msgspec.Struct, frozen=True, kw_only=True):
    """A worker that lives and gave no answer."""

    pid: int
    why: str


class _Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker writes; see `worker_socket.Told`."""

    pid: int
    uptime_s: float
    answer: msgspec.Raw = msgspec.Raw()
    refusal: Refusal | None = None


async def ask_workers(
    data_dir: str, question: str, kind: type[T], *, wait_s: float = WAIT_S
) -> list[Answered[T] | Silent]:
    """What each living worker says, by number; `kind` is the type of the answer.

    Raises `Missing` SERVER_NOT_RUNNING where there is none, and `Misconfigured` DATA_DIR_UNUSABLE
    where we may not look.
    """
    found = await ask_others(data_dir, question, kind, wait_s=wait_s)
    if not found:
        raise Missing(
            "SERVER_NOT_RUNNING",
            f"No server runs with the data directory {Path(data_dir).absolute()}.",
            hint="Start one with `vacancy serve`, or name the data directory of the one that runs"
            " with --data-dir.",
        )
    return found


async def ask_others(
    data_dir: str, question: str, kind: type[T], *, but: int = 0, wait_s: float = WAIT_S
) -> list[Answered[T] | Silent]:
    """What each living worker says but the one of that number; there may be none.

    Raises `Misconfigured` DATA_DIR_UNUSABLE where we may not look.
    """
    folder = run_folder(data_dir)
    try:
        pids = [pid for pid in living_pids(folder) if pid != but]
        asked = await asyncio.gather(*(_ask(folder, pid, question, kind, wait_s) for pid in pids))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise Misconfigured(
            "DATA_DIR_UNUSABLE",
            f"The folder {folder} cannot be used: {error.strerror or error}.",
            hint="Run the command as the user that the server runs as.",
        ) from None
    return [one for one in asked if one is not None]


async def _ask(
    folder: Path, pid: int, question: str, kind: type[T], wait_s: float
) -> Answered[T] | Silent | None:
    """None where the worker has gone meanwhile."""
    line, why = b"", "it hung up without an answer"
    try:
        async with asyncio.timeout(wait_s):
            line = await _exchange(folder, pid, msgspec.json.encode({"ask": question}) + b"\n")
    except TimeoutError:
        return Silent(pid=pid, why=f"no answer within {wait_s:g} s")
    except OSError as error:
        why = f"it cannot be reached: {error.strerror or error}"
    except ValueError as error:
        why = str(error)
    if not line.endswith(b"\n"):
        return Silent(pid=pid, why=why) if is_alive(folder, pid) else None
    try:
        told = msgspec.json.decode(line, type=_Told)
        if told.refusal is not None:
            return Silent(pid=pid, why=told.refusal.detail)
        answer = msgspec.json.decode(told.answer, type=kind)
    except msgspec.DecodeError as error:
        return Silent(pid=pid, why=f"it is of another version: {error}")
    return Answered(pid=pid, uptime_s=told.uptime_s, answer=answer)


async def _exchange(folder: Path, pid: int, line: bytes) -> bytes:
    """Says a line and hears one; nothing when the worker is gone."""
    while True:
        try:
            with short_address(socket_of(folder, pid)) as address:
                reader, writer = await asyncio.open_unix_connection(
                    address, limit=_MAX_ANSWER_BYTES
                )
            break
        except (FileNotFoundError, ConnectionRefusedError):
            # It begins to listen in a moment, or is about to end.
            if not is_alive(folder, pid):
                return b""
            await asyncio.sleep(_TRY_EVERY_S)
    try:
        writer.write(line)
        await writer.drain()
        return await reader.readline()
    finally:
        writer.close()
