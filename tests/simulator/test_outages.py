"""Outages of a venue, sockets that say too little or too late, answers that are not what was asked for."""

import json
from itertools import pairwise
from typing import Any

import pytest

from simulator.topic import Close, Raw
from tests.simulator.bench import CONSUMERS, START, SYMBOLS, Bench
from tests.simulator.test_tamper import NAME, Live

SECOND = 10**9
VENUES = list(CONSUMERS)


def closes(bench: Bench) -> list[int | None]:
    return [end.code for _, end in bench.ends if isinstance(end, Close)]


@pytest.mark.parametrize("venue", VENUES)
def test_a_venue_in_maintenance_closes_all_and_takes_nobody_in_until_it_is_over(venue: str) -> None:
    live = Live(venue)
    live.bench.fault("maintenance", seconds=1)
    live.bench.run(10)
    outages = live.bench.exchange.outages
    assert closes(live.bench) == [1012]
    assert not outages.handshake(live.bench.now)
    refusal = live.bench.exchange.respond("/anything", {}, live.bench.now)
    assert refusal is not None
    assert refusal.status == 503
    assert live.record == ("maintenance", "gap", "venue")
    live.bench.run(1000)
    assert outages.handshake(live.bench.now)
    assert (outages.meter.connects, outages.meter.refused_handshakes) == (2, 1)


def test_a_ban_says_how_long_and_counts_who_asks_on() -> None:
    live = Live("binance")
    live.bench.fault("rest_418", seconds=5)
    exchange, now = live.bench.exchange, live.bench.now
    ask = {"symbol": "BTCUSDT", "limit": "1000"}
    reply = exchange.respond("/api/v3/depth", ask, now + SECOND)
    assert reply is not None
    assert (reply.status, reply.headers) == (418, (("Retry-After", "4"),))
    exchange.respond("/api/v3/depth", ask, now + SECOND + SECOND // 5)  # it may have been under way
    assert exchange.outages.meter.rest_banned == 0
    exchange.respond("/api/v3/depth", ask, now + 3 * SECOND)
    assert exchange.outages.meter.rest_banned == 1
    after = exchange.respond("/api/v3/depth", ask, now + 5 * SECOND)
    assert after is not None
    assert after.status == 200


def test_who_spends_more_than_the_weight_of_a_minute_is_refused_then_banned() -> None:
    bench = Bench("binance")
    bench.now = START + (60 - START // SECOND % 60) * SECOND
    statuses = []
    for _ in range(130):
        reply = bench.exchange.respond("/api/v3/depth", {"symbol": "BTCUSDT", "limit": "1000"}, bench.now)
        assert reply is not None
        statuses.append(reply.status)
    assert statuses == [200] * 120 + [429] * 6 + [418] * 4
    assert bench.exchange.outages.meter.weight_most == 126 * 50


@pytest.mark.parametrize("venue", ["binance", "bybit", "coinbase"])
def test_a_sequence_goes_back_without_a_word(venue: str) -> None:
    live = Live(venue)
    live.bench.run(300)
    live.bench.fault("sequence_reset", instruments=[NAME])
    live.bench.run(800)
    frames = live.bench.frames(live.client)
    assert live.record[:2] == ("sequence_reset", "gap")
    field = {"binance": "u", "bybit": "u", "coinbase": "sequence_num"}[venue]
    found = [number for text in frames if (number := _number(json.loads(text), field, live.symbol)) is not None]
    assert any(later < earlier for earlier, later in pairwise(found))


def _number(frame: dict[str, Any], field: str, symbol: str) -> int | None:
    data = frame.get("data", frame)
    return data.get(field) if isinstance(data, dict) and data.get("s", symbol) == symbol else None


@pytest.mark.parametrize("venue", VENUES)
def test_a_socket_with_heartbeats_only_answers_and_says_nothing_of_books(venue: str) -> None:
    live = Live(venue)
    live.fault("heartbeats_only")
    live.run(50)
    frames = live.run(2000)
    assert live.record == ("heartbeats_only", "gap", "socket")
    assert not [text for text in frames if live.symbol in text]
    if venue in ("kraken", "coinbase"):
        assert frames
    answer = live.bench.say(live.client, {"op": "ping", "method": "ping"})
    assert answer


@pytest.mark.parametrize("venue", VENUES)
def test_late_frames_come_in_order_later_and_later_and_then_in_time_again(venue: str) -> None:
    live = Live(venue)
    live.fault("late", seconds=2.5, amount=2.0)
    before = len(live.run(1500))
    assert len(live.client.backlog) > before / 20
    arrival, _ = live.client.backlog[-1]
    assert arrival - live.bench.now > SECOND
    live.run(4000)
    assert not live.client.backlog
    assert not live.consumer.gaps
    assert live.record == ("late", "absorbed", "socket")


@pytest.mark.parametrize("venue", VENUES)
def test_a_crossed_book_stays_crossed_until_someone_notices(venue: str) -> None:
    live = Live(venue)
    live.fault("crossed")
    live.bench.run(1500)
    texts = live.bench.frames(live.client)
    assert live.record == ("crossed", "gap", "book")
    price = live.bench.exchange.desks[NAME].market.asks.rank(2)
    assert price
    assert texts


@pytest.mark.parametrize("kind", ["oversized", "garbage", "compressed"])
def test_a_frame_is_replaced_by_what_can_t_be_read(kind: str) -> None:
    live = Live("bybit")
    live.fault(kind, amount=0.1)
    live.bench.run(20)
    live.bench.exchange.advance(live.bench.now + SECOND)
    effects = [effect for _, effect in live.bench.exchange.outbox]
    strange = [effect for effect in effects if isinstance(effect, Raw) or len(str(effect)) > 100_000]
    strange += [end for _, end in live.bench.ends if isinstance(end, Raw)]
    assert len(strange) == 1
    assert live.record == (kind, "gap", "book" if kind == "garbage" else "socket")


def test_a_burst_of_junk_costs_no_frame() -> None:
    live = Live("coinbase")
    live.fault("bad_burst", count=25)
    live.run(1000)
    assert live.consumer.bad == 25
    assert not live.consumer.gaps


@pytest.mark.parametrize("venue", VENUES)
def test_a_delisted_symbol_is_silent_refused_and_comes_back(venue: str) -> None:
    live = Live(venue)
    live.fault("delist", seconds=1.5)
    live.bench.run(10)
    live.bench.frames(live.client)
    assert not [text for text in live.run(800) if f'"{live.symbol}"' in text and "level2" not in text]
    again = live.bench.connect()
    live.bench.frames(again)
    live.bench.subscribe(again, live.symbol)
    text = " ".join(live.bench.frames(again))
    assert live.bench.exchange.watched() == {"ETH-USDT"}
    if venue != "binance":  # which acknowledges unknown symbols
        assert any(word in text for word in ("not found", "not supported", "not a product"))
    live.bench.run(1000)
    live.bench.subscribe(again, live.symbol)
    assert NAME in live.bench.exchange.watched()


@pytest.mark.parametrize("venue", VENUES)
def test_an_acknowledged_subscription_may_stay_silent(venue: str) -> None:
    bench = Bench(venue)
    bench.fault("ack_silence", instruments=[NAME])
    client = bench.connect()
    bench.subscribe(client, SYMBOLS[venue])
    assert bench.exchange.watched() == {NAME}
    bench.frames(client)
    bench.run(2000)
    books = [text for text in bench.frames(client) if "depthUpdate" in text or "orderbook" in text or "l2_data" in text]
    assert not [text for text in books if "trade" not in text]
    assert [(one.kind, one.expect) for one in bench.faults] == [
        ("ack_silence", "gap" if venue == "binance" else "absorbed")
    ]


def test_a_slow_snapshot_is_old_when_it_comes_and_a_new_one_is_ahead_of_the_stream() -> None:
    live = Live("binance")
    live.fault("slow_snapshot", amount=1.5)
    assert live.depth().delay_s == 1.5
    live.fault("new_snapshot", amount=1.0)
    ahead = json.loads(live.depth().body)["lastUpdateId"]
    live.run(300)
    assert live.consumer.books["BTCUSDT"].last <= ahead
    assert live.client.backlog
    live.run(4000)
    assert live.consumer.books["BTCUSDT"].last > ahead
    assert not live.consumer.gaps


@pytest.mark.parametrize(("venue", "seconds"), [("binance", 5.0), ("kraken", -5.0), ("coinbase", 5.0)])
def test_a_venue_s_clock_may_be_wrong(venue: str, seconds: float) -> None:
    live = Live(venue)
    live.bench.fault("skew", seconds=100, amount=seconds)
    live.run(1000)
    assert not live.consumer.gaps
    assert live.record == ("skew", "absorbed", "venue")
    if seconds > 0:
        assert live.bench.exchange.desks[NAME].ts_event > live.bench.now + 4 * SECOND


def test_connections_end_at_an_age_and_who_has_another_loses_nothing() -> None:
    bench = Bench("bybit")
    first = bench.connect()
    bench.subscribe(first, "BTCUSDT")
    bench.run(3000)
    second = bench.connect()
    bench.subscribe(second, "BTCUSDT")
    bench.fault("max_age", seconds=4)
    bench.run(2500)
    assert [number for number, end in bench.ends if isinstance(end, Close)] == [1]
    bench.exchange.disconnect(first)
    bench.run(3000)
    assert [number for number, end in bench.ends if isinstance(end, Close)] == [1, 2]
    assert [(one.kind, one.expect) for one in bench.faults] == [("max_age", "absorbed"), ("max_age", "gap")]
    assert bench.exchange.outages.meter.carried_most == 2


def test_a_fault_at_every_book_happens_to_every_book() -> None:
    live = Live("bybit")
    live.bench.fault("drop", instruments=["*"])
    live.run(1500)
    assert sorted(name for one in live.bench.faults for name in one.instruments) == [NAME, "ETH-USDT"]


def test_the_engine_halts_and_says_when_it_is_over() -> None:
    live = Live("kraken")
    live.fault("halt")
    systems = [json.loads(text)["data"][0]["system"] for text in live.run(6000) if '"status"' in text]
    assert systems == ["maintenance", "online"]


def test_trades_may_come_twice() -> None:
    live = Live("kraken")
    live.fault("duplicate_trade")
    live.run(5000)
    ids = [trade["trade_id"] for trade in live.consumer.trades[live.symbol]]
    assert len(ids) > len(set(ids))
    assert live.record == ("duplicate_trade", "absorbed", "trades")


def test_ghosts_are_levels_that_went_while_nobody_looked() -> None:
    live = Live("binance")
    before = live.bench.exchange.desks[NAME].market.bids.top(5)
    live.fault("ghosts")
    live.bench.run(10)
    assert closes(live.bench) == [None]
    assert live.bench.exchange.desks[NAME].market.bids.top(5) != before
    assert live.record == ("ghosts", "gap", "socket")
