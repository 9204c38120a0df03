"""Each kind of fault does what it says, to the consumers of the fact sheets; and the oracle is never lied to."""

import json
from typing import Any

import pytest

from simulator.dialect import Reply
from simulator.topic import Client, Close
from tests.simulator.bench import CONSUMERS, SYMBOLS, Bench
from tests.simulator.consumers import Binance, Consumer

VENUES = list(CONSUMERS)
NAME = "BTC-USDT"


class Live:
    """A bench whose one client follows its books."""

    def __init__(self, venue: str) -> None:
        self.bench = Bench(venue)
        self.client: Client = self.bench.connect()
        self.consumer: Consumer = CONSUMERS[venue]()
        self.bench.subscribe(self.client)
        self.run(300)
        if isinstance(self.consumer, Binance):
            for symbol in self.bench.exchange.by_symbol:
                self.bench.confirm(self.consumer.snapshot(symbol, self.depth(symbol).body.decode()))
        self.run(500)
        assert not self.consumer.gaps

    def depth(self, symbol: str = "BTCUSDT") -> Reply:
        return self.bench.get("/api/v3/depth", symbol=symbol, limit="1000")

    def run(self, milliseconds: int) -> list[str]:
        """Let time pass; the consumer reads all and every position it reaches must be true."""
        self.bench.run(milliseconds)
        frames = self.bench.frames(self.client)
        for text in frames:
            self.bench.confirm(self.consumer.read(text))
        return frames

    def fault(self, kind: str, **more: Any) -> None:
        self.bench.fault(kind, instruments=[NAME], **more)

    @property
    def record(self) -> tuple[str, str, str]:
        (one,) = self.bench.faults
        return one.kind, one.expect, one.scope

    @property
    def symbol(self) -> str:
        return SYMBOLS[self.bench.venue]


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("kind", ["drop", "reorder", "truncate"])
def test_a_lost_swapped_or_broken_frame_is_a_gap(venue: str, kind: str) -> None:
    live = Live(venue)
    live.fault(kind)
    live.run(1500)
    assert live.record == (kind, "gap", "socket" if venue == "coinbase" else "book")
    lost = {NAME, "ETH-USDT"} if venue == "coinbase" else {NAME}
    assert set(live.bench.faults[0].instruments) == lost
    assert {live.bench.exchange.by_symbol[symbol].instrument for symbol in live.consumer.gaps} == lost
    assert live.consumer.bad == (kind == "truncate")


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("kind", ["drop", "reorder", "truncate"])
def test_a_loss_at_kraken_shows_whatever_follows_it(kind: str, seed: int) -> None:
    live = Live("kraken")
    live.run(seed * 35)
    live.fault(kind)
    live.run(2500)
    assert live.consumer.gaps == [live.symbol]


def change(live: Live, price: int, size: int) -> list[str]:
    """Change one bid, publish it, and give what the consumer heard."""
    exchange = live.bench.exchange
    (topic,) = [one for one in exchange.desks[NAME].topics.values() if one.kind == "book"]
    topic.desk.market.bids.set(price, size)
    topic.bids.add(price)
    exchange.flush(topic, live.bench.now)
    return live.run(5)


def stopped(kind: str) -> tuple[Live, list[tuple[int, int]]]:
    """A Kraken book that moves only by hand, with a fault that waits for its frames."""
    live = Live("kraken")
    live.bench.world.pause(live.bench.now)
    live.run(5)
    live.fault(kind)
    live.bench.exchange.tamper.tick(live.bench.now)
    return live, live.bench.exchange.desks[NAME].market.bids.top()


@pytest.mark.parametrize("kind", ["drop", "truncate", "reorder"])
def test_a_frame_below_the_checksum_is_not_chosen(kind: str) -> None:
    live, levels = stopped(kind)
    assert change(live, levels[15][0], levels[15][1] + 1)
    assert not live.bench.faults


def test_a_loss_that_the_next_frame_would_heal_goes_on_until_it_shows() -> None:
    live, levels = stopped("drop")
    (best, size), (second, other) = levels[:2]
    assert change(live, best, size + 1) == []
    assert change(live, best, size + 2) == []
    assert len(change(live, second, other + 1)) == 1
    assert live.consumer.gaps == [live.symbol]
    assert len(live.bench.faults) == 1


def test_a_swap_that_would_not_show_is_put_off() -> None:
    live, levels = stopped("reorder")
    (best, size), (second, other) = levels[:2]
    assert change(live, best, size + 1) == []
    frames = change(live, best, size + 2)
    stamps = [text.partition('"timestamp"')[2] for text in frames]
    assert len(stamps) == 2
    assert stamps == sorted(stamps)
    assert not live.consumer.gaps
    assert not live.bench.faults
    assert change(live, best, size + 3) == []
    assert len(change(live, second, other + 1)) == 2
    assert live.consumer.gaps == [live.symbol]
    assert len(live.bench.faults) == 1


@pytest.mark.parametrize("venue", VENUES)
def test_a_repeated_frame_is_absorbed_but_at_bybit(venue: str) -> None:
    live = Live(venue)
    live.fault("duplicate")
    live.run(1500)
    expect = "gap" if venue == "bybit" else "absorbed"
    assert live.record == ("duplicate", expect, "book")
    assert bool(live.consumer.gaps) is (expect == "gap")


def test_a_wrong_checksum_is_a_gap() -> None:
    live = Live("kraken")
    live.fault("corrupt_checksum")
    live.run(1000)
    assert live.record == ("corrupt_checksum", "gap", "book")
    assert live.consumer.gaps == [live.symbol]


@pytest.mark.parametrize(("venue", "field"), [("binance", "t"), ("kraken", "trade_id")])
def test_a_lost_trade_is_a_hole_in_the_ids(venue: str, field: str) -> None:
    live = Live(venue)
    live.fault("drop_trade")
    live.run(5000)
    ids = [int(trade[field]) for trade in live.consumer.trades[live.symbol]]
    missing = set(range(ids[0], ids[-1] + 1)) - set(ids)
    assert len(missing) >= 1
    assert live.record == ("drop_trade", "gap", "trades")
    assert not live.consumer.gaps


def test_a_lost_trade_at_bybit_can_t_be_seen() -> None:
    live = Live("bybit")
    live.fault("drop_trade")
    live.run(5000)
    assert live.record == ("drop_trade", "undetectable", "trades")


@pytest.mark.parametrize("venue", ["binance", "bybit", "kraken"])
def test_a_silent_book_comes_back_with_a_gap(venue: str) -> None:
    live = Live(venue)
    live.fault("silent_book", seconds=2.0)
    frames = live.run(1800)
    names = {f'"{live.symbol}"'}
    books = [text for text in frames if "depthUpdate" in text or "orderbook" in text or '"book"' in text]
    assert books
    assert not [text for text in books if any(name in text for name in names)]
    live.run(1500)
    assert live.consumer.gaps == [live.symbol]
    assert live.record == ("silent_book", "gap", "book")


def test_a_silent_book_at_coinbase_leaves_no_hole_and_lasts_until_subscribed_to_again() -> None:
    live = Live("coinbase")
    live.fault("silent_book", seconds=1.0)
    frames = live.run(3000)
    assert not [text for text in frames if "l2_data" in text and NAME in text]
    assert any("heartbeats" in text for text in frames)
    assert not live.consumer.gaps
    for kind in ("unsubscribe", "subscribe"):
        live.bench.say(live.client, {"type": kind, "channel": "level2", "product_ids": [NAME]})
    live.run(5)
    assert [text for text in live.run(1000) if '"type":"update","product_id":"BTC-USDT"' in text]


@pytest.mark.parametrize("venue", VENUES)
def test_a_silent_socket_says_nothing_and_stays_open(venue: str) -> None:
    live = Live(venue)
    live.fault("silent_socket")
    live.bench.run(10)
    live.bench.frames(live.client)
    assert live.run(5000) == []
    assert live.bench.say(live.client, {"op": "ping", "method": "ping", "type": "subscribe"}) == []
    assert not live.bench.ends
    assert live.record == ("silent_socket", "gap", "socket")
    assert set(live.bench.faults[0].instruments) == {NAME, "ETH-USDT"}


@pytest.mark.parametrize(("kind", "code"), [("cut", None), ("close", 1001)])
def test_a_socket_is_cut_or_closed(kind: str, code: int | None) -> None:
    live = Live("kraken")
    live.fault(kind)
    live.bench.run(10)
    assert [(number, end.code) for number, end in live.bench.ends if isinstance(end, Close)] == [(1, code)]
    assert live.record == (kind, "gap", "socket")


@pytest.mark.parametrize("venue", VENUES)
def test_a_subscription_is_refused_once(venue: str) -> None:
    bench = Bench(venue)
    bench.fault("refuse")
    client = bench.connect()
    bench.frames(client)
    bench.subscribe(client, SYMBOLS[venue])
    text = " ".join(bench.frames(client))
    assert any(word in text for word in ('"success":false', '"error"', '"code":0'))
    assert [(one.kind, one.expect) for one in bench.faults] == [("refuse", "absorbed")]
    bench.subscribe(client, SYMBOLS[venue])
    assert bench.exchange.watched() == {NAME}


def test_requests_are_too_many_once_and_say_when_to_come_back() -> None:
    live = Live("binance")
    live.fault("rest_429")
    reply = live.depth()
    assert (reply.status, json.loads(reply.body)["code"], dict(reply.headers)["Retry-After"]) == (429, -1003, "1")
    assert live.depth().status == 200
    assert live.record == ("rest_429", "absorbed", "rest")


def test_a_stale_snapshot_is_older_than_what_the_stream_says_and_true() -> None:
    live = Live("binance")
    live.fault("stale_snapshot")
    old = json.loads(live.depth().body)["lastUpdateId"]
    assert old < live.consumer.books["BTCUSDT"].last
    assert (NAME, f"{old}/-") in live.bench.truth
    assert json.loads(live.depth().body)["lastUpdateId"] >= live.consumer.books["BTCUSDT"].last
    assert live.record == ("stale_snapshot", "absorbed", "rest")


def test_a_restart_begins_again_at_1_with_a_snapshot() -> None:
    live = Live("bybit")
    live.fault("restart")
    frames = [json.loads(text) for text in live.run(1000) if "orderbook.200.BTCUSDT" in text]
    start = next(at for at, one in enumerate(frames) if one["type"] == "snapshot")
    assert [one["data"]["u"] for one in frames[start:]] == list(range(1, len(frames) - start + 1))
    assert not live.consumer.gaps
    assert live.record == ("restart", "absorbed", "book")


def test_a_shutdown_is_announced_before_the_socket_closes() -> None:
    live = Live("binance")
    live.fault("server_shutdown")
    frames = live.run(100)
    assert any(text.startswith('{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":') for text in frames)
    assert not live.bench.ends
    live.run(3000)
    assert [end.code for _, end in live.bench.ends if isinstance(end, Close)][:1] == [1001]
    assert live.record == ("server_shutdown", "absorbed", "socket")


def test_the_oracle_knows_the_frames_that_were_lost() -> None:
    live = Live("binance")
    before = len(live.bench.truth)
    live.fault("drop", count=10)
    frames = live.run(1000)
    heard = [text for text in frames if "btcusdt@depth" in text]
    assert not heard
    assert len([key for key in list(live.bench.truth)[before:] if key[0] == NAME]) >= 9


def test_a_fault_without_instruments_leaves_books_alone_that_others_are_busy_with() -> None:
    live = Live("bybit")
    for kind in ("drop", "drop"):
        live.bench.fault(kind)
    live.run(1000)
    assert sorted(name for one in live.bench.faults for name in one.instruments) == [NAME, "ETH-USDT"]


def test_a_fault_waits_for_someone_to_happen_to() -> None:
    bench = Bench("kraken")
    bench.fault("cut")
    bench.run(3000)
    assert bench.faults == []
    bench.subscribe(bench.connect())
    bench.run(100)
    assert len(bench.faults) == 1
