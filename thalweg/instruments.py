"""Which instruments there are, their scales, and each venue's symbol for them; read from one TOML file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thalweg.errors import SettingsError
from thalweg.keys import SLOTS, slot

DEFAULT_PATH = Path(__file__).with_name("instruments.toml")
DEFAULT_DECIMALS = 8  # 1e-8, the finest any of the default instruments is quoted in
MAX_DECIMALS = 18  # int64 holds 9.2 units then; more could hold none
SHARDS = 4  # sockets a venue's instruments are split over; part of the stream layout, so fixed for good
NAME = re.compile(r"[A-Z0-9]{1,20}-[A-Z0-9]{2,10}(-PERP)?")
NAME_MAX = 32  # characters; as many as a publication has room for
VENUE = re.compile(r"[a-z][a-z0-9_]{0,15}")  # 16 characters, likewise
SYMBOL = re.compile(r"[A-Za-z0-9._/@:-]{1,40}")
USUAL = "usual"  # the file's one key that is no instrument: the venues that run where none is named
ALL = "all"  # in the place of venues' names: every venue of the file


@dataclass(frozen=True, slots=True)
class Instrument:
    """One thing that is traded, the same for all venues.

    `price_decimals` and `size_decimals` set the units of every price and size of the instrument;
    `symbols` maps a venue's name to the venue's spelling.
    """

    name: str
    price_decimals: int
    size_decimals: int
    symbols: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Instruments:
    """The instruments in force, in the file's order; `usual` are the venues that run unless others are named."""

    by_name: Mapping[str, Instrument]
    usual: tuple[str, ...] = ()

    @property
    def all_venues(self) -> tuple[str, ...]:
        """Give every venue that lists any of them, in the file's order."""
        return tuple(dict.fromkeys(venue for one in self.by_name.values() for venue in one.symbols))

    def listings(self, venue: str) -> dict[str, Instrument]:
        """Give the venue's instruments by the venue's symbol."""
        return {i.symbols[venue]: i for i in self.by_name.values() if venue in i.symbols}

    def venues(self, instrument: str) -> tuple[str, ...]:
        """Give the names of the venues that list the instrument."""
        return tuple(self.by_name[instrument].symbols)

    def only(self, names: Iterable[str] | None = None, venues: Iterable[str] | None = None) -> Instruments:
        """Give the part that has these instruments and venues.

        `None` means all instruments, and the usual venues, which are all where the file does not say; a venue called
        `all` stands for every one.

        Raises:
            SettingsError: a name is unknown.
        """
        listed = self.all_venues
        wanted = _known("instrument", names, self.by_name)
        named = self.usual or None if venues is None else list(venues)
        kept = _known("venue", None if named == [ALL] else named, listed)
        chosen = {}
        for name in wanted:
            one = self.by_name[name]
            symbols = {v: s for v, s in one.symbols.items() if v in kept}
            if symbols:
                chosen[name] = Instrument(name, one.price_decimals, one.size_decimals, symbols)
        return Instruments(chosen)


def _known(what: str, names: Iterable[str] | None, known: Collection[str]) -> list[str]:
    """Give the names that are asked for, all of them if none is."""
    wanted = list(known) if names is None else list(names)
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise SettingsError(f"unknown {what} {', '.join(unknown)}; known: {', '.join(known)}")
    return wanted


def load_instruments(path: Path | None = None) -> Instruments:
    """Read the instruments file; without a path, the one that ships.

    Raises:
        SettingsError: the file can't be read or says something that can't be meant.
    """
    path = path or DEFAULT_PATH
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"instruments file {path}: {error}") from error
    try:
        usual = _usual(tables.pop(USUAL, []))
        found = {name: _instrument(name, table) for name, table in tables.items()}
        _refuse_twins(found.values())
        _known(f"venue in {USUAL}", usual, Instruments(found).all_venues)
    except SettingsError as error:
        raise SettingsError(f"instruments file {path}: {error}") from error
    if not found:
        raise SettingsError(f"instruments file {path}: no instrument in it")
    return Instruments(found, usual)


def _usual(names: Any) -> tuple[str, ...]:
    """Check the list of the venues that run unless others are named."""
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise SettingsError(f"{USUAL} is not a list of venues")
    return tuple(names)


def _instrument(name: str, table: Any) -> Instrument:
    """Check one table of the file and make it an instrument."""
    if not NAME.fullmatch(name) or not isinstance(table, dict):
        raise SettingsError(f"{name!r} is not a table named BASE-QUOTE in upper case")
    if len(name) > NAME_MAX:
        raise SettingsError(f"{name} is longer than {NAME_MAX} characters")
    symbols = dict(table)
    decimals = [symbols.pop(key, DEFAULT_DECIMALS) for key in ("price_decimals", "size_decimals")]
    if not all(type(places) is int and 0 <= places <= MAX_DECIMALS for places in decimals):
        raise SettingsError(f"{name}: decimals must be 0 to {MAX_DECIMALS}")
    for venue, symbol in symbols.items():
        if not VENUE.fullmatch(venue):
            raise SettingsError(f"{name}: {venue!r} is not a venue's name")
        if not isinstance(symbol, str) or not SYMBOL.fullmatch(symbol):
            raise SettingsError(f"{name}: {venue} = {symbol!r} is not a symbol")
    if not symbols:
        raise SettingsError(f"{name} is listed on no venue")
    return Instrument(name, decimals[0], decimals[1], symbols)


def _refuse_twins(found: Iterable[Instrument]) -> None:
    """Refuse two instruments with one symbol at a venue: its frames could go to one of them only."""
    owners: dict[tuple[str, str], str] = {}
    for one in found:
        for venue, symbol in one.symbols.items():
            owner = owners.setdefault((venue, symbol), one.name)
            if owner != one.name:
                raise SettingsError(f"{owner} and {one.name} are both {symbol} on {venue}")


def shard_of(instrument: str) -> int:
    """Give the shard an instrument belongs to, the same at every venue: the quarter of the Cluster slots that it is in.

    They count down, so that a shard's own number, as a tag, is in the shard's quarter: those of 0 to 3 are 13907, 9842,
    5649 and 1584.
    """
    return SHARDS - 1 - slot(instrument.encode()) * SHARDS // SLOTS
