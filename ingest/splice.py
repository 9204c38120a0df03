"""Where a new epoch goes on: what the stream ends with, and which of the events kept meanwhile come after that.

Pure. The writer opens the epoch first, so that nobody else can append any more; then it reads the tail; then this
module says what the epoch begins with. A book whose venue numbers its updates goes on from the stream's last one, if
what was kept reaches back to it: readers keep their book, and no snapshot is needed. Any other live book is written
whole. No trade is written twice, and a hole in trade numbers is told.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ingest.ring import Item
from ingest.tails import Position, Tail
from ingest.tape import Tape
from ingest.track import Track
from ingest.venue import TradeUpdate
from thalweg.events import Delta, Event, Made, Snapshot, State, Status, Trade


@dataclass(slots=True)
class Stand:
    """Where readers of a stream stand, as far as it is written: `follows` is its last entry, if an epoch begins there.

    `live` whether they have a book to trust, `sequence` the venue's sequence of that book, `seen` the trades.
    """

    live: bool
    sequence: int | None
    seen: Tape
    follows: Position | None = None


@dataclass(slots=True)
class Resumed:
    """What is written next, how many of the kept events are not in it, and how many books go on without a snapshot."""

    items: list[Item] = field(default_factory=list)
    dropped: int = 0
    continued: int = 0


def behind(tracks: Sequence[Track], tails: dict[str, Tail]) -> bool:
    """Whether a live book has not reached yet what its stream has: in a moment it may go on from there."""
    return any(
        (tail := tails[track.instrument.name]).live
        and tail.sequence is not None
        and track.state is State.LIVE
        and track.sequence is not None
        and track.sequence < tail.sequence
        for track in tracks
    )


def resume(
    tracks: Sequence[Track], tails: dict[str, Tail], kept: Sequence[Item], now: int, *, sequenced: bool
) -> Resumed:
    """Give what a new epoch begins with after its opens.

    Args:
        tracks: the shard's books as this worker has them.
        tails: what each stream ended with, by instrument.
        kept: this worker's events that are not written, in order.
        now: the wall instant.
        sequenced: whether the venue's sequence belongs to the book, so that it can go on without a snapshot.
    """
    stands = dict[str, Stand]()
    for name, tail in tails.items():
        seen = Tape()
        seen.seed(tail.trades, tail.since)
        stands[name] = Stand(tail.live, tail.sequence, seen, tail.position)
    return _splice(tracks, stands, kept, now, sequenced=sequenced)


def switch(
    olds: Sequence[Track], tracks: Sequence[Track], kept: Sequence[Item], now: int, *, sequenced: bool
) -> Resumed:
    """Give what is written next when a shard goes from one connection to another, with the books `tracks`.

    All of the old connection's events are written; `kept` are the new one's.
    """
    stands = {one.instrument.name: Stand(one.state is State.LIVE, one.sequence, one.tape) for one in olds}
    return _splice(tracks, stands, kept, now, sequenced=sequenced)


def _splice(
    tracks: Sequence[Track], stands: dict[str, Stand], kept: Sequence[Item], now: int, *, sequenced: bool
) -> Resumed:
    by_name = dict[str, list[Item]]()
    for item in kept:
        by_name.setdefault(item[0].instrument, []).append(item)
    resumed, again = Resumed(), 0
    for track in tracks:
        mine, stand = by_name.get(track.instrument.name, []), stands[track.instrument.name]
        trades = new_trades(track, stand.seen, mine, now)
        deltas = following(track, stand, mine) if sequenced else None
        if deltas is None:
            resumed.items += [(event, now) for event in track.bridge(now)]
            resumed.items += trades
        else:
            resumed.items.append((_status(track, stand, now), now))
            resumed.items += _in_order(mine, deltas, trades)
            resumed.continued += 1
            again += len(deltas)
        again += sum(isinstance(event, Trade) for event, _ in trades)
    resumed.dropped = len(kept) - again
    return resumed


def following(track: Track, stand: Stand, kept: Sequence[Item]) -> list[Item] | None:
    """Give the deltas that bring a reader's book from where it stands to where ours is; `None` if some lack."""
    if not stand.live or stand.sequence is None or track.state is not State.LIVE or track.sequence is None:
        return None
    at, deltas = track.sequence, list[Item]()
    for item in reversed(kept):
        event = item[0]
        if at == stand.sequence:
            break
        if isinstance(event, Delta):
            if event.last != at or event.first is None:
                return None
            deltas.append(item)
            at = event.first - 1
        elif _breaks(event):
            return None
    return deltas[::-1] if at == stand.sequence else None


def _breaks(event: Event) -> bool:
    """Whether the book before an event says nothing about the book after it."""
    if isinstance(event, Snapshot):
        return event.made is Made.VENUE
    return isinstance(event, Status) and event.state is not State.LIVE


def _status(track: Track, stand: Stand, now: int) -> Status:
    """Give the state, which in a new epoch says from which entry on the book goes on."""
    status = track.status(now)
    status.follows = stand.follows
    return status


def _in_order(kept: Sequence[Item], deltas: Sequence[Item], trades: Sequence[Item]) -> list[Item]:
    """Give deltas and trades in the order they were kept in, a word about lost trades before the trade it is about."""
    changes, told = {id(event) for event, _ in deltas}, {id(event) for event, _ in trades}
    merged, rest = list[Item](), deque(trades)
    for item in kept:
        if id(item[0]) in changes:
            merged.append(item)
        elif id(item[0]) in told:
            merged += _through(item, rest)
    return [*merged, *rest]


def _through(last: Item, rest: deque[Item]) -> Iterator[Item]:
    """Take items up to and with one that is in there."""
    while True:
        item = rest.popleft()
        yield item
        if item[0] is last[0]:
            return


def new_trades(track: Track, seen: Tape, kept: Sequence[Item], now: int) -> list[Item]:
    """Give the trades that the stream does not have, with a word where some are missing; the track learns the rest."""
    trades = [(event, ts) for event, ts in kept if isinstance(event, Trade)]
    fresh = _by_number(track, seen, trades, now) if track.tape.numbered else _by_name(seen, trades)
    track.tape.learn(seen)
    return fresh


def _by_number(track: Track, seen: Tape, trades: Sequence[tuple[Trade, int]], now: int) -> list[Item]:
    """Compare numbers; what this worker saw and no longer has is missing, too."""
    fresh, known = list[Item](), seen.last is not None
    for trade, ts_decoded in trades:
        missing = seen.admit(_update(trade))
        if missing is None:
            continue
        if missing:
            fresh.append((track.status(now, f"{missing} trades lost"), now))
        fresh.append((trade, ts_decoded))
    missing = (track.tape.last or 0) - (seen.last or 0) if known or trades else 0
    if missing > 0:
        fresh.append((track.status(now, f"{missing} trades lost"), now))
    return fresh


def _by_name(seen: Tape, trades: Sequence[tuple[Trade, int]]) -> list[Item]:
    """Compare ids: new is what comes after the last that the stream has; if it has none, what is not older."""
    last = max((k for k, (trade, _) in enumerate(trades) if trade.id in seen), default=None)
    if last is not None:
        return [*trades[last + 1 :]]
    since = seen.ts_last
    return [item for item in trades if since is None or item[0].ts_event is None or item[0].ts_event >= since]


def _update(trade: Trade) -> TradeUpdate:
    """Give a trade as the venue told it, for the tape."""
    return TradeUpdate("", trade.price, trade.size, trade.taker, trade.id, int(trade.id), trade.ts_event)
