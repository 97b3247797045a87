"""A clustering as a page: which groups there are, how well they hold, what stands for them, and who moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from api.dashboard import format as say
from api.dashboard.cluster_map import NARROW, WIDE, ClusterMap, cluster_map, shape_path
from api.dashboard.overlap_matrix import few_or, is_few, part_of_all, whole_share
from api.dashboard.stored.clusterings import Cluster, Clustering, Fidelity, Movement, read_clustering
from experiments.domain.condition.words import Clause, condition_clauses
from experiments.domain.study import Study
from experiments.domain.wording import listed
from experiments.services.segments.few import FEWEST
from experiments.services.studies.studies import AdoptedSegment, Standing

_OUTCOMES = {
    "clusters": "Clusters were found",
    "too_few_units": "Too few customers",
    "no_structure": "There are no clusters",
    "unstable": "No stable clusters",
}
_STANDINGS = {
    Standing.CURRENT: "as the newest version has it",
    Standing.DIFFERS: "the newest version has another rule",
    Standing.EDITED: "somebody changed the segment since",
    Standing.GONE: "this cluster was not found any more",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterCard:
    """`path` draws its shape in a box of 20 by 20; `place` gives shape and colour."""

    key: str
    place: int
    path: str
    size: str
    typical: tuple[tuple[str, str], ...]
    rule: tuple[Clause, ...]
    fidelity: str
    holds: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveRow:
    """Of one old cluster: how many of today's customers are where."""

    key: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    sentence: str
    columns: tuple[str, ...]
    rows: tuple[MoveRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRow:
    number: int
    made: str
    outcome: str
    clusters: str
    moved: str
    is_shown: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeOf:
    """A segment that was made of a cluster."""

    segment: str
    cluster: str
    version: int
    standing: str
    is_current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterPage:
    name: str
    version: int
    made: str
    outcome: str
    message: str
    basis: str
    apart: str
    again: str
    rules: str
    wide: ClusterMap | None
    narrow: ClusterMap | None
    clusters: tuple[ClusterCard, ...]
    moves: Moves | None
    versions: tuple[VersionRow, ...]
    segments: tuple[MadeOf, ...]
    notes: tuple[str, ...]


def cluster_page(
    study: Study, versions: Sequence[Study], adopted: Sequence[AdoptedSegment], names: Mapping[str, str]
) -> ClusterPage:
    """`versions` newest first; `names` of attributes by key."""
    found = read_clustering(study.document)
    keys = [cluster.key for cluster in found.clusters]
    return ClusterPage(
        name=study.name,
        version=study.version,
        made=f"{say.instant(study.made_at)} by {study.made_by}",
        outcome=_OUTCOMES.get(found.outcome, found.outcome.replace("_", " ").capitalize()),
        message=found.message,
        basis=_basis(found, names),
        apart=apart_words(found.silhouette),
        again=again_words(found.adjusted_rand),
        rules=_rules(found.rules_right),
        wide=cluster_map(found.map, keys, names, WIDE) if found.map else None,
        narrow=cluster_map(found.map, keys, names, NARROW) if found.map else None,
        clusters=tuple(_card(place, cluster, names) for place, cluster in enumerate(found.clusters)),
        moves=None if found.movement is None else moves_of(found.movement),
        versions=tuple(_version(one, study.version) for one in versions),
        segments=tuple(map(_made_of, adopted)),
        notes=found.notes,
    )


def _basis(found: Clustering, names: Mapping[str, str]) -> str:
    told = listed([names.get(name, name) for name in found.attributes])
    lacking = f"; {say.count(found.incomplete)} of them lack one of these and are in no cluster"
    return f"{say.amount(found.units, 'customer')} by {told}{lacking if found.incomplete else ''}"


def apart_words(silhouette: float | None) -> str:
    """How far apart the clusters are, by the mean silhouette (1: islands, 0: no borders)."""
    if silhouette is None:
        return ""
    figure = f"(silhouette {silhouette:.2f} of 1)"
    if silhouette >= 0.5:
        return f"The clusters stand apart from each other {figure}."
    if silhouette >= 0.25:
        return f"The clusters touch: a useful way to cut, rather than separate kinds of customers {figure}."
    return f"The clusters run into each other: whoever is near a border could as well be next door {figure}."


def again_words(adjusted_rand: float | None) -> str:
    """Whether they come out again, by the mean adjusted Rand index of subsamples (1: always the same, 0: by chance)."""
    if adjusted_rand is None:
        return ""
    word = (
        "nearly the same" if adjusted_rand >= 0.9 else "much the same" if adjusted_rand >= 0.8 else "rather different"
    )
    return f"Made anew from parts of the customers they come out {word} (agreement {adjusted_rand:.2f} of 1)."


def _rules(share: float | None) -> str:
    if share is None:
        return ""
    return f"For {say.part(share)} of customers that the rules had not seen, exactly the right rule holds."


def _card(place: int, cluster: Cluster, names: Mapping[str, str]) -> ClusterCard:
    few = cluster.units < FEWEST
    typical = () if few else tuple((names.get(key, key), say.plain_number(it)) for key, it in cluster.typical.items())
    return ClusterCard(
        key=cluster.key,
        place=place,
        path=shape_path(place, 10, 10, 7),
        size=part_of_all(cluster.units, cluster.share),
        typical=typical,
        rule=() if cluster.condition is None else condition_clauses(cluster.condition, names),
        fidelity=_fidelity(cluster.fidelity),
        holds=holds_words(cluster.stability),
    )


def _fidelity(fidelity: Fidelity | None) -> str:
    if fidelity is None:
        return "No rule stands for this cluster, so it cannot become a segment."
    told = f"Rule and cluster say the same of {say.part(fidelity.agreement)} of customers."
    if fidelity.precision is None or fidelity.recall is None:
        return told
    return (
        f"{told} Of those whom the rule takes, {whole_share(fidelity.precision)} are of the cluster; "
        f"of the cluster, it takes {whole_share(fidelity.recall)}."
    )


def holds_words(stability: float) -> str:
    """Whether one cluster comes out again, by its mean Jaccard index with the likest of each subsample."""
    word = "holds" if stability >= 0.75 else "wavers" if stability >= 0.5 else "dissolves"
    return f"It {word} when customers are left out ({stability:.2f} of 1)."


def moves_of(movement: Movement) -> Moves:
    """Who would be elsewhere by the new clusters: what the clusters did, not what the customers did."""
    moved = _few_count(movement.moved_units)
    if not is_few(movement.moved_units):
        moved = f"{say.part(movement.moved)} ({few_or(movement.moved_units)})"
    today, before = say.amount(movement.units, "customer"), f"version {movement.from_version}"
    told = [f"Of today’s {today}, {moved} are in another cluster than by {before}."]
    if movement.appeared:
        told.append(f"New: {listed(movement.appeared)}.")
    if movement.vanished:
        told.append(f"Gone: {listed(movement.vanished)}.")
    rows = tuple(
        MoveRow(key=key, cells=tuple(map(_few_count, row)))
        for key, row in zip(movement.old, movement.table, strict=True)
    )
    return Moves(sentence=" ".join(told), columns=movement.new, rows=rows)


def _few_count(customers: int) -> str:
    return f"under {FEWEST}" if is_few(customers) else say.count(customers)


def _version(study: Study, shown: int) -> VersionRow:
    found = read_clustering(study.document)
    return VersionRow(
        number=study.version,
        made=f"{say.day(study.made_at)} by {study.made_by}",
        outcome=_OUTCOMES.get(found.outcome, found.outcome.replace("_", " ").capitalize()),
        clusters=str(len(found.clusters)) if found.clusters else "–",
        moved=_moved(found.movement),
        is_shown=study.version == shown,
    )


def _moved(movement: Movement | None) -> str:
    if movement is None:
        return "–"
    return "too few to say" if is_few(movement.moved_units) else say.part(movement.moved)


def _made_of(one: AdoptedSegment) -> MadeOf:
    return MadeOf(
        segment=one.adoption.segment,
        cluster=one.adoption.group,
        version=one.adoption.version,
        standing=_STANDINGS[one.standing],
        is_current=one.standing is Standing.CURRENT,
    )
