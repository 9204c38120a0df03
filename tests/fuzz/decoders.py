"""Targets: what venues send. Scanner and general decoder make the same of every frame, and refuse in one way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from ingest.venue import BookUpdate, Control, Decoded, Ignored, Message, Refused, Scales, TradeUpdate
from ingest.venues import VENUES
from tests.fuzz.target import Target, kind_of
from thalweg.errors import DecodeError
from thalweg.events import Trade
from thalweg.fixed import INT64_MAX
from thalweg.instruments import SYMBOL, load_instruments
from thalweg.wire import decode_entry, encode_entry

FRAMES = Path(__file__).parents[1] / "frames"
MODULES = {name: import_module(f"ingest.venues.{name}") for name in VENUES}
UNITS = ((8, 8), (2, 8), (0, 0), (18, 18), (5, 10), (12, 3), (8, 0))
REASONS = {"empty", "syntax", "negative", "zero", "decimals", "overflow", "unknown_symbol"}
BODIES = ("listings", "snapshot")  # cases of what comes by REST
SYMBOLS = {"BTC-USD", "BTC/USD", "MATIC/USD", *(name for one in VENUES for name in load_instruments().listings(one))}
WORDS_MAX = 200  # characters of a venue's own that may travel on


def _scales(places: tuple[int, int]) -> Scales:
    return lambda symbol: places if symbol in SYMBOLS else None


KNOWN = [_scales(places) for places in UNITS]


def plain(message: Message) -> Message:
    """A message whose levels are lists, so that `==` compares them."""
    if isinstance(message, BookUpdate):
        return replace(message, bids=message.bids.tolist(), asks=message.asks.tolist())
    return message


def outcome(decode: Callable[[bytes, Scales], Decoded], frame: bytes, scales: Scales) -> list[Message] | str:
    """The messages of a frame with the connection's sequence at the end, or why there are none."""
    try:
        found = decode(frame, scales)
    except DecodeError as error:
        return kind_of(error)
    return [*map(plain, found.messages), Ignored(str(found.connection_sequence))]


def check(venue: str, message: Message) -> str:
    """Whether a message holds only what may travel on; gives its kind."""
    match message:
        case BookUpdate():
            rows = message.bids + message.asks  # lists by now
            assert all(0 < price <= INT64_MAX and 0 <= size <= INT64_MAX for price, size in rows)
            numbers = (message.first, message.last, message.ts_event, message.checksum, message.depth)
            assert all(number is None or 0 <= number <= INT64_MAX for number in numbers)
            return f"book {message.whole} {bool(message.bids)} {bool(message.asks)} {numbers[2] is None}"
        case TradeUpdate():
            assert 0 < message.price <= INT64_MAX
            assert 0 < message.size <= INT64_MAX
            times = message.ts_event
            event = Trade(venue, "X-Y", message.price, message.size, message.taker, message.id, times, 1)
            fields = encode_entry(event, 2)
            assert decode_entry(venue, "X-Y", dict(zip(fields[::2], fields[1::2], strict=True))) == (event, 2)
            return f"trade {message.taker} {message.number is None} {message.history} {times is None}"
        case Control():
            assert all(SYMBOL.fullmatch(symbol) for symbol in message.symbols)
            assert len(message.text) <= WORDS_MAX
            assert message.text.isprintable()
            return f"{message.sign} {message.state} {len(message.symbols)} {message.depth is None}"
        case Refused():
            assert message.reason in REASONS
            assert message.symbol is None or SYMBOL.fullmatch(message.symbol)
            return f"refused {message.kind} {message.reason} {message.symbol is None}"
    return "ignored"


def _reader(name: str) -> Callable[[bytes, Scales], Decoded]:
    """The decoder of a connection that has brought the venue's control frames, if that makes a difference."""
    reader = VENUES[name].new_reader()
    for line in (FRAMES / name / "control.jsonl").read_bytes().splitlines() if VENUES[name].reader else ():
        reader.decode(line, KNOWN[0])
    return reader.decode


def _judge(name: str) -> Callable[[bytes], object]:
    def judge(frame: bytes) -> object:
        scales = KNOWN[len(frame) % len(KNOWN)]
        decode = _reader(name)
        general = getattr(MODULES[name], "_decode", decode)  # where there is no fast way, there is one decoder
        fast, slow = outcome(decode, frame, scales), outcome(general, frame, scales)
        if isinstance(fast, str):
            assert fast == slow, "the two ways differ"
            return fast
        assert fast == slow, "the two ways differ"
        return tuple(check(name, message) for message in fast[:6])

    return judge


def _frames(name: str) -> list[bytes]:
    found = sorted((FRAMES / name).glob("*.jsonl"))
    return [line for path in found if path.stem not in BODIES for line in path.read_bytes().splitlines()]


def _bodies() -> list[bytes]:
    return [
        line
        for path in sorted(FRAMES.glob("*/*.jsonl"))
        if path.stem in BODIES
        for line in path.read_bytes().splitlines()
    ]


def judge_body(body: bytes) -> object:
    """Answers of the venues' REST interfaces: a whole book, and lists of symbols."""
    found: list[object] = []
    for name, venue in VENUES.items():
        if venue.rest_snapshot is not None:
            try:
                symbol = next(iter(load_instruments().listings(name)))
                update = venue.rest_snapshot.decode(body, symbol, KNOWN[len(body) % len(KNOWN)])
                found.append(check(name, plain(update)))
            except DecodeError as error:
                found.append(kind_of(error))
        if venue.metadata is not None:
            try:
                listings = venue.metadata.decode(body)
            except DecodeError as error:
                found.append(kind_of(error))
                continue
            for listing in listings.values():
                assert 0 <= listing.price_decimals <= 18, name
                assert 0 <= listing.size_decimals <= 18, name
            found.append(min(len(listings), 3))
    return tuple(found)


def _target(name: str) -> Target:
    return Target(name, _judge(name), lambda: _frames(name), least=100_000, share=2.0)


TARGETS = [*map(_target, MODULES), Target("bodies", judge_body, _bodies, least=100_000, share=2.0)]
