"""What is read from several slots of a Cluster at once: who shares a connection, and all that comes as one.

No command can wait for streams in several slots, and a master that is away must keep no news of the others from us. So
each instrument, whose streams share a slot, is read by a connection of its own, up to `MOST_APART`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from typing import TypeVar

from thalweg.address import Form, parse_address
from thalweg.instruments import shard_of

MOST_APART = 32  # links of one reader, each with one connection or two; of more instruments, a shard's share one

Told = TypeVar("Told")


def together(url: str, instruments: Iterable[str]) -> list[tuple[str, ...]]:
    """Give the instruments that one link reads, for each link; on one server that is all of them.

    Raises:
        SettingsError: the URL is not one.
    """
    every = tuple(dict.fromkeys(instruments))
    if parse_address(url).form is not Form.CLUSTER:
        return [every]
    if len(every) <= MOST_APART:
        return [(one,) for one in every]
    shards = sorted({shard_of(one) for one in every})
    return [tuple(one for one in every if shard_of(one) == shard) for shard in shards]


async def merged(sources: Sequence[AsyncGenerator[Told, None]]) -> AsyncGenerator[Told, None]:
    """Give what each source gives, in the order in which it comes; closing this closes them.

    Sources do not end. One is asked for its next only when its last was dealt with, so at most one of each waits here.
    """
    if len(sources) == 1:
        async with aclosing(sources[0]) as only:
            async for told in only:
                yield told
        return
    came = asyncio.Queue[asyncio.Task[Told]](len(sources))
    asked = dict[asyncio.Task[Told], AsyncGenerator[Told, None]]()

    def ask(source: AsyncGenerator[Told, None]) -> None:
        task = asyncio.create_task(_next(source))
        asked[task] = source
        task.add_done_callback(came.put_nowait)

    try:
        for source in sources:
            ask(source)
        while True:
            task = await came.get()
            source = asked.pop(task)
            yield task.result()
            ask(source)
    finally:
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        for source in sources:
            await source.aclose()


async def _next(source: AsyncGenerator[Told, None]) -> Told:
    return await anext(source)
