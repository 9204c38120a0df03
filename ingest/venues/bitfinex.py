"""Bitfinex v2: bare JSON arrays by channel number; one sequence for a connection, and a checksum of the best 25.

Source: docs.bitfinex.com, docs/ws-general, docs/ws-websocket-checksum, reference/ws-public-books and -trades (2026).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zlib import crc32

import orjson

from ingest import fields
from ingest import venue as seam
from ingest.fields import as_integer, digits_of, is_path, take_integer
from ingest.instants import from_milliseconds
from ingest.sequence import Summed
from ingest.units import Written, as_javascript, read_book, read_trade
from ingest.venue import BookUpdate, Control, Decoded, Ignored, Listing, Message, Scales, Sign
from thalweg.book import Book
from thalweg.errors import DecodeError
from thalweg.events import State, Taker

DEPTH, CHECKED = 100, 25  # levels a side; with 25 there would be nothing to step in when one of the checked goes
TIMESTAMP, SEQUENCE, CHECKSUM = 1 << 15, 1 << 16, 1 << 17
FLAGS = TIMESTAMP | SEQUENCE | CHECKSUM
ALIASES = {"UST": "USDT", "UDC": "USDC"}  # names of this venue alone
INFO_PATH = "/v2/conf/pub:list:pair:exchange"


def subscribe(symbols: Sequence[str]) -> list[str]:
    """Give what frames are to carry, then one request a channel, of which a connection may have 25."""
    return [_request("conf", flags=FLAGS), *(request for symbol in symbols for request in _channels(symbol))]


def _channels(symbol: str) -> list[str]:
    book = _request("subscribe", channel="book", symbol=symbol, prec="P0", freq="F0", len=str(DEPTH))
    return [book, _request("subscribe", channel="trades", symbol=symbol)]


def _request(event: str, **more: object) -> str:
    return orjson.dumps({"event": event, **more}).decode()


class Reader:
    """What a connection was told: which channel has which number, and what frames carry."""

    def __init__(self) -> None:
        """Know no channel."""
        self._channels: dict[int, tuple[str, str]] = {}
        self._flags = 0

    def resubscribe(self, symbol: str) -> list[str]:
        """Give the requests that bring a whole book again; trades are asked for in case they were refused before."""
        held = [number for number, channel in self._channels.items() if channel == ("book.P0", symbol)]
        return [*(_request("unsubscribe", chanId=number) for number in held), *_channels(symbol)]

    def decode(self, frame: bytes, scales: Scales) -> Decoded:
        """Turn one frame into messages; the connection's sequence counts arrays of every channel.

        Raises:
            DecodeError: an undocumented shape.
        """
        payload = fields.parse_exact(frame)
        if isinstance(payload, dict):
            return Decoded([self._event(payload)])
        if not isinstance(payload, list) or len(payload) < 2 + (self._flags & (TIMESTAMP | SEQUENCE)).bit_count():
            raise DecodeError("neither an event nor a frame of a channel")
        instant = from_milliseconds(as_integer(payload.pop())) if self._flags & TIMESTAMP else None
        sequence = as_integer(payload.pop()) if self._flags & SEQUENCE else None
        channel = self._channels.get(as_integer(payload[0]), ("unknown-channel", ""))
        return Decoded(_data(*channel, payload[1:], instant, scales), sequence)

    def _event(self, payload: fields.Object) -> Message:
        """Read an answer to one of our requests, or what the server has to say."""
        symbols, words = fields.symbols_of(payload.get("symbol")), fields.words_of(payload.get("msg"))
        match payload:
            case {"event": "subscribed"}:
                return self._subscribed(payload, symbols)
            case {"event": "unsubscribed"}:
                self._channels.pop(take_integer(payload, "chanId"), None)
            case {"event": "conf", "status": "OK"}:
                self._flags = take_integer(payload, "flags")
            case {"event": "pong"} | {"event": "error", "code": 10400}:  # not subscribed, so not unsubscribed
                pass
            case {"event": "error", "code": 10301}:  # subscribed already
                return Control(Sign.ACK, symbols, words)
            case {"event": "error"}:
                return Control(Sign.NACK, symbols, words)
            case {"event": "conf"}:
                return Control(Sign.CLOSING, text="frames would lack what verifies them")
            case {"event": "info", "code": 20051}:
                return Control(Sign.CLOSING, text=words)
            case {"event": "info", "code": 20060} | {"event": "info", "platform": {"status": 0}}:
                return Control(Sign.STATE, text="maintenance", state=State.HALTED)
            case {"event": "info", "code": 20061} | {"event": "info", "platform": {"status": 1}}:
                return Control(Sign.STATE, text="operative", state=State.SYNCING)
            case _:
                return Ignored(fields.name_of(fields.take_text(payload, "event")))
        return Control(Sign.ALIVE)

    def _subscribed(self, payload: fields.Object, symbols: tuple[str, ...]) -> Message:
        """Note a channel's number, and its kind with its precision: a book of another one is another thing."""
        kind = fields.name_of(f"{payload.get('channel')}.{payload.get('prec', '')}".strip("."))
        self._channels[take_integer(payload, "chanId")] = kind, "".join(symbols)
        is_ours = kind == "book.P0"
        return Control(Sign.ACK, symbols, depth=fields.take_count(payload, "len")) if is_ours else Control(Sign.ALIVE)


def _data(kind: str, symbol: str, body: list[Any], at: int | None, scales: Scales) -> list[Message]:
    """Read a frame of a channel."""
    match kind, body:
        case (_, ["hb"]) | ("trades", ["tu", _]):  # the latter tells a trade again, a second or two later
            return [Control(Sign.ALIVE)]
        case "book.P0", ["cs", int(signed)] if type(signed) is int:
            return [_book([], symbol, at, scales, whole=False, summed=signed & 0xFFFFFFFF)]
        case "book.P0", [[*rows]]:  # one level, or all
            whole = all(type(row) is list for row in rows)
            return [_book(rows if whole else [rows], symbol, at, scales, whole=whole, summed=None)]
        case "trades", ["te", trade]:
            return [_trade(trade, symbol, scales, history=False)]
        case "trades", [[*trades]]:  # newest first
            return [_trade(trade, symbol, scales, history=True) for trade in reversed(trades)]
        case (("book.P0" | "trades"), _):
            raise DecodeError(f"not a frame of {kind}")
    return [Ignored(kind)]


def _book(rows: list[Any], symbol: str, at: int | None, scales: Scales, *, whole: bool, summed: int | None) -> Message:
    """Read levels: price, count of orders (0 removes), amount, whose sign is the side."""
    sides: tuple[list[tuple[object, object]], list[tuple[object, object]]] = ([], [])
    for row in rows:
        if type(row) is not list or len(row) != 3:
            raise DecodeError("not a level")
        amount, is_ask = fields.split_sign(row[2])
        removed = "0" if str(amount)[:1].isdigit() else None  # 1 or -1, which only says on which side
        sides[is_ask].append((digits_of(row[0]), amount if as_integer(row[1]) else removed))
    written = Written(*sides)
    message = read_book(scales, symbol, written, whole=whole, ts_event=at)
    if isinstance(message, BookUpdate):
        message.checksum, message.shift = summed, (-written.units[0], -written.units[1])
    return message


def _trade(trade: Any, symbol: str, scales: Scales, *, history: bool) -> Message:
    """Read a trade: id, milliseconds, amount (above 0 the taker bought), price. Ids grow, but not by one."""
    if type(trade) is not list or len(trade) != 4:
        raise DecodeError("not a trade")
    name, at, price = str(as_integer(trade[0])), from_milliseconds(as_integer(trade[1])), digits_of(trade[3])
    size, sold = fields.split_sign(trade[2])
    taker = Taker.SELL if sold else Taker.BUY
    return read_trade(
        scales, symbol, price=price, size=size, taker=taker, name=name, number=None, ts_event=at, history=history
    )


def checksum(book: Book, shift: tuple[int, int]) -> int:
    """Give the CRC32 of the best 25: bid, then ask, rank by rank; a side's missing ranks are left out."""
    sides = ("", book.bids(CHECKED).tolist()), ("-", book.asks(CHECKED).tolist())
    ranked = [(sign, *side[rank]) for rank in range(CHECKED) for sign, side in sides if rank < len(side)]
    words = [f"{as_javascript(px, -shift[0])}:{sign}{as_javascript(sz, -shift[1])}" for sign, px, sz in ranked]
    return crc32(":".join(words).encode())


def decode_listings(body: bytes) -> dict[str, Listing]:
    """Turn the list of pairs, which tells no steps, into listings.

    Raises:
        DecodeError: an undocumented shape.
    """
    match fields.parse_exact(body):
        case [[*pairs]]:
            return {f"t{pair}": _listing(pair) for pair in pairs if isinstance(pair, str)}
    raise DecodeError("not a list of pairs")


def _listing(pair: str) -> Listing:
    base, _, quote = pair.partition(":") if ":" in pair else (pair[:3], "", pair[3:])
    return Listing(ALIASES.get(base, base), ALIASES.get(quote, quote), 0, 8)  # prices have five digits, and no step


VENUE = seam.Venue(
    name="bitfinex",
    ws="wss://api-pub.bitfinex.com",
    rest="https://api-pub.bitfinex.com",
    capability=seam.Capability("connection", None, scope="connection"),
    depth=DEPTH,
    keepalive=seam.Keepalive(silence_s=4.8, ping='{"event":"ping"}', every_s=1.5),
    connect=lambda base: f"{base}/ws/2",
    subscribe=subscribe,
    resubscribe=_channels,
    decode=lambda frame, scales: Reader().decode(frame, scales),
    reader=Reader,
    rule=lambda: Summed(checksum, every=False),
    metadata=seam.Metadata(lambda base: base + INFO_PATH, lambda url: is_path(url, INFO_PATH), decode_listings),
    pace_s=0.05,  # the limit is not published
    rest_limit=seam.Limit(1, 6.0),  # 10 to 90 requests a minute are allowed
    connect_limit=seam.Limit(10, 60.0),  # the venue allows 20 a minute: 10 and a full bucket
)
