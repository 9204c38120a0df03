"""The offline checks of what is kept beside the streams: epoch counters, and the aggregator's checkpoints. Pure.

| kept | must |
|---|---|
| the epoch counter of a shard | not be behind the epoch of any stream of the shard: the next writer would be refused |
| the checkpoint of an instrument | stand at or before the newest publication, at just the entries published by then |

A counter or checkpoint that is not there is no violation: the server may have lost it, and writers do without.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import orjson

from thalweg.cli.checks import Raw
from thalweg.cursor import Position
from thalweg.errors import WireError
from thalweg.publication import decode_publication


def check_counter(key: str, counter: bytes | None, tops: Mapping[str, Position]) -> list[str]:
    """Compare a shard's epoch counter with the newest entries of its streams."""
    if counter is None:
        return []
    if not counter.isdigit():
        return [f"{key} is {counter[:40]!r}, not an epoch"]
    ahead = [(name, epoch) for name, (epoch, _) in tops.items() if epoch > int(counter)]
    return [f"{key} is {int(counter)}, but {name} is in epoch {epoch} already" for name, epoch in ahead]


def check_checkpoint(key: str, text: bytes | None, records: Sequence[Raw]) -> list[str]:
    """Compare a checkpoint with the publications up to it, as far as they are kept."""
    if text is None or not records:
        return []
    try:
        kept = orjson.loads(text)
        seq, cursors = int(kept["seq"]), {name: (int(at[0]), int(at[1])) for name, at in kept["cursors"].items()}
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        return [f"{key} can't be read: {error!r}"]
    newest = records[-1][0][1]
    if seq > newest:
        return [f"{key} stands at {seq}, but the newest publication is {newest}"]
    published = _published(records, seq)
    return [
        f"{key} says that {name} is published up to {_id(cursors.get(name))}, but up to {seq} it is {_id(at)}"
        for name, at in published.items()
        if cursors.get(name) != at
    ]


def _published(records: Sequence[Raw], until: int) -> dict[str, Position]:
    """Give by venue the last entry that the publications up to a sequence have taken in."""
    covered: dict[str, Position] = {}
    for (_, seq), flat in records:
        if seq > until:
            break
        try:
            one = decode_publication(flat[1])
        except (WireError, IndexError):
            continue  # told by the check of the publications
        covered |= {one.venues[index].name: (epoch, last) for index, epoch, _, last in one.runs.tolist()}
    return covered


def _id(at: Position | None) -> str:
    return "nothing" if at is None else f"{at[0]}-{at[1]}"
