import json
from typing import Any

import pytest

from tests.simulator.bench import Bench
from tests.simulator.consumers import Bybit


def request(*topics: str, **more: Any) -> dict[str, Any]:
    return {"op": "subscribe", "args": list(topics), **more}


def test_a_subscription_is_acknowledged_and_then_shows_the_book() -> None:
    bench = Bench("bybit")
    client = bench.connect()
    ack, snapshot = bench.say(client, request("orderbook.50.BTCUSDT", "publicTrade.BTCUSDT", req_id="t1"))
    assert (ack["success"], ack["ret_msg"], ack["req_id"], ack["op"]) == (True, "subscribe", "t1", "subscribe")
    assert list(snapshot) == ["topic", "ts", "type", "data", "cts"]
    assert list(snapshot["data"]) == ["s", "b", "a", "u", "seq"]
    assert (snapshot["type"], snapshot["topic"]) == ("snapshot", "orderbook.50.BTCUSDT")
    assert len(snapshot["data"]["b"]) == 50
    assert all(len(price.partition(".")[2]) == 1 for price, _ in snapshot["data"]["b"])


@pytest.mark.parametrize(
    ("topics", "text"),
    [
        (["publicTrade.BTCUSDT", "orderbook.50.NOPE"], "error:handler not found,topic:orderbook.50.NOPE"),
        (["orderbook.7.BTCUSDT"], "error:handler not found,topic:orderbook.7.BTCUSDT"),
        (["orderbook.50.btcusdt"], "error:handler not found,topic:orderbook.50.btcusdt"),
        (["publicTrade.BTCUSDT"] * 11, "args size >10"),
    ],
)
def test_one_bad_topic_fails_the_whole_request(topics: list[str], text: str) -> None:
    bench = Bench("bybit")
    client = bench.connect()
    (reply,) = bench.say(client, request(*topics))
    assert (reply["success"], reply["ret_msg"]) == (False, text)
    assert not client.topics


def test_a_second_subscription_is_an_error_and_harmless() -> None:
    bench = Bench("bybit")
    client = bench.connect()
    bench.say(client, request("orderbook.50.BTCUSDT"))
    (reply,) = bench.say(client, request("orderbook.50.BTCUSDT"))
    assert reply["ret_msg"] == "error:already subscribed,topic:orderbook.50.BTCUSDT"
    bench.frames(client)
    bench.run(500)
    assert bench.frames(client)


def test_other_requests() -> None:
    bench = Bench("bybit")
    client = bench.connect()
    (pong,) = bench.say(client, {"op": "ping", "req_id": "100001"})
    assert (pong["success"], pong["ret_msg"], pong["op"], pong["req_id"]) == (True, "pong", "ping", "100001")
    assert bench.say(client, {"op": "dance"})[0]["ret_msg"] == "error:invalid op"
    assert bench.say(client, "hello")[0]["ret_msg"].startswith("Failed to decode incoming data:")


def test_deltas_count_by_one_and_keep_the_window() -> None:
    bench = Bench("bybit")
    consumer = Bybit()
    client = bench.connect()
    bench.say(client, request("orderbook.50.BTCUSDT"))
    bench.run(5000)
    reached = [position for text in bench.frames(client) for position in consumer.read(text)]
    assert not consumer.gaps
    assert bench.confirm(reached) > 100
    assert len(consumer.books["BTCUSDT"].bids) == 50


def test_all_connections_see_the_same_counter_and_a_late_one_starts_with_a_snapshot_that_fits() -> None:
    bench = Bench("bybit")
    first, second = bench.connect(), bench.connect()
    bench.say(first, request("orderbook.200.BTCUSDT"))
    bench.run(1050)
    bench.say(second, request("orderbook.200.BTCUSDT"))
    late = [json.loads(text) for text in bench.frames(second)]
    assert [one.get("type") for one in late] == [None, "snapshot"]
    bench.frames(first)
    bench.run(1000)
    assert bench.frames(first) == [text for text in bench.frames(second) if '"delta"' in text]
    consumer = Bybit()
    bench.say(second, {"op": "unsubscribe", "args": ["orderbook.200.BTCUSDT"]})
    bench.say(second, request("orderbook.200.BTCUSDT"))
    bench.run(1000)
    reached = [position for text in bench.frames(second) for position in consumer.read(text)]
    assert not consumer.gaps
    assert bench.confirm(reached) > 5


def test_trades_name_the_taker() -> None:
    bench = Bench("bybit")
    client = bench.connect()
    bench.say(client, request("publicTrade.BTCUSDT"))
    bench.run(5000)
    rows = [row for text in bench.frames(client)[1:] for row in json.loads(text)["data"]]
    assert list(rows[0]) == ["i", "T", "p", "v", "S", "seq", "s", "BT", "RPI"]
    known = {str(2_290_000_000_000_000_000 + t.number): t for t, _ in bench.exchange.desks["BTC-USDT"].recent}
    for row in rows[-10:]:
        assert (row["S"] == "Buy") is known[row["i"]].taker_buys


def test_instruments_info() -> None:
    info = json.loads(Bench("bybit").get("/v5/market/instruments-info", category="spot").body)
    first = info["result"]["list"][0]
    assert (info["retCode"], first["symbol"], first["baseCoin"], first["quoteCoin"]) == (0, "BTCUSDT", "BTC", "USDT")
    assert (first["priceFilter"]["tickSize"], first["lotSizeFilter"]["basePrecision"]) == ("0.1", "0.000001")
