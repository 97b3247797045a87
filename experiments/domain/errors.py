"""Refusals: every "no" of the domain has a class, a stable code, a sentence and, where it applies, a path."""

from __future__ import annotations

import math
from collections.abc import Collection


class DomainError(Exception):
    """A refusal; `path` points into the input, as a JSON pointer such as `/variants/1/key`."""

    def __init__(self, code: str, message: str, *, path: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.path = path

    def at(self, prefix: str) -> DomainError:
        """Return the same refusal with its path put under `prefix`."""
        moved = type(self).__new__(type(self))
        DomainError.__init__(moved, self.code, self.message, path=prefix + self.path)
        return moved


class InvalidInput(DomainError):
    """A value that cannot be built."""


class NotFound(DomainError):
    """Nothing of that kind has that key; `known`: the keys that there are, where no library has them.

    The message never tells of other keys: whoever asks may not know that they exist.
    """

    kind: str = ""
    key: str = ""
    known: Collection[str] | None = None

    def __init__(self, kind: str, key: str, known: Collection[str] | None = None) -> None:
        self.kind, self.key, self.known = kind, key, known
        super().__init__(f"{kind}_not_found", f"There is no {kind.replace('_', ' ')} {key!r}.")


class NoResults(NotFound):
    """An experiment that was never analysed."""

    def __init__(self, experiment: str) -> None:
        DomainError.__init__(
            self, "snapshot_not_found", f"Experiment {experiment!r} has no results yet; the worker computes them."
        )


class NoDrift(NotFound):
    """An experiment of which nobody has looked yet whether its units have moved."""

    def __init__(self, experiment: str) -> None:
        told = f"Who of {experiment!r} has moved to another segment is not known yet; the worker looks once a day."
        DomainError.__init__(self, "drift_not_found", told)


class NoReport(NotFound):
    """A segment, or all customers, of which the worker has made no report yet."""

    def __init__(self, sentence: str) -> None:
        DomainError.__init__(self, "report_not_made", f"{sentence}; the worker makes it.")


class AlreadyExists(DomainError):
    """Something of that kind has that key already."""

    def __init__(self, kind: str, key: str) -> None:
        super().__init__(f"{kind}_exists", f"There is already {'an' if kind[0] in 'aeiou' else 'a'} {kind} {key!r}.")


class NoConsent(DomainError):
    """Something of a unit that does not consent: it is not stored."""

    def __init__(self) -> None:
        super().__init__("no_consent", "The unit does not consent: nothing of it is stored.", path="/unit_id")


class IllegalTransition(DomainError):
    """A step that the present state does not allow."""

    def __init__(self, key: str, status: str, step: str) -> None:
        super().__init__("illegal_transition", f"Experiment {key!r} is {status}: it cannot {step}.")


class StateConflict(DomainError):
    """A step that the present state of a webhook, a delivery, a study or a list does not allow; the code says which."""


class Taken(DomainError):
    """Something that only one of a kind can have, and another one has."""


class FrozenField(DomainError):
    """A part of a started experiment that may not change any more."""


class RevisionMismatch(DomainError):
    """Somebody else changed the thing in the meantime."""

    def __init__(self, kind: str, key: str) -> None:
        super().__init__("revision_mismatch", f"The {kind} {key!r} was changed by somebody else; read it again.")


class RevisionRequired(DomainError):
    """An edit that does not say which revision it starts from."""

    def __init__(self) -> None:
        super().__init__("revision_required", "Send If-Match with the ETag of what you edit.")


class LayerFull(DomainError):
    """The layer has too few free buckets left."""


class PromotionRefused(DomainError):
    """The policy does not allow this promotion; the code is the first reason of the decision."""


class Unauthenticated(DomainError):
    """Nobody we know."""

    def __init__(self) -> None:
        super().__init__("unauthenticated", "Send a valid API key as `Authorization: Bearer <key>`.")


class Forbidden(DomainError):
    """Somebody we know who may not do this."""

    def __init__(self, scope: str) -> None:
        super().__init__("forbidden", f"This key lacks the scope '{scope}'; an administrator can make one that has it.")


class Unavailable(DomainError):
    """Try again later; nothing was stored.

    `cause` is for whoever runs the service: it may name hosts and roles, so that logs and commands tell it, and no
    answer to a request does.
    """

    cause = ""

    def __init__(self, code: str, message: str, *, path: str = "", cause: str = "") -> None:
        super().__init__(code, message, path=path)
        self.cause = cause


def cause_of(error: BaseException) -> str:
    """Return what a log tells beside the error; nothing where no more is known."""
    return error.cause if isinstance(error, Unavailable) else ""


class RowsRefused(DomainError):
    """Rows that the database will never take: not now, and not later."""

    def __init__(self, reason: str) -> None:
        super().__init__("rows_refused", f"The database refuses rows for good: {reason}")


class RateLimited(DomainError):
    """A key that asks more often than it may."""

    def __init__(self, wait_seconds: float) -> None:
        self.wait_seconds = max(1, math.ceil(wait_seconds))
        super().__init__("rate_limited", f"This key asks too often; try again in {self.wait_seconds} s.")
