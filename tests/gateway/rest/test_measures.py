from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from gateway.rest.measures import Facts, measures
from gateway.sink import hop_line
from tests.gateway.rest.held import NOW, held
from thalweg.latency import BY_NAME, Rings, Summary
from thalweg.probe.sink import Exposition

SUMMARY = Summary(count=7, window_s=1.0, mean=2.0, p50=1.0, p95=3.0, p99=4.0, max=5.0)
FACTS = Facts("node", 1.5, [10, 300], 2, {"plain frames": 3, "plain bytes": 99}, {"refused": 1})


def scraped() -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    hub = held(({9_990: 1}, {}), ({}, {}), stale="kraken")
    hub.counts.update({"closed 4008": 2, "lagging": 4, "skipped": 9})
    hub.metrics.gather([hop_line(BY_NAME[name], "aggregator", SUMMARY) for name in ("total", "loop")])
    rings = Rings("hold")
    rings["hold"].add(3_000)
    rings["hold"].add(100_000)
    text = Exposition(lambda: measures(hub, rings, FACTS, NOW)).text().decode()
    families = text_string_to_metric_families(text)
    return {(one.name, tuple(sorted(one.labels.items()))): one.value for family in families for one in family.samples}


def test_what_is_told_can_be_read_back() -> None:
    found = scraped()
    kraken = (("instrument", "BTC-USDT"), ("state", "stale"), ("venue", "kraken"))
    expected = {
        ("thalweg_gateway_connections", ()): 2,
        ("thalweg_gateway_write_buffer_bytes", ()): 310,
        ("thalweg_gateway_write_buffer_max_bytes", ()): 300,
        ("thalweg_gateway_sent_frames_total", (("encoding", "plain"),)): 3,
        ("thalweg_gateway_sent_bytes_total", (("encoding", "plain"),)): 99,
        ("thalweg_gateway_closes_total", (("code", "4008"),)): 2,
        ("thalweg_gateway_slow_clients_total", (("reason", "lagging"),)): 4,
        ("thalweg_gateway_skipped_ticks_total", ()): 9,
        ("thalweg_gateway_odd_records_total", (("reason", "refused"),)): 1,
        ("thalweg_part_up", (("part", "redis"),)): 1,
        ("thalweg_book_state", kraken): 1,
        ("thalweg_book_age_seconds", (("instrument", "BTC-USDT"), ("venue", "binance"))): 0.1,
        ("thalweg_hop_window_seconds", (("hop", "total"), ("quantile", "0.99"), ("service", "aggregator"))): 4e-6,
        ("thalweg_hop_window_seconds", (("hop", "loop"), ("quantile", "1"), ("service", "aggregator"))): 5e-6,
        ("thalweg_hop_duration_seconds_count", (("hop", "hold"), ("service", "gateway"))): 2,
        ("thalweg_hop_duration_seconds_sum", (("hop", "hold"), ("service", "gateway"))): 103e-6,
        ("thalweg_hop_duration_seconds_bucket", (("hop", "hold"), ("le", "4e-06"), ("service", "gateway"))): 1,
    }
    assert {key: found[key] for key in expected} == expected
    assert found["process_open_fds", ()] > 0


def test_names_are_ours_and_labels_are_bounded() -> None:
    ours = [key for key in scraped() if not key[0].startswith("process_")]
    assert all(name.startswith("thalweg_") for name, _ in ours)
    known = {"venue", "instrument", "channel", "hop", "service", "state", "part", "reason", "code", "quantile"}
    known |= {"encoding", "version", "worker", "le"}
    assert {label for _, labels in ours for label, _ in labels} <= known
