"""How fast a client is served: a tier slower when it falls behind again and again, and back when it keeps up."""

from __future__ import annotations

from collections import deque

from gateway.channels import RATES_MS
from gateway.topic import Now

LAGS = 3  # so many in a minute are a habit
MINUTE_NS = 60_000_000_000


class Pace:
    """One client's lags; `floor_ms` is the least time between two frames of a channel, whatever was granted."""

    __slots__ = ("_calm_since", "_lags", "floor_ms")

    def __init__(self) -> None:
        """Begin with no bound."""
        self.floor_ms = 0
        self._lags: deque[int] | None = None  # before the first: most clients never lag, and an empty one is 760 bytes
        self._calm_since = 0

    def lag(self, now: Now) -> None:
        """Note that the client has begun to lag."""
        if self._lags is None:
            self._lags = deque(maxlen=LAGS)
        self._lags.append(now.monotonic)

    def recover(self, fastest_ms: int, now: Now) -> bool:
        """Note that it reads again; `True` if it is to be served a tier slower from now on.

        Args:
            fastest_ms: the fastest rate that it was granted.
            now: the instant.
        """
        self._calm_since = now.monotonic
        if self._lags is None or len(self._lags) < LAGS or now.monotonic - self._lags[0] > MINUTE_NS:
            return False
        slower = next((rate for rate in RATES_MS if rate > max(fastest_ms, self.floor_ms)), None)
        if slower is None:
            return False
        self.floor_ms = slower
        self._lags.clear()
        return True

    def relax(self, fastest_ms: int, now: Now) -> bool:
        """Go back a tier after a minute without a lag; `True` if that is now."""
        if not self.floor_ms or now.monotonic - self._calm_since < MINUTE_NS:
            return False
        faster = max(rate for rate in RATES_MS if rate < self.floor_ms)
        self.floor_ms = faster if faster > fastest_ms else 0
        self._calm_since = now.monotonic
        return True
