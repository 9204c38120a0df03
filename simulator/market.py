"""The market model: reference prices that wander and, per venue and instrument, a true order book around them.

Everything is an integer in units of 1e-8. The model is the oracle of the whole project, so it is kept obvious: a side
is a sorted list of prices and a dict of sizes, and after every step all bids are below the centre and all asks above
it, which is why no book is ever crossed. The same seed and the same sequence of steps give the same books.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass, field
from random import Random

from simulator.texts import UNIT

BPS = 10_000
LEVELS_LOW = 60  # a side is refilled below this
LEVELS_START = 100
LEVELS_HIGH = 150  # and cut at its far end above this
DEPTH_BPS = 10  # mean distance of a new level from the centre
DEPTH_TICKS = 60  # the same, in ticks, where the tick is coarse
NEAR = 8.0  # mean rank, from the touch, of a level that changes or goes
NOTIONAL = 3_000  # mean value of a level, in the quote
WANDER_BPS = 0.15  # standard deviation of one step of a reference
TRADE_SHARE = 0.12  # of the steps in which the centre crosses nothing
SWEEP_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class Asset:
    """What the model knows of a base asset: where its price starts (units) and how busy its books are."""

    price: int
    activity: float


ASSETS = {
    "BTC": Asset(65_000 * UNIT, 2.0),
    "ETH": Asset(3_200 * UNIT, 1.5),
    "SOL": Asset(150 * UNIT, 1.2),
    "XRP": Asset(UNIT * 62 // 100, 1.0),
    "DOGE": Asset(UNIT * 14 // 100, 0.9),
    "ADA": Asset(UNIT * 45 // 100, 0.7),
    "AVAX": Asset(28 * UNIT, 0.6),
    "DOT": Asset(UNIT * 64 // 10, 0.5),
    "LINK": Asset(UNIT * 142 // 10, 0.6),
}
OTHER_ASSET = Asset(10 * UNIT, 0.5)  # any base that is not in the table
QUOTE_BPS = {"USDT": 3}  # how far above the USD price an instrument of another quote stands


@dataclass(frozen=True, slots=True)
class Listing:
    """An instrument at a venue: its symbol, and the decimals of prices and sizes (tick and lot are the last one)."""

    instrument: str
    symbol: str
    price_decimals: int
    size_decimals: int

    @property
    def base(self) -> str:
        """Give the base asset."""
        return self.instrument.split("-")[0]

    @property
    def quote(self) -> str:
        """Give the quote asset."""
        return self.instrument.split("-")[1]

    @property
    def tick(self) -> int:
        """Give the price step in units."""
        return int(10 ** (8 - self.price_decimals))

    @property
    def lot(self) -> int:
        """Give the size step in units."""
        return int(10 ** (8 - self.size_decimals))


@dataclass(slots=True)
class Trade:
    """One match: the taker bought (or sold) at a resting price; `number` steps by one per market."""

    number: int
    price: int
    size: int
    taker_buys: bool


@dataclass(slots=True)
class Step:
    """What one step of a market did: prices whose size may have changed, by side, and its trades in order."""

    bids: set[int] = field(default_factory=set)
    asks: set[int] = field(default_factory=set)
    trades: list[Trade] = field(default_factory=list)


class Ladder:
    """One side of a book: `prices` ascending, `sizes` by price. A size of 0 removes a level."""

    __slots__ = ("bids", "prices", "sizes")

    def __init__(self, bids: bool) -> None:
        """Start empty; `bids` tells which end is best."""
        self.bids = bids
        self.prices: list[int] = []
        self.sizes: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self.prices)

    def set(self, price: int, size: int) -> None:
        """Put a level in, change it, or take it out."""
        if size:
            if price not in self.sizes:
                insort(self.prices, price)
            self.sizes[price] = size
        elif self.sizes.pop(price, None) is not None:
            del self.prices[bisect_left(self.prices, price)]

    def best(self) -> int:
        """Give the best price; the model never lets a side run empty."""
        return self.prices[-1] if self.bids else self.prices[0]

    def rank(self, rank: int) -> int:
        """Give the price that many levels behind the best, or the worst one."""
        rank = min(rank, len(self.prices) - 1)
        return self.prices[-1 - rank] if self.bids else self.prices[rank]

    def top(self, count: int | None = None) -> list[tuple[int, int]]:
        """Give the best levels as (price, size), best first; without a count, all."""
        if count is None:
            count = len(self.prices)
        chosen = self.prices[: -count - 1 : -1] if self.bids else self.prices[:count]
        return list(zip(chosen, map(self.sizes.__getitem__, chosen), strict=True))

    def crossed(self, centre: int) -> list[int]:
        """Give the prices a centre has reached or passed, best first."""
        if self.bids:
            return self.prices[bisect_left(self.prices, centre) :][::-1]
        return self.prices[: bisect_right(self.prices, centre)]


class Reference:
    """The price of one base asset that all its books follow."""

    def __init__(self, base: str, seed: int) -> None:
        """Start at the asset's price; the walk is fixed by the seed."""
        self.price = ASSETS.get(base, OTHER_ASSET).price
        self._random = Random(f"{seed}/reference/{base}")

    def step(self) -> None:
        """Move a little."""
        self.price += int(self.price * self._random.gauss(0.0, WANDER_BPS) / BPS)


class Market:
    """One instrument's true order book at one venue."""

    def __init__(self, venue: str, listing: Listing, reference: Reference, seed: int) -> None:
        """Fill the book around the reference; what follows is fixed by the seed and the steps taken."""
        self.venue = venue
        self.listing = listing
        self.bids = Ladder(bids=True)
        self.asks = Ladder(bids=False)
        self.trades = 0
        self._reference = reference
        self._random = Random(f"{seed}/{venue}/{listing.instrument}")
        self._basis = QUOTE_BPS.get(listing.quote, 0) + self._random.uniform(-1.0, 1.0)
        self._spread = max(DEPTH_TICKS, reference.price * DEPTH_BPS // BPS // listing.tick)
        self._size = NOTIONAL * UNIT * UNIT // reference.price
        self._refill(Step(), self.centre(), LEVELS_START)

    def centre(self) -> int:
        """Give the price this book stands around: the reference, this venue's basis on it, on the tick."""
        price = self._reference.price
        return (price + int(price * self._basis / BPS)) // self.listing.tick * self.listing.tick

    def step(self) -> Step:
        """Do one thing markets do: follow the reference, trade, sweep, quote, change or cancel."""
        step, centre = Step(), self.centre()
        draw = self._random.random()
        if self._follow(step, centre):
            pass
        elif draw < SWEEP_SHARE:
            self._sweep(step, self._random.randint(2, 8))
        elif draw < SWEEP_SHARE + TRADE_SHARE:
            self._sweep(step, 1)
        self._quote(step, centre)
        while self._random.random() < 0.4:  # one or two changes a step, now and then many
            self._quote(step, centre)
        self._refill(step, centre, LEVELS_LOW)
        self._cut(step)
        return step

    def _follow(self, step: Step, centre: int) -> bool:
        """Clear what the centre has reached: the best level is taken, makers pull the others."""
        for side in (self.asks, self.bids):
            for place, price in enumerate(side.crossed(centre)):
                if place == 0:
                    self._take(step, side, price, side.sizes[price])
                else:
                    self._set(step, side, price, 0)
        return bool(step.trades)

    def _sweep(self, step: Step, levels: int) -> None:
        """Let a taker eat into one side: whole levels, then a part of one."""
        side = self.asks if self._random.random() < 0.5 else self.bids
        for _ in range(min(levels, len(side)) - 1):
            self._take(step, side, side.best(), side.sizes[side.best()])
        rest = side.sizes[side.best()]
        self._take(step, side, side.best(), min(rest, self._draw_size()))

    def _take(self, step: Step, side: Ladder, price: int, size: int) -> None:
        """Match a taker with a resting level."""
        self.trades += 1
        step.trades.append(Trade(self.trades, price, size, taker_buys=not side.bids))
        self._set(step, side, price, side.sizes[price] - size)

    def _quote(self, step: Step, centre: int) -> None:
        """Let a maker add, change or cancel one level near the touch."""
        side = self.asks if self._random.random() < 0.5 else self.bids
        draw = self._random.random()
        if draw < 0.36 or not len(side):
            self._set(step, side, self._place(side, centre), self._draw_size())
            return
        price = side.rank(int(self._random.expovariate(1 / NEAR)))
        self._set(step, side, price, 0 if draw < 0.6 else self._draw_size())

    def _refill(self, step: Step, centre: int, levels: int) -> None:
        """Add levels until both sides have enough."""
        for side in (self.asks, self.bids):
            while len(side) < levels:
                self._set(step, side, self._place(side, centre), self._draw_size())

    def _cut(self, step: Step) -> None:
        """Take the worst levels out where a side has too many."""
        for side in (self.asks, self.bids):
            while len(side) > LEVELS_HIGH:
                self._set(step, side, side.rank(LEVELS_HIGH), 0)

    def _place(self, side: Ladder, centre: int) -> int:
        """Choose a price on the right side of the centre, near it more often than far."""
        away = self.listing.tick * (1 + int(self._random.expovariate(1 / self._spread)))
        return max(self.listing.tick, centre - away) if side.bids else centre + away

    def _draw_size(self) -> int:
        """Choose a size of at least one lot."""
        lot = self.listing.lot
        return max(lot, int(self._random.expovariate(1 / self._size)) // lot * lot)

    def _set(self, step: Step, side: Ladder, price: int, size: int) -> None:
        """Change the book and remember where."""
        side.set(price, size)
        (step.bids if side.bids else step.asks).add(price)
