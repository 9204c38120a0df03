"""What a bench gives: tables whose every row says what was measured, during what, and what it was to be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.bench.host import Host

STEAL_MAX = 5.0  # percent; a row with more is measured once again


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure must be and what it aims at; `above` where more is better."""

    must: float
    aim: float | None = None
    above: bool = False

    def verdict(self, value: float) -> str:
        """Say how a figure stands: `aim`, `must` or `MISSED`."""
        sign = -1 if self.above else 1
        if self.aim is not None and sign * value <= sign * self.aim:
            return "aim"
        return "must" if sign * value <= sign * self.must else "MISSED"


@dataclass(slots=True)
class Row:
    """One measurement: figures by name, the unit in the name; goals by the same names."""

    name: str
    figures: dict[str, float]
    host: Host = field(default_factory=Host)
    goals: dict[str, Goal] = field(default_factory=dict)


@dataclass(slots=True)
class Table:
    """Measurements of one kind: of which frames or events, under what load, from where to where."""

    name: str
    title: str
    population: str
    load: str
    start: str
    end: str
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def steal(self) -> float:
        """The most that the host stole during any row, in percent."""
        return max((row.host.steal for row in self.rows), default=0.0)


def percentiles(samples_ns: Sequence[int] | npt.NDArray[np.int64], unit: str = "us") -> dict[str, float]:
    """Give p50, p95, p99 and the mean of durations, in a unit of `us` or `ms`."""
    values = np.asarray(samples_ns, dtype=np.float64) / {"us": 1e3, "ms": 1e6}[unit]
    p50, p95, p99 = np.percentile(values, (50, 95, 99), method="lower")
    return {f"p50 {unit}": p50, f"p95 {unit}": p95, f"p99 {unit}": p99, f"mean {unit}": values.mean()}


def text_of(table: Table) -> str:
    """Give a table as it is printed."""
    labels = ("population", "load", "start", "end")
    head = [f"## {table.title}", *(f"{label + ':':12}{getattr(table, label)}" for label in labels)]
    columns = list(dict.fromkeys(name for row in table.rows for name in row.figures))
    lines = [["", *columns, "seconds", "steal %"]]
    for row in table.rows:
        cells = [_cell(row, name) for name in columns]
        lines.append([row.name, *cells, f"{row.host.seconds:.1f}", f"{row.host.steal:.1f}"])
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    body = ["  ".join(_aligned(cell, widths, place) for place, cell in enumerate(line)).rstrip() for line in lines]
    return "\n".join([*head, "", *body, *(f"note: {note}" for note in table.notes), ""])


def _cell(row: Row, name: str) -> str:
    if name not in row.figures:
        return ""
    goal = row.goals.get(name)
    verdict = f" ({goal.verdict(row.figures[name])} {goal.must:g})" if goal else ""
    return number(row.figures[name]) + verdict


def _aligned(cell: str, widths: list[int], place: int) -> str:
    return cell.rjust(widths[place]) if place else cell.ljust(widths[place])


def number(value: float) -> str:
    """Give a figure with three digits, or whole where it has more."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"


def ratios_of(now: Table, before: Table) -> str:
    """Give what each figure is of what it was before; 1.00 is the same."""
    known = {row.name: row.figures for row in before.rows}
    lines = [f"## {now.title}: now / before"]
    for row in now.rows:
        old = known.get(row.name, {})
        shared = [name for name in row.figures if old.get(name)]
        cells = (f"{name} {row.figures[name] / old[name]:.2f}" for name in shared)
        lines.append(f"{row.name:32}" + ("  ".join(cells) or "not there before"))
    return "\n".join([*lines, ""])


def as_object(table: Table) -> dict[str, object]:
    """Give a table as JSON takes it."""
    return asdict(table)


def from_object(found: dict[str, Any]) -> Table:
    """Give the table that `as_object` made an object of."""
    rows = [
        Row(
            row["name"],
            row["figures"],
            Host(**row["host"]),
            {name: Goal(**goal) for name, goal in row["goals"].items()},
        )
        for row in found["rows"]
    ]
    return Table(**{**found, "rows": rows})
