"""Binance spot: combined and raw streams, diffs every 100 ms, snapshots by REST.

Source: Binance spot API documentation, web-socket-streams.md and rest-api.md (July 2026).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from simulator.dialect import Dialect, Reply, Trick
from simulator.exchange import Exchange
from simulator.kinds import ABSORBED, GAP
from simulator.texts import MILLISECOND_NS, SECOND_NS, names, padded
from simulator.topic import BOOK, TRADES, Client, Desk, Frame, Ping, Topic

FIRST_UPDATE = 90_000_000_000
FIRST_TRADE = 5_000_000_000
MESSAGES_A_SECOND = 5
PING_NS = 20 * SECOND_NS
STREAMS = {  # suffix of a stream's name: kind, interval in ns
    "depth@100ms": (BOOK, 100 * MILLISECOND_NS),
    "depth": (BOOK, SECOND_NS),
    "trade": (TRADES, 0),
}
WEIGHTS = ((100, 5), (500, 25), (1000, 50), (5000, 250))  # of a depth request, by its largest limit
MAX_LIMIT = 5000
WEIGHT_A_MINUTE = 6000
TOO_MUCH = b'{"code":-1003,"msg":"Too much request weight used; current limit is 6000 request weight per 1 MINUTE."}'
SHUTDOWN_LEAD = "shutdown_lead"


def _open(exchange: Exchange, client: Client, now: int) -> None:
    """Take the streams named in the URL: `/ws/<s>/<s>` or `/stream?streams=<s>/<s>`."""
    path, _, query = client.path.partition("?")
    client.options["combined"] = path.startswith("/binance/stream")
    client.options |= {"pinged": now, "messages": 0, "second": 0}
    client.options["names"] = {}
    streams = path.removeprefix("/binance/ws").strip("/") if path.startswith("/binance/ws") else ""
    for part in query.split("&"):
        key, _, value = part.partition("=")
        streams = value if key == "streams" else streams
    for name in filter(None, streams.split("/")):
        _subscribe(exchange, client, name)


def _stream(exchange: Exchange, name: str) -> tuple[Desk, str, int] | None:
    """Read a stream's name as instrument, kind and interval."""
    symbol, _, suffix = name.partition("@")
    desk = exchange.by_symbol.get(symbol.upper())
    if desk is None or symbol != symbol.lower() or suffix not in STREAMS:
        return None
    return desk, *STREAMS[suffix]


def _subscribe(exchange: Exchange, client: Client, name: str) -> None:
    """Subscribe to one stream; an unknown one is taken and stays silent."""
    client.options["names"][name] = None
    known = _stream(exchange, name)
    if known is not None:
        desk, kind, interval = known
        desk.sequence = desk.sequence or FIRST_UPDATE
        topic = exchange.subscribe(client, name, desk, kind, interval)
        topic.sequence = topic.sequence or desk.sequence


def _refused(exchange: Exchange, client: Client, streams: list[str], now: int) -> bool:
    """Tell whether a fault refuses any of these streams."""
    known = [stream for stream in (_stream(exchange, name) for name in streams) if stream is not None]
    return any(kind == BOOK and exchange.refuses(desk, client, now) for desk, kind, _ in known)


def _receive(exchange: Exchange, client: Client, text: str, now: int) -> None:
    """Answer one control request; who sends too many a second is cut off."""
    second = now // SECOND_NS
    client.options["messages"] = client.options["messages"] + 1 if client.options["second"] == second else 1
    client.options["second"] = second
    if client.options["messages"] > MESSAGES_A_SECOND:
        exchange.close(client, 1008, "too many requests")
        return
    try:
        request = json.loads(text)
    except ValueError:
        exchange.send(client, b'{"code":3,"msg":"Invalid JSON: expected value at line 1 column 1"}')
        return
    if not isinstance(request, dict):
        exchange.send(client, b'{"code":2,"msg":"Invalid request: expected a map"}')
        return
    answer = _answer(exchange, client, request, now)
    exchange.send(client, json.dumps(answer, separators=(",", ":")).encode())


def _answer(exchange: Exchange, client: Client, request: dict[str, Any], now: int) -> dict[str, Any]:
    """Do what a control request says and give the answer."""
    method, params, number = request.get("method"), request.get("params"), request.get("id")
    streams = names(params)
    result: Any = None
    if method == "SUBSCRIBE":
        if _refused(exchange, client, streams, now):
            return {"code": 0, "msg": "Service unavailable, try again", "id": number}
        for name in streams:
            _subscribe(exchange, client, name)
    elif method == "UNSUBSCRIBE":
        for name in streams:
            client.options["names"].pop(name, None)
            exchange.unsubscribe(client, name)
    elif method == "LIST_SUBSCRIPTIONS":
        result = list(client.options["names"])
    elif method == "SET_PROPERTY" and params in (["combined", True], ["combined", False]):
        client.options["combined"] = bool(params[1])
    elif method == "GET_PROPERTY" and params == ["combined"]:
        result = client.options["combined"]
    elif method in ("SET_PROPERTY", "GET_PROPERTY"):
        return {"code": 0, "msg": "Unknown property", "id": number}
    else:
        return {"code": 2, "msg": f"Invalid request: unknown variant {method}, expected one of `SUBSCRIBE`, "
                "`UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY` at line 1 column 28"}  # fmt: skip
    return {"result": result, "id": number}


def _levels(changes: list[tuple[int, int]]) -> str:
    """Write levels as pairs of strings with 8 decimals."""
    return ",".join([f'["{padded(price, 8)}","{padded(size, 8)}"]' for price, size in changes])


def _publish(exchange: Exchange, topic: Topic, now: int) -> None:
    """Publish a diff, or each trade in a frame of its own."""
    desk = topic.desk
    if topic.kind == TRADES:
        millisecond = now // MILLISECOND_NS
        for trade in topic.trades:
            body = (
                f'{{"e":"trade","E":{millisecond},"s":"{desk.symbol}","t":{FIRST_TRADE + trade.number},'
                f'"p":"{padded(trade.price, 8)}","q":"{padded(trade.size, 8)}","T":{millisecond},'
                f'"m":{"false" if trade.taker_buys else "true"},"M":true}}'
            )
            exchange.publish(topic, Frame(body.encode()))
        return
    stamp = desk.stamp(now, MILLISECOND_NS)
    bids, asks = topic.changes()
    exchange.witness(topic, desk.sequence, stamp)
    body = (
        f'{{"e":"depthUpdate","E":{stamp // MILLISECOND_NS},"s":"{desk.symbol}","U":{topic.sequence + 1},'
        f'"u":{desk.sequence},"b":[{_levels(bids)}],"a":[{_levels(asks)}]}}'
    )
    topic.sequence = desk.sequence
    exchange.publish(topic, Frame(body.encode()))


def _render(client: Client, topic: Topic, frame: Frame) -> bytes:
    """Wrap a frame for clients that have combined streams on."""
    if client.options["combined"]:
        return b'{"stream":"%b","data":%b}' % (topic.name.encode(), frame.body)
    return frame.body


def _beat(exchange: Exchange, client: Client, now: int) -> None:
    """Ping every 20 s; drop the socket when a shutdown was announced and its time has come."""
    if now - client.options["pinged"] >= PING_NS:
        client.options["pinged"] = now
        exchange.outbox.append((client, Ping(now)))
    if client.options.get(SHUTDOWN_LEAD, now) < now:
        exchange.close(client, 1001, "server shutdown")


def _respond(exchange: Exchange, path: str, query: Mapping[str, str], now: int) -> Reply | None:
    """Answer an HTTP request: depth or exchangeInfo."""
    if path == "/api/v3/exchangeInfo":
        return _weighed(exchange, 20, now, _exchange_info(exchange, query, now))
    if path != "/api/v3/depth":
        return None
    desk = exchange.by_symbol.get(query.get("symbol", ""))
    limit = query.get("limit", "100")
    if desk is None:
        return _weighed(exchange, 1, now, b'{"code":-1121,"msg":"Invalid symbol."}', 400)
    if not limit.isascii() or not limit.isdigit() or int(limit) == 0:
        text = b'{"code":-1100,"msg":"Illegal characters found in parameter \'limit\'."}'
        return _weighed(exchange, 1, now, text, 400)
    return _depth(exchange, desk, min(int(limit), MAX_LIMIT), now)


def _depth(exchange: Exchange, desk: Desk, limit: int, now: int) -> Reply:
    """Give a snapshot at the current update id; a fault may say too many requests or give an old one again."""
    weight = next(weight for largest, weight in WEIGHTS if limit <= largest)
    wait = exchange.tamper.answers.too_many(desk, now)
    if wait is not None:
        return _weighed(exchange, weight, now, TOO_MUCH, 429, (("Retry-After", str(wait)),))
    delay_s = exchange.tamper.answers.slow_snapshot(desk, now)
    exchange.tamper.answers.new_snapshot(desk, now)
    saved: dict[str, bytes] = exchange.memory.setdefault("snapshots", {})
    if desk.symbol in saved and exchange.tamper.answers.stale_snapshot(desk, now):
        return _weighed(exchange, weight, now, saved[desk.symbol])
    desk.sequence = desk.sequence or FIRST_UPDATE
    market = desk.market
    body = (
        f'{{"lastUpdateId":{desk.sequence},"bids":[{_levels(market.bids.top(limit))}],'
        f'"asks":[{_levels(market.asks.top(limit))}]}}'
    )
    exchange.witness_book(desk, exchange.dialect.verified, desk.sequence, None)
    saved[desk.symbol] = body.encode()
    return replace(_weighed(exchange, weight, now, saved[desk.symbol]), delay_s=delay_s)


def _weighed(
    exchange: Exchange, weight: int, now: int, body: bytes, status: int = 200, more: tuple[tuple[str, str], ...] = ()
) -> Reply:
    """Count a request's weight in the current minute and say how much was used."""
    total = exchange.outages.meter.spend(weight, now)
    if total > WEIGHT_A_MINUTE and status == 200:
        exchange.outages.struck(now)
        wait = 60 - now // SECOND_NS % 60
        status, body, more = 429, TOO_MUCH, (("Retry-After", str(wait)),)
    return Reply(body, status, (("X-MBX-USED-WEIGHT-1M", str(total)), *more))


def _exchange_info(exchange: Exchange, query: Mapping[str, str], now: int) -> bytes:
    """Describe the symbols asked for, or all."""
    wanted = {query["symbol"]} if "symbol" in query else None
    symbols = [_symbol(desk) for desk in exchange.by_symbol.values() if wanted is None or desk.symbol in wanted]
    limit = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": WEIGHT_A_MINUTE}
    info = {"timezone": "UTC", "serverTime": now // MILLISECOND_NS, "rateLimits": [limit], "exchangeFilters": [],
            "symbols": symbols}  # fmt: skip
    return json.dumps(info, separators=(",", ":")).encode()


def _symbol(desk: Desk) -> dict[str, Any]:
    """Describe one symbol."""
    listing = desk.market.listing
    tick, lot = padded(listing.tick, 8), padded(listing.lot, 8)
    return {
        "symbol": listing.symbol, "status": "TRADING", "baseAsset": listing.base, "baseAssetPrecision": 8,
        "quoteAsset": listing.quote, "quotePrecision": 8, "quoteAssetPrecision": 8, "isSpotTradingAllowed": True,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000.00000000", "tickSize": tick},
            {"filterType": "LOT_SIZE", "minQty": lot, "maxQty": "9000000.00000000", "stepSize": lot},
        ],
        "permissions": [], "permissionSets": [["SPOT"]],
    }  # fmt: skip


def _shutdown(exchange: Exchange, desk: Desk, now: int) -> bool:
    """Announce the end of the socket that carries the book, which comes about 2 s later."""
    clients = {c.number: c for t in desk.topics.values() if t.kind == BOOK for c in t.clients.values()}
    for client in clients.values():
        notice = b'{"e":"serverShutdown","E":%d}' % (now // MILLISECOND_NS)
        if client.options["combined"]:
            notice = b'{"stream":"!serverShutdown","data":%b}' % notice
        exchange.send(client, notice)
        client.options[SHUTDOWN_LEAD] = now + SECOND_NS
    return bool(clients)


def _go_back(exchange: Exchange, desk: Desk, now: int) -> bool:
    """Count the book's updates from a lower number on, without a word."""
    topics = [topic for topic in desk.topics.values() if topic.kind == BOOK and topic.clients]
    for topic in topics:
        exchange.flush(topic, now)
        topic.sequence = desk.sequence - FIRST_UPDATE // 90
    desk.sequence -= FIRST_UPDATE // 90  # never to where it was before: a position is told once
    return bool(topics)


DIALECT = Dialect(
    venue="binance",
    paths=("/binance/stream", "/binance/ws"),
    decimals={"BTC": (2, 5), "ETH": (2, 4), "SOL": (2, 3), "XRP": (4, 1), "DOGE": (5, 0), "ADA": (4, 1),
              "AVAX": (2, 2), "DOT": (3, 2), "LINK": (2, 2)},
    book_interval=100 * MILLISECOND_NS,
    trade_interval=0,
    open=_open,
    receive=_receive,
    publish=_publish,
    beat=_beat,
    respond=_respond,
    render=_render,
    trade_ids=True,
    rest_snapshots=True,
    tricks={"server_shutdown": Trick(_shutdown, ABSORBED, "socket"), "sequence_reset": Trick(_go_back, GAP, "book")},
    expects={"ack_silence": GAP},  # the book comes by REST, and then nothing follows it
    mark=b'"b":[',
    bid=lambda desk, price, size: _levels([(price, size)]),
    max_age_ns=24 * 3600 * SECOND_NS,
)  # fmt: skip
