from __future__ import annotations

import orjson

from gateway.hub import AGGREGATOR, REDIS
from gateway.notices import Metrics, MetricsTopic
from gateway.sink import hop_line
from gateway.topic import Now
from tests.gateway.publications import START_NS
from tests.gateway.test_topics import Scene
from thalweg.events import State
from thalweg.latency import BY_NAME, Summary

NOW = Now(START_NS, 0)


def test_all_states_come_at_first() -> None:
    scene = Scene()
    scene.follow("status")
    lines = scene.wire.reader.of("status")
    assert [one.get("sys") or (one["ex"], one["sym"]) for one in lines] == [
        REDIS,
        AGGREGATOR,
        ("binance", "BTC-USDT"),
        ("kraken", "BTC-USDT"),
    ]
    assert {one["st"] for one in lines} == {"live"}


def test_afterwards_only_what_changed_comes() -> None:
    scene = Scene()
    scene.follow("status")
    scene.maker.states["kraken"] = State.STALE
    scene.maker.reason, scene.maker.flags = "sequence gap", 3
    before = len(scene.wire.reader.messages)
    scene.maker.states["binance"] = State.LIVE
    scene.publish(scene.maker.delta())
    scene.tick()
    changed = scene.wire.reader.messages[before:]
    assert [(one["ex"], one["st"], one["why"], one["fl"]) for one in changed] == [
        ("binance", "live", "sequence gap", ["unverified", "late"]),
        ("kraken", "stale", "sequence gap", ["unverified", "late"]),
    ]
    assert changed[1]["since"] == START_NS // 1000
    scene.publish(scene.maker.delta())
    scene.tick()
    assert len(scene.wire.reader.messages) == before + 2


def test_a_silent_aggregator_is_told_with_all_books_it_concerns() -> None:
    scene = Scene()
    scene.follow("status")
    before = len(scene.wire.reader.messages)
    scene.ticker.tick(12)
    changed = scene.wire.reader.messages[before:]
    assert [(one.get("sys", one.get("ex")), one["st"]) for one in changed] == [
        (AGGREGATOR, "down"),
        ("binance", "stale"),
        ("kraken", "stale"),
    ]
    assert changed[1]["why"] == "aggregator: no heartbeat for over 750 ms"


def test_figures_are_sent_when_they_are_gathered() -> None:
    metrics = Metrics([])
    topic = MetricsTopic(metrics)
    assert topic.keyframe(None, NOW).text == b""
    line = hop_line(BY_NAME["hold"], "gateway", Summary(count=1, window_s=1.0, mean=2, p50=2, p95=2, p99=2, max=2))
    metrics.gather([line])
    frame = topic.advance(NOW)
    assert frame is not None
    assert orjson.loads(frame.text) == {"t": "metrics", "hops": [line]}
    assert topic.advance(NOW) is None
    assert topic.keyframe(None, NOW).text == frame.text
