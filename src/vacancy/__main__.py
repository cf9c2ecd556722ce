"""`python -m vacancy` is the command `vacancy`."""

from __future__ import annotations

from vacancy.cli.main import main

if __name__ == "__main__":
    main()
