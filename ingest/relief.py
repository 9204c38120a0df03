"""What is done when the server's memory is full: tell readers in the status hashes, and cut the streams step by step.

Both work when nothing can be appended. A step takes what older epochs left, then a tenth of what there is, and never
the newest snapshot that late readers start at.
"""

from __future__ import annotations

from collections.abc import Sequence

from thalweg import keys
from thalweg.errors import WireError
from thalweg.events import State
from thalweg.resp import pack
from thalweg.transport import RedisLink, Reply
from thalweg.wire import format_id, parse_id

Position = tuple[int, int]
REASON = "redis full"
STEP = 10  # a step cuts one part of so many


async def relieve(link: RedisLink, venue: str, instruments: Sequence[str], epoch: int, since: int) -> None:
    """Do a step; `epoch` is the last that was begun, 0 for none, `since` the wall instant.

    Raises:
        RedisTrouble: the server does not answer.
    """
    replies = await link.run(_questions(venue, instruments))
    await link.run(_tellings(venue, instruments, epoch, since) + cuts(venue, instruments, replies))


def _questions(venue: str, instruments: Sequence[str]) -> list[bytes]:
    """Give the commands whose replies `cuts` needs."""
    asked = []
    for name in instruments:
        asked += [pack("XINFO", "STREAM", keys.stream(name, venue)), pack("HGET", keys.status(name, venue), "snap_id")]
    return asked


def cuts(venue: str, instruments: Sequence[str], replies: Sequence[Reply]) -> list[bytes]:
    """Give the commands of one step; none for a stream that is not there or has nothing to spare."""
    commands = []
    for name, info, joins in zip(instruments, replies[::2], replies[1::2], strict=True):
        if isinstance(info, Exception):
            continue
        told = dict(zip(info[::2], info[1::2], strict=True))
        ends = told.get(b"first-entry"), told.get(b"last-entry")
        if not ends[0] or not ends[1]:
            continue
        keep = step(parse_id(ends[0][0]), parse_id(ends[1][0]), _position(joins))
        if keep is not None:
            commands.append(pack("XTRIM", keys.stream(name, venue), "MINID", "~", format_id(*keep)))
    return commands


def step(first: Position, last: Position, snapshot: Position | None) -> Position | None:
    """Give the position up to which a stream from `first` to `last` is cut; `None` if there is nothing to cut."""
    keep = (last[0], first[1] + (last[1] - first[1]) // STEP) if first[0] == last[0] else (last[0], 0)
    keep = keep if snapshot is None else min(keep, snapshot)
    return keep if keep > first else None


def _tellings(venue: str, instruments: Sequence[str], epoch: int, since: int) -> list[bytes]:
    """Give the commands that say it in the status hashes."""
    fields: list[str | int] = ["state", State.STALE, "reason", REASON, "since", since]
    told = instruments if epoch else ()
    return [pack("FCALL", "thalweg_status", 1, keys.status(name, venue), epoch, *fields) for name in told]


def _position(text: Reply) -> Position | None:
    """Read where late readers start, if it is said."""
    try:
        return parse_id(text) if isinstance(text, bytes) else None
    except WireError:
        return None
