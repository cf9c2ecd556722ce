"""The routes, one file per subject. Each lists its `ROUTES`; `web.app` puts them together."""
