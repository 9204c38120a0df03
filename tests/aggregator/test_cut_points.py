"""A checkpoint and the publications after it say exactly where their aggregator stood, whichever was its last."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import pytest

from aggregator.books import VenueBook
from aggregator.checkpoint import Checkpoint, checkpoint_of, decode_checkpoint, encode_checkpoint
from aggregator.consolidate import Entries, Ladder
from aggregator.counters import Counters
from tests.aggregator.entries import a_delta, a_snapshot, a_status, a_trade, an_open, reply
from thalweg.events import Event, State
from thalweg.instruments import Instrument
from thalweg.publication import Kind, encode_publication
from thalweg.wire import parse_id

VENUES = ("binance", "kraken")
INSTRUMENT = Instrument("BTC-USDT", 8, 8, dict.fromkeys(VENUES, "X"))
SEEDS = range(6)


def history(rng: random.Random) -> list[tuple[int, Entries]]:
    """What the two streams got, piece by piece: epochs, books, changes, trades and losses."""
    pieces, places = list[tuple[int, Entries]](), [(1, 0), (1, 0)]
    for _ in range(60):
        index = rng.randrange(2)
        epoch, n = places[index]
        events: list[Event] = []
        if n == 0 or rng.random() < 0.1:
            epoch, n = epoch + 1, 0
            events = [an_open(), a_status(State.LIVE), a_snapshot([(100, 1)], [(101, 1)])]
        for _ in range(rng.randrange(4)):
            price = rng.randrange(90, 110)
            one = [(price, rng.randrange(4))]
            change = a_delta(one, []) if price < 100 else a_delta([], one)
            lost = a_status(State.STALE, "gap")
            whole: Event = a_snapshot([(99, 2)], [(101, 3)])
            events.append(rng.choice([change, change, change, a_trade("7"), lost, whole]))
        pieces.append((index, reply(epoch, n + 1, *events)))
        places[index] = epoch, n + len(events)
    return pieces


def run(rng: random.Random) -> Iterator[tuple[Ladder, bytes, Sequence[Entries]]]:
    """A ladder after each of its publications, the record, and all that its venues' streams had got by then."""
    ladder, streams = Ladder(INSTRUMENT, VENUES), [list[tuple[bytes, Sequence[bytes]]]() for _ in VENUES]
    ladder.epoch = 5
    ladder.stand_at(1)
    for index, entries in history(rng):
        streams[index] += entries
        ladder.take(index, entries, 1)
        kind = rng.choice((Kind.DELTA, Kind.KEY))
        ladder.merge(kind)
        record = encode_publication(ladder.publication(kind, 1, 1, 1))
        ladder.settle(1)
        yield ladder, record, [list(one) for one in streams]


def replayed(stream: Entries, start: tuple[int, int], cursor: tuple[int, int], venue: str) -> VenueBook:
    """A book brought from a snapshot to a cursor."""
    book = VenueBook(INSTRUMENT, venue)
    book.join((start[0], start[1] - 1))
    for identity, words in stream:
        if start <= (at := parse_id(identity)) <= cursor:
            book.take(at, dict(zip(words[::2], words[1::2], strict=True)), 0, Counters())
    return book


@pytest.mark.parametrize("seed", SEEDS)
def test_every_cut_is_found_again(seed: int) -> None:
    rng = random.Random(seed)
    kept, later = encode_checkpoint(Checkpoint(1, 5)), list[bytes]()
    for ladder, record, streams in run(rng):
        later.append(record)
        point = decode_checkpoint(kept)
        for one in later:
            point.advance(one)
        assert (point.seq, point.cursors) == (ladder.seq, {**point.cursors, **_cursors(ladder)})
        for index, venue in enumerate(VENUES):
            here, start = ladder.books[index], point.snapshots.get(venue)
            if start is None or here.line.state is not State.LIVE:
                continue
            again = replayed(streams[index], start, point.cursors[venue], venue)
            assert (again.cursor, again.line.state) == (here.cursor, here.line.state)
            assert again.book.bids().tolist() == here.book.bids().tolist()
            assert again.book.asks().tolist() == here.book.asks().tolist()
        if rng.random() < 0.2:
            kept, later = encode_checkpoint(checkpoint_of(ladder)), []


def _cursors(ladder: Ladder) -> dict[str, tuple[int, int]]:
    return {book.line.name: book.cursor for book in ladder.books if book.cursor != (0, 0)}
