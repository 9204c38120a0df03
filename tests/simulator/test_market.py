from random import Random

import pytest

from simulator.market import LEVELS_HIGH, LEVELS_LOW, Ladder, Listing, Market, Reference

LISTINGS = [
    Listing("BTC-USDT", "BTCUSDT", 2, 5),
    Listing("DOGE-USD", "DOGE/USD", 7, 8),
    Listing("DOGE-USDT", "DOGEUSDT", 5, 0),
    Listing("NEW-USDT", "NEWUSDT", 4, 4),
]


def walk(listing: Listing, seed: int = 1, steps: int = 3000) -> tuple[Market, list[object]]:
    reference = Reference(listing.base, seed)
    market = Market("venue", listing, reference, seed)
    seen: list[object] = []
    for number in range(steps):
        if number % 3 == 0:
            reference.step()
        step = market.step()
        seen.append((sorted(step.bids), sorted(step.asks), step.trades))
    return market, seen


@pytest.mark.parametrize("listing", LISTINGS, ids=lambda one: one.symbol)
def test_a_book_is_never_crossed_nor_thin_nor_endless(listing: Listing) -> None:
    reference = Reference(listing.base, 7)
    market = Market("venue", listing, reference, 7)
    for number in range(3000):
        if number % 3 == 0:
            reference.step()
        market.step()
        assert market.bids.best() < market.centre() < market.asks.best()
        for side in (market.bids, market.asks):
            assert LEVELS_LOW <= len(side) <= LEVELS_HIGH
            assert sorted(side.sizes) == side.prices
    levels = market.bids.top() + market.asks.top()
    assert all(price > 0 and price % listing.tick == 0 for price, _ in levels)
    assert all(size > 0 and size % listing.lot == 0 for _, size in levels)


def test_the_same_seed_and_steps_give_the_same_books() -> None:
    first, second, other = (walk(LISTINGS[0], seed) for seed in (1, 1, 2))
    assert first[1] == second[1]
    assert first[0].bids.top() == second[0].bids.top()
    assert first[1] != other[1]


def test_a_step_names_every_level_it_changed() -> None:
    reference = Reference("ETH", 3)
    market = Market("venue", Listing("ETH-USDT", "ETHUSDT", 2, 4), reference, 3)
    bids, asks = dict(market.bids.sizes), dict(market.asks.sizes)
    for _ in range(2000):
        reference.step()
        step = market.step()
        for held, side, touched in ((bids, market.bids, step.bids), (asks, market.asks, step.asks)):
            for price in touched:
                if price in side.sizes:
                    held[price] = side.sizes[price]
                else:
                    held.pop(price, None)
            assert held == side.sizes


def test_a_trade_takes_a_resting_size_at_the_touch() -> None:
    reference = Reference("SOL", 5)
    market = Market("venue", Listing("SOL-USDT", "SOLUSDT", 2, 3), reference, 5)
    seen = 0
    for _ in range(2000):
        reference.step()
        bid, ask = market.bids.best(), market.asks.best()
        sizes = market.bids.sizes | market.asks.sizes
        step = market.step()
        for trade in step.trades:
            seen += 1
            assert trade.number == seen
            assert trade.size <= sizes[trade.price]
        if step.trades:
            assert step.trades[0].price == (ask if step.trades[0].taker_buys else bid)
        buys = [trade.price for trade in step.trades if trade.taker_buys]
        assert buys == sorted(buys)
    assert seen > 100


def test_venues_of_one_asset_stay_together() -> None:
    reference = Reference("BTC", 1)
    markets = [Market(venue, LISTINGS[0], reference, 1) for venue in ("a", "b")]
    for _ in range(500):
        reference.step()
        for market in markets:
            market.step()
    low, high = sorted(market.centre() for market in markets)
    assert high - low < low * 3 // 10_000


def test_a_ladder_agrees_with_a_dict() -> None:
    random = Random(1)
    for bids in (True, False):
        ladder, truth = Ladder(bids), {}
        for _ in range(2000):
            price, size = random.randrange(1, 60), random.choice([0, random.randrange(1, 9)])
            ladder.set(price, size)
            truth[price] = size
            held = {price: size for price, size in truth.items() if size}
            assert ladder.top() == sorted(held.items(), reverse=bids)
            assert ladder.top(5) == sorted(held.items(), reverse=bids)[:5]
