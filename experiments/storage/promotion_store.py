"""Promotions in SQL; the database itself refuses to apply the same one twice."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, select, update

from experiments.domain.errors import AlreadyExists, NotFound
from experiments.domain.promotion import Promotion
from experiments.services.ports import Page
from experiments.storage.documents.promotion import promotion_from_document, promotion_to_document
from experiments.storage.paging import before_id, cut
from experiments.storage.statements import insert_new
from experiments.storage.tables import promotions

_columns = promotions.c


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

    def save(self, promotion: Promotion) -> None:
        statement = update(promotions).where(_columns.promotion_id == promotion.id).values(_values(promotion))
        if self._connection.execute(statement).rowcount != 1:
            raise NotFound("promotion", promotion.id)

    def page(self, *, experiment: str | None, after: str | None, limit: int) -> Page[Promotion]:
        wanted = select(promotions).where(_columns.id < before_id(after)).order_by(_columns.id.desc()).limit(limit + 1)
        if experiment is not None:
            wanted = wanted.where(_columns.experiment_key == experiment)
        return cut(self._connection.execute(wanted).all(), limit, _promotion, lambda row: row.id)


def _values(promotion: Promotion) -> dict[str, Any]:
    return {
        "promotion_id": promotion.id,
        "experiment_key": promotion.experiment,
        "segment": promotion.segment,
        "version_after": promotion.version_after,
        "state": promotion.state,
        "document": promotion_to_document(promotion),
    }


def _promotion(row: Row[Any]) -> Promotion:
    return promotion_from_document(row.document)
