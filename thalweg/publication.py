"""Publications: one binary record per instrument and batch, the same bytes in `out:` and on `book:`.

Little-endian, layout version 1; instants are ns since the Unix epoch, -1 is absent:

| offset | type | what |
|---|---|---|
| 0 | u8 u8 u8 u8 | `t`, version, kind (1 delta, 2 key, 3 open), reserved |
| 4 | u8 u8 u16 | price decimals, size decimals, number of venues V |
| 8 | u32 u32 u32 | number of runs R, changes C, trades T |
| 20 | u32 | bytes of trade ids |
| 24 | i64 | seq (the server writes it into `open` records) |
| 32 | i64 | epoch |
| 40 | 7 x i64 | stamps of the oldest entry in the batch: event, recv, append, read, applied, merged, published |
| 96 | 4 x i64 | consolidated bid, bid size, ask, ask size; sizes are clipped to int64 |
| 128 | 32s | instrument, NUL padded |
| 160 | V x 88 | venue: 16s name, u8 state, u8 flags, 6 x u8, i64 last, ts_event, ts_book, since, 32s reason |
| | R x 32 | run of entries in apply order: i64 venue index, epoch, first n, last n |
| | C x 24 | change: i64 code = 2 * venue index + side (0 bid, 1 ask), price, size (0 removes) |
| | T x 48 | trade: i64 code = 2 * venue index + taker (0 buy, 1 sell), price, size, ts_event, ts_recv, id bytes |
| | bytes | the trade ids, one after the other, UTF-8 |

A `key` record holds the whole view (each venue's best 200 a side) as changes; readers drop theirs for it.
`ts_book` is the socket read of the last book entry applied; its age is published - ts_book. History: 1, the first.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from thalweg.errors import WireError
from thalweg.events import STATES, State, Taker
from thalweg.fixed import INT64_MAX
from thalweg.ladder import Quote

VERSION = 1
VIEW_DEPTH = 200  # levels a side and venue that publications carry
SEQ_OFFSET = 24  # where the server function writes the sequence of an `open` record
_HEAD = struct.Struct("<4BBBH4I2q7q4q32s")
_VENUE = struct.Struct("<16sBB6x4q32s")
_TRADE = struct.Struct("<6q")
_MAGIC = ord("t")
_STATE_NUMBERS = {state: number for number, state in enumerate(STATES)}
_TAKERS = (Taker.BUY, Taker.SELL)
Rows = npt.NDArray[np.int64]
NO_CHANGES: Rows = np.empty((0, 3), dtype=np.int64)
NO_RUNS: Rows = np.empty((0, 4), dtype=np.int64)


class Kind(IntEnum):
    """What a record is."""

    DELTA = 1
    KEY = 2
    OPEN = 3


@dataclass(slots=True)
class Stamps:
    """Instants of one input on its way to a publication; `None` is absent."""

    ts_event: int | None = None
    ts_recv: int | None = None
    ts_append: int | None = None
    ts_read: int | None = None
    ts_applied: int | None = None
    ts_merged: int | None = None
    ts_published: int | None = None


@dataclass(slots=True)
class VenueLine:
    """Where one venue's book stands in a publication."""

    name: str
    state: State = State.CONNECTING
    flags: int = 0
    last: int | None = None
    ts_event: int | None = None
    ts_book: int | None = None
    since: int | None = None
    reason: str = ""


@dataclass(slots=True)
class PublishedTrade:
    """A trade in a publication; `venue` is an index into the record's venues."""

    venue: int
    taker: Taker
    price: int
    size: int
    id: str
    ts_event: int | None
    ts_recv: int


@dataclass(slots=True)
class Publication:
    """One step of an instrument: `runs` is `(r, 4)` and `changes` is `(c, 3)`, as in the layout."""

    kind: Kind
    instrument: str
    seq: int
    epoch: int
    price_decimals: int
    size_decimals: int
    stamps: Stamps = field(default_factory=Stamps)
    quote: Quote = field(default_factory=Quote)
    venues: list[VenueLine] = field(default_factory=list)
    runs: Rows = field(default_factory=lambda: NO_RUNS)
    changes: Rows = field(default_factory=lambda: NO_CHANGES)
    trades: list[PublishedTrade] = field(default_factory=list)


def encode_publication(one: Publication) -> bytes:
    """Give a publication as a binary record."""
    ids = [trade.id.encode() for trade in one.trades]
    stamps, quote = one.stamps, one.quote
    head = _HEAD.pack(
        _MAGIC,
        VERSION,
        one.kind,
        0,
        one.price_decimals,
        one.size_decimals,
        len(one.venues),
        len(one.runs),
        len(one.changes),
        len(ids),
        sum(map(len, ids)),
        one.seq,
        one.epoch,
        _absent(stamps.ts_event),
        _absent(stamps.ts_recv),
        _absent(stamps.ts_append),
        _absent(stamps.ts_read),
        _absent(stamps.ts_applied),
        _absent(stamps.ts_merged),
        _absent(stamps.ts_published),
        _absent(quote.bid),
        min(_absent(quote.bid_size), INT64_MAX),
        _absent(quote.ask),
        min(_absent(quote.ask_size), INT64_MAX),
        one.instrument.encode(),
    )
    venues = [_encode_venue(line) for line in one.venues]
    trades = [_encode_trade(trade, len(text)) for trade, text in zip(one.trades, ids, strict=True)]
    return b"".join((head, *venues, one.runs.tobytes(), one.changes.tobytes(), *trades, *ids))


def _absent(value: int | None) -> int:
    return -1 if value is None else value


def _present(value: int) -> int | None:
    return None if value == -1 else value


def _encode_venue(line: VenueLine) -> bytes:
    return _VENUE.pack(
        line.name.encode(),
        _STATE_NUMBERS[line.state],
        line.flags,
        _absent(line.last),
        _absent(line.ts_event),
        _absent(line.ts_book),
        _absent(line.since),
        line.reason.encode(),  # cut at 32 bytes, maybe within a character; readers replace what is left of it
    )


def _encode_trade(trade: PublishedTrade, id_bytes: int) -> bytes:
    code = 2 * trade.venue + _TAKERS.index(trade.taker)
    return _TRADE.pack(code, trade.price, trade.size, _absent(trade.ts_event), trade.ts_recv, id_bytes)


def decode_publication(record: bytes) -> Publication:
    """Give the publication of a binary record.

    Raises:
        WireError: not a record of layout version 1, or cut off.
    """
    try:
        return _decode(record)
    except (struct.error, ValueError, IndexError) as error:
        raise WireError(f"publication of {len(record)} bytes: {error}") from error


def _decode(record: bytes) -> Publication:
    head = _HEAD.unpack_from(record)
    if head[0] != _MAGIC:
        raise ValueError(f"not a record: {record[:4]!r}")
    if head[1] != VERSION:
        raise ValueError(f"records of layout version {head[1]}; this reader knows {VERSION}: update it")
    venues, runs, changes, trades, id_bytes = head[6:11]
    at = _HEAD.size
    lines = [_decode_venue(_VENUE.unpack_from(record, at + k * _VENUE.size)) for k in range(venues)]
    at += venues * _VENUE.size
    run_rows = np.frombuffer(record, "<i8", runs * 4, at).reshape(-1, 4)
    at += runs * 32
    change_rows = np.frombuffer(record, "<i8", changes * 3, at).reshape(-1, 3)
    at += changes * 24
    done = _decode_trades(record, at, trades, id_bytes)
    return Publication(
        Kind(head[2]),
        head[24].rstrip(b"\0").decode(),
        head[11],
        head[12],
        head[4],
        head[5],
        Stamps(*map(_present, head[13:20])),
        Quote(*map(_present, head[20:24])),
        lines,
        run_rows,
        change_rows,
        done,
    )


def _decode_venue(row: tuple[bytes, int, int, int, int, int, int, bytes]) -> VenueLine:
    name, state, flags, last, ts_event, ts_book, since, reason = row
    return VenueLine(
        name.rstrip(b"\0").decode(),
        STATES[state],
        flags,
        _present(last),
        _present(ts_event),
        _present(ts_book),
        _present(since),
        reason.rstrip(b"\0").decode(errors="replace"),
    )


def _decode_trades(record: bytes, at: int, count: int, id_bytes: int) -> list[PublishedTrade]:
    trades = []
    text = at + count * _TRADE.size
    if len(record) != text + id_bytes:
        raise ValueError("length and header disagree")
    for k in range(count):
        code, price, size, ts_event, ts_recv, length = _TRADE.unpack_from(record, at + k * _TRADE.size)
        if length < 0:
            raise ValueError("an id of negative length")
        identity = record[text : text + length].decode()
        text += length
        taker = _TAKERS[code & 1]
        trades.append(PublishedTrade(code >> 1, taker, price, size, identity, _present(ts_event), ts_recv))
    if text != len(record):
        raise ValueError("lengths of ids and header disagree")
    return trades
