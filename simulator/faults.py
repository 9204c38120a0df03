"""Fault scripts: what goes wrong, at which venue, when; and the log of what did.

A script is TOML: an optional table `[schedule]` and one `[[fault]]` table per fault; `docs/simulator.md` lists the keys
and kinds. Times count from the moment the script says the system has settled.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.dialect import Dialect
from simulator.kinds import ALL, KINDS, NEEDS_A_CHECKSUM, NEEDS_REST
from simulator.texts import SECOND_NS
from thalweg.errors import SettingsError

DEFAULT_SCRIPT = Path(__file__).with_name("faults.toml")
EVERY_VENUE = "*"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is to go wrong.

    Without `instruments` the simulator chooses a book that no other fault is busy with; `*` is every book of the venue.
    `count` is how many frames or requests it concerns, `seconds` how long it lasts, `amount` how much of it there is
    (of what, its kind says), where that means something.
    """

    at_s: float
    kind: str
    venue: str
    instruments: tuple[str, ...] = ()
    count: int = 1
    seconds: float = 5.0
    amount: float | None = None

    @property
    def much(self) -> float:
        """Give how much of it there is."""
        return KINDS[self.kind].amount if self.amount is None else self.amount

    def concerns(self, instrument: str) -> bool:
        """Tell whether it may happen to a book."""
        return self.instruments in ((), ALL) or instrument in self.instruments


@dataclass(frozen=True, slots=True)
class Script:
    """Faults in the order of their times, and when the clock for them starts.

    It starts `settle_s` after the server and `subscribed_s` after all books are subscribed, whichever is later, but
    no later than `latest_s` after the server.
    """

    faults: tuple[Fault, ...] = ()
    settle_s: float = 8.0
    subscribed_s: float = 3.0
    latest_s: float = 20.0


@dataclass(frozen=True, slots=True)
class Record:
    """A fault that happened: `expect` is what a correct consumer can do (`gap`, `absorbed`, `undetectable`)."""

    id: int
    kind: str
    venue: str
    instruments: tuple[str, ...]
    ts_ns: int
    expect: str
    scope: str


class FaultLog:
    """All that happened, numbered from 1."""

    def __init__(self) -> None:
        """Start empty."""
        self.records: list[Record] = []

    def add(self, kind: str, venue: str, instruments: Iterable[str], ts_ns: int, expect: str, scope: str) -> None:
        """Note one."""
        number = len(self.records) + 1
        self.records.append(Record(number, kind, venue, tuple(instruments), ts_ns, expect, scope))


class Schedule:
    """Says which faults of a script are due."""

    def __init__(self, script: Script, ts_started: int) -> None:
        """Start at the server's start."""
        self._script = script
        self._started = ts_started
        self._subscribed: int | None = None
        self._zero: int | None = None
        self._left = sorted(script.faults, key=lambda fault: fault.at_s)

    def due(self, now: int, all_subscribed: Callable[[], bool]) -> list[Fault]:
        """Give the faults whose time has come since the last call."""
        if not self._left:
            return []
        if self._subscribed is None and all_subscribed():
            self._subscribed = now
        if self._zero is None:
            self._zero = self._settled(now)
        if self._zero is None:
            return []
        passed = (now - self._zero) / SECOND_NS
        count = sum(fault.at_s <= passed for fault in self._left)
        due, self._left = self._left[:count], self._left[count:]
        return due

    def _settled(self, now: int) -> int | None:
        """Give the instant the script's clock starts, once it has come."""
        latest = self._started + int(self._script.latest_s * SECOND_NS)
        settled = self._started + int(self._script.settle_s * SECOND_NS)
        if self._subscribed is not None:
            latest = min(latest, max(settled, self._subscribed + int(self._script.subscribed_s * SECOND_NS)))
        return latest if now >= latest else None


def load_script(name: str, dialects: Mapping[str, Dialect]) -> Script:
    """Read a script from a file, or the one that ships for the name `default`, for the venues there are.

    Raises:
        SettingsError: the file can't be read or says something that can't be meant.
    """
    path = DEFAULT_SCRIPT if name == "default" else Path(name)
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"fault script {path}: {error}") from error
    return parse_script(tables, dialects, str(path))


def parse_script(tables: Mapping[str, Any], dialects: Mapping[str, Dialect], name: str) -> Script:
    """Check a script's tables; faults of venues that are not simulated are left out.

    Raises:
        SettingsError: a key, kind or value is wrong, or a venue has no such fault.
    """
    rows = tables.get("fault", [])
    schedule = tables.get("schedule", {})
    unknown = set(tables) - {"fault", "schedule"} or set(schedule) - {"settle_s", "subscribed_s", "latest_s"}
    if unknown:
        raise SettingsError(f"fault script {name}: unknown {', '.join(sorted(unknown))}")
    faults = []
    for number, row in enumerate(rows, 1):
        try:
            faults += [parse_fault(one, dialects) for one in _everywhere(row, dialects)]
        except SettingsError as error:
            raise SettingsError(f"fault script {name}: fault {number}: {error}") from error
    return Script(tuple(fault for fault in faults if fault.venue in dialects), **schedule)


def _everywhere(row: Mapping[str, Any], dialects: Mapping[str, Dialect]) -> list[Mapping[str, Any]]:
    """Give a fault of every venue as one of each that can have it."""
    if row.get("venue") != EVERY_VENUE:
        return [row]
    able = [venue for venue, dialect in dialects.items() if why_not(str(row.get("kind")), dialect) is None]
    if not able:
        raise SettingsError(f"no venue has {row.get('kind')!r}")
    return [{**row, "venue": venue} for venue in able]


def parse_fault(row: Mapping[str, Any], dialects: Mapping[str, Dialect]) -> Fault:
    """Check one fault's table.

    Raises:
        SettingsError: a key, kind or value is wrong, or the venue has no such fault.
    """
    unknown = set(row) - {"at", "kind", "venue", "instruments", "count", "seconds", "amount"}
    if unknown:
        raise SettingsError(f"unknown {', '.join(sorted(unknown))}")
    at, count, seconds = row.get("at", 0.0), row.get("count", 1), row.get("seconds", 5.0)
    if not all(isinstance(number, int | float) and number >= 0 for number in (at, count, seconds)):
        raise SettingsError("at, count and seconds are numbers, 0 or more")
    amount = row.get("amount")
    if amount is not None and not isinstance(amount, int | float):
        raise SettingsError("amount is a number")
    names = row.get("instruments", [])
    if not isinstance(names, list) or not all(isinstance(one, str) for one in names):
        raise SettingsError("instruments is a list of names")
    kind, venue = str(row.get("kind")), str(row.get("venue"))
    fault = Fault(float(at), kind, venue, tuple(names), int(count), float(seconds), amount)
    _check(fault, dialects.get(fault.venue))
    return fault


def _check(fault: Fault, dialect: Dialect | None) -> None:
    """Refuse a kind that its venue can't have."""
    if dialect is not None and (reason := why_not(fault.kind, dialect)) is not None:
        raise SettingsError(reason)


def why_not(kind: str, dialect: Dialect) -> str | None:
    """Say why a venue can't have a kind of fault; nothing if it can."""
    if kind not in KINDS and kind not in dialect.tricks:
        return f"unknown kind {kind!r}; {dialect.venue} has {', '.join([*KINDS, *dialect.tricks])}"
    if kind == "crossed" and dialect.bid is None:
        return f"{dialect.venue} tells no more than one level a frame"
    if kind in NEEDS_A_CHECKSUM and dialect.spoil is None:
        return f"{dialect.venue} has no checksum"
    if kind in NEEDS_REST and not dialect.rest_snapshots:
        return f"{dialect.venue} gives no snapshots by REST"
    return None
