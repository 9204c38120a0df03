import json

import pytest

from simulator.faults import Script, load_script
from simulator.texts import SECOND_NS
from simulator.venues import DIALECTS
from simulator.world import World, expected_frames, steps_a_second
from tests.simulator.bench import PATHS, START, Bench, subscriptions
from thalweg.errors import SettingsError
from thalweg.instruments import load_instruments


def whole_world(rate: float) -> World:
    world = World(load_instruments().only(), rate, 1, Script(), START)
    for number, (venue, exchange) in enumerate(world.exchanges.items()):
        client = exchange.connect(number, PATHS[venue], START)
        for request in subscriptions(venue, exchange.by_symbol):
            exchange.receive(client, json.dumps(request), START)
    return world


def run(world: World, start: int, seconds: float) -> None:
    for turn in range(int(seconds * 200)):
        world.advance(start + turn * 5_000_000)
        for exchange in world.exchanges.values():
            exchange.outbox = []
    world.oracle.drain()


@pytest.mark.parametrize("rate", [500.0, 1500.0, 2500.0])
def test_the_rate_is_met(rate: float) -> None:
    world = whole_world(rate)
    assert world.books() == world.listed() == 54
    run(world, START, 0.3)
    before = world.report()["frames"]
    run(world, START + 300_000_000, 1.2)
    assert (world.report()["frames"] - before) / 1.2 == pytest.approx(rate, rel=0.12)


def test_more_steps_make_more_frames_up_to_the_cadence() -> None:
    markets = [(DIALECTS["bybit"], "BTC-USDT")]
    assert expected_frames(1.0, markets) < expected_frames(5.0, markets)
    assert expected_frames(100.0, markets) == pytest.approx(10 + 200 * 0.17)
    assert steps_a_second(1e9, markets) == pytest.approx(2000)


def test_unknown_venues_and_empty_worlds_are_refused() -> None:
    with pytest.raises(SettingsError, match="no such simulated venue: nowhere"):
        World(load_instruments(), 10.0, 1, Script(), START, ["nowhere"])
    with pytest.raises(SettingsError, match="no instrument is listed"):
        World(load_instruments().only(["BTC-USD"]), 10.0, 1, Script(), START, ["bybit"])


def test_nothing_moves_before_someone_subscribes_and_all_goes_on_after_they_leave() -> None:
    bench = Bench("kraken")
    market = bench.exchange.desks["BTC-USDT"].market
    start = market.bids.top()
    bench.run(1000)
    assert market.bids.top() == start
    client = bench.connect()
    bench.subscribe(client)
    bench.exchange.disconnect(client)
    bench.run(1000)
    assert market.bids.top() != start
    assert bench.world.books() == 0


def test_a_pause_ends_with_all_said_and_a_resume_goes_on() -> None:
    bench = Bench("binance")
    client = bench.connect()
    bench.subscribe(client)
    bench.run(1030)
    bench.world.pause(bench.now)
    bench.run(5)
    last = max(int(key.partition("/")[0]) for name, key in bench.truth if name == "BTC-USDT")
    assert last == bench.exchange.desks["BTC-USDT"].sequence
    bench.frames(client)
    bench.run(3000)
    assert bench.frames(client) == []
    bench.world.resume(bench.now)
    bench.run(1000)
    assert len(bench.frames(client)) > 10


def test_a_venue_or_a_book_can_be_muted() -> None:
    bench = Bench("bybit")
    client = bench.connect()
    bench.subscribe(client)
    bench.world.mute("bybit", "BTC-USDT", bench.now)
    bench.run(10)
    bench.frames(client)
    bench.run(1000)
    assert not [text for text in bench.frames(client) if "orderbook.200.BTCUSDT" in text]
    bench.world.mute("bybit", None, bench.now)
    bench.run(1000)
    assert bench.frames(client) == []
    with pytest.raises(SettingsError):
        bench.world.mute("bybit", "NOPE-USD", bench.now)


def test_the_report_says_what_there_is() -> None:
    bench = Bench("coinbase")
    bench.subscribe(bench.connect(), "BTC-USDT")
    bench.fault("drop")
    bench.run(500)
    report = bench.world.report()
    assert (report["books"], report["listed"], report["running"]) == (1, 2, True)
    assert report["frames"] == report["frames_by_venue"]["coinbase"] > 5
    (fault,) = report["faults"]
    assert set(fault) == {"id", "kind", "venue", "instruments", "ts_ns", "expect", "scope"}


def test_faults_of_venues_that_are_not_simulated_go_unheeded() -> None:
    script = load_script("default", DIALECTS)
    world = World(load_instruments(), 10.0, 1, script, START, ["kraken"])
    for second in range(120):
        world.advance(START + second * SECOND_NS)
    assert {record.venue for record in world.log.records} <= {"kraken"}
