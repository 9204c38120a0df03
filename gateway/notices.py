"""The topics that are about the system: states of all books, of Redis and the aggregator, and latencies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gateway.replica import Replica
from gateway.shapes import encode
from gateway.shapes.market import BookStatus, HopLine, PartStatus
from gateway.topic import Frame, Now, Position
from gateway.wording import flags_text

Line = BookStatus | PartStatus
PartName = Literal["redis", "aggregator"]


@dataclass(slots=True)
class Part:
    """A part of the system that the gateway depends on."""

    live: bool = False
    why: str = ""
    since_ns: int = 0


class StatusTopic:
    """All states at first, then what changed."""

    def __init__(self, replicas: Mapping[str, Replica], parts: Mapping[PartName, Part]) -> None:
        """Begin with the states as they are."""
        self.position = Position()
        self._replicas, self._parts = replicas, parts
        self._lines = self._look()

    def _look(self) -> dict[tuple[str, str], Line]:
        """Give what is told of each book, without its age, and of each part."""
        lines: dict[tuple[str, str], Line] = {}
        for system, part in self._parts.items():
            lines["", system] = {
                "t": "status",
                "sys": system,
                "st": "live" if part.live else "down",
                "since": part.since_ns // 1000,
                "why": part.why,
            }
        for name, replica in self._replicas.items():
            for venue in replica.scale.venues:
                lines[name, venue] = _book_line(replica, venue)
        return lines

    def advance(self, now: Now) -> Frame | None:
        """Give the states that changed."""
        old, self._lines = self._lines, self._look()
        changed = [key for key, line in self._lines.items() if line != old.get(key)]
        return Frame(self._text(changed, now), self.position, 0) if changed else None

    def keyframe(self, left: Position | None, now: Now) -> Frame:
        """Give all states."""
        return Frame(self._text(list(self._lines), now), self.position, 0)

    def find(self, epoch: int, seq: int) -> Position | None:
        """Give nothing: all states are told anyway."""
        return None

    def _text(self, keys: list[tuple[str, str]], now: Now) -> bytes:
        return b"\n".join(encode(self._aged(self._lines[key], now)) for key in keys)

    def _aged(self, line: Line, now: Now) -> Line:
        """Give a line as it is told: with a book's age, which is no change of state."""
        if "sys" in line:
            return line
        return {**line, "age_ms": self._replicas[line["sym"]].age_ms(line["ex"], now.wall)}


def _book_line(replica: Replica, venue: str) -> BookStatus:
    since = replica.since(venue)
    return {
        "t": "status",
        "ex": venue,
        "sym": replica.instrument.name,
        "st": replica.state(venue),
        "fl": flags_text(replica.lines[venue].flags),
        "age_ms": None,
        "since": None if since is None else since // 1000,
        "why": replica.reason(venue),
    }


class MetricsTopic:
    """The latency of every hop, whenever it was gathered anew."""

    def __init__(self, metrics: Metrics) -> None:
        """Begin with what was gathered last."""
        self.position = Position()
        self._metrics = metrics
        self._text = metrics.text

    def advance(self, now: Now) -> Frame | None:
        """Give the newest figures."""
        if self._text is self._metrics.text:
            return None
        self._text = self._metrics.text
        return Frame(self._text, self.position, 0)

    def keyframe(self, left: Position | None, now: Now) -> Frame:
        """Give the figures gathered last; nothing before the first."""
        return Frame(self._text, self.position, 0)

    def find(self, epoch: int, seq: int) -> Position | None:
        """Give nothing: the latest figures are all there is."""
        return None


@dataclass(slots=True)
class Metrics:
    """The latest figures of all hops."""

    hops: list[HopLine]
    text: bytes = b""

    def gather(self, hops: list[HopLine]) -> None:
        """Replace the figures."""
        self.hops = hops
        self.text = encode({"t": "metrics", "hops": hops})
