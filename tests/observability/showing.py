"""Everything that the services show as metrics, by name, from the code that makes it."""

from __future__ import annotations

from collections.abc import Iterable

from aggregator.measures import measures as of_aggregator
from gateway.rest.measures import Facts
from gateway.rest.measures import measures as of_gateway
from ingest.measures import measures as of_ingest
from ingest.tally import Tally
from tests.gateway.rest.held import NOW, held
from thalweg.cli.overseer import TOLD, Overseer, Seen
from thalweg.latency import Rings
from thalweg.probe.measure import Distribution, Measure, about
from thalweg.settings import load_settings


def shown() -> dict[str, tuple[str, str]]:
    """Give kind and meaning of every metric, by its name as Prometheus has it."""
    gateway = of_gateway(held(({9_990: 1}, {}), ({}, {})), Rings("hold"), Facts("node", 0.0, [], 0, {}, {}), NOW)
    redis = Overseer(load_settings({}))
    redis.servers = {"": Seen(told={field: "1" for *_, field in TOLD})}
    every: list[Iterable[Measure | Distribution]] = [
        about("any", "me", 0.0, Rings("loop")),
        of_ingest("kraken", Tally(skew_ns=1), {}),
        of_aggregator({}),
        gateway,
        redis.measures(),
    ]
    found: dict[str, tuple[str, str]] = {}
    for one in (measure for measures in every for measure in measures):
        kind = "histogram" if isinstance(one, Distribution) else one.kind
        found[f"{one.name}_total" if kind == "counter" else one.name] = (kind, one.what)
    return found
