"""The independent witness: what Redis itself says has been appended, asked of the server and of nobody else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import orjson

from thalweg import keys
from thalweg.cursor import Position
from thalweg.resp import pack
from thalweg.transport import RedisLink, Reply, checked
from thalweg.wire import format_id, parse_id

FRAME_HOPS = ("engine", "engine_snapshot")  # one sample each a frame of books or trades


@dataclass(slots=True)
class Appended:
    """What the server knows of the input streams; keys are (instrument, venue)."""

    added: dict[tuple[str, str], int] = field(default_factory=dict)
    tops: dict[tuple[str, str], Position] = field(default_factory=dict)


async def look(link: RedisLink, streams: Sequence[tuple[str, str]]) -> Appended:
    """Ask for entries ever added and the newest ID of each stream; none for one that is not there.

    Raises:
        RedisTrouble: the server does not answer.
    """
    seen = Appended()
    replies = await link.run([pack("XINFO", "STREAM", keys.stream(*stream)) for stream in streams])
    for stream, reply in zip(streams, replies, strict=True):
        told = {} if isinstance(reply, Exception) else dict(zip(reply[::2], reply[1::2], strict=True))
        seen.added[stream] = told.get(b"entries-added", 0)
        seen.tops[stream] = parse_id(told.get(b"last-generated-id", b"0-0"))
    return seen


async def sum_of_numbers(link: RedisLink, streams: Sequence[tuple[str, str]], since: Appended) -> int:
    """Sum the last n of every epoch that began after `since`, going back epoch by epoch in each stream.

    Raises:
        RedisTrouble: the server does not answer.
    """
    total = 0
    for stream in streams:
        below = b"+"
        while newest := checked(await link.call("XREVRANGE", keys.stream(*stream), below, "-", "COUNT", 1)):
            epoch, n = parse_id(newest[0][0])
            if epoch <= since.tops[stream][0]:
                break
            total += n
            below = b"(" + format_id(epoch, 0)
    return total


async def out_heads(link: RedisLink, instruments: Iterable[str]) -> dict[str, Position]:
    """Give epoch and sequence of the newest record of each `out:` stream that is there.

    Raises:
        RedisTrouble: the server does not answer.
    """
    names = list(instruments)
    asked = [pack("XREVRANGE", keys.out(name), "+", "-", "COUNT", 1) for name in names]
    replies = zip(names, await link.run(asked), strict=True)
    return {name: parse_id(found[0][0]) for name, reply in replies if (found := checked(reply))}


async def frames_read(link: RedisLink, venues: Sequence[str]) -> int:
    """Give how many frames of books and trades the ingest workers have decoded, as they last published it.

    Raises:
        RedisTrouble: the server does not answer.
    """
    replies = await link.run([pack("GET", keys.latency(f"ingest:{venue}")) for venue in venues])
    return sum(_samples(checked(reply)) for reply in replies)


def _samples(reply: Reply) -> int:
    hops = orjson.loads(reply)["hops"] if reply else {}
    return sum(hops[hop]["count"] for hop in FRAME_HOPS if hop in hops)
