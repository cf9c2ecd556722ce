"""`vacancy serve`: the HTTP API."""

from __future__ import annotations

import click

from vacancy.cli.command import settings_given, shared_options


@click.command()
@click.option("--host", help="Over VACANCY_HOST.  [127.0.0.1]")
@click.option("--port", type=click.IntRange(1, 65_535), help="Over VACANCY_PORT.  [8000]")
@click.option("--workers", type=click.IntRange(1, 256), help="Over VACANCY_WORKERS.  [1]")
@shared_options
def serve(host: str | None, port: int | None, workers: int | None) -> None:
    """Serves the HTTP API until it is told to stop, then finishes what it accepted.

    \b
    vacancy serve --host 0.0.0.0 --port 8080 --workers 4
    """
    from vacancy.web.serve import serve as serve_http

    serve_http(settings_given(host=host, port=port, workers=workers))
