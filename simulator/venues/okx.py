"""OKX v5 spot: snapshot in band, then changes every 100 ms that name the sequence before them, in steps of any size.

Source: www.okx.com/docs-v5/en, order book channel, trades channel and get order book (2026-09).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from simulator.dialect import Dialect, Reply, Trick
from simulator.exchange import Exchange
from simulator.kinds import ABSORBED, GAP
from simulator.texts import MILLISECOND_NS, SECOND_NS, padded, trimmed
from simulator.topic import BOOK, TRADES, Client, Desk, Frame, Topic
from simulator.window import View, difference, view

DEPTH = 400
INTERVAL = 100 * MILLISECOND_NS
FIRST_SEQUENCE = 450_001
RENUMBERED = 7  # the sequence that a maintenance reset goes back to
FIRST_TRADE = 130_639_474
IDLE_NS = 30 * SECOND_NS
CONNECTION = "a4d3{:04x}"
CHANNELS = {"books": BOOK, "trades": TRADES}
SHUTDOWN_AT = "shutdown_at"


def _receive(exchange: Exchange, client: Client, text: str, now: int) -> None:
    """Answer one request, each argument apart."""
    if text == "ping":
        exchange.send(client, b"pong")
        return
    try:
        request = json.loads(text)
    except ValueError:
        request = None
    operation = request.get("op") if isinstance(request, dict) else None
    topics = request.get("args") if isinstance(request, dict) else None
    if operation not in ("subscribe", "unsubscribe") or not isinstance(topics, list):
        _say(exchange, client, event="error", code="60012", msg=f"Invalid request: {text[:80]}")
        return
    for topic in topics:
        if isinstance(topic, dict):
            _one(exchange, client, operation, topic, now)


def _say(exchange: Exchange, client: Client, **fields: Any) -> None:
    """Send an answer or a notice."""
    body = fields | {"connId": CONNECTION.format(client.number)}
    exchange.send(client, json.dumps(body, separators=(",", ":")).encode())


def _one(exchange: Exchange, client: Client, operation: str, wanted: Mapping[str, Any], now: int) -> None:
    """Subscribe to or unsubscribe from one topic and say so, or why not."""
    channel, symbol = str(wanted.get("channel")), str(wanted.get("instId"))
    name, topic = f"{channel}:{symbol}", {"channel": channel, "instId": symbol}
    if operation == "unsubscribe":
        exchange.unsubscribe(client, name)
        _say(exchange, client, event="unsubscribe", arg=topic)
        return
    desk = exchange.by_symbol.get(symbol)
    if desk is None or channel not in CHANNELS or (channel == "books" and exchange.refuses(desk, client, now)):
        words = "Please use the correct URL, channel and parameters referring to API document."
        text = f"Wrong URL or channel:{channel},instId:{symbol} doesn't exist. {words}"
        _say(exchange, client, event="error", code="60018", msg=text)
        return
    _say(exchange, client, event="subscribe", arg=topic)
    if name not in client.topics:
        _join(exchange, client, name, desk, CHANNELS[channel], now)


def _join(exchange: Exchange, client: Client, name: str, desk: Desk, kind: str, now: int) -> None:
    """Subscribe a client and show it the book; what others still wait for goes out before."""
    if name in desk.topics:
        exchange.flush(desk.topics[name], now)
    is_book = kind == BOOK
    topic = exchange.subscribe(client, name, desk, kind, INTERVAL if is_book else 0, DEPTH if is_book else None)
    if not is_book:
        return
    if topic.view is None:
        topic.sequence, topic.view = FIRST_SEQUENCE, view(desk.market, DEPTH)
    shown: View = topic.view
    stamp = desk.stamp(exchange.venue_time(now), MILLISECOND_NS)
    exchange.witness(topic, topic.sequence, stamp)
    levels = list(shown.bids.items()), list(shown.asks.items())
    exchange.show(client, topic, Frame(_book(topic, "snapshot", levels, -1, stamp)))


def _levels(changes: list[tuple[int, int]], decimals: int) -> str:
    """Write levels: price, size, a part without meaning, how many orders."""
    rows = [f'["{padded(price, decimals)}","{trimmed(size)}","0","{1 if size else 0}"]' for price, size in changes]
    return ",".join(rows)


def _entry(topic: Topic, levels: tuple[list[tuple[int, int]], list[tuple[int, int]]], previous: int, stamp: int) -> str:
    """Write what is told of a book, the same in band and by REST."""
    decimals = topic.desk.market.listing.price_decimals
    return (
        f'{{"asks":[{_levels(levels[1], decimals)}],"bids":[{_levels(levels[0], decimals)}],'
        f'"ts":"{stamp // MILLISECOND_NS}","checksum":0,"seqId":{topic.sequence},"prevSeqId":{previous}}}'
    )


def _book(
    topic: Topic, action: str, levels: tuple[list[tuple[int, int]], list[tuple[int, int]]], previous: int, stamp: int
) -> bytes:
    """Write one frame of a book."""
    head = f'{{"arg":{{"channel":"books","instId":"{topic.desk.symbol}"}},"action":"{action}","data":['
    return f"{head}{_entry(topic, levels, previous, stamp)}]}}".encode()


def _publish(exchange: Exchange, topic: Topic, now: int) -> None:
    """Publish what changed in the window, or a batch of trades."""
    if topic.kind == TRADES:
        exchange.publish(topic, Frame(_trades(topic, now)))
        return
    before: View = topic.view
    topic.view = after = view(topic.desk.market, DEPTH)
    levels = difference(before.bids, after.bids), difference(before.asks, after.asks)
    if levels[0] or levels[1]:
        _tell(exchange, topic, levels, topic.sequence + 3 + topic.desk.sequence % 11, now)


def _tell(
    exchange: Exchange,
    topic: Topic,
    levels: tuple[list[tuple[int, int]], list[tuple[int, int]]],
    sequence: int,
    now: int,
) -> None:
    """Publish an update that goes on to a sequence."""
    previous, topic.sequence = topic.sequence, sequence
    stamp = topic.desk.stamp(now, MILLISECOND_NS)
    exchange.witness(topic, sequence, stamp)
    exchange.publish(topic, Frame(_book(topic, "update", levels, previous, stamp)))


def _trades(topic: Topic, now: int) -> bytes:
    """Write one frame of trades, in order."""
    listing = topic.desk.market.listing
    rows = [
        f'{{"instId":"{listing.symbol}","tradeId":"{FIRST_TRADE + trade.number}",'
        f'"px":"{padded(trade.price, listing.price_decimals)}","sz":"{trimmed(trade.size)}",'
        f'"side":"{"buy" if trade.taker_buys else "sell"}","ts":"{now // MILLISECOND_NS}","count":"1","source":"0"}}'
        for trade in topic.trades
    ]
    return f'{{"arg":{{"channel":"trades","instId":"{listing.symbol}"}},"data":[{",".join(rows)}]}}'.encode()


def _respond(exchange: Exchange, path: str, query: Mapping[str, str], now: int) -> Reply | None:
    """Answer an HTTP request: the list of instruments, or a book as it was last told in band."""
    if path == "/api/v5/public/instruments":
        rows = [_instrument(desk) for desk in exchange.by_symbol.values()]
        return Reply(json.dumps({"code": "0", "msg": "", "data": rows}, separators=(",", ":")).encode())
    if path != "/api/v5/market/books":
        return None
    desk = exchange.by_symbol.get(query.get("instId", ""))
    topic = desk.topics.get(f"books:{desk.symbol}") if desk else None
    if topic is None:
        return Reply(b'{"code":"51001","msg":"Instrument ID doesn\'t exist.","data":[]}', 400)
    levels = list(topic.view.bids.items()), list(topic.view.asks.items())
    return Reply(f'{{"code":"0","msg":"","data":[{_entry(topic, levels, -1, topic.desk.ts_event)}]}}'.encode())


def _instrument(desk: Desk) -> dict[str, Any]:
    """Describe one instrument."""
    listing = desk.market.listing
    return {
        "instType": "SPOT", "instId": listing.symbol, "baseCcy": listing.base, "quoteCcy": listing.quote,
        "tickSz": trimmed(listing.tick), "lotSz": trimmed(listing.lot), "minSz": trimmed(listing.lot),
        "state": "live", "listTime": "1733454000000",
    }  # fmt: skip


def _beat(exchange: Exchange, client: Client, now: int) -> None:
    """End connections that subscribe to nothing, or whose end was announced."""
    exchange.expire(client, IDLE_NS)
    if client.options.get(SHUTDOWN_AT, now) < now:
        exchange.close(client, 1001, "service upgrade")


def _books_of(exchange: Exchange, desk: Desk, now: int) -> list[Topic]:
    """Give an instrument's book topics that have a subscriber, all told that was to be told."""
    topics = [topic for topic in desk.topics.values() if topic.kind == BOOK and topic.clients]
    for topic in topics:
        exchange.flush(topic, now)
    return topics


def _idle(exchange: Exchange, desk: Desk, now: int) -> bool:
    """Say that nothing has changed, as after a minute without changes."""
    topics = _books_of(exchange, desk, now)
    for topic in topics:
        frame = Frame(_book(topic, "update", ([], []), topic.sequence, desk.ts_event))
        exchange.publish(topic, frame)
    return bool(topics)


def _reset(exchange: Exchange, desk: Desk, now: int) -> bool:
    """Go back to a lower sequence with one update that says so, as after maintenance."""
    topics = _books_of(exchange, desk, now)
    for topic in topics:
        _tell(exchange, topic, ([], []), RENUMBERED, exchange.venue_time(now))
    return bool(topics)


def _announce(exchange: Exchange, desk: Desk, now: int) -> bool:
    """Announce the end of the sockets that carry the book, which comes about 2 s later."""
    words = "The connection will soon be closed for a service upgrade. Please reconnect."
    for client in desk.carriers():
        _say(exchange, client, event="notice", code="64008", msg=words)
        client.options[SHUTDOWN_AT] = now + SECOND_NS
    return bool(desk.carriers())


DIALECT = Dialect(
    venue="okx",
    paths=("/okx/ws/v5/public",),
    decimals={"BTC": (1, 8), "ETH": (2, 6), "SOL": (2, 6), "XRP": (4, 6), "DOGE": (5, 6), "ADA": (4, 6),
              "AVAX": (2, 6), "DOT": (3, 6), "LINK": (3, 6)},
    book_interval=INTERVAL,
    trade_interval=0,
    receive=_receive,
    publish=_publish,
    beat=_beat,
    respond=_respond,
    tricks={
        "idle": Trick(_idle, ABSORBED, "book"),
        "maintenance_reset": Trick(_reset, GAP, "book"),
        "upgrade_notice": Trick(_announce, ABSORBED, "socket"),
    },
    mark=b'"bids":[',
    bid=lambda desk, price, size: _levels([(price, size)], desk.market.listing.price_decimals),
)  # fmt: skip
