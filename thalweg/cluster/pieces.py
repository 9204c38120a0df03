"""Commands of one link as a Cluster takes them: split by slots, framed, and their replies taken apart again. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from thalweg.cluster.routing import Node, routed
from thalweg.resp import Reply, pack

MULTI, EXEC, ASKING = pack("MULTI"), pack("EXEC"), pack("ASKING")


@dataclass(slots=True)
class Piece:
    """Commands that go together, and the places of their replies; `slot` is `None` where any node will do.

    `whole` are done all or none. `asked` is the node to which keys are on the way, for the next time alone.
    """

    slot: int | None
    whole: bool = False
    commands: list[bytes] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    asked: Node | None = None

    def packed(self) -> list[bytes]:
        """Give what is written; each gets one reply."""
        framed = [MULTI, *self.commands, EXEC] if self.whole else self.commands
        if self.asked is None:
            return framed
        if self.whole:  # asked for once, it stays so until the end of a transaction
            return [ASKING, *framed]
        return [part for command in framed for part in (ASKING, command)]

    def unpacked(self, replies: Sequence[Reply]) -> list[Reply]:
        """Give the replies to the commands alone; where all were refused, each has the first refusal."""
        if not self.whole:
            return list(replies if self.asked is None else replies[1::2])
        done = replies[-1]
        if not isinstance(done, Exception):
            return list(done)
        return [next(one for one in replies if isinstance(one, Exception))] * len(self.commands)


def split(commands: Sequence[bytes], *, whole: bool) -> list[Piece]:
    """Give commands as pieces: one each, or with `whole` one for each slot, in their order."""
    pieces: list[Piece] = []
    by_slot: dict[int, Piece] = {}
    for place, command in enumerate(commands):
        packed, slot = routed(command)
        piece = by_slot.get(slot) if whole and slot is not None else None
        if piece is None:
            pieces.append(piece := Piece(slot, whole and slot is not None))
            if slot is not None:
                by_slot[slot] = piece
        piece.commands.append(packed)
        piece.places.append(place)
    return pieces
