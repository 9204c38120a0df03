"""Every book as a gateway tells of it: states, ages, best prices, rates; and where time goes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

RATE_S = 5.0  # that a rate is measured over
WORST = ("stale", "halted", "syncing", "connecting", "delisted", "live")
"""States in the order in which an operator wants to see them."""


@dataclass(slots=True)
class Row:
    """One book; prices and sizes are the gateway's own texts, instants are seconds of a monotonic clock."""

    venue: str
    instrument: str
    state: str = "connecting"
    flags: tuple[str, ...] = ()
    why: str = ""
    age_s: float | None = None
    seen_at: float = 0.0
    best: tuple[str, str, str, str] | None = None  # bid, its size, ask, its size
    rate: float | None = None  # publications of the instrument a second

    def age(self, now: float) -> float | None:
        """Give the seconds since the book changed."""
        return None if self.age_s is None else max(self.age_s + now - self.seen_at, 0.0)

    def spread(self) -> Decimal | None:
        """Give ask less bid in basis points of the mid; `None` unless both are there."""
        if self.best is None or not self.best[0] or not self.best[2]:
            return None
        bid, ask = Decimal(self.best[0]), Decimal(self.best[2])
        return (ask - bid) / (ask + bid) * 20_000 if ask + bid else None


@dataclass(slots=True)
class Part:
    """Redis or the aggregator, as the gateway hears it."""

    state: str
    why: str


@dataclass(slots=True)
class Desk:
    """All that is known; `take` keeps it up to date."""

    rows: dict[tuple[str, str], Row] = field(default_factory=dict)
    parts: dict[str, Part] = field(default_factory=dict)
    hops: list[Mapping[str, Any]] = field(default_factory=list)
    node: str = ""
    heard_at: float = 0.0
    _marks: dict[str, deque[tuple[float, int]]] = field(default_factory=dict)

    def take(self, message: Mapping[str, Any], now: float) -> str | None:
        """Take a message of the gateway; give an instrument that was not known before, if it is about one.

        Args:
            message: as the protocol has it; what is not about the desk only shows that the gateway lives.
            now: monotonic instant in seconds.
        """
        self.heard_at = now
        kind = message["t"]
        if kind == "hello":
            self.node = message["node"]
        elif kind == "metrics":
            self.hops = message["hops"]
        elif kind == "bbo":
            self._best(message, now)
        elif kind == "status" and "sys" in message:
            self.parts[message["sys"]] = Part(message["st"], message.get("why") or "")
        elif kind == "status":
            return self._status(message, now)
        return None

    def _status(self, message: Mapping[str, Any], now: float) -> str | None:
        instrument = message["sym"]
        known = any(name == instrument for _, name in self.rows)
        row = self._row(message["ex"], instrument)
        row.state, row.why = message["st"], message.get("why") or ""
        self._aged(row, message, now)
        return None if known else str(instrument)

    def _best(self, message: Mapping[str, Any], now: float) -> None:
        instrument = message["ch"].rpartition(":")[2]
        rate = self._rate(instrument, message["s"], now)
        for venue, line in message["v"].items():
            row = self._row(venue, instrument)
            bid, bid_size, ask, ask_size = (line.get(name) or "" for name in ("bid", "bid_size", "ask", "ask_size"))
            row.best, row.rate, row.state = (bid, bid_size, ask, ask_size), rate, line["st"]
            self._aged(row, line, now)

    @staticmethod
    def _aged(row: Row, line: Mapping[str, Any], now: float) -> None:
        row.flags = tuple(line.get("fl") or ())
        age_ms = line.get("age_ms")
        row.age_s, row.seen_at = None if age_ms is None else age_ms / 1000, now

    def _rate(self, instrument: str, seq: int, now: float) -> float | None:
        marks = self._marks.setdefault(instrument, deque())
        if marks and seq < marks[-1][1]:
            marks.clear()  # another epoch's numbering
        marks.append((now, seq))
        while len(marks) > 2 and marks[1][0] <= now - RATE_S:
            marks.popleft()
        seconds = now - marks[0][0]
        return (seq - marks[0][1]) / seconds if seconds > 0 else None

    def _row(self, venue: str, instrument: str) -> Row:
        return self.rows.setdefault((venue, instrument), Row(venue, instrument))

    def hop(self, name: str) -> Mapping[str, Any] | None:
        """Give the newest figures of a hop, of the service that is slowest in it."""
        found = [one for one in self.hops if one["hop"] == name]
        return max(found, key=lambda one: float(one["p99"])) if found else None


def _missing_last(value: Any) -> tuple[bool, Any]:
    return value is None, value if value is not None else 0


Order = Callable[[Row, float], Any]
ORDERS: dict[str, Order] = {
    "state": lambda row, now: (WORST.index(row.state) if row.state in WORST else 0, not row.flags),
    "venue": lambda row, now: row.venue,
    "instrument": lambda row, now: row.instrument,
    "age": lambda row, now: _missing_last(None if (age := row.age(now)) is None else -age),
    "rate": lambda row, now: _missing_last(None if row.rate is None else -row.rate),
    "spread": lambda row, now: _missing_last(None if (spread := row.spread()) is None else -spread),
}
"""What rows may be sorted by: the worst, the oldest, the busiest and the widest first."""


def ordered(desk: Desk, by: str, wanted: str, now: float) -> list[Row]:
    """Give the rows whose venue, instrument or state has this text in it, sorted; ties by venue and instrument."""
    text = wanted.lower()
    rows = [row for row in desk.rows.values() if text in f"{row.venue} {row.instrument} {row.state}".lower()]
    return sorted(rows, key=lambda row: (ORDERS[by](row, now), row.venue, row.instrument))
