"""Where a new epoch goes on: what the stream ends with, and which of the events kept meanwhile come after that.

Pure. The writer opens the epoch first, so that nobody else can append any more; then it reads the tail; then this
module says what the epoch begins with. No trade is written twice, and a hole in trade numbers is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ingest.ring import Item
from ingest.tape import Tape
from ingest.track import Track
from ingest.venue import TradeUpdate
from thalweg.errors import WireError
from thalweg.events import Delta, Open, Snapshot, State, Status, Trade
from thalweg.wire import decode_entry, parse_id

Position = tuple[int, int]
"""Epoch and number of an entry."""


@dataclass(slots=True)
class Tail:
    """What a stream ends with.

    `position` is its last entry, `live` whether a reader that has read it has a book to trust, `sequence` the venue's
    sequence of that book; `trades` are the last ones, oldest first.
    """

    position: Position | None = None
    live: bool = False
    sequence: int | None = None
    trades: list[Trade] = field(default_factory=list)


def tail_of(venue: str, instrument: str, found: Iterable[tuple[bytes, list[bytes]]]) -> Tail:
    """Say what a stream ends with, from its entries as the server gives them, newest first.

    An entry that is not in our layout ends what can be said.
    """
    tail, judged, placed = Tail(), False, False
    for at, flat in found:
        tail.position = tail.position or parse_id(at)
        try:
            event = decode_entry(venue, instrument, dict(zip(flat[::2], flat[1::2], strict=True)))[0]
        except WireError:
            break
        if isinstance(event, Trade):
            tail.trades.append(event)
        elif isinstance(event, Open):
            judged = placed = (
                True  # whether the book went on over an `open` is not followed up: a snapshot does as well
            )
        elif isinstance(event, Snapshot | Status) and not judged:
            tail.live, judged = event.state is State.LIVE, True
        if isinstance(event, Delta | Snapshot) and not placed:
            tail.sequence, placed = event.last, True
            tail.live, judged = tail.live or not judged, True  # deltas are only written of a live book
    tail.trades.reverse()
    return tail


@dataclass(slots=True)
class Resumed:
    """What an epoch begins with, and how many of the kept events are not in it."""

    items: list[Item] = field(default_factory=list)
    dropped: int = 0


def resume(tracks: Sequence[Track], tails: dict[str, Tail], kept: Sequence[Item], now: int) -> Resumed:
    """Give what a new epoch begins with after its opens: each book as it stands, then what trades are new."""
    by_name = dict[str, list[Item]]()
    for item in kept:
        by_name.setdefault(item[0].instrument, []).append(item)
    resumed = Resumed()
    for track in tracks:
        name = track.instrument.name
        mine = by_name.get(name, [])
        trades = new_trades(track, tails.get(name, Tail()), mine, now)
        resumed.items += [(event, now) for event in track.bridge(now)]
        resumed.items += trades
    resumed.dropped = len(kept) - sum(isinstance(event, Trade) for event, _ in resumed.items)
    return resumed


def new_trades(track: Track, tail: Tail, kept: Sequence[Item], now: int) -> list[Item]:
    """Give the trades that the stream does not have, with a word where some are missing; the track learns the rest."""
    trades = [(event, ts) for event, ts in kept if isinstance(event, Trade)]
    fresh = _by_number(track, tail, trades, now) if track.tape.last is not None else _by_name(tail, trades)
    track.tape.seed(tail.trades)
    return fresh


def _by_number(track: Track, tail: Tail, trades: Sequence[tuple[Trade, int]], now: int) -> list[Item]:
    """Compare numbers; what this worker saw and no longer has is missing, too."""
    seen, fresh = Tape(), list[Item]()
    seen.seed(tail.trades)
    for trade, ts_decoded in trades:
        missing = seen.admit(_update(trade))
        if missing is None:
            continue
        if missing:
            fresh.append((track.status(now, f"{missing} trades lost"), now))
        fresh.append((trade, ts_decoded))
    return fresh


def _by_name(tail: Tail, trades: Sequence[tuple[Trade, int]]) -> list[Item]:
    """Compare ids: new is what comes after the last that the stream has; if it has none, what happened later."""
    known = {trade.id for trade in tail.trades}
    last = max((k for k, (trade, _) in enumerate(trades) if trade.id in known), default=None)
    if last is not None:
        return [*trades[last + 1 :]]
    since = tail.trades[-1].ts_event if tail.trades else None
    return [item for item in trades if since is None or item[0].ts_event is None or item[0].ts_event > since]


def _update(trade: Trade) -> TradeUpdate:
    """Give a trade as the venue told it, for the tape."""
    number = int(trade.id)
    return TradeUpdate("", trade.price, trade.size, trade.taker, trade.id, number, trade.ts_event)
