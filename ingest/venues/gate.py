"""Gate v4 spot, order book V2: whole books in band, then spans of changes, some of which change nothing.

Source: www.gate.com/docs/developers/apiv4/ws/en, spot channels obu, trades and ping, and /docs/developers/apiv4, list
all currency pairs (read 2026-09).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import orjson

from ingest.fields import (
    Object,
    as_object,
    name_of,
    parse_object,
    symbols_of,
    take_boolean,
    take_choice,
    take_integer,
    take_object,
    take_objects,
    take_pairs,
    take_text,
    words_of,
)
from ingest.instants import SECOND_NS, from_milliseconds, from_milliseconds_text
from ingest.listings import metadata_at
from ingest.sequence import Spliced
from ingest.units import Written, read_book, read_trade
from ingest.venue import (
    BookUpdate,
    Capability,
    Control,
    Decoded,
    Ignored,
    Keepalive,
    Limit,
    Listing,
    Message,
    Scales,
    Sign,
    Venue,
)
from thalweg.errors import DecodeError
from thalweg.events import Taker
from thalweg.instruments import MAX_DECIMALS

DEPTH = 400  # levels a side, every 100 ms; 50 come every 20 ms
BOOKS, TRADES = "spot.obu", "spot.trades"
INFO_PATH = "/api/v4/spot/currency_pairs"
NO_TIME = '"time":0'  # every request says when it was made; filled in when it is sent
PACE_S = 0.05
REST_LIMIT = Limit(80, 10.0)  # requests; the venue allows 200 in 10 s
CONNECT_LIMIT = Limit(8, 20.0)  # not published
TAKERS = {"buy": Taker.BUY, "sell": Taker.SELL}
TOPIC = re.compile(r"ob\.([A-Za-z0-9_]{1,32})\.(50|400)")
PAIR = re.compile(r"[A-Z0-9]+_[A-Z0-9]+")  # in the words of a refusal
AGAIN = "Alert sub"  # so begins the refusal of what is subscribed to already


def connect(base: str) -> str:
    """Give the URL of the spot stream."""
    return f"{base}/ws/v4/"


def subscribe(symbols: Sequence[str]) -> list[str]:
    """Give one request a topic: its answer has the topic in it."""
    return [request for symbol in symbols for request in _subscriptions(symbol)]


def resubscribe(symbol: str) -> list[str]:
    """Give the requests that bring a whole book again; trades are asked for in case they were refused before."""
    return [_request("unsubscribe", BOOKS, f"ob.{symbol}.{DEPTH}"), *_subscriptions(symbol)]


def _subscriptions(symbol: str) -> list[str]:
    return [_request("subscribe", BOOKS, f"ob.{symbol}.{DEPTH}"), _request("subscribe", TRADES, symbol)]


def _request(event: str, channel: str, topic: str) -> str:
    return orjson.dumps({"time": 0, "channel": channel, "event": event, "payload": [topic]}).decode()


def stamp(frame: str, instant: int) -> str:
    """Put the second into a request."""
    return frame.replace(NO_TIME, f'"time":{instant // SECOND_NS}', 1)


def decode(frame: bytes, scales: Scales) -> Decoded:
    """Turn one frame into messages.

    Raises:
        DecodeError: an undocumented shape.
    """
    payload = parse_object(frame)
    channel, event = payload.get("channel"), payload.get("event")
    if event != "update":
        return Decoded([_answer(payload)])
    if channel == BOOKS:
        return Decoded([_book(take_object(payload, "result"), scales)])
    if channel == TRADES:
        found = payload.get("result")  # one, or a list of them
        trades = take_objects(payload, "result") if isinstance(found, list) else [as_object(found)]
        return Decoded([_trade(trade, scales) for trade in trades])
    return Decoded([Ignored(name_of(channel))])


def _book(result: Object, scales: Scales) -> Message:
    topic = TOPIC.fullmatch(take_text(result, "s"))
    if topic is None:
        raise DecodeError("a book without a topic")
    whole = "full" in result and take_boolean(result, "full")
    message = read_book(
        scales,
        topic[1],
        Written(_side(result, "b"), _side(result, "a")),
        whole=whole,
        first=None if whole else take_integer(result, "U"),
        last=take_integer(result, "u"),
        ts_event=from_milliseconds(take_integer(result, "t")),
    )
    if isinstance(message, BookUpdate) and whole:
        message.depth = int(topic[2])
    return message


def _side(result: Object, key: str) -> list[tuple[object, object]]:
    """Give the levels of a side, which is not there where nothing of it has changed."""
    return take_pairs(result, key) if key in result else []


def _trade(trade: Object, scales: Scales) -> Message:
    return read_trade(
        scales,
        take_text(trade, "currency_pair"),
        price=trade.get("price"),
        size=trade.get("amount"),
        taker=take_choice(trade, "side", TAKERS),
        name=str(take_integer(trade, "id")),
        number=None,  # not documented to step by one
        ts_event=from_milliseconds_text(take_text(trade, "create_time_ms")),
    )


def _answer(payload: Object) -> Message:
    """Read an answer to one of our requests; the topic of one that is refused may be in its words alone."""
    channel, event = payload.get("channel"), payload.get("event")
    topics = payload.get("payload")
    symbols = symbols_of(*(_symbol(topic) for topic in topics)) if isinstance(topics, list) else ()
    if isinstance(error := payload.get("error"), dict):
        words = words_of(error.get("message"))
        sign = Sign.ACK if words.startswith(AGAIN) else Sign.NACK
        return Control(sign, symbols or symbols_of(*PAIR.findall(words)), words)
    if event == "subscribe":
        return Control(Sign.ACK, symbols)
    if channel == "spot.pong" or event == "unsubscribe":
        return Control(Sign.ALIVE)  # of an end: the subscription that follows it tells
    return Ignored(name_of(channel))


def _symbol(topic: object) -> object:
    """Give the symbol of a topic, which for trades is the topic."""
    found = TOPIC.fullmatch(topic) if isinstance(topic, str) else None
    return found[1] if found else topic


def _listing(entry: Object) -> tuple[str, Listing]:
    places = take_integer(entry, "precision"), take_integer(entry, "amount_precision")
    if max(places) > MAX_DECIMALS:
        raise DecodeError("finer than any instrument can be")
    trading = take_text(entry, "trade_status") == "tradable"
    return take_text(entry, "id"), Listing(take_text(entry, "base"), take_text(entry, "quote"), *places, trading)


VENUE = Venue(
    name="gate",
    ws="wss://api.gateio.ws",
    rest="https://api.gateio.ws",
    capability=Capability("sequence", None),
    depth=DEPTH,
    keepalive=Keepalive(silence_s=4.8, ping=f'{{{NO_TIME},"channel":"spot.ping"}}', every_s=1.5),
    connect=connect,
    subscribe=subscribe,
    resubscribe=resubscribe,
    decode=decode,
    rule=lambda: Spliced(held=False),
    metadata=metadata_at(INFO_PATH, [], _listing),
    pace_s=PACE_S,
    rest_limit=REST_LIMIT,
    connect_limit=CONNECT_LIMIT,
    stamp=stamp,
)
