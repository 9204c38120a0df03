"""How one worker stands to one shard's lease: wanted, held, doubted or left; instants are monotonic nanoseconds."""

from __future__ import annotations

from thalweg.lease import TRUST_S

GRACE_NS = 2_000_000_000  # an owner that is to be replaced goes on until it is fenced, at most so long


class Claim:
    """What the beats and the server's answers say of a lease."""

    __slots__ = ("_acquired_at", "_forgotten", "_leave_at", "_lost_at", "_trusted_at", "expected")

    def __init__(self) -> None:
        """Have no claim; `expected` is the worker the lease may be taken from."""
        self.expected = ""
        self._trusted_at = self._acquired_at = self._lost_at = 0
        self._forgotten = False
        self._leave_at: int | None = None

    def outdated(self, seen_at: int) -> bool:
        """Whether a beat sent then shows how it was before another worker took the shard."""
        return seen_at <= self._lost_at

    def seen(self, seen_at: int, *, mine: bool) -> bool:
        """A beat sent then says that this worker is to own the shard; give whether the server has lost the lease.

        Where it has, it may have lost more: a new epoch says so to everybody.
        """
        self._leave_at = None
        if mine:
            self._trusted_at = max(self._trusted_at, seen_at)
        elif self._acquired_at and seen_at > self._acquired_at:
            self._forgotten = True
        return self._forgotten

    def leave(self, seen_at: int, now: int) -> None:
        """A beat says that another worker is to own it."""
        if seen_at > self._acquired_at and self._leave_at is None:
            self._leave_at = now + GRACE_NS

    def acquired(self, sent_at: int, now: int) -> None:
        """The server has given it, at some time between these two."""
        self.expected, self._forgotten = "", False
        self._trusted_at, self._acquired_at = sent_at, now

    def lost(self, now: int) -> None:
        """Another worker has it, or it was left."""
        self._acquired_at, self._lost_at, self._leave_at, self._forgotten = 0, now, None, False

    def over(self, now: int) -> bool:
        """Whether the time to be replaced in is up."""
        return self._leave_at is not None and now > self._leave_at

    def doubtful(self, now: int) -> bool:
        """Whether the lease may be another's by now, so that nothing more is to be written under it."""
        return self._forgotten or now - self._trusted_at > TRUST_S * 1e9
