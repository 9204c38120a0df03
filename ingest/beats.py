"""Compiled clockwork of a book and of a connection, on cells of a row of `int64`: how often it tells, how late.

`ingest.cadence` and `ingest.delay` own the cells and say what they mean; the express lane works on the same ones. As in
`thalweg.kernels`, the same source runs as Python.
"""

from __future__ import annotations

from typing import TypeAlias

import numba as nb
import numpy as np
import numpy.typing as npt

Cells: TypeAlias = npt.NDArray[np.int64]

UNKNOWN = -(2**63)
LAST, GAPS, GAP, LONG, LONG_BEFORE, LONG_SINCE = range(6)
RHYTHM_CELLS = 6
LEAST_BEFORE, LEAST, EVENT, LEAST_SINCE, OFFSET = range(5)
DELAY_CELLS = 5

SMOOTHING = 10  # gaps that the running mean is over
LATELY_NS = 300_000_000_000  # in which the longest gap is looked for
HALF_NS = 300_000_000_000  # the least delay is of one to two halves
STEP_NS = 1_000_000_000  # of a clock; corrections by and by are slower

_CELLS = nb.int64[::1]
_I8 = nb.int64


@nb.njit(nb.void(_CELLS, _I8, _I8), cache=True)
def beat(rhythm: Cells, now: int, news: int) -> None:
    """Note an update; or, if it is no `news`, a proof that nothing was missed, which teaches patience alone."""
    last, rhythm[LAST] = rhythm[LAST], now
    if last == UNKNOWN:
        return
    gap = now - last
    if news == 0 and gap <= rhythm[GAP]:
        return
    rhythm[GAPS] += news
    if rhythm[GAP] == 0:
        rhythm[GAP] = gap
    else:
        rhythm[GAP] += (gap - rhythm[GAP]) // SMOOTHING
    if now - rhythm[LONG_SINCE] > LATELY_NS:
        rhythm[LONG_BEFORE], rhythm[LONG], rhythm[LONG_SINCE] = rhythm[LONG], 0, now
    if gap > rhythm[LONG]:
        rhythm[LONG] = gap


@nb.njit(_I8(_CELLS, _I8, _I8, _I8), cache=True)
def lateness(delay: Cells, ts_event: int, ts_recv: int, now: int) -> int:
    """Take the stamp and the arrival of news, and give by how much later than usual they came.

    To take the same news twice changes nothing.
    """
    took, offset = ts_recv - ts_event, ts_recv - now
    ours_set = delay[OFFSET] != UNKNOWN and abs(offset - delay[OFFSET]) > STEP_NS
    if ours_set or ts_event < delay[EVENT] - STEP_NS:
        delay[LEAST_BEFORE] = delay[LEAST] = UNKNOWN
    elif now - delay[LEAST_SINCE] > HALF_NS:
        delay[LEAST_BEFORE], delay[LEAST], delay[LEAST_SINCE] = delay[LEAST], UNKNOWN, now
    delay[EVENT], delay[OFFSET] = ts_event, offset
    if delay[LEAST] == UNKNOWN or took < delay[LEAST]:
        delay[LEAST] = took
    least: int = delay[LEAST]
    if delay[LEAST_BEFORE] != UNKNOWN:
        least = min(least, delay[LEAST_BEFORE])
    return took - least


def warm() -> None:
    """Call each once, so that the first frame does not pay for loading it."""
    cells = np.zeros(8, dtype=np.int64)
    beat(cells, 1, 1)
    lateness(cells, 1, 1, 1)
