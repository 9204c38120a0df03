"""Which instruments there are, their scales, and each venue's symbol for them; read from one TOML file."""

from __future__ import annotations

import re
import tomllib
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thalweg.errors import SettingsError

DEFAULT_PATH = Path(__file__).with_name("instruments.toml")
DEFAULT_DECIMALS = 8  # 1e-8, the finest any of the default instruments is quoted in
MAX_DECIMALS = 18  # int64 holds 9.2 units then; more could hold none
SHARDS = 4  # sockets a venue's instruments are split over; part of the stream layout, so fixed for good
NAME = re.compile(r"[A-Z0-9]{1,20}-[A-Z0-9]{2,10}(-PERP)?")
SYMBOL = re.compile(r"[A-Za-z0-9._/@-]{1,40}")


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
    """The instruments in force, in the file's order."""

    by_name: Mapping[str, Instrument]

    def listings(self, venue: str) -> dict[str, Instrument]:
        """Give the venue's instruments by the venue's symbol."""
        return {i.symbols[venue]: i for i in self.by_name.values() if venue in i.symbols}

    def venues(self, instrument: str) -> tuple[str, ...]:
        """Give the names of the venues that list the instrument."""
        return tuple(self.by_name[instrument].symbols)

    def only(self, names: Iterable[str] | None = None, venues: Iterable[str] | None = None) -> Instruments:
        """Give the part that has these instruments and venues; `None` means all.

        Raises:
            SettingsError: a name is unknown.
        """
        wanted = list(self.by_name) if names is None else list(names)
        unknown = [name for name in wanted if name not in self.by_name]
        if unknown:
            raise SettingsError(f"unknown instrument {', '.join(unknown)}; known: {', '.join(self.by_name)}")
        kept = None if venues is None else set(venues)
        chosen = {}
        for name in wanted:
            one = self.by_name[name]
            symbols = {v: s for v, s in one.symbols.items() if kept is None or v in kept}
            if symbols:
                chosen[name] = Instrument(name, one.price_decimals, one.size_decimals, symbols)
        return Instruments(chosen)


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
    found = {name: _instrument(path, name, table) for name, table in tables.items()}
    if not found:
        raise SettingsError(f"instruments file {path}: no instrument in it")
    return Instruments(found)


def _instrument(path: Path, name: str, table: Any) -> Instrument:
    """Check one table of the file and make it an instrument."""
    if not NAME.fullmatch(name) or not isinstance(table, dict):
        raise SettingsError(f"instruments file {path}: {name!r} is not a table named BASE-QUOTE in upper case")
    decimals = [table.get(key, DEFAULT_DECIMALS) for key in ("price_decimals", "size_decimals")]
    if not all(isinstance(d, int) and 0 <= d <= MAX_DECIMALS for d in decimals):
        raise SettingsError(f"instruments file {path}: {name}: decimals must be 0 to {MAX_DECIMALS}")
    symbols = {key: value for key, value in table.items() if not key.endswith("_decimals")}
    for venue, symbol in symbols.items():
        if not isinstance(symbol, str) or not SYMBOL.fullmatch(symbol):
            raise SettingsError(f"instruments file {path}: {name}: {venue} = {symbol!r} is not a symbol")
    if not symbols:
        raise SettingsError(f"instruments file {path}: {name} is listed on no venue")
    return Instrument(name, decimals[0], decimals[1], symbols)


def shard_of(instrument: str) -> int:
    """Give the shard an instrument belongs to, the same at every venue."""
    return zlib.crc32(instrument.encode()) % SHARDS
