"""Entries of the input streams: events to named fields and back. Layout version 1.

An entry `<epoch>-<n>` of `st:{INSTRUMENT}:VENUE` has these fields, in this order, absent where `-`:

| field | open | snapshot | delta | trade | status | what |
|---|---|---|---|---|---|---|
| `kind` | x | x | x | x | x | which of the five |
| `v` | x | - | - | - | - | layout version |
| `venue`, `instrument` | x | - | - | - | - | as in the key |
| `price_decimals`, `size_decimals` | x | - | - | - | - | units are 10 ** -decimals |
| `depth`, `verified_depth` | x | - | - | - | - | levels; absent: all |
| `detector` | x | - | - | - | - | what finds a loss: sequence, checksum, connection or none |
| `first`, `last` | - | x | x | - | - | venue sequence; absent where the venue has none |
| `made`, `state`, `flags` | - | x | - | - | - | who made it; the book's state just then |
| `price`, `size`, `taker`, `id` | - | - | - | x | - | integers, `buy` or `sell`, the venue's text |
| `state`, `flags`, `reason`, `since` | - | - | - | - | x | names, bits, text, instant |
| `follows` | - | - | - | - | x | ID of the entry from which the book goes on in a new epoch; absent: it does not |
| `ts_event` | - | x | x | x | - | venue's instant; absent where it gives none |
| `ts_recv` | x | x | x | x | x | instant the frame left the socket |
| `ts_append` | x | x | x | x | x | instant the entry was packed |
| `bids`, `asks` | - | x | x | - | - | little-endian int64 pairs (price, size), best first in snapshots |

Numbers but levels are ASCII digits within int64. Readers ignore fields they do not know.
History: 1, the first. `follows` came later: readers that do not know it wait for the next snapshot, and are right too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from thalweg.errors import WireError
from thalweg.events import Delta, Event, Made, Open, Snapshot, State, Status, Taker, Trade
from thalweg.fixed import INT64_MAX, NO_LEVELS, Levels

VERSION = 1
ID_MAX = 41  # characters: two numbers of 64 bits and the dash
Fields = Mapping[bytes, bytes]


def encode_entry(event: Event, ts_append: int) -> list[bytes]:
    """Give an event as a flat list of field names and values, ready for XADD."""
    fields: list[bytes] = []
    add = fields.extend
    match event:
        case Delta():
            add((b"kind", b"delta"))
            _add_numbers(fields, first=event.first, last=event.last, ts_event=event.ts_event)
        case Trade():
            add((b"kind", b"trade", b"price", b"%d" % event.price, b"size", b"%d" % event.size))
            add((b"taker", event.taker.encode(), b"id", event.id.encode()))
            _add_numbers(fields, ts_event=event.ts_event)
        case Snapshot():
            add((b"kind", b"snapshot", b"made", event.made.encode()))
            add((b"state", event.state.encode(), b"flags", b"%d" % event.flags))
            _add_numbers(fields, first=event.first, last=event.last, ts_event=event.ts_event)
        case Status():
            add((b"kind", b"status", b"state", event.state.encode(), b"flags", b"%d" % event.flags))
            add((b"reason", event.reason.encode(), b"since", b"%d" % event.since))
            if event.follows is not None:
                add((b"follows", format_id(*event.follows)))
        case Open():
            add((b"kind", b"open", b"v", b"%d" % VERSION, b"venue", event.venue.encode()))
            add((b"instrument", event.instrument.encode(), b"detector", event.detector.encode()))
            _add_numbers(fields, price_decimals=event.price_decimals, size_decimals=event.size_decimals)
            _add_numbers(fields, depth=event.depth, verified_depth=event.verified_depth)
    add((b"ts_recv", b"%d" % event.ts_recv, b"ts_append", b"%d" % ts_append))
    if isinstance(event, Delta | Snapshot):
        add((b"bids", event.bids.tobytes(), b"asks", event.asks.tobytes()))
    return fields


def _add_numbers(fields: list[bytes], **numbers: int | None) -> None:
    """Append the numbers that are there."""
    for name, value in numbers.items():
        if value is not None:
            fields += (name.encode(), b"%d" % value)


def decode_entry(venue: str, instrument: str, fields: Fields) -> tuple[Event, int]:
    """Give the event of an entry and the instant it was packed.

    Raises:
        WireError: a kind, version or value that layout version 1 does not have.
    """
    kind = fields.get(b"kind")
    decode = _DECODERS.get(kind or b"")
    if decode is None:
        raise WireError(f"unknown kind of entry: {kind!r}")
    try:
        return decode(venue, instrument, fields), _integer(fields[b"ts_append"])
    except (KeyError, ValueError) as error:
        raise WireError(f"{kind!r} entry of {venue} {instrument}: {error!r}") from error


def _integer(text: bytes) -> int:
    """Read a number as it is written here: `int` alone would also take `1_000`, ` 1` and what no int64 holds."""
    if text.isdigit():
        value = int(text)
        if value <= INT64_MAX:
            return value
    raise ValueError(f"not a number: {text[:40]!r}")


def _number(fields: Fields, name: bytes) -> int | None:
    """Give a number, or `None` where the field is absent."""
    value = fields.get(name)
    return None if value is None else _integer(value)


def _levels(data: bytes) -> Levels:
    """Give packed pairs as `(n, 2)`, read-only, without a copy."""
    return np.frombuffer(data, dtype="<i8").reshape(-1, 2) if data else NO_LEVELS


def _delta(venue: str, instrument: str, fields: Fields) -> Event:
    first, last, ts_event = (_number(fields, name) for name in (b"first", b"last", b"ts_event"))
    bids, asks = _levels(fields[b"bids"]), _levels(fields[b"asks"])
    return Delta(venue, instrument, bids, asks, first, last, ts_event, _integer(fields[b"ts_recv"]))


def _snapshot(venue: str, instrument: str, fields: Fields) -> Event:
    return Snapshot(
        venue,
        instrument,
        bids=_levels(fields[b"bids"]),
        asks=_levels(fields[b"asks"]),
        first=_number(fields, b"first"),
        last=_number(fields, b"last"),
        ts_event=_number(fields, b"ts_event"),
        ts_recv=_integer(fields[b"ts_recv"]),
        made=Made(fields[b"made"].decode()),
        state=State(fields[b"state"].decode()),
        flags=_integer(fields[b"flags"]),
    )


def _trade(venue: str, instrument: str, fields: Fields) -> Event:
    return Trade(
        venue,
        instrument,
        price=_integer(fields[b"price"]),
        size=_integer(fields[b"size"]),
        taker=Taker(fields[b"taker"].decode()),
        id=fields[b"id"].decode(),
        ts_event=_number(fields, b"ts_event"),
        ts_recv=_integer(fields[b"ts_recv"]),
    )


def _status(venue: str, instrument: str, fields: Fields) -> Event:
    follows = fields.get(b"follows")
    return Status(
        venue,
        instrument,
        state=State(fields[b"state"].decode()),
        flags=_integer(fields[b"flags"]),
        reason=fields[b"reason"].decode(),
        since=_integer(fields[b"since"]),
        ts_recv=_integer(fields[b"ts_recv"]),
        follows=None if follows is None else parse_id(follows),
    )


def _open(venue: str, instrument: str, fields: Fields) -> Event:
    if (version := _integer(fields[b"v"])) != VERSION:
        raise unknown_version(version)
    return Open(
        venue,
        instrument,
        price_decimals=_integer(fields[b"price_decimals"]),
        size_decimals=_integer(fields[b"size_decimals"]),
        depth=_number(fields, b"depth"),
        detector=fields[b"detector"].decode(),
        verified_depth=_number(fields, b"verified_depth"),
        ts_recv=_integer(fields[b"ts_recv"]),
    )


def unknown_version(version: int) -> WireError:
    """Give the error of an epoch in a layout that this reader does not know."""
    return WireError(f"entries of layout version {version}; this reader knows {VERSION}: update it")


_DECODERS: dict[bytes, Callable[[str, str, Fields], Event]] = {
    b"delta": _delta,
    b"trade": _trade,
    b"snapshot": _snapshot,
    b"status": _status,
    b"open": _open,
}


def format_id(epoch: int, n: int) -> bytes:
    """Give a stream ID: `<epoch>-<n>`."""
    return b"%d-%d" % (epoch, n)


def parse_id(text: bytes | str) -> tuple[int, int]:
    """Give epoch and number of a stream ID.

    Raises:
        WireError: not `<epoch>-<n>`.
    """
    epoch, dash, n = (text.decode(errors="replace") if isinstance(text, bytes) else text).partition("-")
    if not (dash and text.isascii() and epoch.isdigit() and n.isdigit() and len(text) <= ID_MAX):
        raise WireError(f"not a stream ID: {text[:ID_MAX]!r}")
    return int(epoch), int(n)
