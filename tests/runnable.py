"""Statements that tests bring along. They run without being registered: only the package's own
world is closed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vacancy.db.statement import SetStatement, Statement
else:
    from vacancy.db import statement

    class Statement(statement.Statement):
        """As the package's own, and let in."""

        def __init__(self, *parts: Any, **options: Any) -> None:
            super().__init__(*parts, **options)
            self.registered = True

    class SetStatement(statement.SetStatement):
        """As the package's own, and let in."""

        def __init__(self, *parts: Any, **options: Any) -> None:
            super().__init__(*parts, **options)
            self.registered = True


__all__ = ["SetStatement", "Statement"]
