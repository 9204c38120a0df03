"""What a shard's streams hold, asked of the server behind the fence of a new epoch: their ends, and what landed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ingest.numbering import Placed
from thalweg import keys
from thalweg.errors import WireError
from thalweg.events import Delta, Event, Open, Snapshot, State, Status, Trade
from thalweg.resp import pack
from thalweg.transport import RedisLink, checked
from thalweg.wire import decode_entry, parse_id

WARM = 128  # entries of a stream's end: to find where its book and its trades stand
COLD = 1024  # and to know the trades that a venue tells again to who connects

Position = tuple[int, int]
"""Epoch and number of an entry."""


@dataclass(slots=True)
class Tail:
    """What a stream ends with.

    `position` is its last entry, `live` whether a reader that has read it has a book to trust, `sequence` the venue's
    sequence of that book; `trades` are the last ones, oldest first; `since` is when the oldest entry read came.
    """

    position: Position | None = None
    live: bool = False
    sequence: int | None = None
    trades: list[Trade] = field(default_factory=list)
    since: int | None = None


def tail_of(venue: str, instrument: str, found: Iterable[tuple[bytes, list[bytes]]]) -> Tail:
    """Say what a stream ends with, from its entries as the server gives them, newest first.

    An entry that is not in our layout ends what can be said.
    """
    tail, judged, placed = Tail(), False, False
    newer: Event | None = None
    for at, flat in found:
        tail.position = tail.position or parse_id(at)
        try:
            event = decode_entry(venue, instrument, dict(zip(flat[::2], flat[1::2], strict=True)))[0]
        except WireError:
            break
        tail.since = event.ts_recv
        if isinstance(event, Trade):
            tail.trades.append(event)
        elif isinstance(event, Snapshot | Status) and not judged:
            tail.live, judged = event.state is State.LIVE, True
        if isinstance(event, Delta | Snapshot) and not placed:
            tail.live, judged = tail.live or not judged, True  # deltas are only written of a live book
            tail.sequence, placed = event.last, True
        elif isinstance(event, Open) and not placed and not (isinstance(newer, Status) and newer.follows):
            tail.live, judged, placed = False, True, True  # the book was lost here, and not given since
        newer = event
    tail.live = tail.live and placed
    tail.trades.reverse()
    return tail


async def read_tails(
    link: RedisLink, venue: str, instruments: Sequence[str], epoch: int, count: int
) -> dict[str, Tail]:
    """Read what the streams end with before an epoch, `count` entries at most.

    Where the server does not know of a snapshot it has lost it, with all else: no book goes on from what was written
    since, or who comes late would have none.

    Raises:
        RedisTrouble: the server does not answer, or refuses.
    """
    asked = [pack("XREVRANGE", keys.stream(name, venue), f"({epoch}-1", "-", "COUNT", count) for name in instruments]
    asked += [pack("HGET", keys.status(name, venue), "snap_id") for name in instruments]
    replies = [checked(reply) for reply in await link.run(asked)]
    tails = {}
    for name, found, joinable in zip(instruments, replies[: len(asked) // 2], replies[len(asked) // 2 :], strict=True):
        tails[name] = tail = tail_of(venue, name, found)
        tail.live = tail.live and joinable is not None
        if len(found) < count:  # this is all there is: what is not in it was never written
            tail.since = None
    return tails


async def highest_epoch(link: RedisLink, venue: str, instruments: Sequence[str]) -> int:
    """Give the highest epoch that any of the streams has seen.

    Raises:
        RedisTrouble: the server does not answer.
    """
    replies = await link.run([pack("XINFO", "STREAM", keys.stream(name, venue)) for name in instruments])
    found = [dict(zip(one[::2], one[1::2], strict=True)) for one in replies if not isinstance(one, Exception)]
    return max((parse_id(info[b"last-generated-id"])[0] for info in found), default=0)


async def not_landed(link: RedisLink, venue: str, flight: Sequence[tuple[int, Placed]]) -> list[Event]:
    """Give those of the appends in flight, with their epochs, that the server has not taken.

    Raises:
        RedisTrouble: the server does not answer, or refuses.
    """
    top = dict[tuple[int, str], int]()
    for epoch, name in {(epoch, placed.event.instrument) for epoch, placed in flight}:
        found = await link.call("XREVRANGE", keys.stream(name, venue), epoch, epoch, "COUNT", 1)
        top[epoch, name] = parse_id(found[0][0])[1] if found else 0
    return [placed.event for epoch, placed in flight if placed.n > top[epoch, placed.event.instrument]]
