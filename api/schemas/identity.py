"""Who is who."""

from __future__ import annotations

from api.schemas.base import Body
from api.schemas.fields import Text, choice
from experiments.domain.identity import BucketedBy


class IdentifySchema(Body):
    anonymous_id = Text(required=True, metadata={"description": "The id that this visitor had before."})
    unit_id = Text(required=True, metadata={"description": "Who the visitor is known to be now."})


class JoinedSchema(Body):
    """`bucketed_by`: whose bucket counts for all ids of the person. `anonymous_id`: this visitor's own, which stays."""

    anonymous_id = Text()
    unit_id = Text()
    bucketed_by = choice(BucketedBy)
