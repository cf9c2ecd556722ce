"""A TCP proxy between us and PostgreSQL that loses connections at the worst moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

CutAt = Literal["never", "before", "after", "silent"]
COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"
"""The message of PostgreSQL's protocol: a simple query, its length, its text."""


class Proxy:
    """Passes everything on until it is told to cut.

    `cut_at` "before": the next COMMIT never reaches the server. "after": the server commits and
    its answer is lost. "silent": the next COMMIT is swallowed and nothing is heard from then on, as
    when a firewall drops every packet. `cut_in`: after so many messages of ours, wherever that is.
    Each happens once. While `away`, nobody is let in.
    """

    def __init__(self, host: str, port: int) -> None:
        self.cut_at: CutAt = "never"
        self.cut_in: int | None = None
        self.away_after_cut = False
        self.away = False
        self.cuts = 0
        self._host = host
        self._port = port
        self._links: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._passing = asyncio.Event()
        self._passing.set()

    def fall_silent(self) -> None:
        """Nothing passes in either direction, and nobody is told; new connections too."""
        self._passing.clear()

    def speak_again(self) -> None:
        """Ends the silence. What came in it passes late."""
        self._passing.set()

    def take_away(self) -> None:
        """Cuts all connections and lets nobody in."""
        self.away = True
        for link in self._links:
            link.transport.abort()

    def bring_back(self) -> None:
        """Lets everybody in again."""
        self.away = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.away:
            writer.transport.abort()
            return
        from_server, to_server = await asyncio.open_connection(self._host, self._port)
        self._links |= {writer, to_server}
        committing = asyncio.Event()
        down = asyncio.create_task(self._downstream(from_server, writer, committing))
        self._tasks.add(down)
        down.add_done_callback(self._tasks.discard)
        try:
            await self._upstream(reader, to_server, writer, committing)
        except ConnectionError:
            pass
        finally:
            to_server.close()
            self._links -= {writer, to_server}

    async def _upstream(
        self,
        reader: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
        to_client: asyncio.StreamWriter,
        committing: asyncio.Event,
    ) -> None:
        while data := await reader.read(65_536):
            if self.cut_in is not None:
                self.cut_in -= 1
                if self.cut_in < 0:
                    self._cut(to_client)
                    return
            if COMMIT in data and self.cut_at == "before":
                self._cut(to_client)
                return
            if COMMIT in data and self.cut_at == "after":
                committing.set()
            if COMMIT in data and self.cut_at == "silent":
                self.cuts += 1
                self.cut_at = "never"
                self.fall_silent()
            await self._passing.wait()
            to_server.write(data)
            await to_server.drain()

    async def _downstream(
        self,
        from_server: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
        committing: asyncio.Event,
    ) -> None:
        try:
            while data := await from_server.read(65_536):
                # The server answers COMMIT only when it is done: now it is certain.
                if committing.is_set():
                    self._cut(to_client)
                    return
                await self._passing.wait()
                to_client.write(data)
                await to_client.drain()
        except ConnectionError:
            pass
        finally:
            to_client.close()

    def _cut(self, to_client: asyncio.StreamWriter) -> None:
        self.cuts += 1
        self.cut_at, self.cut_in = "never", None
        self.away = self.away_after_cut
        to_client.transport.abort()

    async def finish(self) -> None:
        """Ends all connections."""
        self.speak_again()
        self.take_away()
        if self._tasks:
            await asyncio.wait(self._tasks)


@asynccontextmanager
async def proxied(url: str) -> AsyncIterator[tuple[Proxy, str]]:
    """A proxy before the server of this URL, and the same URL through it."""
    parts = urlsplit(url)
    assert parts.hostname is not None and parts.port is not None
    proxy = Proxy(parts.hostname, parts.port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    netloc = f"{parts.username}@127.0.0.1:{port}"
    try:
        # The driver would ask for TLS first, and complains on stderr when it is cut off there.
        yield proxy, urlunsplit(parts._replace(netloc=netloc, query="sslmode=disable"))
    finally:
        server.close()
        await proxy.finish()
