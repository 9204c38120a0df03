"""The offline check of one instrument's publications: dense, and each exactly what its inputs make.

Everything is redone with dicts from the bytes alone; each violation is a sentence. Heads that were trimmed are no
violation: a check begins at the first key record that is still there.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from thalweg.cli.checks import Found, Raw, Replay, difference
from thalweg.cli.views import View
from thalweg.cursor import Cursor, Lapped, Position
from thalweg.errors import WireError
from thalweg.events import State, Trade
from thalweg.fixed import INT64_MAX
from thalweg.publication import VIEW_DEPTH, Kind, Publication, decode_publication

SHOWN_TRADES = 3
_Best: TypeAlias = tuple[int | None, int | None]


class Inputs:
    """The input streams of one instrument, advanced run by run as the publications say."""

    def __init__(self, instrument: str, streams: Mapping[str, tuple[str, Sequence[Raw]]]) -> None:
        """Take every venue's key and entries."""
        self.replays = {venue: Replay(instrument, venue, key) for venue, (key, _) in streams.items()}
        self._entries = {venue: entries for venue, (_, entries) in streams.items()}
        self._next = dict.fromkeys(streams, 0)
        self.covered: dict[str, Position] = {}

    def advance(self, venue: str, epoch: int, last: int) -> list[Trade]:
        """Take a venue's entries up to a run's last and give the trades among them."""
        entries, replay, at = self._entries[venue], self.replays[venue], self._next[venue]
        trades = []
        while at < len(entries) and entries[at][0] <= (epoch, last):
            event = replay.take(entries[at])
            at += 1
            if isinstance(event, Trade):
                trades.append(event)
        self._next[venue] = at
        return trades

    def between(self, venue: str, after: Position, before: Position) -> Position | None:
        """Give the first entry of a venue's that is kept and lies between two others."""
        entries = self._entries[venue]
        at = bisect_right(entries, after, key=_position)
        return entries[at][0] if at < len(entries) and entries[at][0] < before else None

    def first(self, venue: str) -> Position | None:
        """Give the position of a venue's oldest entry."""
        entries = self._entries[venue]
        return entries[0][0] if entries else None


def _position(raw: Raw) -> Position:
    return raw[0]


def check_publications(
    key: str, records: Sequence[Raw], instrument: str, streams: Mapping[str, tuple[str, Sequence[Raw]]]
) -> Found:
    """Check one `out:` stream, and that what it shows is what its inputs make."""
    found, inputs, cursor = Found(), Inputs(instrument, streams), Cursor(key, counts_on=True)
    views: list[View] | None = None
    for (epoch, seq), flat in records:
        found.publications += 1
        if cursor.at is not None and (epoch, seq) <= (cursor.at[0], cursor.at[1]):
            found.say(f"{key}: {epoch}-{seq} stands after {cursor.at[0]}-{cursor.at[1]}")
        for told in cursor.admit(epoch, seq):
            if isinstance(told, Lapped):
                found.say(f"{key}: {told.first} to {told.last} are missing before {epoch}-{seq}")
                views = None
                inputs.covered.clear()  # what the missing ones took can't be known
        try:
            one = decode_publication(flat[1])
        except (WireError, IndexError) as error:
            found.say(f"{key}: {epoch}-{seq} can't be read: {error}")
            continue
        if (one.epoch, one.seq) != (epoch, seq):
            found.say(f"{key}: the record at {epoch}-{seq} says it is {one.epoch}-{one.seq}")
        views = _shown(views, one)
        touched = _follow_runs(key, one, inputs, found)
        if views is not None:
            _compare(key, one, views, inputs, touched, found)
            _compare_quote(key, one, views, found)
    return found


def _shown(views: list[View] | None, one: Publication) -> list[View] | None:
    """Apply a record to the views it changes; `None` before the first key record."""
    if one.kind is Kind.KEY:
        views = [View() for _ in one.venues]
    if views is None or one.kind is Kind.OPEN:
        return None if one.kind is Kind.OPEN else views
    for code, price, size in one.changes.tolist():
        view = views[code >> 1]
        (view.asks if code & 1 else view.bids).put(price, size)
    return views


def _follow_runs(key: str, one: Publication, inputs: Inputs, found: Found) -> set[int]:
    """Advance the inputs by a record's runs; check that these leave nothing out, and carry all trades."""
    touched, trades, whole = set(), list[tuple[str, int, int, str]](), True
    for index, epoch, first, last in one.runs.tolist():
        venue = one.venues[index].name
        touched.add(index)
        before = inputs.covered.get(venue)
        if before is None:  # what came earlier was in publications that are trimmed away
            inputs.advance(venue, epoch, first - 1)
        wrong = _jump(before, (epoch, first), inputs, venue)
        inputs.covered[venue] = (epoch, last)
        oldest = inputs.first(venue)
        whole = whole and oldest is not None and oldest <= (epoch, first)
        trades += [(venue, trade.price, trade.size, trade.id) for trade in inputs.advance(venue, epoch, last)]
        if wrong and not _excused(one, index, (epoch, first), before, inputs):
            found.say(f"{key}: {one.seq} takes {venue} from {epoch}-{first}, {wrong}")
    told = [(one.venues[trade.venue].name, trade.price, trade.size, trade.id) for trade in one.trades]
    if whole and told != trades:
        found.say(f"{key}: {one.seq} has trades {told[:SHOWN_TRADES]}, its inputs have {trades[:SHOWN_TRADES]}")
    return touched


def _jump(before: Position | None, at: Position, inputs: Inputs, venue: str) -> str:
    """Say what is wrong with a run that begins at `at` after one that ended at `before`; nothing if it goes on."""
    if before is None or at == (before[0], before[1] + 1):
        return ""
    if at[0] < before[0]:
        return f"after {before[0]}-{before[1]}"
    expected = (before[0], before[1] + 1) if at[0] == before[0] else (at[0], 1)
    if at != expected:
        return f"but {expected[0]}-{expected[1]} is next"
    left = inputs.between(venue, before, at)
    return f"but leaves out {left[0]}-{left[1]}" if left else ""


def _excused(one: Publication, index: int, at: Position, before: Position | None, inputs: Inputs) -> bool:
    """Whether entries were left out that nobody could read any more, and the record does not pass the book for whole.

    The inputs must stand at the end of the run: a whole book that came in it makes good what was lost.
    """
    venue = one.venues[index].name
    if before is None or at[0] < before[0] or inputs.between(venue, before, at):
        return False
    snapshot = inputs.replays[venue].snapshot
    return one.venues[index].state is not State.LIVE or (snapshot is not None and snapshot >= at)


def _compare(key: str, one: Publication, views: list[View], inputs: Inputs, touched: set[int], found: Found) -> None:
    """Compare what a record shows of live books with what their inputs make."""
    for index, line in enumerate(one.venues):
        replay = inputs.replays.get(line.name)
        if line.state is not State.LIVE or replay is None or replay.state is None:
            continue
        if index not in touched and one.kind is not Kind.KEY:
            continue
        if replay.at != inputs.covered.get(line.name):
            continue
        place = f"{key}: {one.seq} shows {line.name}"
        if replay.state is not State.LIVE:
            found.say(f"{place} as live, but its stream says {replay.state}")
        if not replay.known:
            continue
        found.views += 1
        if replay.position != (line.last, line.ts_event):
            found.say(f"{place} at {line.last}/{line.ts_event}, but its stream is at {replay.position}")
        for name in ("bids", "asks"):
            shown, made = getattr(views[index], name).best(VIEW_DEPTH), getattr(replay.view, name).best(VIEW_DEPTH)
            if shown != made or len(getattr(views[index], name).sizes) != len(shown):
                found.say(f"{place} with other {name} than its inputs make: {difference(dict(made), dict(shown))}")


def _compare_quote(key: str, one: Publication, views: Sequence[View], found: Found) -> None:
    """Compare the quote with the best over the live venues' views, and over nothing else."""
    live = [view for view, line in zip(views, one.venues, strict=True) if line.state is State.LIVE]
    quote = one.quote
    shown = ((quote.bid, quote.bid_size), (quote.ask, quote.ask_size))
    made = (_best([view.bids.best(1) for view in live], max), _best([view.asks.best(1) for view in live], min))
    for name, told, expected in zip(("bid", "ask"), shown, made, strict=True):
        if told != expected:
            found.say(f"{key}: {one.seq} has {name} {told}, but the best of its live venues is {expected}")


def _best(tops: Sequence[Sequence[tuple[int, int]]], pick: Callable[[Iterable[int]], int]) -> _Best:
    """Give the best price and what all quote there, as much as a record can hold."""
    levels = [level for top in tops for level in top]
    if not levels:
        return None, None
    price = pick(price for price, _ in levels)
    return price, min(sum(size for at, size in levels if at == price), INT64_MAX)
