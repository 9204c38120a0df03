"""Where time goes: every hop declared once with both ends, and a ring of samples for each.

Stamps are contiguous, so the hops of one sample add up: means add, percentiles do not.
Percentiles are worked out by `Ring.summary`, off the hot path.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

BOUNDS_US = tuple(2**power for power in range(24))
"""Upper bounds of a histogram's buckets in microseconds: 1 us to 8.4 s, each twice the one before."""
RING_SIZE = 4096  # samples; a power of two, so that the index is a mask: 4 s at 1,000 a second


@dataclass(frozen=True, slots=True)
class Hop:
    """One hop: what it measures, from where to where, and by which clock."""

    name: str
    what: str
    start: str
    end: str
    clock: str


_ACROSS = "wall, same host"
_INSIDE = "monotonic, one process"
HOPS: tuple[Hop, ...] = (
    Hop("venue", "The venue's own stamp until we have read the frame; holds the skew of two clocks.",
        "venue's stamp", "socket read in ingest", "wall, two hosts"),
    Hop("decode", "Frame bytes to events, checked for continuity and applied to ingest's own book.",
        "socket read in ingest", "events admitted", _ACROSS),
    Hop("append", "An admitted event waits until its batch is packed for Redis.",
        "events admitted", "entry packed", _ACROSS),
    Hop("stream", "Through the Redis stream: write, bell, fetch.",
        "entry packed", "entry in the aggregator's hands", _ACROSS),
    Hop("apply", "The batch's entries into the aggregator's books.",
        "entry in the aggregator's hands", "instrument's batch applied", _ACROSS),
    Hop("merge", "Views compared, best bid and offer of all live venues.",
        "instrument's batch applied", "changes and quote known", _ACROSS),
    Hop("publish", "The record is packed and handed to the socket.",
        "changes and quote known", "publication packed", _ACROSS),
    Hop("pubsub", "Through Redis pub/sub.",
        "publication packed", "publication in the gateway's hands", _ACROSS),
    Hop("hold", "Waits for the gateway's next tick, by design.",
        "publication in the gateway's hands", "tick begins", _ACROSS),
    Hop("fanout", "Frames are made, joined and written to every client.",
        "tick begins", "last write returned", _ACROSS),
    Hop("total", "All of it but the venue's own way to us.",
        "socket read in ingest", "gateway's write returned", _ACROSS),
    Hop("engine", "One delta or trade frame: decode, continuity, book, best bid and offer readable.",
        "frame bytes in hand", "best bid and offer readable in ingest", _INSIDE),
    Hop("engine_snapshot", "The same for frames that hold a whole book.",
        "frame bytes in hand", "best bid and offer readable in ingest", _INSIDE),
    Hop("loop", "An event is ready until the process's event loop comes to it: every 37 ms a kernel timer asks.",
        "kernel timer expires", "event loop calls back", _INSIDE),
)  # fmt: skip
_BOUNDS_NS = np.array(BOUNDS_US, dtype=np.int64) * 1000
BY_NAME: Mapping[str, Hop] = {hop.name: hop for hop in HOPS}


class Summary(TypedDict):
    """What a ring says of its last samples; durations in microseconds."""

    count: int
    window_s: float
    mean: float
    p50: float
    p95: float
    p99: float
    max: float


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many samples fell into each bucket, one more than `BOUNDS_US` has bounds, and their sum."""

    counts: tuple[int, ...]
    total_ns: int


class Ring:
    """The last samples of one hop: `int64` nanoseconds, written by index and mask, without a lock."""

    __slots__ = ("_binned", "_counts", "_marks", "_mask", "_samples", "_total_ns", "count")

    def __init__(self, size: int = RING_SIZE) -> None:
        """Make room for `size` samples, a power of two.

        Raises:
            ValueError: not a power of two.
        """
        if size < 1 or size & (size - 1):
            raise ValueError(f"a ring's size must be a power of two, not {size}")
        self._samples = np.zeros(size, dtype=np.int64)
        self._mask = size - 1
        self.count = 0
        self._marks: deque[tuple[int, int]] = deque(maxlen=512)
        self._counts = np.zeros(len(BOUNDS_US) + 1, dtype=np.int64)
        self._binned = self._total_ns = 0

    def add(self, duration_ns: int) -> None:
        """Write one sample over the oldest."""
        self._samples[self.count & self._mask] = duration_ns
        self.count += 1

    def summary(self, now_ns: int) -> Summary | None:
        """Give count, window and percentiles of the samples held; `None` before the first.

        Args:
            now_ns: monotonic instant of the call; the window is measured between calls.
        """
        self._bin()
        self._marks.append((self.count, now_ns))
        held = min(self.count, self._mask + 1)
        if not held:
            return None
        while len(self._marks) > 2 and self._marks[1][0] <= self.count - held:
            self._marks.popleft()
        values = self._samples[:held]
        ranks = [min(held - 1, int(held * part)) for part in (0.50, 0.95, 0.99)]
        p50, p95, p99 = np.partition(values, ranks)[ranks] / 1e3
        return Summary(
            count=self.count,
            window_s=round((now_ns - self._marks[0][1]) / 1e9, 1),
            mean=float(values.mean() / 1e3),
            p50=float(p50),
            p95=float(p95),
            p99=float(p99),
            max=float(values.max() / 1e3),
        )

    def histogram(self) -> Histogram:
        """Give all samples since the start in buckets.

        Samples that were overwritten before `summary` or this was called are in none; at a call a second that takes
        more than a ring of them in a second.
        """
        self._bin()
        return Histogram(tuple(self._counts.tolist()), self._total_ns)

    def _bin(self) -> None:
        """Put the samples since the last call into buckets."""
        size = self._mask + 1
        fresh = np.arange(max(self._binned, self.count - size), self.count) & self._mask
        values = self._samples[fresh]
        self._counts += np.bincount(np.searchsorted(_BOUNDS_NS, values), minlength=len(self._counts))
        self._total_ns += int(values.sum())
        self._binned = self.count

    def samples(self) -> list[int]:
        """Give the samples held, in nanoseconds, in no order."""
        held: list[int] = self._samples[: min(self.count, self._mask + 1)].tolist()
        return held


class Rings:
    """A service's rings by hop."""

    __slots__ = ("_rings",)

    def __init__(self, *hops: str) -> None:
        """Make one ring a hop.

        Raises:
            KeyError: a hop that is not declared.
        """
        self._rings = {BY_NAME[hop].name: Ring() for hop in hops}

    def __getitem__(self, hop: str) -> Ring:
        """Give the ring of a hop."""
        return self._rings[hop]

    def summaries(self, now_ns: int) -> dict[str, Summary]:
        """Give the summaries of all rings that have samples."""
        pairs = ((hop, ring.summary(now_ns)) for hop, ring in self._rings.items())
        return {hop: summary for hop, summary in pairs if summary}

    def histograms(self) -> dict[str, Histogram]:
        """Give the histograms of all rings that have samples."""
        return {hop: ring.histogram() for hop, ring in self._rings.items() if ring.count}

    def samples(self) -> dict[str, list[int]]:
        """Give the samples held, in nanoseconds, so that rings of several processes can be merged exactly."""
        return {hop: ring.samples() for hop, ring in self._rings.items() if ring.count}
