import json
from itertools import pairwise
from typing import Any

import pytest

from simulator.topic import Close, Ping
from tests.simulator.bench import Bench
from tests.simulator.consumers import Binance, units


def subscribed() -> tuple[Bench, Any]:
    bench = Bench("binance")
    client = bench.connect()
    bench.subscribe(client)
    return bench, client


def test_requests_are_answered_unwrapped() -> None:
    bench = Bench("binance")
    client = bench.connect()
    params = ["btcusdt@depth@100ms", "btcusdt@trade"]
    assert bench.say(client, {"method": "SUBSCRIBE", "params": params, "id": 1}) == [{"result": None, "id": 1}]
    assert bench.say(client, {"method": "LIST_SUBSCRIPTIONS", "id": "a"}) == [{"result": params, "id": "a"}]
    bench.say(client, {"method": "UNSUBSCRIBE", "params": params[1:], "id": 2})
    assert bench.say(client, {"method": "LIST_SUBSCRIPTIONS", "id": 3}) == [{"result": params[:1], "id": 3}]
    bench.run(1000)
    bench.say(client, {"method": "SET_PROPERTY", "params": ["combined", False], "id": 4})
    answer = {"result": False, "id": 6}
    assert bench.say(client, {"method": "GET_PROPERTY", "params": ["combined"], "id": 6}) == [answer]


def test_wrong_requests_get_the_documented_errors() -> None:
    bench = Bench("binance")
    client = bench.connect()
    assert bench.say(client, "{")[0]["code"] == 3
    assert bench.say(client, {"method": "FOO", "id": 1})[0]["code"] == 2
    error = {"code": 0, "msg": "Unknown property", "id": 7}
    assert bench.say(client, {"method": "GET_PROPERTY", "params": ["x"], "id": 7}) == [error]


def test_an_unknown_symbol_is_acknowledged_and_silent() -> None:
    bench = Bench("binance")
    client = bench.connect()
    request = {"method": "SUBSCRIBE", "params": ["nopeusdt@depth@100ms", "BTCUSDT@trade"], "id": 1}
    assert bench.say(client, request) == [{"result": None, "id": 1}]
    bench.frames(client)
    bench.run(1000)
    assert bench.frames(client) == []


def test_a_client_that_says_too_much_is_cut_off() -> None:
    bench = Bench("binance")
    client = bench.connect()
    for number in range(6):
        bench.say(client, {"method": "LIST_SUBSCRIPTIONS", "id": number})
    assert [end.code for _, end in bench.ends if isinstance(end, Close)] == [1008]


def test_diffs_come_every_100_ms_have_dense_ids_and_padded_numbers() -> None:
    bench, client = subscribed()
    bench.frames(client)
    bench.run(3000)
    frames = [json.loads(text) for text in bench.frames(client)]
    diffs = [one["data"] for one in frames if one["stream"] == "btcusdt@depth@100ms"]
    assert 25 <= len(diffs) <= 31
    assert list(diffs[0]) == ["e", "E", "s", "U", "u", "b", "a"]
    for before, after in pairwise(diffs):
        assert after["U"] == before["u"] + 1
        assert after["E"] > before["E"]
    levels = [level for diff in diffs for level in diff["b"] + diff["a"]]
    assert all(len(text.partition(".")[2]) == 8 for level in levels for text in level)
    assert any(size == "0.00000000" for _, size in levels)


def test_a_second_subscriber_and_a_late_stream_leave_the_ids_dense() -> None:
    bench = Bench("binance")
    first, second = bench.connect(), bench.connect()
    bench.say(first, {"method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": 1})
    bench.run(1000)
    for client in (first, second):
        bench.say(client, {"method": "SUBSCRIBE", "params": ["btcusdt@depth@100ms"], "id": 2})
        bench.run(1000)
    diffs = [json.loads(text)["data"] for text in bench.frames(first) if "depthUpdate" in text]
    assert diffs[0]["U"] > 90_000_000_001
    assert all(after["U"] == before["u"] + 1 for before, after in pairwise(diffs))
    assert diffs[-1] == [json.loads(text)["data"] for text in bench.frames(second) if "depthUpdate" in text][-1]


def test_trade_ids_step_by_one_and_m_means_the_buyer_was_the_maker() -> None:
    bench, client = subscribed()
    bench.run(100)
    market = bench.exchange.desks["BTC-USDT"].market
    bench.frames(client)
    bench.run(10_000)
    trades = [json.loads(text)["data"] for text in bench.frames(client) if '"btcusdt@trade"' in text]
    assert list(trades[0]) == ["e", "E", "s", "t", "p", "q", "T", "m", "M"]
    ids = [one["t"] for one in trades]
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    known = {number + 5_000_000_000: trade for trade, _ in market_trades(bench) for number in [trade.number]}
    for one in trades[-10:]:
        assert one["m"] is not known[one["t"]].taker_buys
    assert market.trades == ids[-1] - 5_000_000_000


def market_trades(bench: Bench) -> list[Any]:
    return list(bench.exchange.desks["BTC-USDT"].recent)


def test_the_rest_snapshot_splices_into_the_stream() -> None:
    bench, client = subscribed()
    consumer = Binance()
    bench.run(230)
    for text in bench.frames(client):
        consumer.read(text)
    reply = bench.get("/api/v3/depth", symbol="BTCUSDT", limit="1000")
    reached = consumer.snapshot("BTCUSDT", reply.body.decode())
    bench.run(3000)
    for text in bench.frames(client):
        reached += consumer.read(text)
    assert bench.confirm(reached) > 25
    assert not consumer.gaps


def test_the_oracle_knows_a_snapshot_that_was_fetched_before_anyone_subscribed() -> None:
    bench = Bench("binance")
    first = json.loads(bench.get("/api/v3/depth", symbol="BTCUSDT").body)
    assert ("BTC-USDT", f"{first['lastUpdateId']}/-") in bench.truth


def test_depth_has_the_limit_the_weight_and_the_sides_best_first() -> None:
    bench, _ = subscribed()
    first = bench.get("/api/v3/depth", symbol="BTCUSDT", limit="5")
    second = bench.get("/api/v3/depth", symbol="BTCUSDT", limit="1000")
    assert [dict(one.headers)["X-MBX-USED-WEIGHT-1M"] for one in (first, second)] == ["5", "55"]
    book = json.loads(first.body)
    assert list(book) == ["lastUpdateId", "bids", "asks"]
    assert len(book["bids"]) == len(book["asks"]) == 5
    assert [units(price) for price, _ in book["bids"]] == sorted((units(p) for p, _ in book["bids"]), reverse=True)
    assert units(book["bids"][0][0]) < units(book["asks"][0][0])


@pytest.mark.parametrize(("query", "code"), [({"symbol": "NOPE"}, -1121), ({"symbol": "BTCUSDT", "limit": "x"}, -1100)])
def test_wrong_depth_requests_are_bad_requests(query: dict[str, str], code: int) -> None:
    reply = Bench("binance").get("/api/v3/depth", **query)
    assert (reply.status, json.loads(reply.body)["code"]) == (400, code)


def test_exchange_info_has_the_filters() -> None:
    info = json.loads(Bench("binance").get("/api/v3/exchangeInfo").body)
    symbol = info["symbols"][0]
    assert (symbol["symbol"], symbol["baseAsset"], symbol["quoteAsset"]) == ("BTCUSDT", "BTC", "USDT")
    filters = {one["filterType"]: one for one in symbol["filters"]}
    assert filters["PRICE_FILTER"]["tickSize"] == "0.01000000"
    assert filters["LOT_SIZE"]["stepSize"] == "0.00001000"
    only = json.loads(Bench("binance").get("/api/v3/exchangeInfo", symbol="ETHUSDT").body)
    assert [one["symbol"] for one in only["symbols"]] == ["ETHUSDT"]


@pytest.mark.parametrize(
    ("path", "wrapped"), [("/binance/ws/btcusdt@trade", False), ("/binance/stream?streams=btcusdt@trade", True)]
)
def test_streams_may_be_named_in_the_url(path: str, wrapped: bool) -> None:
    bench = Bench("binance")
    client = bench.connect(path)
    bench.run(5000)
    frame = json.loads(bench.frames(client)[0])
    assert ("stream" in frame) is wrapped
    assert frame.get("data", frame)["e"] == "trade"


def test_the_server_pings_every_20_s_and_ends_connections_after_a_day() -> None:
    bench = Bench("binance")
    client = bench.connect()
    bench.exchange.beat(bench.now + 19 * 10**9)
    bench.exchange.beat(bench.now + 21 * 10**9)
    bench.exchange.beat(bench.now + 24 * 3600 * 10**9 + 10**9)
    kinds = [type(effect) for number, effect in bench.exchange.outbox if number is client]
    assert kinds == [Ping, Close]
