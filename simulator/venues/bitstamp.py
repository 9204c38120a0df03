"""Bitstamp: whole books of 100 levels a side, every 100 ms in which one has changed; one channel a request.

Source: www.bitstamp.net/websocket/v2 (2026).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from simulator.dialect import Dialect, Reply, Trick
from simulator.exchange import Exchange
from simulator.kinds import ABSORBED
from simulator.market import Trade
from simulator.texts import MILLISECOND_NS, SECOND_NS, padded
from simulator.topic import BOOK, TRADES, Client, Desk, Frame, Topic
from simulator.window import Changes, View, view

CHANNELS = {"order_book": BOOK, "live_trades": TRADES}
DEPTH = 100
CADENCE = 100 * MILLISECOND_NS
MICROSECOND_NS = 1_000
FIRST_TRADE = 216_000_000
FIRST_ORDER = 1_443_875_731_320_832
LEAD = "reconnect_lead"


def _send(exchange: Exchange, client: Client, event: str, channel: str = "", data: Any = "") -> None:
    answer = {"event": f"bts:{event}", "channel": channel, "data": data}
    exchange.send(client, json.dumps(answer, separators=(",", ":")).encode())


def _receive(exchange: Exchange, client: Client, text: str, now: int) -> None:
    """Answer one request."""
    try:
        request = json.loads(text)
    except ValueError:
        _refuse(exchange, client, "Incorrect JSON format.")
        return
    event = request.get("event") if isinstance(request, dict) else None
    data = request.get("data") if isinstance(request, dict) else None
    channel = str(data.get("channel")) if isinstance(data, dict) else ""
    if event == "bts:heartbeat":
        _send(exchange, client, "heartbeat", data={"status": "success"})
    elif event == "bts:subscribe":
        _subscribe(exchange, client, channel, now)
    elif event == "bts:unsubscribe" and exchange.unsubscribe(client, channel):
        _send(exchange, client, "unsubscription_succeeded", channel, {})
    else:
        _refuse(exchange, client, "Bad request.")


def _refuse(exchange: Exchange, client: Client, message: str) -> None:
    _send(exchange, client, "error", data={"code": None, "message": message})


def _subscribe(exchange: Exchange, client: Client, channel: str, now: int) -> None:
    """Subscribe to one channel; a book is shown at once, as it changes many times a second."""
    name, _, symbol = channel.rpartition("_")
    desk, kind = exchange.by_symbol.get(symbol), CHANNELS.get(name)
    if desk is None or kind is None:
        _refuse(exchange, client, "Bad subscription string.")
        return
    if kind == BOOK and exchange.refuses(desk, client, now):
        _refuse(exchange, client, "Service unavailable.")
        return
    if channel in desk.topics:
        exchange.flush(desk.topics[channel], now)
    again = channel in client.topics
    interval, depth = (CADENCE, DEPTH) if kind == BOOK else (0, None)
    topic = exchange.subscribe(client, channel, desk, kind, interval, depth)
    _send(exchange, client, "subscription_succeeded", channel, {})
    if kind == BOOK and not again:
        topic.view = topic.view or view(desk.market, DEPTH)
        exchange.show(client, topic, _book(exchange, topic, exchange.venue_time(now)))


def _levels(changes: Changes, desk: Desk) -> str:
    listing = desk.market.listing
    prices, sizes = listing.price_decimals, listing.size_decimals
    return ",".join([f'["{padded(price, prices)}","{padded(size, sizes)}"]' for price, size in changes])


def _instants(stamp: int) -> str:
    return f'"timestamp":"{stamp // SECOND_NS}","microtimestamp":"{stamp // MICROSECOND_NS}"'


def _book(exchange: Exchange, topic: Topic, now: int) -> Frame:
    """Make a frame of what the channel shows now."""
    shown: View = topic.view
    stamp = topic.desk.stamp(now, MICROSECOND_NS)
    exchange.witness(topic, stamp // MICROSECOND_NS, stamp)
    bids, asks = (_levels(list(side.items()), topic.desk) for side in (shown.bids, shown.asks))
    data = f'{{{_instants(stamp)},"bids":[{bids}],"asks":[{asks}]}}'
    return Frame(f'{{"data":{data},"channel":"{topic.name}","event":"data"}}'.encode())


def _publish(exchange: Exchange, topic: Topic, now: int) -> None:
    """Publish the whole book if what is shown of it has changed, or trades, one a frame."""
    if topic.kind == TRADES:
        for trade in topic.trades:
            exchange.publish(topic, _trade(topic, trade, now))
        return
    before, topic.view = topic.view, view(topic.desk.market, DEPTH)
    if topic.view != before:
        exchange.publish(topic, _book(exchange, topic, now))


def _trade(topic: Topic, trade: Trade, now: int) -> Frame:
    """Write one trade; the taker's order has the higher id."""
    listing = topic.desk.market.listing
    price, size = padded(trade.price, listing.price_decimals), padded(trade.size, listing.size_decimals)
    orders = FIRST_ORDER + 2 * trade.number, FIRST_ORDER + 2 * trade.number + 1
    buy, sell = orders[::-1] if trade.taker_buys else orders
    data = (
        f'{{"id":{FIRST_TRADE + trade.number},{_instants(now)},"amount":{float(size)},"amount_str":"{size}",'
        f'"price":{float(price)},"price_str":"{price}","type":{int(not trade.taker_buys)},'
        f'"buy_order_id":{buy},"sell_order_id":{sell}}}'
    )
    return Frame(f'{{"data":{data},"channel":"{topic.name}","event":"trade"}}'.encode())


def _respond(exchange: Exchange, path: str, query: Mapping[str, str], now: int) -> Reply | None:
    """Answer an HTTP request: markets."""
    if path != "/api/v2/markets/":
        return None
    rows = [_market(desk) for desk in exchange.by_symbol.values()]
    return Reply(json.dumps(rows, separators=(",", ":")).encode())


def _market(desk: Desk) -> dict[str, Any]:
    """Describe one market."""
    listing = desk.market.listing
    return {
        "name": f"{listing.base}/{listing.quote}", "market_symbol": listing.symbol, "base_currency": listing.base,
        "base_decimals": listing.size_decimals, "counter_currency": listing.quote,
        "counter_decimals": listing.price_decimals, "minimum_order_value": "10", "trading": "Enabled",
        "instant_order_counter_decimals": 2, "instant_and_market_orders": "Enabled", "market_type": "SPOT",
    }  # fmt: skip


def _beat(exchange: Exchange, client: Client, now: int) -> None:
    """Drop a socket that was asked to reconnect some seconds ago."""
    if client.options.get(LEAD, now) < now:
        exchange.close(client, 1001, "reconnect")


def _ask_to_reconnect(exchange: Exchange, desk: Desk, now: int) -> bool:
    """Ask those who carry the book to reconnect; who stays is dropped about 2 s later."""
    for client in desk.carriers():
        _send(exchange, client, "request_reconnect")
        client.options[LEAD] = now + SECOND_NS
    return bool(desk.carriers())


DIALECT = Dialect(
    venue="bitstamp",
    paths=("/bitstamp",),
    decimals={"BTC": (0, 8), "ETH": (1, 8), "SOL": (2, 8), "XRP": (5, 8), "DOGE": (5, 8), "ADA": (5, 8),
              "AVAX": (2, 8), "DOT": (3, 8), "LINK": (3, 8)},
    book_interval=CADENCE,
    trade_interval=0,
    receive=_receive,
    publish=_publish,
    beat=_beat,
    respond=_respond,
    verified=DEPTH,
    # Nothing shows that a frame is not there, is cut, false or late: the next one is the whole book again.
    expects=dict.fromkeys(("drop", "reorder", "truncate", "garbage", "crossed"), ABSORBED),
    tricks={"request_reconnect": Trick(_ask_to_reconnect, ABSORBED, "socket")},
    mark=b'"bids":[',
    bid=lambda desk, price, size: _levels([(price, size)], desk),
)  # fmt: skip
