"""The figures of the benches, and the load generator that feeds them, against servers made here."""

from __future__ import annotations

import asyncio
import math
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedIOBase
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import load, stats
from benchmarks.machine import machine
from vacancy.errors import Invalid, Unavailable, VacancyError


def test_percentiles_are_values_that_were_measured() -> None:
    ordered = [15, 20, 35, 40, 50]
    ranks = [0, 5, 20, 20.1, 30, 40, 50, 80, 100]
    found = [stats.percentile(ordered, percent) for percent in ranks]
    assert found == [15, 15, 15, 20, 20, 20, 35, 40, 50]


def test_a_percentile_with_a_fraction_takes_the_exact_rank() -> None:
    assert 99.9 / 100 * 1000 > 999, "floats alone would go one rank too far"
    assert stats.percentile(range(1, 1001), 99.9) == 999


@given(st.lists(st.integers(0, 10**12), min_size=1), st.integers(1, 100))
def test_a_percentile_is_the_smallest_value_that_enough_do_not_exceed(
    values: list[int], percent: int
) -> None:
    found = stats.percentile(sorted(values), percent)
    assert sum(value <= found for value in values) * 100 >= percent * len(values)
    assert sum(value < found for value in values) * 100 < percent * len(values)


@pytest.mark.parametrize(("values", "percent"), [([], 50), ([1], -1), ([1], 100.5)])
def test_a_percentile_of_nothing_or_past_the_end_is_refused(
    values: list[int], percent: float
) -> None:
    with pytest.raises(ValueError, match="percentile"):
        stats.percentile(values, percent)


def test_a_summary_is_in_microseconds_and_per_second() -> None:
    summary = stats.summarise([4_000, 1_000, 2_000, 3_000], elapsed_ns=2_000_000_000)
    assert summary == stats.Summary(
        count=4, p50_us=2.0, p95_us=4.0, p99_us=4.0, max_us=4.0, mean_us=2.5, per_s=2.0
    )
    assert stats.summarise([250_000_000] * 2).per_s == 4.0
    assert stats.summarise([]).count == 0


def test_runs_are_joined_figure_by_figure() -> None:
    slow, middle, fast = (
        stats.summarise([ns] * 10, elapsed_ns=wall_ns)
        for ns, wall_ns in ((9_000, 1_000), (5_000, 4_000), (1_000, 2_000))
    )
    median = stats.median_summary([slow, fast, middle])
    assert (median.p50_us, median.per_s) == (5.0, fast.per_s)
    over = stats.ratio(slow, fast)
    assert (over.p50, over.per_s) == (9.0, 2.0)
    with pytest.raises(ValueError, match="got 0 against 10"):
        stats.ratio(stats.summarise([]), fast)


def test_a_pair_takes_turns_and_swaps_who_begins() -> None:
    order: list[str] = []

    async def b() -> None:
        order.append("b")

    pair = asyncio.run(stats.measure_pair(lambda: order.append("a"), b, rounds=3, iterations=2))
    look_and_warm_up = ["a", "b", "a", "a", "b", "b"]
    assert order == look_and_warm_up + list("aabb") + list("bbaa") + list("aabb")
    assert (pair.rounds, pair.iterations) == (3, 2)
    assert pair.ratio_low <= pair.ratio <= pair.ratio_high
    with pytest.raises(ValueError, match="0 rounds of 5"):
        asyncio.run(stats.measure_pair(order.clear, b, rounds=0, iterations=5))


def test_a_pair_tells_the_side_that_does_more() -> None:
    pair = asyncio.run(
        stats.measure_pair(lambda: sum(range(5_000)), lambda: sum(range(50)), 5, 200)
    )
    assert pair.ratio > 5
    assert pair.a_us > pair.b_us


def test_tables_align_numbers_right_and_words_left() -> None:
    headers = ["side", "p50 us"]
    rows: list[list[stats.Cell]] = [["bare", 4.816], ["helper|x", 12345], ["gone", "-"]]
    assert stats.text_table(headers, rows).splitlines() == [
        "side      p50 us",
        "--------  ------",
        "bare        4.82",
        "helper|x  12,345",
        "gone           -",
    ]
    assert stats.markdown_table(headers, rows).splitlines() == [
        "| side      | p50 us |",
        "| --------- | -----: |",
        "| bare      |   4.82 |",
        "| helper\\|x | 12,345 |",
        "| gone      |      - |",
    ]
    with pytest.raises(ValueError, match="each of 2 headers"):
        stats.text_table(headers, [["alone"]])


def test_the_machine_is_measured(tmp_path: Path) -> None:
    found = machine(tmp_path)
    assert found.cpu
    assert found.cores >= 1
    assert 0 < found.fsync_p50_us <= found.fsync_p99_us
    assert 1 <= found.noise < math.inf


Answer = Callable[[int, bytes], list[bytes]]


def ok(body: bytes, headers: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\n%bcontent-length: %d\r\n\r\n%b" % (headers, len(body), body)


@contextmanager
def serving(answer: Answer) -> Iterator[tuple[int, list[bytes]]]:
    """A server that gives request k the pieces of `answer(k, request)`; an empty piece closes.

    Yields the port and the requests as they came.
    """
    seen: list[bytes] = []
    turn = threading.Lock()

    class Connection(socketserver.StreamRequestHandler):
        disable_nagle_algorithm = True

        def handle(self) -> None:
            with suppress(ConnectionError):
                while request := read_request(self.rfile):
                    with turn:
                        seen.append(request)
                        pieces = answer(len(seen) - 1, request)
                    for piece in pieces:
                        if not piece:
                            return
                        self.wfile.write(piece)

        def finish(self) -> None:
            with suppress(ConnectionError):
                super().finish()

    # Leaving it waits for every connection's thread; the load closes all that it opened.
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Connection) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1], seen
        finally:
            server.shutdown()
            thread.join(10)


def read_request(file: BufferedIOBase) -> bytes:
    """One whole request without a body; nothing when the client has closed."""
    lines: list[bytes] = []
    while line := file.readline():
        lines.append(line)
        if line == b"\r\n":
            return b"".join(lines)
    return b""


def drive(port: int, requests: int, connections: int = 2) -> load.LoadResult:
    make_request = load.request_maker("GET", [f"http://127.0.0.1:{port}/{{n}}"])
    return load.run(
        "127.0.0.1", port, connections, make_request, requests=requests, duration_s=20, warmup_s=0
    )


def test_a_load_sends_what_was_asked_and_counts_every_answer() -> None:
    def answer(k: int, request: bytes) -> list[bytes]:
        if k % 10 == 0:
            return [b"HTTP/1.1 409 Conflict\r\nContent-Length: 2\r\n\r\n{}"]
        whole = ok(b"x" * 40)
        return [[whole], [whole[:7], whole[7:30], whole[30:]], [whole[:60], whole[60:]]][k % 3]

    with serving(answer) as (port, seen):
        result = drive(port, requests=100, connections=4)
    assert result.statuses == {200: 90, 409: 10}
    assert result.errors == {}
    assert result.complete
    assert result.summary.count == 100
    assert result.ok_per_s == pytest.approx(result.summary.per_s * 0.9)
    assert sorted(int(request.split(b"/")[1].split()[0]) for request in seen) == [*range(100)]


def test_a_warm_up_is_sent_and_forgotten() -> None:
    with serving(lambda k, request: [ok(b"{}")]) as (port, seen):
        result = load.run(
            "localhost", port, 1, lambda n: b"GET / HTTP/1.1\r\n\r\n", requests=5, warmup_s=0.05
        )
    assert result.summary.count == 5
    assert len(seen) > 5


@pytest.mark.parametrize(
    ("spoilt", "errors"),
    [
        ([b""], {"lost": 1}),
        ([b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", b""], {"lost": 1}),
        ([b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"], {"protocol": 1}),
        ([b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n"], {"protocol": 1}),
        ([ok(b"{}") + b"more"], {"protocol": 1}),
        ([b"SSH-2.0\r\n\r\n"], {"protocol": 1}),
        ([b"no head has this many bytes " * 3_000], {"protocol": 1}),
        ([ok(b"{}", b"connection: close\r\n"), b""], {}),
        ([b"HTTP/1.1 204 No Content\r\n\r\n"], {}),
    ],
)
def test_a_spoilt_answer_is_counted_and_its_connection_replaced(
    spoilt: list[bytes], errors: dict[str, int]
) -> None:
    with serving(lambda k, request: spoilt if k == 3 else [ok(b"{}")]) as (port, _):
        result = drive(port, requests=20)
    assert result.errors == errors
    assert result.summary.count + sum(errors.values()) == 20


def test_a_server_that_falls_silent_gets_no_shorter_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "DRAIN_S", 0.1)
    with serving(lambda k, request: [ok(b"{}")] if k < 10 else []) as (port, _):
        result = load.run(
            "127.0.0.1", port, 2, lambda n: b"GET / HTTP/1.1\r\n\r\n", duration_s=0.3, warmup_s=0
        )
    assert result.errors == {"unanswered": 2}
    assert result.summary.count == 10
    assert result.elapsed_s >= 0.3


def test_a_fault_in_make_request_ends_the_run() -> None:
    def make_request(n: int) -> bytes:
        if n == 7:
            raise KeyError(n)
        return b"GET / HTTP/1.1\r\n\r\n"

    with serving(lambda k, request: [ok(b"{}")]) as (port, seen), pytest.raises(KeyError):
        load.run("127.0.0.1", port, 2, make_request, duration_s=20, warmup_s=0)
    assert len(seen) <= 7


def test_templates_put_numbers_in_and_keep_the_length_right() -> None:
    make_request = load.request_maker(
        "POST",
        ["http://127.0.0.1:8000/v1/bookings?x={n}"],
        ["Idempotency-Key: {run}-{n}"],
        ['{"n": {n}, "é": "{run}"}', '{"other": {n}}'],
        run_label="r7",
    )
    head, _, body = make_request(1200).partition(b"\r\n\r\n")
    assert body.decode() == '{"n": 1200, "é": "r7"}'
    assert head.decode().split("\r\n") == [
        "POST /v1/bookings?x=1200 HTTP/1.1",
        "Host: 127.0.0.1:8000",
        "Content-Type: application/json",
        "Idempotency-Key: r7-1200",
        f"Content-Length: {len(body)}",
    ]
    assert make_request(1201).endswith(b'Content-Length: 15\r\n\r\n{"other": 1201}')
    fixed = load.request_maker("GET", ["http://127.0.0.1:8000"])
    assert fixed(1) == fixed(2) == b"GET / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n"


@pytest.mark.parametrize("host", ["example.org", "0.0.0.0", "192.0.2.7", "127.0.0.1.example", ""])
def test_only_this_machine_is_loaded(host: str) -> None:
    with pytest.raises(Invalid, match=r"LOAD_HOST_REFUSED.*not a loopback address"):
        load.run(host, 80, 1, lambda n: b"", requests=1)
    assert load.loopback_address("::1") == "::1"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--url", "http://127.0.0.1:1/"], "LOAD_LIMIT_REFUSED"),
        (["--url", "http://127.0.0.1:1/", "--seconds", "nan"], "LOAD_LIMIT_REFUSED"),
        (["--url", "http://127.0.0.1:1/", "--seconds", "601"], "LOAD_LIMIT_REFUSED"),
        (["--url", "http://127.0.0.1:1/", "--requests", "0"], "LOAD_LIMIT_REFUSED"),
        (["--url", "https://127.0.0.1/", "--requests", "1"], "LOAD_URL_REFUSED"),
        (["--url", "http://127.0.0.1:99999/", "--requests", "1"], "LOAD_URL_REFUSED"),
        (["--url", "http://127.0.0.1:1/", "--url", "http://[::1]:1/"], "LOAD_URL_REFUSED"),
        (["--url", "http://127.0.0.1:1/", "--header", "A: b\nC: d"], "LOAD_HEADER_REFUSED"),
    ],
)
def test_the_command_refuses_in_words(
    arguments: list[str], code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert load.main(arguments) == 2
    assert capsys.readouterr().err.startswith(code)


def test_a_process_apart_answers_with_the_same_record() -> None:
    with serving(lambda k, request: [ok(b"{}")]) as (port, seen):
        url = f"http://127.0.0.1:{port}/"
        result = load.run_apart(["--url", url, "--requests", "30", "--connections", "2"])
    assert result.statuses == {200: 30}
    assert len(seen) >= 30
    # The port is free again, so nothing listens there.
    with pytest.raises(Unavailable, match="LOAD_NO_SERVER") as caught:
        load.run_apart(["--url", url, "--requests", "1"])
    assert isinstance(caught.value, VacancyError)
    assert caught.value.code == "LOAD_FAILED"
