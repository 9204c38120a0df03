"""What the aggregator counts, and the equations that must hold between the counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    """Entries by what became of them; one entry is one unit.

    `lapped` are holes found in n, `unreadable` entries that are not in our layout, `covered` the entries in the
    runs of publications.
    """

    read: int = 0
    lapped: int = 0
    applied: int = 0
    open: int = 0
    status: int = 0
    not_live: int = 0
    unreadable: int = 0
    covered: int = 0

    def add(self, other: Counters) -> None:
        """Add another's counts to these."""
        self.read += other.read
        self.lapped += other.lapped
        self.applied += other.applied
        self.open += other.open
        self.status += other.status
        self.not_live += other.not_live
        self.unreadable += other.unreadable
        self.covered += other.covered

    def violations(self, pending: int) -> list[str]:
        """Give the equations that do not hold, as text.

        Args:
            pending: entries read that are in no publication yet.
        """
        skipped = self.open + self.status + self.not_live + self.unreadable
        equations = (
            ("read == applied + skipped", self.read, self.applied + skipped),
            ("read == covered + pending", self.read, self.covered + pending),
        )
        return [f"{text}: {left} != {right}" for text, left, right in equations if left != right]


def total(parts: Iterable[Counters]) -> Counters:
    """Give the sum of several counters."""
    result = Counters()
    for part in parts:
        result.add(part)
    return result
