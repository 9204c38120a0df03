"""What an aggregator tells of itself: its counters, its roles, and whether it gets on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from aggregator.counters import total
from thalweg.lease import Role
from thalweg.probe.measure import Measure, labelled, single
from thalweg.probe.progress import Progress

if TYPE_CHECKING:
    from aggregator.shard.service import Shard

BEAT_LATE_S = 10.0  # a beat comes every 0.4 s, and fails within two
SWEEP_LATE_S = 10.0  # an owner sweeps every 250 ms, or notices within two seconds that it can't


def measures(shards: Mapping[int, Shard]) -> Iterable[Measure]:
    """Give all metrics of an aggregator but those that every service has."""
    ladders = [ladder for shard in shards.values() for ladder in shard.standing.values()]
    counts = total(ladder.counts() for ladder in ladders)
    skipped = {"open": counts.open, "status": counts.status, "not_live": counts.not_live}
    for name, what, value in (
        ("read", "Entries read from the streams.", counts.read),
        ("applied", "Entries applied to books.", counts.applied),
        ("lapped", "Entries trimmed before they were read; each hole cost a book until its snapshot.", counts.lapped),
        ("unreadable", "Entries that are not in our layout.", counts.unreadable),
        ("covered", "Entries that publications stand for.", counts.covered),
        ("sweeps", "Rounds over all streams of a shard.", sum(shard.sweeps for shard in shards.values())),
    ):
        yield single(f"thalweg_aggregator_{name}", "counter", what, value)
    yield labelled("thalweg_aggregator_skipped", "counter", "Entries that change no book.", "reason", skipped)
    published = {ladder.instrument.name: float(ladder.published) for ladder in ladders}
    yield labelled("thalweg_aggregator_published", "counter", "Publications sent.", "instrument", published)
    pending = sum(ladder.pending for ladder in ladders)
    yield single("thalweg_aggregator_pending", "gauge", "Entries read that no publication stands for yet.", pending)
    roles = Counter(shard.duty.role for shard in shards.values())
    share = {role.name.lower(): float(roles[role]) for role in Role}
    yield labelled("thalweg_aggregator_shards", "gauge", "Shards by this process's role.", "role", share)


class Health:
    """Whether an aggregator gets on; a Redis that is down is no fault of its own."""

    def __init__(self) -> None:
        """Have seen nothing."""
        self._beats = Progress()
        self._sweeps: dict[int, Progress] = {}

    def look(self, beats: int, shards: Mapping[int, Shard], now_ns: int) -> list[str]:
        """Give what is wrong.

        Args:
            beats: how often it has tried to beat.
            shards: by number.
            now_ns: monotonic instant.
        """
        why = []
        if (idle_s := self._beats.idle_s(beats, now_ns)) > BEAT_LATE_S:
            why.append(f"no beat for {idle_s:.0f} s")
        for number, shard in shards.items():
            progress = self._sweeps.setdefault(number, Progress())
            idle_s = progress.idle_s(shard.sweeps if shard.owning else -2 - beats, now_ns)
            if idle_s > SWEEP_LATE_S:
                why.append(f"shard {number}: no sweep for {idle_s:.0f} s")
        return why
