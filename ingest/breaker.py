"""When a venue that fails may be tried again: by one socket at a time, a few times soon, then ever more seldom.

| state | tries | ends |
|---|---|---|
| closed | every socket, with its own jitter | at the venue's word that it is down, or at so many failures in a row |
| open | none until the next probe is due | when it is |
| half open | one socket, the probe | closed if it hears a frame, else open again |

A venue that is back within a minute is noticed within four seconds; after that waits are drawn from anywhere
below a bound that doubles up to a minute, but are never shorter than those at first.
"""

from __future__ import annotations

from enum import Enum, auto

from ingest.backoff import Uniform

SECOND = 1_000_000_000
FAILURES_MAX = 5  # in a row, of any sockets
SOON = 16  # probes that follow at once upon one another: a minute of them, at most 8 in half of one
AT_ONCE_S, AT_ONCE_SPREAD_S = 0.5, 1.0  # after a close that says so: most often one machine of many restarts
SOON_S, SOON_SPREAD_S = 3.7, 0.3
FIRST_S, CAP_S = 7.5, 60.0
PROBE_NS = 15 * SECOND  # a probe that has not ended by then is forgotten; a handshake may take 10 s
STEADY_NS = 30 * SECOND  # who fails again sooner goes on where it was


class Ending(Enum):
    """Why a connection ended or was not made."""

    LOST = auto()
    """It was cut, fell silent, or could not be made."""
    DOWN = auto()
    """The venue says that it is down or restarts: 5xx, or close codes 1012, 1013 and 1014."""
    REFUSED = auto()
    """The venue does not want us now: 403, 418, 429."""
    TOO_BIG = auto()
    """It sent a frame above our limit (1009)."""


def ending_of(status: int | None, code: int | None) -> Ending:
    """Tell an ending by the HTTP status of the handshake or the close code."""
    if code == 1009:
        return Ending.TOO_BIG
    if code in (1012, 1013, 1014) or (status is not None and status >= 500):
        return Ending.DOWN
    return Ending.REFUSED if status in (403, 418, 429) else Ending.LOST


class Breaker:
    """One venue's circuit breaker in one process; monotonic instants are `now`."""

    __slots__ = ("_closed_at", "_due", "_failures", "_open", "_probes", "_probing_at", "_uniform", "down", "reason")

    def __init__(self, uniform: Uniform) -> None:
        """Start closed; `reason` says why it is open, `down` whether the venue itself said so."""
        self.reason, self.down = "", False
        self._uniform = uniform
        self._open, self._failures, self._probes = False, 0, 0
        self._due, self._closed_at = 0, -STEADY_NS
        self._probing_at: int | None = None

    def wait_s(self, now: int) -> float:
        """Give the seconds to wait; 0 means that `start` may be asked."""
        if not self._open:
            return 0.0
        if self._probing_at is not None and now - self._probing_at < PROBE_NS:
            return 1.0
        if now < self._due:
            return (self._due - now) / SECOND
        return 0.0

    def start(self, now: int) -> bool:
        """Tell whether to go now; while it is open, whoever may is the probe."""
        if self.wait_s(now):
            return False
        self._probing_at = now if self._open else None
        return True

    def heard(self, now: int) -> None:
        """A socket heard a frame: the venue is there."""
        if self._open:
            self._closed_at = now
        self._open, self._failures, self.reason, self.down = False, 0, "", False
        self._probing_at = None

    def failed(self, ending: Ending, reason: str, now: int, *, heard: bool, after_s: float = 0.0) -> None:
        """A connection ended; `heard` if it ever was good: that it was lost is then no failure of the venue."""
        if self._open and heard:
            return  # what was good before the venue went down is no probe
        down = ending is Ending.DOWN
        self._failures += not heard
        if self._open or down or after_s or self._failures >= FAILURES_MAX:
            self._trip(reason, now, after_s, at_once=heard)
            self.down = self.down or down

    def _trip(self, reason: str, now: int, after_s: float, *, at_once: bool) -> None:
        if not self._open and now - self._closed_at > STEADY_NS:
            self._probes = 0
        self._open, self.reason, self._probing_at = True, reason, None
        self._probes += 1
        if at_once:
            wait_s = AT_ONCE_S + AT_ONCE_SPREAD_S * self._uniform()
        elif self._probes <= SOON:
            wait_s = SOON_S + SOON_SPREAD_S * self._uniform()
        else:
            wait_s = max(SOON_S, self._uniform() * min(CAP_S, FIRST_S * float(1 << min(self._probes - SOON, 10))))
        self._due = now + int(max(wait_s, after_s) * SECOND)
