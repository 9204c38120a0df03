from __future__ import annotations

import random

import pytest

from gateway.hub import AGGREGATOR, REDIS, Hub
from gateway.topic import Now
from tests.gateway.client import RecordingWire, Ticker
from tests.gateway.publications import START_NS, Maker, instruments
from tests.gateway.test_topics import BOOK, LADDER, Scene, expected_book, expected_ladder

SECOND = 1_000_000_000


def at(seconds: float) -> Now:
    return Now(START_NS + int(seconds * SECOND), int(seconds * SECOND))


def heard_hub() -> Hub:
    hub = Hub(instruments("BTC-USDT", "ETH-USDT"))
    hub.set_part(REDIS, True, "", at(0))
    hub.hear(at(0), None)
    return hub


def troubles(hub: Hub) -> set[str | None]:
    return {replica.trouble for replica in hub.replicas.values()}


def test_at_first_nothing_may_be_called_live() -> None:
    assert None not in troubles(Hub(instruments()))


def test_a_hub_that_hears_everything_has_no_trouble() -> None:
    hub = heard_hub()
    hub.listen(at(0.7))
    assert troubles(hub) == {None}


def test_a_heartbeat_that_is_over_750_ms_old_is_silence() -> None:
    hub = heard_hub()
    hub.listen(at(0.8))
    assert troubles(hub) == {"aggregator: no heartbeat for over 750 ms"}
    assert hub.parts[AGGREGATOR].since_ns == at(0.8).wall
    assert {replica.troubled_at for replica in hub.replicas.values()} == {at(0.8).wall}


def test_each_instrument_is_judged_by_the_heartbeat_that_names_it() -> None:
    hub = heard_hub()
    hub.hear(at(0.7), None, ["ETH-USDT"])
    hub.listen(at(0.8))
    assert [hub.replicas[name].trouble for name in hub.replicas] == ["aggregator: no heartbeat for over 750 ms", None]
    assert (hub.parts[AGGREGATOR].live, hub.parts[AGGREGATOR].why) == (True, "no heartbeat for over 750 ms (BTC-USDT)")


def test_trouble_is_that_of_the_instruments_it_names_until_another_heartbeat_does() -> None:
    hub = heard_hub()
    hub.hear(at(0.1), "redis full", ["BTC-USDT"])
    assert [hub.replicas[name].trouble for name in hub.replicas] == ["aggregator: redis full", None]
    hub.hear(at(0.2), None, ["BTC-USDT"])
    assert troubles(hub) == {None}
    assert hub.parts[AGGREGATOR].why == ""


def test_the_next_heartbeat_ends_the_silence() -> None:
    hub = heard_hub()
    hub.listen(at(1.1))
    hub.hear(at(1.2), None)
    assert troubles(hub) == {None}
    assert (hub.parts[AGGREGATOR].since_ns, hub.parts[AGGREGATOR].why) == (at(1.2).wall, "")


def test_without_redis_an_earlier_heartbeat_counts_for_nothing() -> None:
    hub = heard_hub()
    hub.set_part(REDIS, False, "can't be reached", at(0.1))
    hub.set_part(REDIS, True, "", at(0.2))
    hub.listen(at(0.3))
    assert not hub.parts[AGGREGATOR].live


def test_only_the_instrument_that_is_quiet_is_in_trouble() -> None:
    hub = heard_hub()
    for name, seconds in (("BTC-USDT", 0.0), ("ETH-USDT", 2.0)):
        maker = Maker(name)
        hub.replicas[name].join([maker.key()], at(0).wall)
        hub.replicas[name].receive(maker.delta(), at(seconds).wall)
    hub.hear(at(3.5), None)
    assert [hub.replicas[name].trouble for name in hub.replicas] == ["nothing published for over 3 s", None]


def test_clients_with_the_same_wish_share_a_topic() -> None:
    scene = Scene()
    for options in ({"depth": 10}, {"depth": 9}, {"depth": 25}, {"depth": 25, "rate_ms": 250}):
        scene.ticker.connect(RecordingWire(), BOOK, **options)
    assert scene.hub.following == 3


def test_at_the_raw_rate_each_batch_of_publications_is_a_frame_and_no_tick_is_waited_for() -> None:
    scene, raw = Scene(), RecordingWire()
    scene.follow(BOOK, LADDER)
    scene.ticker.connect(raw, BOOK, rate_ms=0)
    scene.tick()
    for count in (1, 3):
        for _ in range(count):
            scene.publish(scene.maker.delta())
        scene.hub.deliver(scene.ticker.now)
    assert [message["n"] for message in raw.reader.of("d")] == [1, 3]
    assert scene.wire.reader.of("d") == []


@pytest.mark.parametrize("seed", range(8))
def test_raw_frames_between_ticks_make_the_published_book(seed: int) -> None:
    scene, dice, other = Scene(seed), random.Random(seed), RecordingWire()
    scene.follow(BOOK, LADDER, rate_ms=0)
    scene.ticker.connect(other, BOOK, LADDER)
    for _ in range(60):
        scene.publish(scene.maker.key() if dice.random() < 0.1 else scene.maker.delta(dice.randrange(12)))
        dice.choice((scene.tick, lambda: scene.hub.deliver(scene.ticker.now)))()
    scene.tick(20)
    for wire in (scene.wire, other):
        assert wire.reader.books[BOOK].ranked() == expected_book(scene.maker, "kraken", 25)
        assert wire.reader.books[LADDER].ranked() == expected_ladder(scene.maker, 25)


def test_nothing_is_raw_any_more_when_the_last_has_gone() -> None:
    scene = Scene()
    first, second = (scene.ticker.connect(RecordingWire(), BOOK, rate_ms=0) for _ in range(2))
    first.leave()
    assert scene.hub.raw
    second.leave()
    assert not scene.hub.raw


def test_depth_and_rate_do_not_split_what_has_none() -> None:
    ticker = Ticker(Hub(instruments()))
    for rate_ms in (100, 1000):
        ticker.connect(RecordingWire(), "status", "metrics", rate_ms=rate_ms, depth=rate_ms)
    assert ticker.hub.following == 2


def test_the_report_has_only_what_was_joined() -> None:
    hub = heard_hub()
    maker = Maker(seq=9)
    hub.replicas["BTC-USDT"].join([maker.key()], 0)
    hub.replicas["BTC-USDT"].receive(maker.delta(), 0)
    assert hub.report() == {"BTC-USDT": {"joined_at": 10, "head": 11, "received": 1, "refilled": 0}}
