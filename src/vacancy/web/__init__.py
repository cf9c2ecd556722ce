"""The HTTP API: Litestar routes, msgspec documents, Granian as the server."""
