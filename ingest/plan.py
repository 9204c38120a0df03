"""The express lane's plan: where in a frame's fields things are, and the cells in which its answer is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ingest.rows import Cells
from thalweg.scan import TEXT

if TYPE_CHECKING:
    from ingest.scanning import Express

# The answer; and what only those ask who look at a change that is not as usual.
BOOK, FIRST, LAST, TS_EVENT, BIDS_FROM, ASKS_FROM, TO, PROOF, SHIFT_PRICES, SHIFT_SIZES, CHECKSUM = range(11)
ANSWER, _ALL = PROOF + 1, CHECKSUM + 1
# Where in the fields of a frame things are, -1 for what it does not have, and what must be so.
(SYMBOL, WHOLE, FIRST_FIELD, LAST_FIELD, COUNT_FIELD, SUM_FIELD, TOPIC, INSTANT, INSTANT_ELSE) = range(_ALL, 20)
TOPIC_AT, TOPIC_END, INSTANT_UNIT, REQUIRED, RULE, SUM_LEVELS, USED = range(20, 27)
# USED says how much of the block is. Then where the lane's other arrays are in memory, and how long where that
# varies: symbols' texts, the template's keys, slots, the connection's row, room for levels, the block.
WORDS_AT, WORDS, KEYS_AT, KEYS, SLOTS_AT, SLOTS, ROW_AT, LEVELS_AT, LEVELS, BLOCK_AT, BLOCK = range(27, 38)
# Then come the fields as the scanner leaves them.
FIELDS = slice(38, 38 + 32)
PLAN = FIELDS.stop

LONGEST = 16 * 1024  # bytes of a frame; longer ones are whole books

# The continuity rules, and what a checksum proves.
STEP, SPLICED, SUMMED, UNCHECKED = range(4)
MISSED, GOOD, UNCLAIMED = range(3)
# What became of a frame: left alone; left alone as the block has no room for its levels; taken; taken into the book,
# which now misses its checksum or is crossed, and so is left to the general way to judge.
NOT_MINE, NO_ROOM, TAKEN, TAKEN_UNUSUAL = -1, -2, 0, 1


def lay_out(shape: Express, texts: int) -> Cells:
    """Lay out where things are in a frame's fields; the topic's text is the last of the `texts`."""
    sheet, template = np.zeros(PLAN, dtype=np.int64), shape.template

    def place(key: str | None) -> int:
        return -1 if key is None else template.place(key)

    topic, beginning = shape.topic or (None, "")
    instant, other = (*shape.instants, None)[:2]
    sheet[SYMBOL], sheet[REQUIRED] = template.symbol, template.required
    sheet[WHOLE] = -1 if template.whole is None else template.whole
    sheet[FIRST_FIELD], sheet[LAST_FIELD] = place(shape.first), place(shape.last)
    sheet[COUNT_FIELD], sheet[SUM_FIELD] = place(shape.count), place(shape.checksum)
    sheet[SUM_LEVELS] = shape.checked
    sheet[TOPIC], sheet[TOPIC_AT], sheet[TOPIC_END] = place(topic), texts - len(beginning), texts
    sheet[INSTANT], sheet[INSTANT_ELSE] = place(instant), place(other)
    sheet[INSTANT_UNIT] = 0 if instant and template.kind(instant) == TEXT else shape.instant_ns
    return sheet
