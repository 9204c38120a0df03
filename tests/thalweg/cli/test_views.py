"""The judge's own books against a dict that is sorted anew each time, and its digests against the oracle's rule."""

from __future__ import annotations

import random
import struct
from zlib import crc32

import pytest

from thalweg.cli.views import View


@pytest.mark.parametrize("seed", range(5))
def test_a_view_is_what_a_sorted_dict_is(seed: int) -> None:
    rng = random.Random(seed)
    view, bids, asks = View(), dict[int, int](), dict[int, int]()
    for _ in range(2000):
        price, size = rng.randint(1, 60), rng.choice((0, 0, 1, 2, 3))
        side, model = rng.choice(((view.bids, bids), (view.asks, asks)))
        side.put(price, size)
        if size:
            model[price] = size
        else:
            model.pop(price, None)
        assert view.bids.best(10) == sorted(bids.items(), reverse=True)[:10]
        assert view.asks.best(10) == sorted(asks.items())[:10]


def test_a_digest_is_crc32_of_pairs_best_first_with_a_divider() -> None:
    view = View()
    view.bids.load([(99, 3), (101, 1), (100, 2)])
    view.asks.load([(103, 5), (102, 4)])
    packed = struct.pack("<10q", 101, 1, 100, 2, -1, -1, 102, 4, 103, 5)
    assert view.digest(2) == crc32(packed)


def test_a_truncated_side_keeps_its_best() -> None:
    view = View()
    for side in (view.bids, view.asks):
        side.load([(price, price) for price in range(1, 6)])
        side.truncate(2)
    assert (view.bids.sizes, view.asks.sizes) == ({5: 5, 4: 4}, {1: 1, 2: 2})
    view.clear()
    assert (view.bids.best(9), view.asks.best(9)) == ([], [])


def test_a_level_of_size_0_is_no_level() -> None:
    view = View()
    view.bids.load([(5, 0), (4, 1)])
    assert view.bids.best(9) == [(4, 1)]
