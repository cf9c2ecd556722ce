"""One error family. A kind decides the HTTP status and the exit code; a code names the case.

Every error says what, which, how much (`detail`), and what to do now (`hint`).
"""

from __future__ import annotations

from typing import Any

import msgspec


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """An error as a value: it can be stored, replayed and sent, without being raised."""

    kind: str
    code: str
    detail: str
    hint: str = ""
    errors: tuple[dict[str, Any], ...] = ()

    def to_error(self) -> VacancyError:
        return KINDS[self.kind](self.code, self.detail, hint=self.hint, errors=self.errors)


class VacancyError(Exception):
    """The root of the family. Raise one of the kinds below."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        hint: str = "",
        errors: tuple[dict[str, Any], ...] = (),
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.hint = hint
        self.errors = errors

    def to_refusal(self) -> Refusal:
        return Refusal(
            kind=type(self).__name__,
            code=self.code,
            detail=self.detail,
            hint=self.hint,
            errors=self.errors,
        )


class Invalid(VacancyError):
    """The question itself is wrong: a field, a date, a limit."""


class Unauthenticated(VacancyError):
    """No key, or one that does not stand."""


class Forbidden(VacancyError):
    """The caller is known and may not do this."""


class Missing(VacancyError):
    """There is no such thing, or none that the caller may know of."""


class Conflict(VacancyError):
    """The question is right, but the state of the hotel says no."""


class TooLarge(VacancyError):
    """More bytes than the limit allows."""


class Mismatch(VacancyError):
    """The same idempotency key came with another request."""


class Unavailable(VacancyError):
    """Nothing is wrong with the question; try again after a moment."""


class Unsupported(VacancyError):
    """The database is not one that this version can work on."""


class Misconfigured(VacancyError):
    """A setting, a flag or a file given by the operator is wrong."""


class Differs(VacancyError):
    """A check was made and did not hold."""


class Internal(VacancyError):
    """A fault of ours."""


HTTP_STATUS: dict[type[VacancyError], int] = {
    Invalid: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    Missing: 404,
    Conflict: 409,
    TooLarge: 413,
    Mismatch: 422,
    Internal: 500,
    Differs: 500,
    Misconfigured: 500,
    Unavailable: 503,
    Unsupported: 503,
}
"""What a client of the HTTP API sees."""

EXIT_CODE: dict[type[VacancyError], int] = {
    Differs: 1,
    Invalid: 2,
    Misconfigured: 3,
    Missing: 4,
    Conflict: 5,
    Mismatch: 5,
    Unauthenticated: 6,
    Forbidden: 6,
    TooLarge: 7,
    Unsupported: 8,
    Internal: 70,
    Unavailable: 75,
}
"""What a shell or a scheduler sees. 75 is EX_TEMPFAIL of sysexits: worth another try."""

KINDS: dict[str, type[VacancyError]] = {kind.__name__: kind for kind in HTTP_STATUS}
"""A stored refusal finds its kind again by its name."""
