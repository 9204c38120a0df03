"""The express lane: changes of a book that is as usual, from a frame's bytes to their event, with little in between.

The compiled half (`ingest.express`) takes the frame or leaves it alone; what it takes is in the book, its sequence and
its rhythm, and only the event is left to be made. The general way (`ingest.session`) has all other frames, and is what
the lane is tested against: the same frames give the same events, counts and books on both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ingest import plan
from ingest.beats import UNKNOWN
from ingest.effects import Effects
from ingest.express import find_slot, take_frame
from ingest.plan import GOOD, LONGEST, NO_ROOM, TAKEN_UNUSUAL, lay_out
from ingest.rows import Cells
from ingest.sequence import Spliced, Step, Summed, Unchecked
from ingest.tally import Tally
from ingest.venue import BookUpdate
from thalweg.events import Delta
from thalweg.fixed import NO_LEVELS, Levels
from thalweg.scan import LEAST_LEVEL

if TYPE_CHECKING:
    from ingest.scanning import Express
    from ingest.track import Track
    from ingest.venue import Venue

LEVELS = LONGEST // LEAST_LEVEL + 1
BLOCK = 4 * LEVELS  # levels; events hold slices of a block until it is used up, then the next is begun
RULES = {Step: plan.STEP, Spliced: plan.SPLICED, Summed: plan.SUMMED, Unchecked: plan.UNCHECKED}
_FREE_SLOTS = 4  # so many for each symbol at least, for short walks


class Lane:
    """The lane of one connection.

    Args:
        venue: whose frames they are.
        shape: what its frames look like.
        row: the connection's cells.
        tally: counters.
        unusual: takes what is in the book and yet has to be looked at: a missed checksum, a crossed book.
    """

    __slots__ = (
        *("_answer", "_block", "_effects", "_keys", "_levels", "_place", "_row", "_sheet", "_slots", "_tally"),
        *("_tracks", "_unusual", "_used", "_venue", "_words"),
    )

    def __init__(
        self,
        venue: Venue,
        shape: Express,
        row: Cells,
        tally: Tally,
        unusual: Callable[[Track, BookUpdate, int, int], Effects],
    ) -> None:
        """Know no book yet."""
        self._venue, self._row, self._tally, self._unusual = venue.name, row, tally, unusual
        texts = shape.template.words.tobytes() + (shape.topic[1] if shape.topic else "").encode()
        self._words, self._used = np.frombuffer(texts, dtype=np.uint8).copy(), len(texts)
        self._keys, self._sheet = shape.template.table, lay_out(shape, len(texts))
        self._answer, self._place = self._sheet[: plan.ANSWER], self._sheet.ctypes.data
        self._levels = np.empty((2, LEVELS, 2), dtype=np.int64)
        self._tracks: list[Track] = []
        self._slots = np.zeros((_FREE_SLOTS, 4), dtype=np.int64)
        self._effects = Effects(moved=True)
        self._sheet[plan.ROW_AT] = row.ctypes.data
        self._begin_block()

    def _begin_block(self) -> None:
        self._block = np.empty((BLOCK, 2), dtype=np.int64)
        self._sheet[plan.USED] = 0
        self._point()

    def _point(self) -> None:
        """Tell the compiled half where the arrays are, after any of them was made anew."""
        sheet = self._sheet
        sheet[plan.WORDS_AT : plan.KEYS_AT] = self._words.ctypes.data, len(self._words)
        sheet[plan.KEYS_AT : plan.SLOTS_AT] = self._keys.ctypes.data, len(self._keys)
        sheet[plan.SLOTS_AT : plan.ROW_AT] = self._slots.ctypes.data, len(self._slots)
        sheet[plan.LEVELS_AT : plan.BLOCK_AT] = self._levels.ctypes.data, LEVELS
        sheet[plan.BLOCK_AT : plan.BLOCK + 1] = self._block.ctypes.data, BLOCK

    def add(self, track: Track) -> None:
        """Have a book more; its continuity rule is of the kind that all books of the venue have."""
        name = track.symbol.encode()
        if self._used + len(name) > len(self._words):
            self._words = np.concatenate((self._words[: self._used], np.zeros(self._used + len(name), dtype=np.uint8)))
        start, self._used = self._used, self._used + len(name)
        self._words[start : self._used] = np.frombuffer(name, dtype=np.uint8)
        self._sheet[plan.RULE] = RULES[type(track.rule)]
        self._tracks.append(track)
        if len(self._tracks) * _FREE_SLOTS > len(self._slots):
            filled = self._slots[self._slots[:, 1] > 0]
            self._slots = np.zeros((len(self._slots) * 2, 4), dtype=np.int64)
            for entry in filled:
                self._enter(entry)
        self._enter(np.array((start, self._used, track.row.ctypes.data, len(self._tracks) - 1), dtype=np.int64))
        self._point()

    def _enter(self, entry: Cells) -> None:
        """Put a symbol into the table."""
        start, end = entry[:2].tolist()
        self._slots[find_slot(self._words[:end].tobytes(), start, end, self._words, self._slots)] = entry

    def take(self, data: bytes, ts_recv: int, now: int) -> Effects | None:
        """Take a frame, if it is one for this lane; what is given is good until the next call."""
        found = take_frame(data, self._place, ts_recv, now)
        if found < 0:
            if found != NO_ROOM:
                return None
            self._begin_block()
            return self.take(data, ts_recv, now)
        answer = self._answer.tolist()
        number, first, last, ts_event, start, middle, end, proof = answer
        track, block = self._tracks[number], self._block
        bids = block[start:middle] if start < middle else NO_LEVELS
        asks = block[middle:end] if middle < end else NO_LEVELS
        first = first if first != UNKNOWN else None
        last = last if last != UNKNOWN else None
        ts_event = ts_event if ts_event != UNKNOWN else None
        if found == TAKEN_UNUSUAL:
            return self._look(track, bids, asks, (first, last, ts_event), ts_recv, now)
        track.position = first, last, ts_event
        tally, effects = self._tally, self._effects
        tally.frames += 1
        tally.decoded += 1
        tally.deltas += 1
        if proof == GOOD:
            tally.checksums_ok += 1
        effects.events = [Delta(self._venue, track.name, bids, asks, first, last, ts_event, ts_recv)]
        return effects

    def _look(
        self,
        track: Track,
        bids: Levels,
        asks: Levels,
        position: tuple[int | None, int | None, int | None],
        ts_recv: int,
        now: int,
    ) -> Effects:
        """Have what is in the book looked at."""
        proof, prices, sizes, found = self._sheet[plan.PROOF : plan.CHECKSUM + 1].tolist()
        checksum, shift = found if proof != plan.UNCLAIMED else None, (prices, sizes)
        update = BookUpdate(track.symbol, False, bids, asks, *position, checksum, shift)
        return self._unusual(track, update, ts_recv, now)
