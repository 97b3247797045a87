"""Pictures of processes as Prometheus reads them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from api.metrics.counts import BOUNDS
from api.metrics.metrics import GAUGES

Picture = dict[str, Any]


class Collected(Collector):
    """The sum of some pictures."""

    def __init__(self, pictures: Sequence[Picture]) -> None:
        self._pictures = pictures

    def collect(self) -> Iterator[Metric]:
        """Yield every family."""
        yield self._requests()
        yield self._latencies()
        yield self._decisions()
        yield self._items()
        yield CounterMetricFamily("winnow_cpu_seconds", "CPU time of all processes.", value=self._cpu_seconds())
        alive = [picture["gauges"] for picture in self._pictures if picture["gauges"]]
        yield GaugeMetricFamily("winnow_processes", "Processes that were counted together.", value=len(alive))
        for name, (told, together) in GAUGES.items():
            values = [gauges[name] for gauges in alive if name in gauges]
            if values:
                yield GaugeMetricFamily(f"winnow_{name}", told, value=together(values))

    def _requests(self) -> Metric:
        counts: Counter[tuple[str, str, str]] = Counter()
        for route in self._routes():
            for status, count in route["statuses"].items():
                counts[route["method"], route["route"], status] += count
        family = CounterMetricFamily("winnow_http_requests", "Requests answered.", labels=("method", "route", "status"))
        for labels, count in counts.items():
            family.add_metric(labels, count)
        return family

    def _latencies(self) -> Metric:
        buckets: dict[tuple[str, str], list[int]] = {}
        seconds: Counter[tuple[str, str]] = Counter()
        for route in self._routes():
            name = (route["method"], route["route"])
            before = buckets.get(name, [0] * len(route["buckets"]))
            buckets[name] = [one + other for one, other in zip(before, route["buckets"], strict=True)]
            seconds[name] += route["seconds"]
        family = HistogramMetricFamily(
            "winnow_http_request_seconds", "Time to answer, from the first line of ours on.", labels=("method", "route")
        )
        for name, counts in buckets.items():
            family.add_metric(name, _cumulative(counts), seconds[name])
        return family

    def _decisions(self) -> Metric:
        counts: Counter[tuple[str, str]] = Counter()
        for picture in self._pictures:
            for experiment, reason, count in picture["decisions"]:
                counts[experiment, reason] += count
        family = CounterMetricFamily("winnow_decisions", "Assignments given.", labels=("experiment", "reason"))
        for labels, count in counts.items():
            family.add_metric(labels, count)
        return family

    def _items(self) -> Metric:
        counts: Counter[tuple[str, str, str]] = Counter()
        for picture in self._pictures:
            for kind, status, code, count in picture.get("items", ()):  # a folder may outlive a release
                counts[kind, status, code] += count
        family = CounterMetricFamily(
            "winnow_items", "Items sent, by what became of them.", labels=("kind", "status", "code")
        )
        for labels, count in counts.items():
            family.add_metric(labels, count)
        return family

    def _routes(self) -> Iterator[dict[str, Any]]:
        return (route for picture in self._pictures for route in picture["requests"])

    def _cpu_seconds(self) -> float:
        total: float = sum(picture["cpu_seconds"] for picture in self._pictures)
        return total


def exposition(pictures: Sequence[Picture]) -> bytes:
    """Return the text that Prometheus scrapes."""
    registry = CollectorRegistry()
    registry.register(Collected(pictures))
    return generate_latest(registry)


def _cumulative(counts: Sequence[int]) -> list[tuple[str, float]]:
    told, total = [], 0
    for bound, count in zip((*map(str, BOUNDS), "+Inf"), counts, strict=True):
        total += count
        told.append((bound, float(total)))
    return told
