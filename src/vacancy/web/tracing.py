"""Traces by OpenTelemetry, where the setting `otel_url` asks for them: a span for each request, and
below it one for each statement.

The libraries are an extra. Nothing here is loaded, and nothing is in anybody's way, where the
setting is empty.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from threading import Thread
from time import time_ns
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from litestar import Request
from litestar.types import ASGIApp

from vacancy import __version__
from vacancy.config import Settings
from vacancy.db.statement import AnyStatement
from vacancy.db.trace import Given, Trace
from vacancy.errors import Misconfigured
from vacancy.web.call import Answer, Scope, request_id_of

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace.export import SpanProcessor

Endpoint = Callable[[Request[Any, Any, Any]], Awaitable[ASGIApp]]

EXPORT_S = 5.0
"""How long one sending may take; it holds up nobody."""
CLOSE_S = 2.0
_HEADERS = (b"traceparent", b"tracestate")


class Tracing:
    """The spans of one process."""

    def __init__(self, processor: SpanProcessor) -> None:
        from opentelemetry import trace as otel
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        resource = Resource.create({"service.name": "vacancy", "service.version": __version__})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("vacancy", __version__)
        self._propagator = TraceContextTextMapPropagator()
        self._otel = otel

    def around(self, endpoint: Endpoint, name: str) -> Endpoint:
        """The endpoint of a route, with a span around it."""
        otel, tracer = self._otel, self._tracer
        method, _, path = name.partition(" ")
        shared = {"http.route": path}

        async def traced(request: Request[Any, Any, Any]) -> ASGIApp:
            scope: Scope = request.scope
            attributes = {
                **shared,
                "http.request.method": scope["method"],
                "vacancy.request_id": request_id_of(scope).decode(),
            }
            with tracer.start_as_current_span(
                f"{method} {path}",
                context=self._context_of(scope),
                kind=otel.SpanKind.SERVER,
                attributes=attributes,
            ) as span:
                answer = await endpoint(request)
                if isinstance(answer, Answer):
                    span.set_attribute("http.response.status_code", answer.status)
                    if answer.status >= 500:
                        span.set_status(otel.StatusCode.ERROR)
                return answer

        return traced

    def _context_of(self, scope: Scope) -> Context:
        """What the caller's own trace says."""
        from opentelemetry.context import Context

        carrier = {
            name.decode(): value.decode("latin-1")
            for name, value in scope["headers"]
            if name in _HEADERS
        }
        # From nothing: no request is a child of what another one has left in the context.
        return self._propagator.extract(carrier, context=Context())

    def watch(self, trace: Trace) -> None:
        """From now on each statement of a request is a span below the request's."""
        add, add_together, fail = trace.add, trace.add_together, trace.fail

        def traced_add(statement: AnyStatement, given: Given, rows: int, duration_ns: int) -> None:
            add(statement, given, rows, duration_ns)
            self._tell(statement.name, rows, duration_ns, trace.engine)

        def traced_together(changes: Sequence[Any], duration_ns: int) -> None:
            add_together(changes, duration_ns)
            name = ", ".join(statement.name for statement, _ in changes)
            rows = sum(len(given) for _, given in changes)
            self._tell(name, rows, duration_ns, trace.engine)

        def traced_fail(changes: Sequence[tuple[AnyStatement, Given]], duration_ns: int) -> None:
            fail(changes, duration_ns)
            name = ", ".join(statement.name for statement, _ in changes)
            self._tell(name, 0, duration_ns, trace.engine, failed=True)

        # The handle's own methods are replaced, so that without traces nobody even asks.
        trace.add = traced_add  # type: ignore[method-assign]
        trace.add_together = traced_together  # type: ignore[method-assign]
        trace.fail = traced_fail  # type: ignore[method-assign]

    def _tell(
        self, name: str, rows: int, duration_ns: int, engine: str, *, failed: bool = False
    ) -> None:
        otel = self._otel
        if not otel.get_current_span().is_recording():
            return  # of no request, or of one that is not to be recorded
        ended_ns = time_ns()
        span = self._tracer.start_span(
            name,
            kind=otel.SpanKind.CLIENT,
            start_time=ended_ns - duration_ns,
            attributes={"db.system.name": engine, "db.response.returned_rows": rows},
        )
        if failed:
            span.set_status(otel.StatusCode.ERROR)
        span.end(ended_ns)

    def close(self) -> None:
        """Sends what waits, for two seconds at most."""
        thread = Thread(target=self._provider.shutdown, name="otel-shutdown", daemon=True)
        thread.start()
        thread.join(CLOSE_S)


def tracing_of(settings: Settings) -> Tracing | None:
    """The tracing that the settings ask for, or None.

    Raises `Misconfigured` OTEL_MISSING where the libraries are not installed, SETTING_INVALID.
    """
    if not settings.otel_url:
        return None
    parts = urlsplit(settings.otel_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Misconfigured(
            "SETTING_INVALID",
            "otel_url is no address of a collector.",
            hint="Give one such as http://127.0.0.1:4318.",
        )
    require_libraries()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    endpoint = settings.otel_url.rstrip("/") + "/v1/traces"
    return Tracing(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, timeout=EXPORT_S)))


def require_libraries() -> None:
    """Raises `Misconfigured` OTEL_MISSING."""
    try:
        import opentelemetry.exporter.otlp.proto.http.trace_exporter
        import opentelemetry.sdk.trace  # noqa: F401
    except ImportError as error:
        raise Misconfigured(
            "OTEL_MISSING",
            f"otel_url is set, and the libraries for traces are not installed ({error}).",
            hint="Run `pip install 'vacancy[otel]'`, or leave VACANCY_OTEL_URL empty.",
        ) from None
