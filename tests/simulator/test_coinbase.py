import json
from typing import Any

import pytest

from simulator.topic import Close
from tests.simulator.bench import Bench
from tests.simulator.consumers import Coinbase


def subscribe(channel: str, *products: str, kind: str = "subscribe") -> dict[str, Any]:
    return {"type": kind, "channel": channel} | ({"product_ids": list(products)} if products else {})


def test_the_whole_book_comes_before_the_answer() -> None:
    bench = Bench("coinbase")
    client = bench.connect()
    snapshot, ack = bench.say(client, subscribe("level2", "BTC-USDT"))
    assert list(snapshot) == ["channel", "client_id", "timestamp", "sequence_num", "events"]
    assert (snapshot["channel"], snapshot["sequence_num"], ack["sequence_num"]) == ("l2_data", 0, 1)
    (event,) = snapshot["events"]
    assert (event["type"], event["product_id"]) == ("snapshot", "BTC-USDT")
    assert {one["side"] for one in event["updates"]} == {"bid", "offer"}
    assert list(event["updates"][0]) == ["side", "event_time", "price_level", "new_quantity"]
    assert ack["events"] == [{"subscriptions": {"level2": ["BTC-USDT"]}}]


def test_every_frame_of_a_connection_is_counted_and_each_connection_has_its_own_counter() -> None:
    bench = Bench("coinbase")
    first, second = bench.connect(), bench.connect()
    bench.subscribe(first)
    bench.run(500)
    bench.subscribe(second, "BTC-USDT")
    bench.run(3000)
    heard = [[json.loads(text) for text in bench.frames(client)] for client in (first, second)]
    for frames in heard:
        assert [one["sequence_num"] for one in frames] == list(range(len(frames)))
    assert {one["channel"] for one in heard[1]} == {"l2_data", "market_trades", "subscriptions", "heartbeats"}


def test_books_follow_the_truth() -> None:
    bench = Bench("coinbase")
    consumer = Coinbase()
    client = bench.connect()
    bench.subscribe(client)
    bench.run(5000)
    reached = [position for text in bench.frames(client) for position in consumer.read(text)]
    assert not consumer.gaps
    assert bench.confirm(reached) > 100


def test_a_second_subscription_shows_the_book_again() -> None:
    bench = Bench("coinbase")
    consumer = Coinbase()
    client = bench.connect()
    bench.subscribe(client)
    bench.run(1020)
    again = bench.say(client, subscribe("level2", "BTC-USDT"))
    assert [event["type"] for one in again for event in one["events"] if "type" in event][-1] == "snapshot"
    bench.say(client, subscribe("level2", "BTC-USDT", kind="unsubscribe"))
    bench.run(1000)
    bench.say(client, subscribe("level2", "BTC-USDT"))
    bench.run(1000)
    reached = [position for text in bench.frames(client) for position in consumer.read(text)]
    assert not consumer.gaps
    assert bench.confirm(reached) > 50


def test_trades_name_the_maker_and_a_new_subscriber_sees_the_latest_first() -> None:
    bench = Bench("coinbase")
    client = bench.connect()
    bench.say(client, subscribe("market_trades", "BTC-USDT"))
    bench.run(8000)
    frames = [json.loads(text) for text in bench.frames(client)]
    assert frames[0]["events"] == [{"type": "snapshot", "trades": []}]
    rows = [row for one in frames[2:] for row in reversed(one["events"][0]["trades"])]  # newest first in a frame
    assert list(rows[0]) == ["product_id", "trade_id", "price", "size", "time", "side"]
    known = {str(995_000_000 + trade.number): trade for trade, _ in bench.exchange.desks["BTC-USDT"].recent}
    assert all((row["side"] == "SELL") is known[row["trade_id"]].taker_buys for row in rows[-10:])
    topic = bench.exchange.desks["BTC-USDT"].topics["market_trades/BTC-USDT"]
    while not topic.trades:  # some that the first has not been told yet
        bench.run(5)
    late = bench.connect()
    shown = bench.say(late, subscribe("market_trades", "BTC-USDT"))[0]["events"][0]
    assert shown["type"] == "snapshot"
    assert int(shown["trades"][0]["trade_id"]) > int(rows[-1]["trade_id"])
    ids = [int(row["trade_id"]) for row in shown["trades"]]
    assert ids == sorted(ids, reverse=True)
    bench.run(4000)
    updates = [json.loads(text)["events"][0] for text in bench.frames(late) if '"update"' in text]
    assert next(int(row["trade_id"]) for one in updates for row in reversed(one["trades"])) == ids[0] + 1


def test_heartbeats_come_each_second_and_are_numbered() -> None:
    bench = Bench("coinbase")
    client = bench.connect()
    bench.say(client, subscribe("heartbeats"))
    bench.run(5100)
    frames = [json.loads(text) for text in bench.frames(client)]
    assert [one["channel"] for one in frames] == ["subscriptions"] + ["heartbeats"] * 5
    assert [one["events"][0]["heartbeat_counter"] for one in frames[1:]] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "request_",
    [subscribe("level2", "NOPE-USD"), subscribe("level2"), subscribe("level9", "BTC-USDT"), "{", {"type": "dance"}],
)
def test_wrong_requests_get_an_error_without_a_number(request_: Any) -> None:
    bench = Bench("coinbase")
    client = bench.connect()
    (error,) = bench.say(client, request_)
    assert list(error) == ["type", "message"]
    assert client.counter == 0


def test_who_subscribes_to_nothing_is_closed_after_5_s() -> None:
    bench = Bench("coinbase")
    bench.connect()
    bench.run(7000)
    assert [type(end) for _, end in bench.ends][:1] == [Close]


def test_products() -> None:
    reply = json.loads(Bench("coinbase").get("/api/v3/brokerage/market/products").body)
    first = reply["products"][0]
    assert (first["product_id"], first["price_increment"], first["base_increment"]) == (
        "BTC-USDT",
        "0.01",
        "0.00000001",
    )
    assert reply["num_products"] == 2
