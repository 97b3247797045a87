"""Segments learnt from attributes alone: clusters, each as a rule; or the reason why there are none."""

from segmentation.learnt.document import canonical_json, from_document, to_document
from segmentation.learnt.explain import Fidelity
from segmentation.learnt.fit import learn
from segmentation.learnt.mixture import MixtureView
from segmentation.learnt.preparation import LeftOut, Preparation, Scaled
from segmentation.learnt.projection import Axis, Place, Projection, project
from segmentation.learnt.reference import StructureTest, structure_test
from segmentation.learnt.refit import Movement, Refit, refit
from segmentation.learnt.result import Candidate, Cluster, Learning, LearntSegments, NoClusters, assign

__all__ = [
    "Axis",
    "Candidate",
    "Cluster",
    "Fidelity",
    "Learning",
    "LearntSegments",
    "LeftOut",
    "MixtureView",
    "Movement",
    "NoClusters",
    "Place",
    "Preparation",
    "Projection",
    "Refit",
    "Scaled",
    "StructureTest",
    "assign",
    "canonical_json",
    "from_document",
    "learn",
    "project",
    "refit",
    "structure_test",
    "to_document",
]
