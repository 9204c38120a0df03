"""Which node of a Cluster a command goes to: the key in its packed bytes, the key's slot, the slot's master. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from thalweg.keys import SLOTS, slot
from thalweg.resp import pack_words

Node: TypeAlias = tuple[str, int]
"""Host and port of a master."""

KEYLESS = frozenset(
    {
        b"PING",
        b"TIME",
        b"INFO",
        b"FUNCTION",
        b"CLUSTER",
        b"CONFIG",
        b"CLIENT",
        b"ECHO",
        b"DBSIZE",
        b"PUBLISH",
        b"SUBSCRIBE",
    }
)
SECOND = frozenset({b"XINFO"})  # commands whose key comes after a subcommand
LAST_WORD = 9  # parts between line ends up to the fourth word: a count, then a length and a word each


def tagged(channel: bytes) -> bool:
    """Whether a channel is sharded in a Cluster: it has a tag, so it is in the slot of the keys with that tag."""
    return b"{" in channel


def routed(command: bytes) -> tuple[bytes, int | None]:
    """Give a packed command as a Cluster wants it, and its slot; `None` where any node will do.

    Publishing to a channel with a tag is sharded; to one without, every node passes it on to all.
    """
    parts = command.split(b"\r\n", LAST_WORD)
    name, first = parts[2].upper(), parts[4] if len(parts) > 5 else b""
    if name == b"PUBLISH" and tagged(first):
        return command.replace(b"$7\r\nPUBLISH", b"$8\r\nSPUBLISH", 1), slot(first)
    if name in KEYLESS:
        return command, None
    if name == b"FCALL":
        return command, slot(parts[8])
    if name == b"XREAD":
        return command, slot(command.partition(b"\r\nSTREAMS\r\n")[2].split(b"\r\n", 2)[1])
    return command, slot(parts[6] if name in SECOND else first)


def subscriptions(channels: Iterable[bytes]) -> list[bytes]:
    """Give the commands that subscribe to channels, one each: those in different slots can't share one."""
    return [pack_words((b"SSUBSCRIBE" if tagged(one) else b"SUBSCRIBE", one)) for one in channels]


@dataclass(slots=True)
class SlotMap:
    """The masters by slots: ranges as a node told them, and single slots that were told since."""

    firsts: list[int] = field(default_factory=list)
    lasts: list[int] = field(default_factory=list)
    masters: list[Node] = field(default_factory=list)
    moved: dict[int, Node] = field(default_factory=dict)

    def owner(self, number: int) -> Node | None:
        """Give the master of a slot; `None` if nobody has it."""
        if number in self.moved:
            return self.moved[number]
        at = bisect_right(self.firsts, number) - 1
        return self.masters[at] if at >= 0 and number <= self.lasts[at] else None

    @property
    def nodes(self) -> list[Node]:
        """All masters that have slots, in the order of their first."""
        return list(dict.fromkeys([*self.masters, *self.moved.values()]))

    @property
    def missing(self) -> int:
        """How many slots nobody has."""
        return SLOTS - sum(last - first + 1 for first, last in zip(self.firsts, self.lasts, strict=True))


def slot_map(reply: Sequence[Any], host: str) -> SlotMap:
    """Read the answer to CLUSTER SLOTS by the node at `host`, which may leave out its own name."""
    rows = sorted((first, last, (_text(master[0]) or host, master[1])) for first, last, master, *_ in reply)
    return SlotMap([row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows])


def _text(name: bytes | None) -> str:
    return "" if name in (None, b"?") else bytes(name).decode()
