"""Bitfinex v2: arrays of bare numbers by channel, one level a frame; every array counted, and books summed.

A channel has another number on every connection. The levels of one change are told one by one, those that go first,
each with an instant of its own; then comes the checksum of the book that they have made.

Source: docs.bitfinex.com, ws-general, ws-public-books, ws-public-trades and ws-websocket-checksum (2026).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from zlib import crc32

from simulator.dialect import Dialect, Reply, Trick
from simulator.exchange import Exchange
from simulator.kinds import ABSORBED, GAP
from simulator.market import Trade
from simulator.texts import MILLISECOND_NS, SECOND_NS, trimmed
from simulator.topic import BOOK, TRADES, Client, Desk, Frame, Topic
from simulator.window import Changes, View, difference, view

DEPTHS = ("1", "25", "100", "250")
CADENCE = 100 * MILLISECOND_NS
CHECKED = 25
TIMESTAMP, SEQ_ALL, OB_CHECKSUM = 32_768, 65_536, 131_072
FIRST_CHANNEL, FIRST_TRADE = 10_092, 401_597_000
HEARTBEAT_NS = 15 * SECOND_NS
CHANNELS_MAX = 25
MAINTENANCE_NS = 3 * SECOND_NS
SERVER = "64aa234a-b16b-4ef8-9cb4-e31feca3ab25"


def _open(exchange: Exchange, client: Client, now: int) -> None:
    """Greet with the platform's state."""
    client.options |= {"flags": 0, "channels": {}, "told": {}}
    _send(exchange, client, {"event": "info", "version": 2, "serverId": SERVER, "platform": {"status": 1}})


def _send(exchange: Exchange, client: Client, answer: Mapping[str, Any]) -> None:
    exchange.send(client, json.dumps(answer, separators=(",", ":")).encode())


def _receive(exchange: Exchange, client: Client, text: str, now: int) -> None:
    """Answer one request."""
    try:
        request = json.loads(text)
    except ValueError:
        request = None
    request = request if isinstance(request, dict) else {}
    event = request.get("event")
    if event == "ping":
        _send(exchange, client, {"event": "pong", "ts": now // MILLISECOND_NS} | _same(request, "cid"))
    elif event == "conf":
        client.options["flags"] = int(request.get("flags", 0))
        _send(exchange, client, {"event": "conf", "status": "OK", "flags": client.options["flags"]})
    elif event == "subscribe":
        _subscribe(exchange, client, request, now)
    elif event == "unsubscribe":
        _unsubscribe(exchange, client, request.get("chanId"))
    else:
        _send(exchange, client, {"event": "error", "msg": "event: invalid", "code": 10000})


def _same(request: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: request[key] for key in keys if key in request}


def _subscribe(exchange: Exchange, client: Client, request: Mapping[str, Any], now: int) -> None:
    """Subscribe to one channel, give it a number, and show the book or the latest trades."""
    channel, symbol, length = str(request.get("channel")), str(request.get("symbol")), str(request.get("len", "25"))
    summed = "summed" if client.options["flags"] & OB_CHECKSUM else "plain"
    name = f"book/{symbol}/{length}/{summed}" if channel == "book" else f"trades/{symbol}"
    desk = exchange.by_symbol.get(symbol)
    problem = _problem(exchange, client, desk, channel, name, length, now)
    if desk is None or problem is not None:
        code, message = problem or (10300, "symbol: invalid")
        error = {"event": "error", "msg": message, "code": code}
        _send(exchange, client, error | _same(request, "channel", "symbol", "prec", "freq", "len", "subId"))
        return
    if name in desk.topics:
        exchange.flush(desk.topics[name], now)
    kind, interval, depth = (BOOK, CADENCE, int(length)) if channel == "book" else (TRADES, 0, None)
    topic = exchange.subscribe(client, name, desk, kind, interval, depth)
    number = exchange.memory["channel"] = exchange.memory.get("channel", FIRST_CHANNEL) + 1
    client.options["channels"][name] = number
    fields = {"prec": "P0", "freq": "F0", "len": length} if depth is not None else {}
    answer = {"event": "subscribed", "channel": channel, "chanId": number, "symbol": symbol, "pair": symbol[1:]}
    _send(exchange, client, answer | fields | _same(request, "subId"))
    exchange.show(client, topic, _first(exchange, topic, exchange.venue_time(now)))


def _problem(
    exchange: Exchange, client: Client, desk: Desk | None, channel: str, name: str, length: str, now: int
) -> tuple[int, str] | None:
    """Say why a channel can't be subscribed to."""
    if channel not in ("book", "trades"):
        return 10302, "channel: unknown"
    if desk is None or (channel == "book" and length not in DEPTHS):
        return 10300, "symbol: invalid" if desk is None else "len: invalid"
    if name in client.topics:
        return 10301, "subscribe: dup"
    if len(client.topics) >= CHANNELS_MAX:
        return 10305, "subscribe: limit"
    refused = channel == "book" and exchange.refuses(desk, client, now)
    return (10300, "subscribe: failed") if refused else None


def _unsubscribe(exchange: Exchange, client: Client, number: Any) -> None:
    """Take a client off the channel of this number."""
    name = next((name for name, one in client.options["channels"].items() if one == number), None)
    if name is None:
        _send(exchange, client, {"event": "error", "msg": "unsubscribe: invalid", "code": 10400, "chanId": number})
        return
    del client.options["channels"][name]
    exchange.unsubscribe(client, name)
    _send(exchange, client, {"event": "unsubscribed", "status": "OK", "chanId": number})


def _first(exchange: Exchange, topic: Topic, now: int) -> Frame:
    """Make what a new subscriber sees first."""
    if topic.kind == TRADES:
        rows = [_row(trade, ts) for trade, ts in reversed(topic.desk.recent)]
        return _frame(f"[{','.join(rows)}]", now)
    topic.view = shown = topic.view or view(topic.desk.market, topic.depth or 0)
    stamp = topic.desk.stamp(now, MILLISECOND_NS)
    exchange.witness(topic, None, stamp)
    levels = [*_levels(list(shown.bids.items()), ""), *_levels(list(shown.asks.items()), "-")]
    return _frame(f"[{','.join(levels)}]", stamp)


def _frame(payload: str, stamp: int) -> Frame:
    """Write a frame in two parts: before it comes the channel's number, between them the connection's sequence."""
    return Frame(f",{payload}".encode(), b"%d" % (stamp // MILLISECOND_NS))


def _render(client: Client, topic: Topic, frame: Frame) -> bytes:
    """Give a frame as one client gets it: its own channel number, and what it has asked frames to carry."""
    return _numbered(client, client.options["channels"].get(topic.name, 0), frame)


def _numbered(client: Client, number: int, frame: Frame) -> bytes:
    flags = client.options["flags"]
    client.counter += 1
    sequence = b",%d" % client.counter if flags & SEQ_ALL else b""
    return b"[%d%b%b%b]" % (number, frame.body, sequence, b"," + frame.tail if flags & TIMESTAMP else b"")


def _levels(changes: Changes, sign: str) -> list[str]:
    """Write levels: price, orders, amount; what goes has no orders and an amount of 1."""
    return [f"[{trimmed(price)},{int(size > 0)},{sign}{trimmed(size) if size else 1}]" for price, size in changes]


def _row(trade: Trade, ts: int) -> str:
    sign = "" if trade.taker_buys else "-"
    return f"[{FIRST_TRADE + trade.number},{ts // MILLISECOND_NS},{sign}{trimmed(trade.size)},{trimmed(trade.price)}]"


def _publish(exchange: Exchange, topic: Topic, now: int) -> None:
    """Publish what changed in the window, a level a frame, and then the checksum; or trades, twice each."""
    if topic.kind == TRADES:
        for trade in topic.trades:
            for kind in ("te", "tu"):
                exchange.publish(topic, _frame(f'"{kind}",{_row(trade, now)}', now))
        return
    before, after = topic.view, view(topic.desk.market, topic.depth or 0)
    changes = [("", *one) for one in difference(before.bids, after.bids)]
    changes += [("-", *one) for one in difference(before.asks, after.asks)]
    shown = View(dict(before.bids), dict(before.asks))
    for sign, price, size in sorted(changes, key=lambda one: one[2] > 0):
        _tell(exchange, topic, shown, sign, price, size, now)
    topic.view = after
    if changes and topic.name.endswith("/summed"):
        exchange.publish(topic, _frame(f'"cs",{checksum(topic.view)}', max(now, topic.desk.ts_event)))


def _tell(exchange: Exchange, topic: Topic, shown: View, sign: str, price: int, size: int, now: int) -> None:
    """Publish one level, and tell the oracle of the book that it makes."""
    side = shown.asks if sign else shown.bids
    if size:
        side[price] = size
    else:
        side.pop(price, None)
    stamp = topic.desk.stamp(now, MILLISECOND_NS)
    exchange.witness(topic, None, stamp, (sorted(shown.bids.items(), reverse=True), sorted(shown.asks.items())))
    (level,) = _levels([(price, size)], sign)
    exchange.publish(topic, _frame(level, stamp))


def checksum(book: View) -> int:
    """Give the signed CRC32 of the best 25: bids and asks in turn, price and amount, as JavaScript writes them."""
    bids, asks = list(book.bids.items())[:CHECKED], list(book.asks.items())[:CHECKED]
    words: list[str] = []
    for rank in range(CHECKED):
        for sign, side in (("", bids), ("-", asks)):
            words += [word for price, size in side[rank : rank + 1] for word in (_js(price), sign + _js(size))]
    return (crc32(":".join(words).encode()) ^ 1 << 31) - (1 << 31)


def _js(units: int) -> str:
    """Write a number of 1e-8 units as JavaScript does: below 1e-6 with an exponent."""
    return trimmed(units) if units >= 100 else f"{units / 10 if units >= 10 else units:g}e-{7 if units >= 10 else 8}"


def _spoil(body: bytes) -> bytes:
    """Change a frame's checksum, if it is one."""
    return re.sub(rb'"cs",(-?\d+)', lambda match: b'"cs",%d' % (int(match[1]) ^ 1), body)


def _beat(exchange: Exchange, client: Client, now: int) -> None:
    """Tell that every channel is there each 15 s, announce the end of maintenance, and end who was told to go."""
    options = client.options
    if now - options.get("beaten", client.ts_opened) >= HEARTBEAT_NS:
        options["beaten"] = now
        for number in options["channels"].values():
            exchange.send(client, _numbered(client, number, _frame('"hb"', now)))
    if options.get("paused_until", now) < now:
        del options["paused_until"]
        _send(exchange, client, {"event": "info", "code": 20061, "msg": "Maintenance ended"})
    if options.get("restarts_at", now) < now:
        exchange.close(client, 1001, "restart")


def _pause(exchange: Exchange, desk: Desk, now: int) -> bool:
    """Say that maintenance begins; its end is told too. Sockets stay open, and quotes go on."""
    for client in exchange.clients.values():
        client.options["paused_until"] = now + MAINTENANCE_NS
        _send(exchange, client, {"event": "info", "code": 20060, "msg": "Entering in Maintenance mode"})
    return bool(exchange.clients)


def _restart(exchange: Exchange, desk: Desk, now: int) -> bool:
    """Ask those who carry the book to reconnect; who stays is dropped about 2 s later."""
    for client in desk.carriers():
        client.options["restarts_at"] = now + SECOND_NS
        _send(exchange, client, {"event": "info", "code": 20051, "msg": "Stopping. Please try to reconnect"})
    return bool(desk.carriers())


def _start_over(exchange: Exchange, desk: Desk, now: int) -> bool:
    """Count the frames of the sockets that carry the book from nothing again."""
    for client in desk.carriers():
        client.counter = 0
    return bool(desk.carriers())


def _respond(exchange: Exchange, path: str, query: Mapping[str, str], now: int) -> Reply | None:
    """Answer an HTTP request: the list of pairs."""
    if path != "/v2/conf/pub:list:pair:exchange":
        return None
    return Reply(json.dumps([[symbol[1:] for symbol in exchange.by_symbol]], separators=(",", ":")).encode())


DIALECT = Dialect(
    venue="bitfinex",
    paths=("/bitfinex/ws/2",),
    decimals={"BTC": (0, 8), "ETH": (1, 8), "SOL": (2, 8), "XRP": (5, 8), "DOGE": (5, 8), "ADA": (5, 8),
              "AVAX": (3, 8), "DOT": (4, 8), "LINK": (3, 8)},
    book_interval=CADENCE,  # of checksums; the levels come before them
    trade_interval=0,
    frames_a_step=2.0,
    open=_open,
    receive=_receive,
    publish=_publish,
    beat=_beat,
    respond=_respond,
    render=_render,
    verified=int(max(DEPTHS, key=int)),
    numbered=True,
    spoil=_spoil,
    tricks={"halt": Trick(_pause, GAP, "venue"), "server_shutdown": Trick(_restart, ABSORBED, "socket"),
            "sequence_reset": Trick(_start_over, GAP, "socket")},
)  # fmt: skip
