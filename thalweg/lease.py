"""Who owns which shard: every worker of a group decides it by itself from what its beats show, and all agree.

A group is a venue's ingest workers or the aggregators; its shards are fixed. Each worker beats every `BEAT_S`, which
shows it the live workers and the owner of every lease, and renews the leases it holds. Workers are ranked for a shard
by rendezvous hashing, so that one that comes or goes moves only its own share:

| the lease is | then |
|---|---|
| mine | I own the shard, until I am fenced |
| free, or of one that leaves | the best rank takes it at once, the next after two beats; each later if it is cold |
| another live worker's, and I am the best rank | I stand by; once warm, and all were the same for 2 s, I take it |
| another live worker's, and I am the best of the others | I stand by |
| else | I am idle in this shard |

The lease only saves work: what keeps two owners from writing is the epoch, which every `acquire` raises and the
server checks with every append. So a shard is moved by taking it; its old owner is fenced and needs no word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from hashlib import blake2b
from typing import Any

from thalweg import keys
from thalweg.resp import pack

BEAT_S = 0.4  # so a worker that leaves is noticed within half a second
BEAT_TIMEOUT_S = 1.0  # for its answers: a master that hangs must not keep us from renewing at the others
TTL_S = 3.0  # a worker that is silent for so long is taken for dead
TRUST_S = 2.5  # an owner whose last good beat is older no longer counts on its leases
_SECOND = 1_000_000_000
STABLE_NS = 2 * _SECOND  # live shards move only when nobody came or went for so long
PATIENCE_NS = int(2 * BEAT_S * _SECOND)  # for a better rank to take what is free
COLD_NS = int(3 * BEAT_S * _SECOND)  # and for one that is warm: a worker that was just started again would begin anew


@dataclass(frozen=True, slots=True)
class View:
    """What one beat showed: the live workers, and by shard the owner of its lease (`None` if it is free)."""

    members: frozenset[str]
    owners: Mapping[int, str | None]


def beats(group: str, shards: Iterable[int], me: str, *, leaving: bool) -> list[bytes]:
    """Give the commands, one a shard, that keep our place in a group, or leave it, and renew the leases we hold."""
    told = me, int(TTL_S * 1000), int(leaving)
    names = [(keys.workers(group, shard), keys.lease(group, shard)) for shard in shards]
    return [pack("FCALL", "thalweg_beat", 2, *both, *told) for both in names]


def view_of(replies: Mapping[int, Sequence[Any]]) -> View:
    """Read the answers to a beat by shard; those of a shard whose server does not answer are not there."""
    members = frozenset(one.decode() for reply in replies.values() for one in reply[0])
    return View(members, {shard: reply[1][0].decode() or None for shard, reply in replies.items()})


class Role(Enum):
    """What a worker is to a shard."""

    OWNER = auto()
    """Feeds it and writes; acquires the lease first if it does not have it."""
    STANDBY = auto()
    """Keeps warm to take it over, and writes nothing."""
    IDLE = auto()
    """Has nothing to do with it."""


@dataclass(frozen=True, slots=True)
class Duty:
    """A role, and whom a shard may be taken from if it has to be acquired ("" for nobody)."""

    role: Role
    expected: str = ""


def rank(group: str, shard: int, members: frozenset[str]) -> list[str]:
    """Give the workers in the order of their claim to a shard, best first."""

    def weight(member: str) -> bytes:
        return blake2b(f"{group}/{shard}/{member}".encode(), digest_size=8).digest()

    return sorted(members, key=weight)


class Steward:
    """One worker's view of its group over time; instants are monotonic nanoseconds."""

    def __init__(self, me: str, group: str) -> None:
        """Know nothing yet."""
        self.me = me
        self._group = group
        self._members: frozenset[str] = frozenset()
        self._same_since = 0
        self._free_since: dict[int, int] = {}
        self._seen_at: int | None = None

    def trusts(self, now: int) -> bool:
        """Whether the last good beat is so recent that the leases it renewed are surely still held."""
        return self._seen_at is not None and now - self._seen_at < int(TRUST_S * _SECOND)

    @property
    def alone(self) -> bool:
        """Whether nobody else could take over what this worker leaves."""
        return not self._members - {self.me}

    def look(self, view: View, sent_at: int, warm: Callable[[int], bool]) -> dict[int, Duty]:
        """Give this worker's duty after a beat, in every shard that it showed.

        Args:
            view: what the beat showed.
            sent_at: when it was sent; leases last from then at least.
            warm: whether this worker could go on with a shard without a break.
        """
        if view.members != self._members:
            self._members, self._same_since = view.members, sent_at
        self._seen_at = sent_at
        duties, moved = dict[int, Duty](), False
        for shard, owner in view.owners.items():
            duty = self._duty(shard, owner, sent_at, warm)
            moving = duty.role is Role.OWNER and duty.expected in view.members
            if moving and moved:  # one a beat, so that a worker that joins does not start all at once
                duty = Duty(Role.STANDBY)
            moved = moved or moving
            duties[shard] = duty
        return duties

    def _duty(self, shard: int, owner: str | None, now: int, warm: Callable[[int], bool]) -> Duty:
        if owner == self.me:
            self._free_since.pop(shard, None)
            return Duty(Role.OWNER)
        if self.me not in self._members:
            return Duty(Role.IDLE)
        ranked = rank(self._group, shard, self._members)
        if owner is None or owner not in self._members:
            return self._claim(shard, owner, ranked.index(self.me), now, warm=warm(shard))
        self._free_since.pop(shard, None)
        others = [one for one in ranked if one != owner]
        if others[0] != self.me:
            return Duty(Role.IDLE)
        if ranked[0] == self.me and now - self._same_since >= STABLE_NS and warm(shard):
            return Duty(Role.OWNER, owner)
        return Duty(Role.STANDBY)

    def _claim(self, shard: int, owner: str | None, place: int, now: int, *, warm: bool) -> Duty:
        """Take what nobody keeps, when it is our turn: each rank waits for the better ones, the cold for the warm."""
        since = self._free_since.setdefault(shard, now)
        cold = 0 if warm or len(self._members) == 1 else COLD_NS
        if now - since >= place * PATIENCE_NS + cold:
            return Duty(Role.OWNER, owner or "")
        return Duty(Role.STANDBY if place <= 1 or warm else Role.IDLE)
