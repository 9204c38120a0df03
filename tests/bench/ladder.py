"""`ladder`: the consolidated ladder of ten venues of 1,000 levels each, when one level of one venue changes."""

from __future__ import annotations

import random
from time import perf_counter_ns

import numpy as np

from tests.bench.host import watched
from tests.bench.plan import Plan
from tests.bench.report import Goal, Row, Table, percentiles
from thalweg.fixed import Levels
from thalweg.ladder import Ladder, merge_side

VENUES, DEPTH = 10, 1_000
SECONDS = 4.0  # for each row
TOUCH = 30.0  # levels: changes are this far from the best price on average
CHECKS = 200  # changes before the timed ones, after each of which the ladder is compared with a full merge
GOALS = {"p50 us": Goal(15, 3)}
BID = 1


def run(plan: Plan) -> list[Table]:
    """Measure changes to a ladder, and a full merge after each for comparison."""
    table = Table(
        "ladder",
        "ladder: one level of one venue changes",
        f"one side, {VENUES} venues of {DEPTH:,} levels; {TOUCH:g} levels from the best on average; a third removes",
        f"one process, back to back; {CHECKS} changes before, and the last, compared with a full merge",
        "price and size of the change are in hand",
        "the ladder is up to date and its best price and size are read",
    )
    table.rows.append(_changes(plan.seconds(SECONDS)))
    table.rows.append(_merges(plan.seconds(SECONDS)))
    first, second = (row.figures["p50 us"] for row in table.rows)
    table.notes.append(f"changing is {second / first:,.0f} times as fast as merging, at the median")
    return [table]


class Market:
    """The venues' views, as dicts, and changes to them."""

    def __init__(self) -> None:
        """Every venue quotes about every third price."""
        self._random = random.Random(7)
        self.views = [self._view() for _ in range(VENUES)]

    def _view(self) -> dict[int, int]:
        prices = self._random.sample(range(10**6, 10**6 + 3 * DEPTH), DEPTH)
        return {price: self._random.randint(1, 10**9) for price in prices}

    def change(self) -> tuple[int, int, int]:
        """Change a level and give venue, price and size."""
        column = self._random.randrange(VENUES)
        view, far = self.views[column], int(self._random.expovariate(1 / TOUCH))
        price = max(10**6 + 3 * DEPTH - 1 - far, 10**6)
        size = 0 if price in view and self._random.random() < 1 / 3 else self._random.randint(1, 10**9)
        if size:
            view[price] = size
        else:
            del view[price]
        return column, price, size

    def arrays(self) -> list[Levels]:
        """Give the views as arrays, best first."""
        return [np.array(sorted(view.items(), reverse=True), dtype=np.int64) for view in self.views]


def _changes(seconds: float) -> Row:
    market, ladder, samples = Market(), Ladder(BID, VENUES), list[int]()
    for column, view in enumerate(market.arrays()):
        ladder.load(column, view)
    for _ in range(CHECKS):
        ladder.change(*market.change())
        _compare(ladder, market)
    with watched() as host:
        until = perf_counter_ns() + int(seconds * 1e9)
        while perf_counter_ns() < until:
            column, price, size = market.change()
            start = perf_counter_ns()
            ladder.change(column, price, size)
            _ = ladder.best
            samples.append(perf_counter_ns() - start)
    _compare(ladder, market)
    return Row("changed level by level", {"changes": len(samples), **percentiles(samples)}, host, GOALS)


def _compare(ladder: Ladder, market: Market) -> None:
    """Raise unless the ladder is what a full merge gives."""
    whole = merge_side(market.arrays(), BID)
    if list(ladder.top().items()) != list(zip(whole.prices.tolist(), map(tuple, whole.sizes.tolist()), strict=True)):
        raise AssertionError("the ladder is not what a full merge gives")


def _merges(seconds: float) -> Row:
    market, samples = Market(), list[int]()
    with watched() as host:
        until = perf_counter_ns() + int(seconds * 1e9)
        while perf_counter_ns() < until:
            market.change()
            views = market.arrays()
            start = perf_counter_ns()
            merge_side(views, BID)
            samples.append(perf_counter_ns() - start)
    return Row("merged anew", {"changes": len(samples), **percentiles(samples)}, host)
