"""Writes a book's levels to a Parquet file: to_parquet.py redis://127.0.0.1:6379/0 kraken:BTC-USDT 60 levels.parquet.

A row is the size at a price from then on, 0 for none, in whole units, exact; the decimals are in the file's metadata.
Where `whole` is true the row is part of a snapshot, before which the book is to be forgotten; a hole in `n`, or a new
epoch, costs the book until the next snapshot. Needs pyarrow.
"""

import asyncio
import sys
from contextlib import suppress

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from thalweg import read
from thalweg.events import Delta, Snapshot
from thalweg.fixed import Levels

NAMES = ("ts_recv", "epoch", "n", "whole", "side", "price", "size")  # side: 1 bids, -1 asks
SCHEMA = pa.schema([(name, pa.bool_() if name == "whole" else pa.int64()) for name in NAMES])
GROUP = 50_000  # rows that are kept before they are written


def rows_of(entry: read.Entry) -> Levels:
    """Give an entry's levels as rows of the schema."""
    event = entry.event
    if not isinstance(event, Delta | Snapshot):
        return np.empty((0, len(NAMES)), dtype=np.int64)
    head = event.ts_recv, entry.epoch, entry.n, isinstance(event, Snapshot)
    sides = ((1, event.bids), (-1, event.asks))
    return np.concatenate([np.c_[np.tile((*head, side), (len(levels), 1)), levels] for side, levels in sides])


async def main(url: str, name: str, seconds: float, path: str) -> None:
    """Write what comes in so many seconds, a group of rows at a time."""
    waiting: list[Levels] = []
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as file, suppress(TimeoutError):
        async with asyncio.timeout(seconds), read.follow(url, name) as book:
            try:
                async for event in book:
                    waiting += [rows_of(event)] if isinstance(event, read.Entry) else []
                    if sum(map(len, waiting)) >= GROUP:
                        flush(file, waiting)
            finally:
                flush(file, waiting)
                file.add_key_value_metadata({"decimals": "{} {}".format(*book.decimals)})


def flush(file: pq.ParquetWriter, waiting: list[Levels]) -> None:
    """Write the rows that wait."""
    columns = np.concatenate(waiting).T if waiting else ()
    arrays = [pa.array(column).cast(field.type) for column, field in zip(columns, SCHEMA, strict=False)]
    if arrays:
        file.write_table(pa.table(arrays, schema=SCHEMA))
    waiting.clear()


asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4]))
