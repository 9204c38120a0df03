"""What `/metrics` of the gateway tells, read off the hub when somebody asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.hub import Hub
from gateway.topic import Now
from thalweg.events import State
from thalweg.latency import Rings
from thalweg.probe.measure import Distribution, Kind, Labels, Measure, about, labelled


@dataclass(slots=True)
class Facts:
    """What others than the hub know: of the process, of its clients, and of what came from Redis."""

    node: str
    uptime_s: float
    buffered: Sequence[int]  # unsent bytes of each WebSocket client
    event_streams: int
    sent: Mapping[str, int]  # frames and bytes by encoding, such as `plain frames`
    records: Mapping[str, int]  # from Redis, by what became of them


def measures(hub: Hub, rings: Rings, facts: Facts, now: Now) -> Iterable[Measure | Distribution]:
    """Give all metrics."""
    yield from about("gateway", facts.node, facts.uptime_s, rings)
    yield from _of_clients(hub, facts)
    yield from _of_records(hub, facts)
    yield from _of_books(hub, now)
    yield from _of_hops(hub)


def _of_clients(hub: Hub, facts: Facts) -> Iterable[Measure]:
    def one(name: str, kind: Kind, what: str, value: float) -> Measure:
        return Measure(f"thalweg_gateway_{name}", kind, what, [({}, value)])

    yield one("connections", "gauge", "WebSocket clients.", len(facts.buffered))
    yield one("event_streams", "gauge", "Clients of /api/v1/stream.", facts.event_streams)
    yield one("write_buffer_bytes", "gauge", "Unsent, of all clients.", sum(facts.buffered))
    yield one("write_buffer_max_bytes", "gauge", "Unsent, of the worst.", max(facts.buffered, default=0))
    census = hub.census()
    for name, what, at in (("subscriptions", "Clients by channel.", 1), ("topics", "Variants followed.", 0)):
        samples: list[tuple[Labels, float]] = [({"channel": kind}, counts[at]) for kind, counts in census.items()]
        yield Measure(f"thalweg_gateway_{name}", "gauge", what, samples)
    for unit, what in (("frames", "Frames written to WebSocket clients."), ("bytes", "Bytes of these frames.")):
        values = {key.split()[0]: value for key, value in facts.sent.items() if key.endswith(unit)}
        yield labelled(f"thalweg_gateway_sent_{unit}", "counter", what, "encoding", values)
    closes = {key.split()[1]: value for key, value in hub.counts.items() if key.startswith("closed ")}
    yield labelled("thalweg_gateway_closes", "counter", "Closed by us, by code.", "code", closes)
    paces = {name: hub.counts[name] for name in ("lagging", "downgraded", "restored")}
    what = "Clients that read too slowly, by what was done."
    yield labelled("thalweg_gateway_slow_clients", "counter", what, "reason", paces)
    yield one("skipped_ticks", "counter", "Ticks left out for slow clients.", hub.counts["skipped"])


def _of_records(hub: Hub, facts: Facts) -> Iterable[Measure]:
    report = hub.report()
    received = {instrument: one["received"] for instrument, one in report.items()}
    refilled = {instrument: one["refilled"] for instrument, one in report.items()}
    for name, what, values in (
        ("received", "Publications pushed to us.", received),
        ("refilled", "Publications fetched into holes.", refilled),
    ):
        yield labelled(f"thalweg_gateway_{name}", "counter", what, "instrument", values)
    what = "Records from Redis that were not just the next one."
    yield labelled("thalweg_gateway_odd_records", "counter", what, "reason", facts.records)
    parts: dict[str, float] = {name: int(part.live) for name, part in hub.parts.items()}
    yield labelled("thalweg_part_up", "gauge", "Whether we hear Redis and the aggregator.", "part", parts)


def _of_books(hub: Hub, now: Now) -> Iterable[Measure]:
    states = Measure("thalweg_book_state", "gauge", "1 for the state that a book is in.")
    ages = Measure("thalweg_book_age_seconds", "gauge", "Since a book last changed.")
    for name, replica in hub.replicas.items():
        for venue in replica.scale.venues:
            labels = {"venue": venue, "instrument": name}
            now_in = replica.state(venue)
            states.samples += [({**labels, "state": str(state)}, int(state is now_in)) for state in State]
            age_ms = replica.age_ms(venue, now.wall)
            if age_ms is not None:
                ages.samples.append((labels, age_ms / 1e3))
    yield states
    yield ages


def _of_hops(hub: Hub) -> Iterable[Measure]:
    """Give the newest summaries of all services: percentiles of a window can't be added up, so they are gauges."""
    durations = Measure(
        "thalweg_hop_window_seconds", "gauge", "Percentiles of the last samples of a hop; 1 is the most."
    )
    for line in hub.metrics.hops:
        labels = {"hop": line["hop"], "service": line["by"]}
        figures = {"0.5": line["p50"], "0.95": line["p95"], "0.99": line["p99"], "1": line["max"]}
        durations.samples += [({**labels, "quantile": q}, us / 1e6) for q, us in figures.items()]
    yield durations
