"""Targets: book sides against dicts, merged views against dicts, and continuity rules against what they promise."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from ingest.sequence import Proof, Rule, Spliced, Step, Summed, Unchecked, Verdict
from ingest.venue import BookUpdate
from tests.fuzz.draw import Draw
from tests.fuzz.target import Target
from thalweg.book import ASK_SIGN, BID_SIGN, Book
from thalweg.fixed import INT64_MAX, NO_LEVELS, Levels
from thalweg.kernels import compare_views
from thalweg.ladder import best_quote, merge_side

Side = dict[int, int]
NAMES = ("bids", "asks")
SIGNS = (BID_SIGN, ASK_SIGN)


def draw_levels(draw: Draw, most: int = 6) -> Levels:
    """Levels near one another, some of size 0, now and then on the edge of int64."""
    rows = []
    for _ in range(draw.below(most + 1)):
        price = 1 + draw.below(48)
        rows.append([INT64_MAX - price if draw.below(32) == 31 else price, draw.choose((0, 1, 5, 10**12, INT64_MAX))])
    return np.array(rows, dtype=np.int64).reshape(-1, 2)


def ranked(side: Side, sign: int) -> list[list[int]]:
    """A side's levels, best first."""
    return [[price, side[price]] for price in sorted(side, reverse=sign > 0)]


def put(side: Side, levels: Levels) -> None:
    """Apply absolute sizes in order."""
    for price, size in levels.tolist():
        if size:
            side[price] = size
        else:
            side.pop(price, None)


def _sum(sides: Sequence[Side], depth: int, shift: tuple[int, int]) -> int:
    """The checksum of the digits, by text."""
    text = ""
    for side, sign in ((sides[1], ASK_SIGN), (sides[0], BID_SIGN)):
        for level in ranked(side, sign)[:depth]:
            for number, by in zip(level, shift, strict=True):
                text += str(number // 10**-by if by < 0 else number * 10**by)
    return zlib.crc32(text.encode())


def judge_book(data: bytes) -> object:
    """A script of whole books, changes and cuts, against two dicts."""
    draw, book, sides = Draw(data), Book(), (Side(), Side())
    while draw:
        kind = draw.below(8)
        if kind < 5:
            levels = draw_levels(draw), draw_levels(draw)
            (book.load if kind == 4 else book.apply)(*levels)
            for side, some in zip(sides, levels, strict=True):
                side.clear() if kind == 4 else None
                put(side, some)
        elif kind == 5:
            _cut(book, sides, 1 + draw.below(12))
        elif kind == 6:
            shift = draw.below(5) - 2, draw.below(5) - 2
            assert book.sum_digits(depth := 1 + draw.below(11), shift) == _sum(sides, depth, shift)
        else:
            book.clear()
            for side in sides:
                side.clear()
        _same(book, sides)
    return tuple(min(len(side), 9) for side in sides), book.crossed


def _cut(book: Book, sides: Sequence[Side], depth: int) -> None:
    assert book.deeper_than(depth) == any(len(side) > depth for side in sides)
    for gone, side, sign in zip(book.truncate(depth), sides, SIGNS, strict=True):
        cut = [price for price, _ in ranked(side, sign)[depth:]]
        assert sorted(gone[:, 0].tolist()) == sorted(cut)
        assert not gone[:, 1].any()
        for price in cut:
            del side[price]


def _same(book: Book, sides: Sequence[Side]) -> None:
    views = [ranked(side, sign) for side, sign in zip(sides, SIGNS, strict=True)]
    assert [book.bids().tolist(), book.asks().tolist()] == views
    assert [book.bids(3).tolist(), book.asks(3).tolist()] == [view[:3] for view in views]
    assert [book.best_bid, book.best_ask] == [tuple(view[0]) if view else None for view in views]
    assert book.counts == tuple(map(len, views))
    assert book.crossed == (all(views) and views[0][0][0] >= views[1][0][0])


def judge_views(data: bytes) -> object:
    """Two views compared, and several merged, against dicts."""
    draw = Draw(data)
    sign, sides = draw.choose(SIGNS), [Side() for _ in range(3)]
    for side in sides:
        put(side, draw_levels(draw, 16))
    views = [np.array(ranked(side, sign), dtype=np.int64).reshape(-1, 2) for side in sides]
    changes = np.empty((64, 2), dtype=np.int64)
    count = compare_views(views[0], views[1], sign, changes)
    changed = dict(sides[0])
    put(changed, changes[:count])
    assert changed == sides[1]
    assert all(sides[0].get(price, 0) != size for price, size in changes[:count].tolist())
    depth = 1 + draw.below(12)
    merged = merge_side(views, sign, depth)
    expected = sorted({price for view in views for price in view[:depth, 0].tolist()}, reverse=sign > 0)[:depth]
    assert merged.prices.tolist() == expected
    tops = [dict(view[:depth].tolist()) for view in views]
    assert merged.sizes.tolist() == [[top.get(price, 0) for top in tops] for price in expected]
    quote = best_quote([tuple(view[0].tolist()) if len(view) else None for view in views] if sign > 0 else [], [])
    if expected and sign > 0:
        assert (quote.bid, quote.bid_size) == (expected[0], sum(side.get(expected[0], 0) for side in sides))
    return count, len(expected), sign


def draw_update(draw: Draw) -> BookUpdate:
    """An update whose sequence is somewhere near the others'."""
    flags = draw.byte()
    last = draw.below(24)
    first = max(0, last - draw.below(4))
    sum_ = draw.below(3) if flags & 4 else None
    instant = draw.below(8) if flags & 8 else None
    unnumbered, whole, shift = flags & 48 == 48, flags & 3 == 3, (draw.below(3), 0)
    if unnumbered:
        return BookUpdate("X", whole, NO_LEVELS, NO_LEVELS, None, None, instant, sum_, shift)
    return BookUpdate("X", whole, NO_LEVELS, NO_LEVELS, first, last, instant, sum_, shift)


def judge_rule(data: bytes) -> object:
    """A script of updates: what a rule lets through is whole, in order and once, and it never moves on a refusal."""
    draw = Draw(data)
    kind = draw.below(4)
    rule: Rule = (Step(), Spliced(), Unchecked(), Summed(lambda book, shift: shift[0]))[kind]
    numbered, reached, seen = kind < 2, None, set[Verdict]()
    while draw:
        if draw.below(16) == 0:
            rule.reset()
            reached = None
        update = draw_update(draw)
        verdict = rule.admit(update)
        seen.add(verdict)
        if verdict is not Verdict.APPLY:
            assert verdict is Verdict.HOLD or not update.whole or kind == 1
            continue
        if numbered and not update.whole:
            assert reached is not None, "a delta before its book"
            assert update.first is None or kind == 0 or update.first <= reached + 1, "a hole"
            assert update.last is not None
            assert update.last > reached, "a repeat"
            assert kind == 1 or update.last == reached + 1, "a hole"
        assert numbered or reached is not None or update.whole
        reached = update.last if numbered else 0
        said = rule.verify(update, Book())
        assert kind == 3 or said is Proof.UNCLAIMED
        assert said is not Proof.GOOD or update.checksum == update.shift[0] or not update.whole
    return kind, len(seen)


TARGETS = [
    Target("book", judge_book, lambda: [bytes(range(k, k + 80)) for k in (0, 5, 60, 130)], share=2.0),
    Target("views", judge_views, lambda: [bytes(range(k, k + 80)) for k in (0, 1, 60)]),
    Target("rule", judge_rule, lambda: [bytes([k]) + bytes(range(50)) for k in range(4)]),
]
