"""The counts of the whole process, as its closing report has them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from aggregator.consolidate import Ladder
from aggregator.counters import total


def report_of(
    ladders: Collection[Ladder], lag: int, samples: Mapping[str, list[int]]
) -> tuple[dict[str, Any], list[str]]:
    """Give the report, and the equations between its counts that do not hold.

    Args:
        ladders: the last of each instrument; what they sent but the server never confirmed is pending.
        lag: entries in the streams that were not read.
        samples: latencies by hop, in nanoseconds.
    """
    counts = total(ladder.counts() for ladder in ladders)
    pending = sum(ladder.pending for ladder in ladders)
    report = {
        "service": "aggregator",
        "read": counts.read,
        "lapped": counts.lapped,
        "lag": lag,
        "applied": counts.applied,
        "skipped": {"open": counts.open, "status": counts.status, "not_live": counts.not_live},
        "unreadable": counts.unreadable,
        "published": sum(ladder.published for ladder in ladders),
        "covered": counts.covered,
        "pending": pending,
        "samples": samples,
    }
    return report, counts.violations(pending)
