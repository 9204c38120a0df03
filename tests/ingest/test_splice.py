"""Takeovers in one process, seeded: whoever reads the stream by its rules has the right book and every trade once."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from ingest.ring import Ring
from ingest.splice import Stand, behind, following, resume
from ingest.tails import Tail, tail_of
from ingest.tape import Tape
from tests.ingest.judging import followed, judge
from tests.ingest.toy import BY_REST, TOY, Desk, delta, kinds, live, whole
from thalweg.events import Event, Made, Open, Snapshot, State, Status, Trade
from thalweg.wire import encode_entry, format_id

NAME = "BTC-USDT"


def trade(number: int | None, **more: Any) -> dict[str, Any]:
    return {"kind": "trade", "symbol": "BTC", "number": number} | more


class Stream:
    """A stream in memory, with the bytes a server would keep."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.entries: list[tuple[bytes, list[bytes]]] = []
        self.at = (0, 0)

    def append(self, *events: Event) -> None:
        for event in events:
            self.at = (self.at[0] + 1, 1) if isinstance(event, Open) else (self.at[0], self.at[1] + 1)
            self.events.append(event)
            self.entries.append((format_id(*self.at), encode_entry(event, 1)))

    def tail(self) -> Tail:
        return tail_of("toy", NAME, self.entries[::-1])


class Worker:
    """A desk whose events are kept until it owns the stream."""

    def __init__(self, stream: Stream, venue: Any) -> None:
        self.desk, self.stream, self.late = Desk(venue), stream, list[str]()
        self.ring, self.owns = Ring(self.desk.tally, books=True), False

    def tell(self, events: list[Event]) -> None:
        if self.owns:
            self.stream.append(*events)
        else:
            self.ring.add(events, self.desk.now)

    def hear(self, told: str) -> None:
        self.tell(self.desk.frame(*json.loads(told)))

    def catch_up(self) -> None:
        """Hear all that is on its way."""
        while self.late:
            self.hear(self.late.pop(0))

    def take(self) -> int:
        """Take the stream over and say how many books went on."""
        tracks, tail = self.desk.session.tracks, self.stream.tail()
        self.stream.append(Open("toy", NAME, 8, 8, None, "sequence", None, 1))
        while self.late and behind(tracks, {NAME: tail}):
            self.hear(self.late.pop(0))
        done = resume(tracks, {NAME: tail}, self.ring.take(), self.desk.now, sequenced=True)
        self.desk.tally.dropped["standby"] += done.dropped
        self.stream.append(*(event for event, _ in done.items))
        self.owns = True
        return done.continued


class Market:
    """Two workers that hear the same venue, each in its own time."""

    def __init__(self, seed: int, *, numbered: bool) -> None:
        self.rng, self.numbered, self.stream = random.Random(seed), numbered, Stream()
        self.workers = [Worker(self.stream, TOY), Worker(self.stream, TOY)]
        self.truth, self.last, self.went_on = {100: 1}, 1, 0
        self.workers[0].take()
        for one in self.workers:
            one.tell(one.desk.connect())
            one.hear(json.dumps([whole(1)]))

    def step(self) -> None:
        """Let a change and a trade happen, and each worker hear as much as it does by chance."""
        self.last += 1
        price = self.rng.randint(80, 100)
        self.truth[price] = self.last
        number = self.last - 1
        told = trade(number) if self.numbered else trade(None, id=f"t{number}")
        for one in self.workers:
            one.late.append(json.dumps([delta(self.last, self.last, bids=[[price, self.last]]), told]))
            while one.late and self.rng.random() < 0.8:
                one.hear(one.late.pop(0))

    def fetch(self) -> None:
        """Let a worker ask for its book anew, as after a gap."""
        one = self.rng.choice(self.workers)
        one.catch_up()
        one.hear(json.dumps([whole(self.last, bids=sorted(map(list, self.truth.items()), reverse=True))]))

    def move(self) -> None:
        """Let the stream change hands."""
        owner, other = sorted(self.workers, key=lambda one: not one.owns)
        owner.owns = False
        self.went_on += other.take()

    def balance(self) -> tuple[int, int]:
        """Give both sides of the conservation equation, all workers together."""
        for one in self.workers:
            one.ring.clear()
        tallies = [one.desk.tally for one in self.workers]
        opens = sum(isinstance(event, Open) for event in self.stream.events)
        came = sum(tally.decoded + sum(tally.made.values()) for tally in tallies) + opens
        return came, len(self.stream.events) + sum(sum(tally.dropped.values()) for tally in tallies)


@pytest.mark.parametrize("numbered", [True, False], ids=["numbered", "named"])
@pytest.mark.parametrize("seed", range(8))
def test_a_stream_that_changes_hands_is_whole(seed: int, numbered: bool) -> None:
    """Feeds lag and books are lost by chance; a late worker waits for what is on its way."""
    market = Market(seed, numbered=numbered)
    rng, workers = market.rng, market.workers
    for _ in range(300):
        market.step()
        if rng.random() < 0.02:
            market.fetch()
        if numbered and rng.random() < 0.03:  # a ring that is too small: what it lacks is known by number
            rng.choice(workers).ring.clear()
        if rng.random() < 0.15:
            market.move()
    for one in workers:
        one.catch_up()
    events = market.stream.events
    assert judge(events) == [[p * 10**8, s * 10**8] for p, s in sorted(market.truth.items(), reverse=True)]
    assert market.went_on > 10
    if numbered:
        assert followed(events) == market.last - 1
    else:
        names = [event.id for event in events if isinstance(event, Trade)]
        assert names == [f"t{k}" for k in range(1, market.last)]
    came, went = market.balance()
    assert came == went


def test_a_fetched_book_goes_on_too() -> None:
    stream = Stream()
    old, new = Worker(stream, BY_REST), Worker(stream, BY_REST)
    old.take()
    for one in (old, new):
        one.desk.do = one_by_one(one)  # type: ignore[method-assign]
        live(one.desk)
        one.desk.frame(delta(2, 5))
    old.owns = False
    new.desk.frame(delta(6, 9))
    assert new.take() == 1
    assert [event.last for event in stream.events[-1:]] == [9]  # type: ignore[union-attr]


def one_by_one(worker: Worker) -> Any:
    """Give the worker all that its desk does."""

    def do(effects: Any) -> list[Event]:
        desk = worker.desk
        desk.sent += effects.send
        desk.fetched += effects.fetch
        worker.tell(effects.events)
        events: list[Event] = effects.events
        return events

    return do


def stand_of(tail: Tail) -> Stand:
    return Stand(tail.live, tail.sequence, Tape(), tail.position)


def written(*events: Event) -> Tail:
    stream = Stream()
    stream.append(Open("toy", NAME, 8, 8, None, "sequence", None, 1), *events)
    return stream.tail()


LIVE = Status("toy", NAME, State.LIVE, 0, "", 1, 1)
STALE = Status("toy", NAME, State.STALE, 0, "gap", 1, 1)


def snapshot(last: int, made: Made = Made.VENUE) -> Snapshot:
    desk = live(Desk())
    event = next(event for event in desk.events if isinstance(event, Snapshot))
    event.last, event.made = last, made
    return event


@pytest.mark.parametrize(
    ("events", "stands"),
    [
        ([], (False, None)),
        ([LIVE], (False, None)),
        ([snapshot(7)], (True, 7)),
        ([snapshot(7), LIVE], (True, 7)),
        ([snapshot(7), STALE], (False, 7)),
        ([snapshot(7), Open("toy", NAME, 8, 8, None, "sequence", None, 1)], (False, None)),
        ([snapshot(7), Open("toy", NAME, 8, 8, None, "sequence", None, 1), LIVE], (False, None)),
    ],
)
def test_a_tail_says_where_readers_stand(events: list[Event], stands: tuple[bool, int | None]) -> None:
    tail = written(*events)
    assert (tail.live, tail.sequence) == stands


def test_a_tail_is_seen_through_an_epoch_that_went_on() -> None:
    opened = Open("toy", NAME, 8, 8, None, "sequence", None, 1)
    tail = written(snapshot(7), opened, Status("toy", NAME, State.LIVE, 0, "", 1, 1, (1, 2)))
    assert (tail.live, tail.sequence, tail.position) == (True, 7, (2, 2))


def test_an_entry_that_we_can_t_read_ends_what_is_known() -> None:
    tail = tail_of("toy", NAME, [(b"9-9", [b"kind", b"poem"]), *Stream().entries])
    assert (tail.position, tail.live, tail.sequence, tail.trades) == ((9, 9), False, None, [])


def test_a_hole_in_what_was_kept_costs_the_continuation() -> None:
    desk = live(Desk())
    items = [(event, 1) for event in desk.frame(delta(2, 2)) + desk.frame(delta(3, 3)) + desk.frame(delta(4, 4))]
    track = desk.session.tracks[0]
    stand = written(snapshot(1))
    assert kinds([event for event, _ in following(track, stand_of(stand), items) or []]) == ["delta"] * 3
    assert following(track, stand_of(stand), [items[0], items[2]]) is None
