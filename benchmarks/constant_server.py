"""`vacancy serve` with one route more: a constant answer, to compare with. Its size is said by
CONSTANT_BYTES; the rest of the settings comes from the environment.

python -m benchmarks.constant_server
"""

from __future__ import annotations

import os

from vacancy.config import load_settings
from vacancy.web import app
from vacancy.web.auth import PUBLIC
from vacancy.web.call import Answer, Call, document
from vacancy.web.routing import Route
from vacancy.web.serve import serve

_BODY = b'"' + b"x" * (int(os.environ.get("CONSTANT_BYTES", "200")) - 2) + b'"'


async def constant(call: Call, asked: None) -> Answer:
    return document(_BODY)


if __name__ == "__main__":
    app.ROUTES = (
        *app.ROUTES,
        Route(
            method="GET",
            path="/constant",
            handler=constant,
            access=PUBLIC,
            summary="The same for ever.",
            in_docs=False,
        ),
    )
    serve(load_settings())
