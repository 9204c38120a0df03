import json
from typing import Any

import pytest

from simulator.venues.kraken import checksum
from simulator.window import View
from tests.simulator.bench import Bench
from tests.simulator.consumers import Kraken, units

# The vector Kraken publishes for its checksum; exchanges' documentation, "Book checksum v2".
ASKS = """45285.2 0.00100000|45286.4 1.54571953|45286.6 1.54571109|45289.6 1.54560911|45290.2 0.15890660
|45291.8 1.54553491|45294.7 0.04454749|45296.1 0.35380000|45297.5 0.09945542|45299.5 0.18772827"""
BIDS = """45283.5 0.10000000|45283.4 1.54582015|45282.1 0.10000000|45281.0 0.10000000|45280.3 1.54592586
|45279.0 0.07990000|45277.6 0.03310103|45277.5 0.30000000|45277.3 1.54602737|45276.6 0.15445238"""


def side(text: str) -> dict[int, int]:
    pairs = [row.split() for row in text.replace("\n", "").split("|")]
    return {units(price): units(size) for price, size in pairs}


def subscribe(channel: str, *symbols: str, **more: Any) -> dict[str, Any]:
    return {"method": "subscribe", "params": {"channel": channel, "symbol": list(symbols), **more}}


def test_the_checksum_is_krakens() -> None:
    book = View(side(BIDS), side(ASKS))
    assert checksum(book, 1, 8) == 3310070434
    book.bids[units("45283.5")] = units("0.2")
    assert checksum(book, 1, 8) == 38355977
    book.asks[units("45285.2")] = units("0.002")
    assert checksum(book, 1, 8) == 2794452196


def test_status_comes_first_then_one_answer_a_symbol_then_the_book() -> None:
    bench = Bench("kraken")
    client = bench.connect()
    (status,) = (json.loads(text) for text in bench.frames(client))
    assert (status["channel"], status["type"], status["data"][0]["system"]) == ("status", "update", "online")
    assert status["data"][0]["connection_id"] > 2**63
    frames = bench.say(client, subscribe("book", "BTC/USDT", "XBT/USD", "ETH/USDT", depth=25) | {"req_id": 7})
    assert [one.get("success", one.get("type")) for one in frames] == [True, "snapshot", False, True, "snapshot"]
    ack, snapshot, nack = frames[:3]
    assert ack["result"] == {"channel": "book", "symbol": "BTC/USDT", "depth": 25, "snapshot": True}
    assert (ack["req_id"], nack["error"]) == (7, "Currency pair not supported XBT/USD")
    (data,) = snapshot["data"]
    assert list(data) == ["symbol", "bids", "asks", "checksum", "timestamp"]
    assert len(data["bids"]) == len(data["asks"]) == 25


def test_numbers_are_bare_and_have_the_pairs_precision() -> None:
    bench = Bench("kraken")
    client = bench.connect()
    bench.say(client, subscribe("book", "BTC/USDT"))
    level = bench.frames(client)[-1].partition('"bids":[')[2].partition("}")[0]
    price, size = (part.partition(":")[2] for part in level.split(","))
    assert len(price.partition(".")[2]) == 1
    assert len(size.partition(".")[2]) == 8
    assert '"' not in price + size


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (subscribe("book", "BTC/USDT", depth=7), "Subscription depth not supported"),
        (subscribe("level9", "BTC/USDT"), "Unsupported channel level9"),
        ({"method": "dance"}, "Unsupported method dance"),
        ("{", "Malformed request"),
    ],
)
def test_wrong_requests_get_an_error_and_the_socket_stays(request_: Any, error: str) -> None:
    bench = Bench("kraken")
    client = bench.connect()
    (reply,) = bench.say(client, request_)
    assert (reply["success"], reply["error"]) == (False, error)
    assert not bench.ends


def test_a_subscription_is_refused_twice_and_can_be_made_again() -> None:
    bench = Bench("kraken")
    client = bench.connect()
    bench.say(client, subscribe("book", "BTC/USDT", depth=25))
    assert bench.say(client, subscribe("book", "BTC/USDT", depth=25))[0]["error"] == "Already subscribed"
    away = {"method": "unsubscribe", "params": {"channel": "book", "symbol": ["BTC/USDT"], "depth": 25}}
    assert bench.say(client, away)[0]["success"]
    assert bench.say(client, away)[0]["success"] is False
    assert [one.get("type") for one in bench.say(client, subscribe("book", "BTC/USDT", depth=25))] == [None, "snapshot"]


def test_ping_and_heartbeat() -> None:
    bench = Bench("kraken")
    client = bench.connect()
    (pong,) = bench.say(client, {"method": "ping", "req_id": 101})
    assert (pong["method"], pong["req_id"]) == ("pong", 101)
    bench.frames(client)
    bench.run(3000)
    assert bench.frames(client) == []  # nothing is subscribed
    bench.say(client, subscribe("book", "BTC/USDT"))
    bench.world.pause(bench.now)
    bench.run(5000)
    beats = bench.frames(client)[2:]
    assert beats.count('{"channel":"heartbeat"}') in (4, 5)
    bench.world.resume(bench.now)
    bench.run(3000)
    assert '{"channel":"heartbeat"}' not in bench.frames(client)[2:]


@pytest.mark.parametrize("depth", [10, 25, 100])
def test_every_checksum_holds_for_one_who_cuts_to_the_depth(depth: int) -> None:
    bench = Bench("kraken")
    consumer = Kraken()
    consumer.depth = depth
    client = bench.connect()
    bench.say(client, subscribe("book", "BTC/USDT", "ETH/USDT", depth=depth))
    bench.run(5000)
    reached = [position for text in bench.frames(client) for position in consumer.read(text)]
    assert not consumer.gaps
    assert bench.confirm(reached) == consumer.checked > 100


def test_a_level_that_only_falls_out_of_scope_is_not_deleted() -> None:
    bench = Bench("kraken")
    client = bench.connect()
    bench.say(client, subscribe("book", "BTC/USDT", depth=10))
    book, fallen = bench.exchange.desks["BTC-USDT"].market.bids, 0
    shown = {price for price, _ in book.top(10)}
    bench.frames(client)
    for _ in range(1000):
        bench.run(5)
        left = shown - {price for price, _ in book.top(10)}
        fallen += sum(price in book.sizes for price in left)
        shown = {price for price, _ in book.top(10)}
        for text in bench.frames(client):
            if '"book"' in text:
                levels = json.loads(text, parse_float=str)["data"][0]["bids"]
                gone = {units(level["price"]) for level in levels if level["qty"] == "0.00000000"}
                assert not gone & set(book.sizes)
    assert fallen > 10


def test_one_who_does_not_cut_gets_wrong_checksums() -> None:
    bench = Bench("kraken")
    consumer = Kraken()
    consumer.depth = 1000
    client = bench.connect()
    bench.say(client, subscribe("book", "BTC/USDT", depth=10))
    bench.run(5000)
    for text in bench.frames(client):
        consumer.read(text)
    assert consumer.gaps


def test_trades_name_the_taker_and_their_ids_step_by_one() -> None:
    bench = Bench("kraken")
    client = bench.connect()
    bench.say(client, subscribe("trade", "BTC/USDT"))
    bench.run(8000)
    frames = [json.loads(text) for text in bench.frames(client)[2:]]
    rows = [row for one in frames if one["channel"] == "trade" for row in one["data"]]
    assert list(rows[0]) == ["symbol", "side", "price", "qty", "ord_type", "trade_id", "timestamp"]
    ids = [row["trade_id"] for row in rows]
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    known = {84_000_000 + trade.number: trade for trade, _ in bench.exchange.desks["BTC-USDT"].recent}
    assert all((row["side"] == "buy") is known[row["trade_id"]].taker_buys for row in rows[-10:])
    late = bench.connect()
    snapshot = bench.say(late, subscribe("trade", "BTC/USDT", snapshot=True))[-1]
    assert (snapshot["type"], snapshot["data"][-1]["trade_id"]) == ("snapshot", ids[-1])
