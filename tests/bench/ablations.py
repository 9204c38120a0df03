"""`ablations`: what each idea of the hot path is worth, the plain way and ours in turn on the same input.

| idea | before | after |
|---|---|---|
| percentiles off the hot path | worked out anew after every sample | a sample is written; percentiles once a second |
| fixed point | `decimal.Decimal` of every number | `int64` units, parsed in Python, and by the compiled scanner |
| arrays | a sorted dict a side | arrays, best price last, changed in compiled code |
| a ring | a list under a lock, cut at its bound | an array written by index and mask |
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from statistics import median
from threading import Lock
from time import perf_counter_ns

import numpy as np
import orjson
from sortedcontainers import SortedDict

from tests.bench.host import watched
from tests.bench.plan import Plan
from tests.bench.report import Row, Table
from thalweg.book import Book
from thalweg.fixed import Levels, parse_levels
from thalweg.latency import RING_SIZE, Ring

ROUNDS = 20
SLICE_S = 0.1  # of each way in each round
A_SECOND = 1_000  # samples: percentiles are asked for once a second, at 1,000 frames a second
LEVELS = 1_000  # a side
CHANGES = 5  # a side in one update

Way = Callable[[], object]


@dataclass(slots=True)
class Idea:
    """One thing done in several ways: the plain way first, under its own name."""

    name: str
    ways: dict[str, Way]


def run(plan: Plan) -> list[Table]:
    """Measure every idea."""
    table = Table(
        "ablations",
        "ablations: what each idea is worth",
        "one sample; one update of 10 levels as text; one update of 10 levels to 1,000 a side, best prices read",
        f"one process; {ROUNDS} rounds in which the ways take turns for {SLICE_S:g} s each; medians of rounds",
        "the input is in memory",
        "done",
    )
    for idea in (_percentiles(), _numbers(), _books(), _rings()):
        with watched() as host:
            spent = _in_turn(idea.ways, plan.seconds(SLICE_S))
        first = spent[next(iter(idea.ways))]
        for name, times in spent.items():
            ratio = median(before / after for before, after in zip(first, times, strict=True))
            figures = {"us": median(times) / 1e3, "times as fast": ratio}
            table.rows.append(Row(f"{idea.name}: {name}", figures, host))
    return [table]


def _in_turn(ways: dict[str, Way], seconds: float) -> dict[str, list[float]]:
    """Give nanoseconds a call of each way, by rounds."""
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            calls, start = 0, perf_counter_ns()
            until = start + int(seconds * 1e9)
            while (now := perf_counter_ns()) < until:
                for _ in range(5):
                    way()
                calls += 5
            spent[name].append((now - start) / calls)
    return spent


def _percentiles() -> Idea:
    """Samples with their percentiles at hand all the time, or when somebody looks."""
    before, after, cycle = Ring(), Ring(), [0]

    def every_time() -> None:
        before.add(12_345)
        before.summary(0)

    def once_a_second() -> None:
        after.add(12_345)
        cycle[0] += 1
        if cycle[0] % A_SECOND == 0:
            after.summary(0)

    for _ in range(RING_SIZE):
        before.add(12_345)
        after.add(12_345)
    return Idea("percentiles", {"after every sample": every_time, "once a second": once_a_second})


def _numbers() -> Idea:
    """The levels of an update, from the text of its frame to numbers."""
    from ingest.venues import bybit

    rng = random.Random(7)
    sides = [[[f"{rng.randint(60_000, 70_000)}.{rng.randint(10, 99)}", f"0.{rng.randint(1, 10**6):06}"]
              for _ in range(CHANGES)] for _ in "ba"]  # fmt: skip
    data = {"s": "BTCUSDT", "b": sides[0], "a": sides[1], "u": 2, "seq": 3}
    frame = orjson.dumps({"topic": "orderbook.50.BTCUSDT", "ts": 1, "type": "delta", "data": data, "cts": 1})

    def decimals() -> object:
        found = orjson.loads(frame)["data"]
        return [(Decimal(price), Decimal(size)) for key in "ba" for price, size in found[key]]

    def parsed() -> object:
        found = orjson.loads(frame)["data"]
        return parse_levels(found["b"], 8, 8), parse_levels(found["a"], 8, 8)

    def scanned() -> object:
        return bybit.BOOK.read(frame, lambda _: (8, 8))

    return Idea("numbers", {"JSON and Decimal": decimals, "JSON and fixed point": parsed, "compiled scanner": scanned})


def _books() -> Idea:
    """Updates to a book of 1,000 levels a side, after each of which the best prices are read."""
    rng = random.Random(7)
    bids = {10**6 - 1 - k: 1 + k for k in range(LEVELS)}
    asks = {10**6 + k: 1 + k for k in range(LEVELS)}
    book, tree_bids, tree_asks = Book(), SortedDict(bids), SortedDict(asks)
    book.load(_array(bids), _array(asks))
    updates = [(_changes(rng, -1), _changes(rng, 1)) for _ in range(997)]
    arrays = [(np.array(one, dtype=np.int64), np.array(other, dtype=np.int64)) for one, other in updates]
    turn = [0, 0]

    def tree() -> object:
        turn[0] = (turn[0] + 1) % len(updates)
        for side, changes in zip((tree_bids, tree_asks), updates[turn[0]], strict=True):
            for price, size in changes:
                if size:
                    side[price] = size
                else:
                    side.pop(price, None)
        return tree_bids.peekitem(-1), tree_asks.peekitem(0)

    def array() -> object:
        turn[1] = (turn[1] + 1) % len(arrays)
        book.apply(*arrays[turn[1]])
        return book.best_bid, book.best_ask

    return Idea("books", {"sorted dicts": tree, "arrays": array})


def _array(view: dict[int, int]) -> Levels:
    return np.array(list(view.items()), dtype=np.int64)


def _changes(rng: random.Random, sign: int) -> list[tuple[int, int]]:
    """Give changes near the touch, a third of them removals."""
    prices = {10**6 - (sign < 0) + sign * int(rng.expovariate(1 / 20)) for _ in range(CHANGES)}
    return [(price, rng.choice((0, 1, 2)) and rng.randint(1, 10**9)) for price in prices]


def _rings() -> Idea:
    """Samples kept for later."""
    ring, lock, kept = Ring(), Lock(), [0] * RING_SIZE

    def locked() -> None:
        with lock:
            kept.append(12_345)
            if len(kept) > RING_SIZE:
                del kept[0]

    def written() -> None:
        ring.add(12_345)

    return Idea("rings", {"list under a lock": locked, "ring": written})
