"""An OpenFeature provider: experiments are flags, contents their values, `track` reports events.

Needs `openfeature-sdk` (`winnow-client[openfeature]`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEventDetails
from openfeature.exception import ErrorCode, ProviderNotReadyError
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType, Reason
from openfeature.provider import AbstractProvider, Metadata
from openfeature.track import TrackingEventDetails

from winnow_client.assignment import Assignment
from winnow_client.catalog import Catalog
from winnow_client.client import Client
from winnow_client.ids import as_id

T = TypeVar("T")
_Read = Callable[[Any], Any]
"""Content -> the value of the flag; None where it is of another type."""
_NOTHING: Mapping[str, Any] = {}


class WinnowProvider(AbstractProvider):
    """Decides with a `Client`, which stays its owner's: `shutdown` sends what is queued, and does not close it.

    An experiment whose content is null says "the default in the code". `expose`: each evaluation reports an exposure,
    for applications that show whatever they ask for.
    """

    def __init__(self, client: Client, *, ready_seconds: float = 5.0, expose: bool = False) -> None:
        super().__init__()
        self._client, self._ready_seconds, self._expose = client, ready_seconds, expose
        self._late = False
        client.on_catalog(self._changed)

    def get_metadata(self) -> Metadata:
        return Metadata(name="winnow")

    def initialize(self, evaluation_context: EvaluationContext) -> None:
        if not self._client.ready(self._ready_seconds):
            self._late = True
            raise ProviderNotReadyError("Winnow's catalog could not be read yet.")

    def shutdown(self) -> None:
        self._client.flush()

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        return self._resolve(flag_key, default_value, evaluation_context, _boolean)

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        return self._resolve(flag_key, default_value, evaluation_context, _string)

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        return self._resolve(flag_key, default_value, evaluation_context, _integer)

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        return self._resolve(flag_key, default_value, evaluation_context, _float)

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Sequence[FlagValueType] | Mapping[str, FlagValueType],
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Sequence[FlagValueType] | Mapping[str, FlagValueType]]:
        return self._resolve(flag_key, default_value, evaluation_context, _object)

    def track(
        self,
        tracking_event_name: str,
        evaluation_context: EvaluationContext | None = None,
        tracking_event_details: TrackingEventDetails | None = None,
    ) -> None:
        """Report an event of the targeting key; only the value is kept of its details."""
        unit_id = evaluation_context.targeting_key if evaluation_context else None
        value = tracking_event_details.value if tracking_event_details else None
        self._client.track(unit_id or "", tracking_event_name, value)

    def _resolve(
        self, key: str, default: T, context: EvaluationContext | None, read: _Read
    ) -> FlagResolutionDetails[T]:
        if self._client.stats().catalog_version < 0:
            return _failed(default, ErrorCode.PROVIDER_NOT_READY, "There is no catalog yet.")
        if context is None or not context.targeting_key:
            return _failed(default, ErrorCode.TARGETING_KEY_MISSING, "The unit is named by the targeting key.")
        if as_id(context.targeting_key) is None:
            return _failed(default, ErrorCode.INVALID_CONTEXT, "The targeting key is no id of a unit.")
        answer = self._client.assign(context.targeting_key, context.attributes or _NOTHING, key)
        if answer.variant is None:
            return _failed(default, ErrorCode.FLAG_NOT_FOUND, f"There is no live experiment {key!r}.")
        value = default if answer.content is None else read(answer.content)
        if value is None:
            return _failed(default, ErrorCode.TYPE_MISMATCH, f"The content of {answer.variant!r} is of another type.")
        if self._expose:
            self._client.expose(context.targeting_key, answer)
        return FlagResolutionDetails(
            value=value, variant=answer.variant, reason=reason(answer), flag_metadata=metadata(answer)
        )

    def _changed(self, _: Catalog) -> None:
        if not hasattr(self, "_on_emit"):
            return
        if self._late:
            self._late = False
            self.emit_provider_ready(ProviderEventDetails())
        else:
            self.emit_provider_configuration_changed(ProviderEventDetails())


def _failed(default: T, code: ErrorCode, message: str) -> FlagResolutionDetails[T]:
    return FlagResolutionDetails(value=default, error_code=code, error_message=message, reason=Reason.ERROR)


def reason(answer: Assignment) -> Reason:
    """The same words as the server's OFREP answers have."""
    if answer.reason == "assigned":
        return _WHEN_ASSIGNED[answer.decided_by]
    return {"forced": Reason.TARGETING_MATCH, "paused": Reason.DISABLED}.get(answer.reason, Reason.STATIC)


_WHEN_ASSIGNED = {"chance": Reason.SPLIT, "segment": Reason.TARGETING_MATCH, "nothing": Reason.STATIC}


def metadata(answer: Assignment) -> dict[str, bool | int | float | str]:
    """All that an exposure has to say."""
    said: dict[str, bool | int | float | str] = {
        "experiment": answer.experiment,
        "version": answer.version,
        "epoch": answer.epoch,
        "variant": answer.variant or "",
        "reason": answer.reason,
        "counted": answer.counted,
    }
    return said if answer.segment is None else {**said, "segment": answer.segment}


def _boolean(content: Any) -> bool | None:
    return content if isinstance(content, bool) else None


def _string(content: Any) -> str | None:
    return content if isinstance(content, str) else None


def _integer(content: Any) -> int | None:
    return content if isinstance(content, int) and not isinstance(content, bool) else None


def _float(content: Any) -> float | None:
    """A whole number is a number all the same."""
    return float(content) if isinstance(content, (int, float)) and not isinstance(content, bool) else None


def _object(content: Any) -> Any:
    return content if isinstance(content, (dict, list)) else None
