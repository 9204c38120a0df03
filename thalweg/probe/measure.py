"""A metric as plain data, read off a service when somebody asks, so that no frame pays for it.

Names begin with `thalweg_`, units are seconds and bytes. Labels are bounded: they come from settings or from our code,
never from a venue or a client.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import thalweg
from thalweg.latency import BOUNDS_US, Histogram, Rings

Labels: TypeAlias = Mapping[str, str]
Kind: TypeAlias = Literal["counter", "gauge"]


@dataclass(slots=True)
class Measure:
    """One metric: its kind, what it says, and its samples; the names of counters leave out `_total`."""

    name: str
    kind: Kind
    what: str
    samples: list[tuple[Labels, float]] = field(default_factory=list)


@dataclass(slots=True)
class Distribution:
    """One metric in buckets: for each set of labels, how many samples were at most each of `BOUNDS_US`."""

    name: str
    what: str
    samples: list[tuple[Labels, Histogram]] = field(default_factory=list)


def single(name: str, kind: Kind, what: str, value: float) -> Measure:
    """Give a metric of one sample without labels."""
    return Measure(name, kind, what, [({}, value)])


def labelled(name: str, kind: Kind, what: str, label: str, values: Mapping[str, float]) -> Measure:
    """Give a metric of one label."""
    return Measure(name, kind, what, [({label: key}, value) for key, value in values.items()])


def about(service: str, worker: str, uptime_s: float, rings: Rings) -> Iterable[Measure | Distribution]:
    """Give what every service tells: what runs, since when, and how long each of its own hops took.

    Args:
        service: `gateway`, `aggregator` or `ingest:VENUE`.
        worker: who it is among several, as it says in the leases.
        uptime_s: since the start.
        rings: of its hops.
    """
    labels = {"version": thalweg.__version__, "service": service, "worker": worker}
    yield Measure("thalweg_build_info", "gauge", "What runs.", [(labels, 1)])
    yield Measure("thalweg_uptime_seconds", "gauge", "Since the start.", [({"service": service}, uptime_s)])
    hops = rings.histograms()
    taken = Distribution("thalweg_hop_duration_seconds", "How long the samples of a hop took.")
    taken.samples = [({"hop": hop, "service": service}, one) for hop, one in hops.items() if hop != "loop"]
    late = Distribution("thalweg_event_loop_lag_seconds", "How late the event loop came to what was ready.")
    late.samples = [({"service": service}, one) for hop, one in hops.items() if hop == "loop"]
    yield from (taken, late)


def cumulative(found: Histogram) -> list[tuple[str, float]]:
    """Give a histogram's buckets as Prometheus has them: the bound in seconds, and how many were at most that."""
    total, buckets = 0, []
    for bound_us, count in zip((*BOUNDS_US, None), found.counts, strict=True):
        total += count
        buckets.append(("+Inf" if bound_us is None else repr(bound_us / 1e6), float(total)))
    return buckets
