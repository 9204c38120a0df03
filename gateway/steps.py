"""Where a topic of market data stands in its replica, and the step to the newest publication."""

from __future__ import annotations

from gateway.replica import Replica
from gateway.ring import Ring
from gateway.topic import Frame, Now, Position


class Steps:
    """Where a topic stands in its replica, and how many publications lie between its frames."""

    def __init__(self, replica: Replica, sure: bool = False) -> None:
        """Begin at the replica's newest publication; `sure` if what was shown of it depends on nothing else."""
        self.replica = replica
        self.position = _newest(replica)
        self.ring = Ring(self.position, sure)
        self._trouble = replica.trouble

    @property
    def restarted(self) -> bool:
        """Whether the replica began anew, so that sequences do not continue."""
        return self.position.generation != self.replica.generation

    @property
    def behind(self) -> bool:
        """Whether the replica has changed since the last step."""
        return self.position.applied != self.replica.applied or self._trouble != self.replica.trouble

    @property
    def merged(self) -> int:
        """How many publications the next step merges."""
        return self.replica.applied - self.position.applied

    def take(self, now: Now, text: bytes = b"") -> Frame:
        """Step to the replica's newest publication and give the frame of the step."""
        frame = Frame(text, self.position, self.merged, self.restarted)
        self.position, self._trouble = _newest(self.replica), self.replica.trouble
        self.ring.add(frame, self.position, now.monotonic)
        return frame


def _newest(replica: Replica) -> Position:
    return Position(replica.seq, replica.applied, replica.traded, replica.generation, replica.epoch)
