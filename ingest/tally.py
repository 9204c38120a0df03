"""What ingest counts: every event is appended, dropped for a named reason, or still held.

decoded + made == appended + dropped + held
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

MADE = ("open", "bridge", "periodic", "status")
DROPPED = ("before_snapshot", "not_live", "duplicate", "refused", "coalesced", "fenced", "redis_down", "standby")
MAX_NAMES = 200  # types and reasons come from outside; more than this are counted together


@dataclass(slots=True)
class Tally:
    """Counters since the process started."""

    frames: int = 0
    bad_frames: int = 0
    fallbacks: int = 0
    decoded: int = 0
    snapshots: int = 0
    deltas: int = 0
    trades: int = 0
    statuses: int = 0
    appended: int = 0
    gaps: int = 0
    resyncs: int = 0
    reconnects: int = 0
    checksums_ok: int = 0
    checksums_bad: int = 0
    skew_ns: int | None = None  # the venue's clock against ours, with the fastest way in it
    made: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(MADE, 0)))
    dropped: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(DROPPED, 0)))
    refused: Counter[str] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)

    def ignore(self, name: str) -> None:
        """Count a frame of a type we do not use; names past the bound are counted as `other`."""
        short = name[:64]
        self.ignored[short if short in self.ignored or len(self.ignored) < MAX_NAMES else "other"] += 1

    def report(self, venue: str, held: int) -> dict[str, object]:
        """Give the counters as they are reported when the service stops."""
        return {
            "service": "ingest",
            "venue": venue,
            "frames": self.frames,
            "bad_frames": self.bad_frames,
            "fallbacks": self.fallbacks,
            "decoded": self.decoded,
            "made": dict(self.made),
            "appended": self.appended,
            "dropped": dict(self.dropped),
            "held": held,
            "refused": dict(self.refused),
            "ignored": dict(self.ignored),
            "gaps": self.gaps,
            "checksums_ok": self.checksums_ok,
            "checksums_bad": self.checksums_bad,
            "resyncs": self.resyncs,
            "reconnects": self.reconnects,
            "skew_ns": self.skew_ns,
        }
