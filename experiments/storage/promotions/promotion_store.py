"""Promotions in SQL; the database itself refuses a second open one in a segment, and a step from an old revision."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from experiments.domain.errors import AlreadyExists, NotFound, RevisionMismatch
from experiments.domain.promotion import DECLINED_STATES, OPEN_STATES, Promotion, PromotionState
from experiments.services.paging import Page
from experiments.storage.documents.promotion import promotion_from_document, promotion_to_document
from experiments.storage.paging import before_id, cut
from experiments.storage.promotions.tables import promotions
from experiments.storage.statements import insert_new

_columns = promotions.c
_STANDING = sorted(OPEN_STATES | DECLINED_STATES)


class SqlPromotionStore:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, promotion: Promotion) -> None:
        if not insert_new(self._connection, promotions, _values(promotion)):
            raise AlreadyExists("promotion", promotion.id)

    def get(self, promotion_id: str) -> Promotion:
        wanted = select(promotions).where(_columns.promotion_id == promotion_id)
        row = self._connection.execute(wanted).one_or_none()
        if row is None:
            raise NotFound("promotion", promotion_id)
        return _promotion(row)

    def save(self, promotion: Promotion, *, expected_revision: int) -> None:
        statement = (
            update(promotions)
            .where(_columns.promotion_id == promotion.id, _columns.revision == expected_revision)
            .values(_values(promotion))
        )
        if self._connection.execute(statement).rowcount != 1:
            self.get(promotion.id)
            raise RevisionMismatch("promotion", promotion.id)

    def standing(self, experiment: str) -> tuple[Promotion, ...]:
        wanted = (
            select(promotions)
            .where(_columns.experiment_key == experiment, _columns.state.in_(_STANDING))
            .order_by(_columns.id)
        )
        return tuple(_promotion(row) for row in self._connection.execute(wanted))

    def count(self, state: PromotionState) -> int:
        wanted = select(func.count()).select_from(promotions).where(_columns.state == state)
        return self._connection.execute(wanted).scalar_one()

    def page(
        self, *, experiment: str | None, state: PromotionState | None = None, after: str | None, limit: int
    ) -> Page[Promotion]:
        wanted = select(promotions).where(_columns.id < before_id(after)).order_by(_columns.id.desc()).limit(limit + 1)
        if experiment is not None:
            wanted = wanted.where(_columns.experiment_key == experiment)
        if state is not None:
            wanted = wanted.where(_columns.state == state)
        return cut(self._connection.execute(wanted).all(), limit, _promotion, lambda row: row.id)


def _values(promotion: Promotion) -> dict[str, Any]:
    return {
        "promotion_id": promotion.id,
        "experiment_key": promotion.experiment,
        "segment": promotion.segment,
        "state": promotion.state,
        "revision": promotion.revision,
        "document": promotion_to_document(promotion),
    }


def _promotion(row: Row[Any]) -> Promotion:
    return promotion_from_document(row.document)
