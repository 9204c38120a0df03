"""Levels grouped into rows of a step, in integers: no price looks better than it is, and sizes add up exactly."""

from __future__ import annotations

from gateway.levels import Shown


def grouped(side: Shown, sign: int, step: int, depth: int) -> Shown:
    """Give the best rows of a side, best first.

    Args:
        side: levels, best first.
        sign: 1 for bids, which are rounded down, -1 for asks, which are rounded up.
        step: of the rows, in price units.
        depth: how many rows.
    """
    rows: Shown = {}
    for price, sizes in side.items():
        row = sign * (sign * price // step) * step
        if row in rows:
            rows[row] = tuple(map(sum, zip(rows[row], sizes, strict=True)))
        elif len(rows) == depth:
            break
        else:
            rows[row] = sizes
    return rows
