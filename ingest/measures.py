"""What a worker tells of itself: its counters and roles, the states of the books it writes, whether it gets on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from ingest.shard import Shard
from ingest.tally import Tally
from thalweg.events import State
from thalweg.lease import Role
from thalweg.probe.measure import Measure
from thalweg.probe.progress import Progress

BEAT_LATE_S = 10.0  # a beat comes every 0.4 s, and is given up after a second
COUNTS = {
    "frames": "Frames read from the venue's sockets.",
    "bad_frames": "Frames that are not as the venue documents them.",
    "fallbacks": "Book updates that went the general way.",
    "appended": "Entries appended to the streams.",
    "gaps": "Losses found in the feed; each cost a book until its resync.",
    "resyncs": "Books that were begun anew.",
    "reconnects": "Connections that were lost or replaced.",
}


def measures(venue: str, tally: Tally, shards: Mapping[int, Shard]) -> Iterable[Measure]:
    """Give all metrics of a worker but those that every service has."""
    for name, what in COUNTS.items():
        yield Measure(f"thalweg_ingest_{name}", "counter", what, [({"venue": venue}, getattr(tally, name))])
    kinds = {"snapshot": tally.snapshots, "delta": tally.deltas, "trade": tally.trades, "status": tally.statuses}
    checked = {"ok": tally.checksums_ok, "bad": tally.checksums_bad}
    for name, what, label, values in (
        ("events", "Events decoded.", "kind", kinds),
        ("dropped", "Events that were not appended, by reason.", "reason", tally.dropped),
        ("checksums", "Checksums compared with the venue's.", "result", checked),
    ):
        samples = [({"venue": venue, label: key}, float(value)) for key, value in values.items()]
        yield Measure(f"thalweg_ingest_{name}", "counter", what, list(samples))
    outside = {"refused_numbers": tally.refused, "ignored_frames": tally.ignored}
    for name, counted in outside.items():  # their names come from outside, so only the sum is told
        what = f"{name.replace('_', ' ').capitalize()}; the closing report names them."
        yield Measure(f"thalweg_ingest_{name}", "counter", what, [({"venue": venue}, sum(counted.values()))])
    yield from _now(venue, tally, shards)


def _now(venue: str, tally: Tally, shards: Mapping[int, Shard]) -> Iterable[Measure]:
    held = sum(shard.held for shard in shards.values())
    yield Measure("thalweg_ingest_held", "gauge", "Events that wait.", [({"venue": venue}, held)])
    if tally.skew_ns is not None:
        what = "The venue's clock against ours, the fastest way included."
        yield Measure("thalweg_venue_clock_skew_seconds", "gauge", what, [({"venue": venue}, tally.skew_ns / 1e9)])
    roles = Counter(shard.role for shard in shards.values())
    yield Measure(
        "thalweg_ingest_shards", "gauge", "Shards by this worker's role.",
        [({"venue": venue, "role": role.name.lower()}, roles[role]) for role in Role],
    )  # fmt: skip
    books = Counter(track.state for shard in shards.values() if shard.sink.owning for track in shard.sink.tracks)
    yield Measure(
        "thalweg_ingest_books", "gauge", "Books that this worker writes, by state.",
        [({"venue": venue, "state": str(state)}, books[state]) for state in State],
    )  # fmt: skip


class Health:
    """Whether a worker gets on; a venue or a Redis that is down is no fault of its own."""

    def __init__(self, snapshot_s: float) -> None:
        """Expect an entry of a live book at least each `snapshot_s`."""
        self._silence_s = 2 * snapshot_s + 5
        self._beats, self._entries = Progress(), Progress()

    def look(self, beats: int, tally: Tally, shards: Mapping[int, Shard], now_ns: int) -> list[str]:
        """Give what is wrong.

        Args:
            beats: how often the worker has tried to beat.
            tally: its counters.
            shards: by number.
            now_ns: monotonic instant.
        """
        why = []
        if (idle_s := self._beats.idle_s(beats, now_ns)) > BEAT_LATE_S:
            why.append(f"no beat for {idle_s:.0f} s")
        live = any(track.state is State.LIVE for one in shards.values() if one.sink.owning for track in one.sink.tracks)
        idle_s = self._entries.idle_s(tally.appended if live else tally.appended + beats, now_ns)
        if idle_s > self._silence_s:
            why.append(f"no entry for {idle_s:.0f} s, though books are live")
        return why
