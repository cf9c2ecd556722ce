"""A cheap closed-loop HTTP client: a connection sends its next request when the last is answered.

It runs in a process of its own, so that it shares no interpreter lock with the server it loads:
`python -m benchmarks.load --url http://127.0.0.1:8000/health/live --connections 64 --seconds 5`
"""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import math
import os
import subprocess
import sys
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter_ns, process_time_ns
from urllib.parse import urlsplit

import msgspec

from benchmarks.stats import NS_PER_S, Summary, summarise
from vacancy.errors import EXIT_CODE, Invalid, Unavailable, VacancyError

MakeRequest = Callable[[int], bytes]

MAX_CONNECTIONS = 1024
MAX_SECONDS = 600.0
MAX_REQUESTS = 10_000_000
MAX_HEAD_BYTES = 65_536
DRAIN_S = 5.0
CONNECT_TIMEOUT_S = 5.0
RECONNECT_PAUSE_S = 0.01


class LoadResult(msgspec.Struct, frozen=True, kw_only=True):
    """One run. Everything in it is of the measured part alone; the warm-up is forgotten.

    `summary` counts every answer, whatever its status: look at `statuses` (status to number of
    answers) before quoting it. `ok_per_s` counts answers from 200 to 299. `errors` maps a kind to a
    number: `lost` (the server closed with a request in flight), `protocol` (the answer cannot be
    read), `connect` (a reconnect failed), `unanswered` (in flight when the time to drain was over).
    `elapsed_s` runs from the first measured request to the last answer, or to the end of the time
    when that is later. `complete` says that the number of requests asked for was begun before the
    time was over. `client_cpu` is the share of one core this client used; near 1.0 the client was
    the limit, not the server.
    """

    summary: Summary
    ok_per_s: float
    statuses: dict[int, int]
    errors: dict[str, int]
    elapsed_s: float
    complete: bool
    connections: int
    client_cpu: float
    loop: str


def run(
    host: str,
    port: int,
    connections: int,
    make_request: MakeRequest,
    *,
    duration_s: float | None = None,
    requests: int | None = None,
    warmup_s: float = 0.5,
) -> LoadResult:
    """Load a server on this machine for `duration_s` or `requests`, whichever ends first.

    `make_request(n)` gives the bytes of the n-th request, warm-up included; no n comes twice. Every
    request that was sent is waited for, at most 5 s after the end, so a stall at the end counts
    like one in the middle. Raises Invalid for a host that is not this machine and for limits out
    of bounds, Unavailable when nothing listens; what `make_request` raises ends the run and is
    raised again.
    """
    address = loopback_address(host)
    _check_limits(connections, duration_s, requests, warmup_s)
    load = _Load(make_request, MAX_REQUESTS if requests is None else requests)
    seconds = MAX_SECONDS if duration_s is None else duration_s
    with asyncio.Runner(loop_factory=_new_event_loop) as runner:
        runner.run(_drive(load, address, port, connections, warmup_s, seconds))
        loop_name = type(runner.get_loop()).__module__.partition(".")[0]
    if load.failure is not None:
        raise load.failure
    # A server that falls silent before the end must not be given a shorter run for it.
    end_ns = max(load.last_answer_ns, 0 if load.begun >= load.limit else load.stop_ns)
    elapsed_ns = max(end_ns - load.measure_from_ns, 0)
    ok = sum(count for status, count in load.statuses.items() if 200 <= status < 300)
    return LoadResult(
        summary=summarise(load.durations_ns, elapsed_ns),
        ok_per_s=ok * NS_PER_S / elapsed_ns if elapsed_ns else 0.0,
        statuses=dict(sorted(load.statuses.items())),
        errors=dict(sorted(load.errors.items())),
        elapsed_s=elapsed_ns / NS_PER_S,
        complete=requests is None or load.begun == requests,
        connections=connections,
        client_cpu=load.cpu_ns / load.wall_ns if load.wall_ns else 0.0,
        loop=loop_name,
    )


def run_apart(arguments: Sequence[str]) -> LoadResult:
    """Run `python -m benchmarks.load` in a process of its own and read what it prints.

    Raises Unavailable with that process's own words when it fails.
    """
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load", *arguments],
        cwd=Path(__file__).resolve().parent.parent,
        capture_output=True,
        timeout=2 * MAX_SECONDS + 60,
        check=False,
    )
    if done.returncode:
        raise Unavailable(
            "LOAD_FAILED",
            f"The load ended with exit code {done.returncode}: "
            + done.stderr.decode(errors="replace").strip(),
            hint="Mend what it names and run the bench again.",
        )
    return msgspec.json.decode(done.stdout, type=LoadResult)


def loopback_address(host: str) -> str:
    """The address to connect to, for a host that is this machine; Invalid for any other.

    Names are not looked up: `localhost` means 127.0.0.1.
    """
    if host == "localhost":
        return "127.0.0.1"
    try:
        is_loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise Invalid(
            "LOAD_HOST_REFUSED",
            f"{host!r} is not a loopback address, and this client loads its own machine only.",
            hint="Start the server on 127.0.0.1 and give that address.",
        )
    return host


def request_maker(
    method: str,
    urls: Sequence[str],
    headers: Sequence[str] = (),
    bodies: Sequence[str] = (),
    run_label: str = "0",
) -> MakeRequest:
    """A `make_request` from templates: `{n}` becomes the request's number, `{run}` the run's label.

    Both may stand in a URL's path and query, in a header ("Name: value") and in a body. Several
    URLs or bodies are taken in turn, the i-th body with the i-th URL; a list of one goes with all
    of the other list. Raises Invalid when both lists have several entries and differ in length.
    """
    if len(urls) > 1 and len(bodies) > 1 and len(urls) != len(bodies):
        raise Invalid(
            "LOAD_TEMPLATES_UNEQUAL",
            f"{len(urls)} URLs and {len(bodies)} bodies cannot be taken in turn.",
            hint="Give one of the two once, or both equally often.",
        )
    count = max(len(urls), len(bodies))
    makers = [
        _template_maker(
            method,
            urls[position % len(urls)],
            headers,
            bodies[position % len(bodies)] if bodies else "",
            run_label,
        )
        for position in range(count)
    ]
    if count == 1:
        return makers[0]
    return lambda n: makers[n % count](n)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one load and print its LoadResult as a line of JSON; refused: the reason on stderr."""
    options = _parser().parse_args(arguments)
    try:
        host, port = _server_of(options.url)
        make_request = request_maker(
            options.method, options.url, options.header, options.body_template, options.run
        )
        result = run(
            host,
            port,
            options.connections,
            make_request,
            duration_s=options.seconds,
            requests=options.requests,
            warmup_s=options.warmup,
        )
    except VacancyError as error:
        sys.stderr.write(f"{error} {error.hint}\n")
        return EXIT_CODE[type(error)]
    sys.stdout.write(msgspec.json.encode(result).decode() + "\n")
    return 0


class _Load:
    """What all connections of one run share."""

    def __init__(self, make_request: MakeRequest, limit: int) -> None:
        self.make_request = make_request
        self.limit = limit
        self.next_n = 0
        self.begun = 0
        self.measure_from_ns = 0
        self.stop_ns = 0
        self.last_answer_ns = 0
        self.cpu_ns = 0
        self.wall_ns = 0
        self.failure: Exception | None = None
        # Eight bytes each: ten million of them fit where a list of ints would take some 400 MB.
        self.durations_ns = array("q")
        self.statuses: Counter[int] = Counter()
        self.errors: Counter[str] = Counter()

    def is_over(self, now_ns: int) -> bool:
        return now_ns >= self.stop_ns or self.begun >= self.limit


class _Connection(asyncio.Protocol):
    """One kept-alive connection with at most one request in flight.

    `ended` is resolved when it has no more to do (True) or when it is lost and may be replaced
    (False).
    """

    def __init__(self, load: _Load, ended: asyncio.Future[bool]) -> None:
        self.load = load
        self.ended = ended
        self.transport: asyncio.Transport | None = None
        self.head = b""
        self.status = 0
        self.missing_bytes = 0
        self.sent_ns = 0
        self.in_flight = False
        self.is_measured = False
        self.is_closing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass of asyncio's: nothing to check at run time.
        self.transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        if self.in_flight:
            self.fail("lost")
        self.end(finished=False)

    def send_next(self) -> None:
        load = self.load
        now_ns = perf_counter_ns()
        transport = self.transport
        if load.is_over(now_ns):
            self.end(finished=True)
            return
        if transport is None or transport.is_closing():
            self.end(finished=False)
            return
        self.is_measured = now_ns >= load.measure_from_ns
        if self.is_measured:
            load.begun += 1
        try:
            request = load.make_request(load.next_n)
        except Exception as error:  # noqa: BLE001 - run() raises it again
            # The event loop would log it and go on, and the run could end with fine figures.
            load.failure = error
            load.stop_ns = 0
            self.end(finished=True)
            return
        load.next_n += 1
        self.in_flight = True
        self.sent_ns = perf_counter_ns()
        transport.write(request)

    def data_received(self, data: bytes) -> None:
        if self.missing_bytes:
            self.missing_bytes -= len(data)
            if self.missing_bytes == 0:
                self.answered()
            elif self.missing_bytes < 0:
                self.refuse()
            return
        if self.head:
            data = self.head + data
        head_end = data.find(b"\r\n\r\n")
        if head_end < 0:
            self.head = data
            if len(data) > MAX_HEAD_BYTES:
                self.refuse()
            return
        self.head = b""
        # One lower-casing and three searches are all the parsing there is: the client must stay
        # cheaper than any server it loads.
        head = data[:head_end].lower()
        status = int(head[9:12]) if head.startswith(b"http/1.") and head[9:12].isdigit() else 0
        if not self.in_flight or status < 200:
            self.refuse()
            return
        length = head.find(b"\r\ncontent-length:")
        if length >= 0:
            digits = head[length + 17 :].partition(b"\r\n")[0].strip()
            if not digits.isdigit():
                self.refuse()
                return
            body_bytes = int(digits)
        elif status in (204, 304):
            body_bytes = 0
        else:
            self.refuse()
            return
        self.status = status
        self.is_closing = b"\r\nconnection: close" in head
        self.missing_bytes = body_bytes - (len(data) - head_end - 4)
        if self.missing_bytes == 0:
            self.answered()
        elif self.missing_bytes < 0:
            self.refuse()

    def answered(self) -> None:
        now_ns = perf_counter_ns()
        self.in_flight = False
        if self.is_measured:
            load = self.load
            load.durations_ns.append(now_ns - self.sent_ns)
            load.statuses[self.status] += 1
            load.last_answer_ns = now_ns
        if self.is_closing and self.transport is not None:
            self.transport.close()
            return
        self.send_next()

    def refuse(self) -> None:
        """Give up a connection whose bytes make no sense; nor would what follows on it."""
        self.fail("protocol")
        self.missing_bytes = 0
        self.abort()

    def fail(self, kind: str) -> None:
        self.in_flight = False
        if self.is_measured:
            self.load.errors[kind] += 1

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def end(self, *, finished: bool) -> None:
        if not self.ended.done():
            self.ended.set_result(finished)


def _new_event_loop() -> asyncio.AbstractEventLoop:
    """uvloop's where it is installed; Windows has none, and the result names the loop."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


async def _drive(
    load: _Load, address: str, port: int, connections: int, warmup_s: float, seconds: float
) -> None:
    opened: list[_Connection] = []
    try:
        for _ in range(connections):
            opened.append(await _connect(load, address, port))
    except OSError as error:
        for connection in opened:
            connection.abort()
        raise Unavailable(
            "LOAD_NO_SERVER",
            f"Connection {len(opened) + 1} of {connections} to {address} port {port} was not "
            f"accepted within {CONNECT_TIMEOUT_S:g} s: {str(error) or type(error).__name__}.",
            hint="Start the server first, or ask for fewer connections.",
        ) from error
    now_ns = perf_counter_ns()
    load.measure_from_ns = now_ns + round(warmup_s * NS_PER_S)
    load.stop_ns = load.measure_from_ns + round(seconds * NS_PER_S)
    cpu_before_ns = process_time_ns()
    slots = [
        asyncio.ensure_future(_keep_busy(load, opened, position, address, port))
        for position in range(connections)
    ]
    await asyncio.wait(slots, timeout=warmup_s + seconds + DRAIN_S)
    load.cpu_ns = process_time_ns() - cpu_before_ns
    load.wall_ns = perf_counter_ns() - now_ns
    for slot in slots:
        slot.cancel()
    await asyncio.gather(*slots, return_exceptions=True)
    for connection in opened:
        if connection.in_flight:
            connection.fail("unanswered")
        connection.abort()


async def _keep_busy(
    load: _Load, opened: list[_Connection], position: int, address: str, port: int
) -> None:
    """Keep the connection at `position` sending until the run is over; replace it when lost."""
    opened[position].send_next()
    while not await opened[position].ended:
        if load.is_over(perf_counter_ns()):
            return
        # A server that drops every connection must not make this a busy loop over all free ports.
        await asyncio.sleep(RECONNECT_PAUSE_S)
        try:
            opened[position] = await _connect(load, address, port)
        except OSError:
            if perf_counter_ns() >= load.measure_from_ns:
                load.errors["connect"] += 1
            continue
        opened[position].send_next()


async def _connect(load: _Load, address: str, port: int) -> _Connection:
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[bool] = loop.create_future()
    async with asyncio.timeout(CONNECT_TIMEOUT_S):
        _, connection = await loop.create_connection(
            lambda: _Connection(load, ended), address, port
        )
    return connection


def _template_maker(
    method: str, url: str, headers: Sequence[str], body: str, run_label: str
) -> MakeRequest:
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"{method} {target} HTTP/1.1", f"Host: {parts.netloc}"]
    if body and not any(header.lower().startswith("content-type:") for header in headers):
        lines.append("Content-Type: application/json")
    lines.extend(headers)
    for line in lines:
        if "\r" in line or "\n" in line:
            raise Invalid(
                "LOAD_HEADER_REFUSED",
                f"{line!r} has a line break.",
                hint="Give each header by itself.",
            )
    head_template = "\r\n".join(lines).replace("{run}", run_label).encode()
    body_template = body.replace("{run}", run_label).encode()
    # `{n}` cuts each template into pieces once; joining them with the digits is then the whole work
    # per request.
    head_pieces = head_template.split(b"{n}")
    body_pieces = body_template.split(b"{n}")
    fixed_bytes = sum(map(len, body_pieces))
    holes = len(body_pieces) - 1
    has_length = bool(body) or method in {"POST", "PUT", "PATCH"}

    def make_request(n: int) -> bytes:
        digits = b"%d" % n
        head = digits.join(head_pieces)
        if not has_length:
            return head + b"\r\n\r\n"
        size_bytes = fixed_bytes + holes * len(digits)
        return b"%b\r\nContent-Length: %d\r\n\r\n%b" % (head, size_bytes, digits.join(body_pieces))

    if len(head_pieces) == len(body_pieces) == 1:
        always = make_request(0)
        return lambda n: always
    return make_request


def _check_limits(
    connections: int, duration_s: float | None, requests: int | None, warmup_s: float
) -> None:
    if duration_s is None and requests is None:
        raise Invalid(
            "LOAD_LIMIT_REFUSED",
            "A load needs an end.",
            hint="Give seconds, a number of requests, or both.",
        )
    limits: list[tuple[str, float | None, float, float]] = [
        ("connections", connections, 1, MAX_CONNECTIONS),
        ("seconds", duration_s, 0.01, MAX_SECONDS),
        ("requests", requests, 1, MAX_REQUESTS),
        ("warm-up seconds", warmup_s, 0, MAX_SECONDS),
    ]
    for name, value, least, most in limits:
        if value is not None and not (math.isfinite(value) and least <= value <= most):
            raise Invalid(
                "LOAD_LIMIT_REFUSED",
                f"{name} must lie between {least:,g} and {most:,.0f}; got {value:,g}.",
                hint="Give a number within.",
            )


def _server_of(urls: Sequence[str]) -> tuple[str, int]:
    """The host and the port that all of `urls` name; Invalid when there is no such one."""
    try:
        servers = {(parts.scheme, parts.hostname, parts.port) for parts in map(urlsplit, urls)}
    except ValueError:  # urlsplit's word for a port that is no port
        servers = set()
    scheme, host, port = servers.pop() if len(servers) == 1 else ("", None, None)
    if scheme != "http" or not host:
        raise Invalid(
            "LOAD_URL_REFUSED",
            f"{urls[0]!r} and {len(urls) - 1} more do not name one http server.",
            hint="Give URLs such as http://127.0.0.1:8000/health/live, of one server.",
        )
    return host, port or 80


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.load",
        description="Load an HTTP server on this machine and print what was measured as JSON.",
        epilog="{n} in a URL, a header or a body is the request's number, {run} the run's label.",
    )
    add = parser.add_argument
    add("--url", action="append", required=True, help="may be given several times; taken in turn")
    add("--connections", type=int, default=64)
    add("--seconds", type=float, help=f"length of the measured part, at most {MAX_SECONDS:g}")
    add("--requests", type=int, help="number of measured requests, in place of seconds or with it")
    add("--warmup", type=float, default=0.5, help="seconds before measuring begins (default 0.5)")
    add("--method", default="GET", choices=["GET", "POST", "PUT", "PATCH", "DELETE"])
    add("--header", action="append", default=[], help='"Name: value"; may be given several times')
    add("--body-template", action="append", default=[], help="taken in turn like the URLs")
    add("--run", default=os.urandom(6).hex(), help="the label for {run} (default: random)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
