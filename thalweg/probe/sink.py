"""Metrics in Prometheus's text format, rendered when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from thalweg.probe.measure import Distribution, Measure, cumulative

MEDIA = "text/plain; version=0.0.4; charset=utf-8"


class _Measures(Collector):
    """Gives what there is at the time of a scrape."""

    def __init__(self, read: Callable[[], Iterable[Measure | Distribution]]) -> None:
        self._read = read

    def describe(self) -> Iterable[Metric]:
        """Give nothing: the registry need not scrape to learn names."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Give all families."""
        for one in self._read():
            yield _histogram(one) if isinstance(one, Distribution) else _family(one)


def _family(one: Measure) -> Metric:
    family = (CounterMetricFamily if one.kind == "counter" else GaugeMetricFamily)(one.name, one.what)
    for labels, value in one.samples:
        family.add_sample(f"{one.name}_total" if one.kind == "counter" else one.name, dict(labels), value)
    return family


def _histogram(one: Distribution) -> Metric:
    names = list(one.samples[0][0]) if one.samples else []
    family = HistogramMetricFamily(one.name, one.what, labels=names)
    for labels, found in one.samples:
        family.add_metric([labels[name] for name in names], cumulative(found), found.total_ns / 1e9)
    return family


class Exposition:
    """All metrics of this process: ours, and processor time, memory and files as the library tells them."""

    def __init__(self, read: Callable[[], Iterable[Measure | Distribution]]) -> None:
        """Prepare; `read` is called at every scrape."""
        self._registry = CollectorRegistry()
        self._registry.register(_Measures(read))
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """Give the text."""
        return generate_latest(self._registry)
