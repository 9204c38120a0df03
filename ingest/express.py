"""The express lane's compiled half: a frame of book changes, from its bytes into the book, in one call.

It takes a frame only if all is as usual: the documented shape, a book that is ready (see `ingest.track`), the next of
its sequence, news that are not late, and room for the levels. Whatever else it is, it is left alone before anything is
changed, and the general way (`ingest.session`) has it. As in `thalweg.kernels`, the same source runs as Python.

`sheet` says where in a frame's fields things are, and takes the answer (see `ingest.plan`); `slots` is a hash table of
the symbols, whose texts are in `words`: where the text starts and ends, where the book's row is in memory, its number.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numba as nb
import numpy as np
import numpy.typing as npt

from ingest import beats, delay, memory, plan, rows
from ingest.beats import UNKNOWN, beat, lateness
from ingest.delay import DAY_NS, LATE_NS
from ingest.memory import bytes_at, cells_at, table_at
from ingest.rows import Cells
from thalweg import book as books
from thalweg import instant, kernels, scan
from thalweg.fixed import INT64_MAX
from thalweg.instant import read_instant
from thalweg.instruments import DEFAULT_DECIMALS
from thalweg.kernels import ASKS_KNOWN, BIDS_KNOWN, apply_levels, cut_side, sum_digits
from thalweg.scan import scan_frame

Slots: TypeAlias = npt.NDArray[np.int64]
Block: TypeAlias = npt.NDArray[np.int64]

_LOW = (1 << 32) - 1
_NOWHERE = -1


@nb.njit()
def slot_of(text: bytes, start: int, end: int, words: scan.Words, slots: Slots) -> int:
    """Give the slot of a symbol, or the free one where it would go; there is always a free one."""
    mask = slots.shape[0] - 1
    at: int = 0
    for k in range(start, end):
        at = (at * 31 + text[k]) & 0xFFFFFFF
    at &= mask
    while slots[at, 1] > 0:
        place, last = slots[at, 0], slots[at, 1]
        if last - place == end - start:
            k = start
            while k < end and text[k] == words[place]:
                k, place = k + 1, place + 1
            if k == end:
                return at
        at = (at + 1) & mask
    return at


find_slot = getattr(slot_of, "py_func", slot_of)
"""The same, for whoever fills the table: seldom, so it needs no compiled form of its own."""


@nb.njit()
def _topical(frame: bytes, fields: Cells, sheet: Cells, words: scan.Words) -> bool:
    """Whether the field that must begin with a text does, and is longer."""
    if sheet[plan.TOPIC] < 0:
        return True
    field = fields[sheet[plan.TOPIC]]
    at, end = field & _LOW, field >> 32
    if end - at <= sheet[plan.TOPIC_END] - sheet[plan.TOPIC_AT]:
        return False
    same = True
    for k in range(sheet[plan.TOPIC_AT], sheet[plan.TOPIC_END]):
        same = same and frame[at + k - sheet[plan.TOPIC_AT]] == words[k]
    return same


@nb.njit()
def _instant(frame: bytes, fields: Cells, sheet: Cells, ts_recv: int) -> int:
    """Give the venue's instant: `UNKNOWN` if it gives none, `_NOWHERE` if it is none that can be believed."""
    field = fields[sheet[plan.INSTANT]] if sheet[plan.INSTANT] >= 0 else -1
    if field < 0 and sheet[plan.INSTANT_ELSE] >= 0:
        field = fields[sheet[plan.INSTANT_ELSE]]
    if field < 0:
        return UNKNOWN
    unit = sheet[plan.INSTANT_UNIT]
    found: int = _NOWHERE
    if unit == 0:
        found = read_instant(frame, field & _LOW)
    elif field <= INT64_MAX // unit:
        found = field * unit
    return found if found >= 0 and abs(ts_recv - found) <= DAY_NS else _NOWHERE


@nb.njit()
def _follows(fields: Cells, sheet: Cells, book: Cells, row: Cells) -> bool:
    """Whether a change is the next of its book, and of its connection where that counts."""
    if sheet[plan.COUNT_FIELD] >= 0:
        known = row[rows.COUNT_LAST] != UNKNOWN and row[rows.COUNT_AGAIN] == 0
        if not known or fields[sheet[plan.COUNT_FIELD]] != row[rows.COUNT_LAST] + 1:
            return False
    rule, mine = sheet[plan.RULE], book[_RULE_AT + rows.LAST]
    good: bool = book[_RULE_AT + rows.JOINED] == 1
    if rule == plan.STEP:
        good = mine != UNKNOWN and fields[sheet[plan.LAST_FIELD]] == mine + 1
    elif rule == plan.SPLICED:
        first, last = fields[sheet[plan.FIRST_FIELD]], fields[sheet[plan.LAST_FIELD]]
        good = good and mine != UNKNOWN and first == mine + 1 and first <= last
    elif rule == plan.SUMMED:
        good = good and fields[sheet[plan.SUM_FIELD]] >= 0
    return good


_RULE_AT: int = rows.RULE.start
_RHYTHM_AT, _RHYTHM_END = rows.RHYTHM.start, rows.RHYTHM.stop
_ALL_AT, _ALL_END = rows.ALL_RHYTHM.start, rows.ALL_RHYTHM.stop
_DELAY_AT, _DELAY_END = rows.DELAY.start, rows.DELAY.stop
_SUM_AT, _SUM_END = rows.BOOK.start + books.SUM.start, rows.BOOK.start + books.SUM.stop
_FIELDS_AT, _FIELDS_END = plan.FIELDS.start, plan.FIELDS.stop


@nb.njit()
def _advance(fields: Cells, sheet: Cells, book: Cells, row: Cells, ts_event: int) -> None:
    """Move the rule and the connection's count on."""
    if sheet[plan.COUNT_FIELD] >= 0:
        row[rows.COUNT_LAST] = fields[sheet[plan.COUNT_FIELD]]
    if sheet[plan.RULE] == plan.SUMMED:
        for k, places in ((rows.SHIFT_PRICES, fields[-2]), (rows.SHIFT_SIZES, fields[-1])):
            shift = places - book[rows.PRICE_DECIMALS + k - rows.SHIFT_PRICES]
            sheet[plan.SHIFT_PRICES + k - rows.SHIFT_PRICES] = shift
            book[_RULE_AT + k] = max(book[_RULE_AT + k], shift)
    elif sheet[plan.LAST_FIELD] >= 0:
        book[_RULE_AT + rows.LAST] = fields[sheet[plan.LAST_FIELD]]
        book[_RULE_AT + rows.EVENT] = ts_event


@nb.njit()
def _change(
    levels: Cells, side: Cells, count: int, sign: int, depth: int, block: Block, at: int
) -> tuple[int, int, int]:
    """Put changes into a side, cut it, write both down from `at` on; the new count, untouched levels, and the end."""
    count, same = apply_levels(side, count, levels, sign)
    for k in range(levels.shape[0]):
        block[at, 0], block[at, 1] = levels[k, 0], levels[k, 1]
        at += 1
    if 0 <= depth < count:
        at += cut_side(side, count, depth, block[at:])
        same = min(same, depth)
        count = depth
    return count, same, at


@nb.njit()
def _verified(sheet: Cells, book: Cells, bids: Cells, asks: Cells, checksum: int) -> int:
    """Compare the venue's checksum with the book's, which is worked out from the first level that has changed."""
    prices, sizes = book[_RULE_AT + rows.SHIFT_PRICES], book[_RULE_AT + rows.SHIFT_SIZES]
    found = sum_digits(book[_SUM_AT:_SUM_END], asks, book[1], bids, book[0], sheet[plan.SUM_LEVELS], prices, sizes)
    sheet[plan.CHECKSUM] = checksum
    return plan.GOOD if found == checksum else plan.MISSED


@nb.njit()
def _into_book(levels: scan.Sides, fields: Cells, sheet: Cells, book: Cells, block: Block) -> bool:
    """Put the changes into the book and the answer; whether all is still as usual."""
    bids = table_at(book[books.BIDS_AT], 2, book[books.BIDS_ROOM])
    asks = table_at(book[books.ASKS_AT], 2, book[books.ASKS_ROOM])
    sheet[plan.BIDS_FROM] = at = sheet[plan.USED]
    book[0], same_bids, at = _change(levels[0, : fields[-4]], bids, book[0], 1, book[rows.DEPTH], block, at)
    sheet[plan.ASKS_FROM] = at
    book[1], same_asks, at = _change(levels[1, : fields[-3]], asks, book[1], -1, book[rows.DEPTH], block, at)
    sheet[plan.TO] = sheet[plan.USED] = at
    book[_SUM_AT + ASKS_KNOWN] = min(book[_SUM_AT + ASKS_KNOWN], same_asks)
    book[_SUM_AT + BIDS_KNOWN] = min(book[_SUM_AT + BIDS_KNOWN], same_bids)
    if sheet[plan.RULE] == plan.SUMMED:
        sheet[plan.PROOF] = _verified(sheet, book, bids, asks, fields[sheet[plan.SUM_FIELD]])
    else:
        sheet[plan.PROOF] = plan.UNCLAIMED
    crossed = book[0] > 0 and book[1] > 0 and bids[0, book[0] - 1] >= asks[0, book[1] - 1]
    return sheet[plan.PROOF] != plan.MISSED and not crossed


@nb.njit()
def _read(frame: bytes, words: scan.Words, keys: scan.Table, slots: Slots, sheet: Cells, levels: scan.Sides) -> int:
    """Read a frame and give the slot of its book, or `plan.NOT_MINE`: another shape, or a book that is not ready."""
    fields = sheet[_FIELDS_AT:_FIELDS_END]
    seen = scan_frame(frame, words, keys, DEFAULT_DECIMALS, DEFAULT_DECIMALS, levels, fields)
    if (
        seen < 0
        or seen & sheet[plan.REQUIRED] != sheet[plan.REQUIRED]
        or (sheet[plan.WHOLE] >= 0 and fields[sheet[plan.WHOLE]] != 0)
    ):
        return plan.NOT_MINE
    symbol = fields[sheet[plan.SYMBOL]]
    slot = slot_of(frame, symbol & _LOW, symbol >> 32, words, slots)
    if slots[slot, 1] == 0:
        return plan.NOT_MINE
    book = cells_at(slots[slot, 2], rows.BOOK_ROW)
    if book[rows.READY] == 0 or not _topical(frame, fields, sheet, words):
        return plan.NOT_MINE
    prices, sizes = book[rows.PRICE_DECIMALS], book[rows.SIZE_DECIMALS]
    usual = prices == DEFAULT_DECIMALS and sizes == DEFAULT_DECIMALS
    return slot if usual or scan_frame(frame, words, keys, prices, sizes, levels, fields) >= 0 else plan.NOT_MINE


@nb.njit()
def _fits(frame: bytes, sheet: Cells, book: Cells, row: Cells, ts_recv: int, now: int) -> bool:
    """Whether a change is the next, there is room for it in the book, and it is not late; its instant is noted."""
    fields = sheet[_FIELDS_AT:_FIELDS_END]
    sheet[plan.TS_EVENT] = ts_event = _instant(frame, fields, sheet, ts_recv)
    if ts_event == _NOWHERE or not _follows(fields, sheet, book, row):
        return False
    if book[0] + fields[-4] > book[books.BIDS_ROOM] or book[1] + fields[-3] > book[books.ASKS_ROOM]:
        return False
    return ts_event == UNKNOWN or lateness(row[_DELAY_AT:_DELAY_END], ts_event, ts_recv, now) <= LATE_NS


@nb.njit()
def _take(frame: bytes, plan_at: int, ts_recv: int, now: int) -> int:
    if len(frame) > plan.LONGEST:
        return plan.NOT_MINE
    sheet = cells_at(plan_at, plan.PLAN)
    words, keys = bytes_at(sheet[plan.WORDS_AT], sheet[plan.WORDS]), table_at(sheet[plan.KEYS_AT], sheet[plan.KEYS], 6)
    slots, row = table_at(sheet[plan.SLOTS_AT], sheet[plan.SLOTS], 4), cells_at(sheet[plan.ROW_AT], rows.CONNECTION_ROW)
    levels = table_at(sheet[plan.LEVELS_AT], 2 * sheet[plan.LEVELS], 2).reshape(2, sheet[plan.LEVELS], 2)
    block, fields = table_at(sheet[plan.BLOCK_AT], sheet[plan.BLOCK], 2), sheet[_FIELDS_AT:_FIELDS_END]
    slot = _read(frame, words, keys, slots, sheet, levels)
    if slot < 0:
        return plan.NOT_MINE
    if sheet[plan.USED] + 2 * (fields[-4] + fields[-3]) > block.shape[0]:
        return plan.NO_ROOM
    book = cells_at(slots[slot, 2], rows.BOOK_ROW)
    if not _fits(frame, sheet, book, row, ts_recv, now):
        return plan.NOT_MINE
    sheet[plan.BOOK] = slots[slot, 3]
    sheet[plan.FIRST] = fields[sheet[plan.FIRST_FIELD]] if sheet[plan.FIRST_FIELD] >= 0 else UNKNOWN
    sheet[plan.LAST] = fields[sheet[plan.LAST_FIELD]] if sheet[plan.LAST_FIELD] >= 0 else UNKNOWN
    _advance(fields, sheet, book, row, sheet[plan.TS_EVENT])
    if not _into_book(levels, fields, sheet, book, block):
        return plan.TAKEN_UNUSUAL
    beat(book[_RHYTHM_AT:_RHYTHM_END], now, 1)
    beat(row[_ALL_AT:_ALL_END], now, 1)
    row[rows.FRAME_AT] = row[rows.TOLD_AT] = now
    row[rows.WITHHELD_AT], row[rows.HEARD] = UNKNOWN, 1
    return plan.TAKEN


_FRAME = nb.types.Bytes(nb.uint8, 1, "C", readonly=True)


def _compiled(sources: int) -> Callable[[bytes, int, int, int], int]:
    """Give the lane; its cache goes stale with any of the `sources` that are compiled into it, not only this one.

    It is called with the address of its sheet alone: each array that is handed over costs more than a tenth of a call.
    """

    @nb.njit(nb.int64(_FRAME, nb.int64, nb.int64, nb.int64), cache=True)
    def take(frame: bytes, plan_at: int, ts_recv: int, now: int) -> int:
        if sources < 0:  # never; but so it is part of the cache's key
            return plan.NOT_MINE
        return _take(frame, plan_at, ts_recv, now)

    return take


def _digest() -> int:
    """Give a number that changes with the source of whatever is compiled into the lane."""
    modules = beats, delay, memory, plan, rows, books, instant, kernels, scan
    return zlib.crc32(b"".join(Path(str(one.__file__)).read_bytes() for one in modules))


take_frame = _compiled(_digest())
"""Take a frame, by the address of the sheet, or say why not: see the outcomes in `ingest.plan`."""


def warm() -> None:
    """Call the lane once, so that the first frame does not pay for loading it."""
    sheet = np.zeros(plan.PLAN, dtype=np.int64)
    take_frame(b"?", sheet.ctypes.data, 0, 0)
