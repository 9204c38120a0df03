from __future__ import annotations

import random
from typing import Any

import pytest

from gateway.hub import AGGREGATOR, REDIS, Hub
from gateway.levels import Scale, level_texts
from gateway.replica import Replica
from tests.gateway.client import RecordingWire, Ticker
from tests.gateway.publications import VENUES, Maker, instruments
from thalweg.events import State
from thalweg.fixed import format_fixed
from thalweg.ladder import merge_side
from thalweg.publication import Publication

BOOK, LADDER, BEST, TRADES = "book:kraken:BTC-USDT", "cbook:BTC-USDT", "bbo:*:BTC-USDT", "trades:*:BTC-USDT"


class Scene:
    """A joined hub, an aggregator and one client."""

    def __init__(self, seed: int = 1, joined: bool = True) -> None:
        self.hub = Hub(instruments())
        self.maker = Maker(seed=seed)
        self.ticker = Ticker(self.hub)
        self.wire = RecordingWire()
        for part in (REDIS, AGGREGATOR):
            self.hub.set_part(part, True, "", self.ticker.now)
        if joined:
            self.replica.join([self.maker.key()], self.maker.ts)

    @property
    def replica(self) -> Replica:
        return self.hub.replicas["BTC-USDT"]

    def publish(self, *records: Publication) -> None:
        for one in records:
            self.replica.receive(one, self.ticker.now.wall)

    def tick(self, count: int = 1) -> None:
        for _ in range(count):
            self.hub.hear(self.ticker.now, None)
            self.ticker.tick()

    def follow(self, *channels: str, **options: int) -> None:
        self.ticker.connect(self.wire, *channels, **options)
        self.tick()


def expected_book(maker: Maker, venue: str, depth: int) -> list[list[list[str]]]:
    sides = (sorted(book.items(), reverse=side == 0)[:depth] for side, book in enumerate(maker.books[venue]))
    return [[[format_fixed(price, 2), format_fixed(size, 8)] for price, size in side] for side in sides]


def expected_ladder(maker: Maker, depth: int) -> list[list[list[Any]]]:
    """The ladder by dicts and a sort."""
    sides: list[list[list[Any]]] = []
    for side in (0, 1):
        merged: dict[int, dict[str, int]] = {}
        for venue in VENUES:
            if maker.states[venue] is State.LIVE:
                for price, size in maker.books[venue][side].items():
                    merged.setdefault(price, {})[venue] = size
        best = sorted(merged.items(), reverse=side == 0)[:depth]
        sides.append(
            [
                [
                    format_fixed(price, 2),
                    format_fixed(sum(sizes.values()), 8),
                    {venue: format_fixed(size, 8) for venue, size in sizes.items()},
                ]
                for price, sizes in best
            ]
        )
    return sides


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("depth", "rate_ms"), [(10, 100), (25, 250), (200, 1000)])
def test_snapshot_and_deltas_make_the_published_book_at_every_frame(seed: int, depth: int, rate_ms: int) -> None:
    scene, dice = Scene(seed), random.Random(seed)
    scene.follow(BOOK, LADDER, depth=depth, rate_ms=rate_ms)
    for _ in range(60):
        for _ in range(dice.randrange(4)):
            if dice.random() < 0.1:
                scene.maker.states["kraken"] = dice.choice((State.LIVE, State.STALE))
            scene.publish(scene.maker.key() if dice.random() < 0.1 else scene.maker.delta(dice.randrange(12)))
        scene.tick()
    scene.tick(20)
    book, ladder = (scene.wire.reader.books[name] for name in (BOOK, LADDER))
    assert (book.s, ladder.s) == (scene.maker.seq, scene.maker.seq)
    assert book.ranked() == expected_book(scene.maker, "kraken", depth)
    assert ladder.ranked() == expected_ladder(scene.maker, depth)
    assert book.snapshots == ladder.snapshots == 1
    assert book.checked > 2


def test_a_client_that_joins_between_two_steps_of_a_slow_variant_fits_into_its_chain() -> None:
    scene = Scene()
    scene.follow(BOOK, rate_ms=1000)
    second = RecordingWire()
    for count in range(30):
        scene.publish(scene.maker.delta())
        if count == 13:
            scene.ticker.connect(second, BOOK, rate_ms=1000)
        scene.tick()
    first, late = scene.wire.reader.books[BOOK], second.reader.books[BOOK]
    assert first.sides == late.sides
    assert late.merged < first.merged


@pytest.mark.parametrize(("rate_ms", "frames"), [(100, 40), (250, 16), (1000, 4)])
def test_frames_come_at_the_rate_that_was_granted(rate_ms: int, frames: int) -> None:
    scene = Scene()
    scene.follow(BOOK, rate_ms=rate_ms)
    for _ in range(40):
        scene.maker.flags ^= 1
        scene.publish(scene.maker.delta())
        scene.tick()
    assert len(scene.wire.reader.of("d")) == frames


def test_frames_are_made_once_for_all_clients_that_share_them() -> None:
    scene = Scene()
    wires = [RecordingWire() for _ in range(5)]
    for wire in wires:
        scene.ticker.connect(wire, BOOK, LADDER)
    scene.tick()
    scene.publish(scene.maker.delta())
    before = [wire.writes for wire in wires]
    scene.tick()
    assert [wire.writes - then for wire, then in zip(wires, before, strict=True)] == [1] * 5
    assert len({bytes(str(wire.reader.messages[-1]), "utf8") for wire in wires}) == 1


def test_a_publication_that_does_not_touch_a_book_is_counted_in_its_next_frame() -> None:
    scene = Scene()
    scene.follow(BOOK)
    scene.publish(scene.maker.delta(0), scene.maker.delta(0))
    scene.tick()
    assert scene.wire.reader.of("d") == []
    scene.maker.states["kraken"] = State.STALE
    scene.publish(scene.maker.delta(0))
    scene.tick()
    (delta,) = scene.wire.reader.of("d")
    assert (delta["p"], delta["s"], delta["n"], delta["st"], delta["b"]) == (1, 4, 3, "stale", [])


def test_a_quiet_book_still_has_a_frame_with_a_checksum_each_second() -> None:
    scene = Scene()
    scene.follow(BOOK)
    for _ in range(30):
        scene.publish(scene.maker.delta(0))
        scene.tick()
    assert [("crc" in one) for one in scene.wire.reader.of("d")] == [True] * 3


def test_a_gateway_that_cannot_hear_says_so_without_a_publication() -> None:
    scene = Scene()
    scene.publish(scene.maker.delta(40))
    scene.follow(BOOK, LADDER, BEST)
    scene.ticker.tick(13)
    assert scene.wire.reader.books[BOOK].state == "stale"
    assert scene.wire.reader.books[LADDER].sides == ({}, {})
    best = scene.wire.reader.of("bbo")[-1]
    assert ({one["st"] for one in best["v"].values()}, best["q"]["bid"]) == ({"stale"}, None)
    assert (best["p"], best["n"]) == (best["s"], 0)


def test_an_instrument_of_which_nothing_is_published_is_not_live_although_others_are() -> None:
    scene = Scene()
    scene.follow(BOOK)
    scene.tick(28)
    assert scene.wire.reader.books[BOOK].state == "live"
    scene.tick(4)
    assert scene.wire.reader.books[BOOK].state == "stale"
    assert scene.replica.reason("kraken") == "nothing published for over 3 s"
    scene.publish(scene.maker.key())
    scene.tick()
    assert scene.wire.reader.books[BOOK].state == "live"


def test_what_was_stale_for_lack_of_hearing_is_live_again() -> None:
    scene = Scene()
    scene.follow(BOOK, LADDER)
    scene.ticker.tick(13)
    scene.publish(scene.maker.delta(40))
    scene.tick()
    assert scene.wire.reader.books[BOOK].state == "live"
    ladder = scene.wire.reader.books[LADDER]
    assert ladder.ranked() == expected_ladder(scene.maker, 25)


def test_before_the_first_publication_a_book_is_empty_and_connecting() -> None:
    scene = Scene(joined=False)
    scene.follow(BOOK)
    (snap,) = scene.wire.reader.of("snap")
    assert (snap["st"], snap["b"], snap["s"]) == ("connecting", [], 0)
    scene.replica.join([scene.maker.key()], scene.maker.ts)
    scene.tick()
    assert scene.wire.reader.books[BOOK].state == "live"
    assert scene.wire.reader.of("snap")[-1]["s"] == 1


def test_a_replica_that_joins_anew_gives_keyframes_and_counts_what_it_jumped() -> None:
    scene = Scene()
    scene.follow(BOOK, LADDER, BEST)
    scene.publish(scene.maker.delta(20))
    scene.tick()
    scene.maker.seq += 500
    scene.replica.join([scene.maker.key()], scene.maker.ts)
    scene.tick()
    for name in (BOOK, LADDER):
        book = scene.wire.reader.books[name]
        assert (book.snapshots, book.merged, book.skipped) == (2, 1, 501)
    (stats,) = [one.outbox.subscriptions[BEST].stats() for one in scene.ticker.sessions]
    assert stats == {"from": 1, "to": 503, "merged": 1, "skipped": 501}


def test_the_best_prices_say_everything_each_time() -> None:
    scene = Scene()
    scene.publish(scene.maker.delta(60))
    scene.follow(BEST)
    (best,) = scene.wire.reader.of("bbo")
    bid = max(scene.maker.books["kraken"][0])
    assert best["v"]["kraken"]["bid"] == format_fixed(bid, 2)
    assert best["v"]["kraken"]["bid_size"] == format_fixed(scene.maker.books["kraken"][0][bid], 8)
    assert best["q"]["bid"] == format_fixed(max(max(scene.maker.books[venue][0]) for venue in VENUES), 2)


def test_every_trade_is_sent_once_in_order() -> None:
    scene = Scene()
    scene.follow(TRADES)
    for count in range(20):
        scene.publish(scene.maker.delta(trades=count % 3))
        scene.tick()
    trades = [row for one in scene.wire.reader.of("trades") for row in one["x"]]
    assert [row[4] for row in trades] == [str(n) for n in range(1, scene.maker.traded + 1)]
    assert trades[0][1:4] == ["100", "0.5", trades[0][3]]
    assert {one["drop"] for one in scene.wire.reader.of("trades")} == {0}


def test_the_steps_of_trades_are_counted_without_a_hole() -> None:
    scene = Scene()
    scene.follow(TRADES)
    for count in range(20):
        scene.publish(scene.maker.delta(trades=count % 3 == 0))
        scene.tick()
    last = 1
    for one in scene.wire.reader.of("trades"):
        assert (one["p"], one["s"] - one["p"]) == (last, one["n"])
        last = one["s"]


def test_trades_lost_before_the_replica_joined_anew_are_told_as_a_gap() -> None:
    scene = Scene()
    scene.follow(TRADES)
    scene.maker.seq += 40
    scene.replica.join([scene.maker.key(), scene.maker.delta(trades=2)], scene.maker.ts)
    scene.tick()
    _, one = scene.wire.reader.of("trades")
    assert (one["gap"], len(one["x"]), one["drop"]) == (42, 2, 0)


def test_the_best_of_a_book_and_the_ladder_agree_on_one_venue() -> None:
    maker = Maker()
    replica = Replica(instruments().by_name["BTC-USDT"])
    replica.join([maker.delta(60), maker.key()], 0)
    bids, _ = replica.sides("kraken")
    merged = merge_side([bids], 1, 10)
    ladder = dict(zip(merged.prices.tolist(), map(tuple, merged.sizes.tolist()), strict=True))
    book = replica.tops("kraken", 10)[0]
    assert level_texts(ladder, Scale(2, 8)) == level_texts(book, Scale(2, 8))
