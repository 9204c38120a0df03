"""`thalweg tail PATTERN`: follow streams, decoded, one line an entry."""

from __future__ import annotations

import asyncio
import json
import math
import signal
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

import click

from thalweg.cli.server import RETRY_S, connected, environment
from thalweg.cluster.source import merged, together
from thalweg.cursor import Entry, EpochBegan, Item, Lapped, Position, Regressed
from thalweg.errors import RedisTrouble, SettingsError
from thalweg.events import Delta, Event, Open, Snapshot, Status, Trade, flag_names
from thalweg.fixed import Levels, format_fixed
from thalweg.instruments import ALL, Instruments
from thalweg.keys import parse_stream
from thalweg.streams.source import entries

SHOWN = 3  # levels a side in a line for people
NAME = 24  # columns for `binance:BTC-USDT-PERP`


@dataclass(frozen=True, slots=True)
class View:
    """What of the streams is printed, and how."""

    instruments: Instruments
    trades: bool
    raw: bool
    as_json: bool


@click.command()
@click.argument("patterns", nargs=-1, required=True, metavar="PATTERN...")
@click.option("--trades", is_flag=True, help="Trades only.")
@click.option("--raw", is_flag=True, help="Integers as they are in the stream, and every level.")
@click.option("--whole", is_flag=True, help="Begin with the oldest entry kept, not with the newest snapshot.")
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="Stop after N lines.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines: every field, prices and sizes as decimal text.")
def command(patterns: tuple[str, ...], trades: bool, raw: bool, whole: bool, count: int | None, as_json: bool) -> None:
    """Follow the streams that match VENUE:INSTRUMENT, where * stands for anything.

    Begins with the newest whole book of each stream. Prices and sizes are exact decimal text. What was lost (trimmed
    before it was read, a new writer, a server that lost data or went away) is a line of its own that begins with an
    exclamation mark; after a lost connection reading goes on where it was.

    Examples:
      thalweg tail binance:BTC-USDT
      thalweg tail '*:BTC-USDT' 'kraken:*' --trades
      thalweg tail bybit:ETH-USDT --json --count 100
    """
    settings = environment([ALL])
    streams = matching(settings.instruments, patterns)
    view = View(settings.instruments, trades, raw, as_json)
    with suppress(asyncio.CancelledError):
        asyncio.run(_tail(settings.redis_url, streams, view, whole, count))


def matching(instruments: Instruments, patterns: Iterable[str]) -> list[tuple[str, str]]:
    """Give (instrument, venue) of every stream that a pattern fits.

    Raises:
        SettingsError: a pattern fits none.
    """
    streams = [(name, venue) for name in instruments.by_name for venue in instruments.venues(name)]
    found: dict[tuple[str, str], None] = {}
    for pattern in patterns:
        fitting = [(name, venue) for name, venue in streams if fnmatchcase(f"{venue}:{name}", pattern)]
        if not fitting:
            raise SettingsError(f"no stream fits {pattern!r}; a pattern is VENUE:INSTRUMENT, as in binance:BTC-USDT")
        found.update(dict.fromkeys(fitting))
    return list(found)


async def _tail(url: str, streams: list[tuple[str, str]], view: View, whole: bool, left: int | None) -> None:
    task = asyncio.current_task()
    for one in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(one, task.cancel if task else lambda: None)
    groups = together(url, (instrument for instrument, _ in streams))
    sources = [_lines(url, [one for one in streams if one[0] in group], view, whole) for group in groups]
    async with aclosing(merged(sources)) as lines:
        async for line in lines:
            click.echo(line)
            left = None if left is None else left - 1
            if left == 0:
                return


async def _lines(url: str, streams: list[tuple[str, str]], view: View, whole: bool) -> AsyncGenerator[str, None]:
    """Give the lines of what one link reads, through any trouble, of which it says one."""
    after, lost = dict[tuple[str, str], Position](), False
    link = await connected(url, "thalweg-tail")
    while True:
        try:
            async for item in entries(link, streams, whole=whole, after=after):
                lost = False
                note(item, after)
                line = line_of(item, view)
                if line is not None:
                    yield line
        except RedisTrouble as trouble:
            if not lost:
                click.echo(lost_of(trouble, view))
            lost = True
        finally:
            await link.close()
        await asyncio.sleep(RETRY_S)
        link = await connected(url, "thalweg-tail", math.inf)


def note(item: Item, after: dict[tuple[str, str], Position]) -> None:
    """Keep where reading goes on after a lost connection: behind each stream's last entry, or anew if it was lost."""
    match item:
        case Entry():
            after[item.instrument, item.venue] = item.epoch, item.n
        case Regressed():
            after.pop(parse_stream(item.key), None)


def lost_of(trouble: RedisTrouble, view: View) -> str:
    """Give the line of a connection that failed."""
    if view.as_json:
        return json.dumps({"kind": "disconnected", "reason": str(trouble)})
    return f"! {trouble}; reading on when the server is back"


def line_of(item: Item, view: View) -> str | None:
    """Give the line of an item; `None` for one that is not asked for."""
    if not isinstance(item, Entry):
        return json.dumps(_told(item)) if view.as_json else f"! {_sentence(item)}"
    if view.trades and not isinstance(item.event, Trade):
        return None
    one = view.instruments.by_name[item.instrument]
    places = (0, 0) if view.raw else (one.price_decimals, one.size_decimals)
    if view.as_json:
        head = {"venue": item.venue, "instrument": item.instrument, "entry": f"{item.epoch}-{item.n}"}
        return json.dumps(head | fields_of(item.event, places) | {"ts_append": item.ts_append})
    name = f"{item.venue}:{item.instrument}"
    return f"{_clock(item.event.ts_recv)} {name:{NAME}} {item.n:>8} {words_of(item.event, places, view.raw)}"


def fields_of(event: Event, places: tuple[int, int]) -> dict[str, Any]:
    """Give an event's own fields; numbers of the market as decimal text."""
    found: dict[str, Any] = {"kind": type(event).__name__.lower()}
    for field in event.__slots__:
        value = getattr(event, field)
        match field:
            case "venue" | "instrument":
                continue
            case "bids" | "asks":
                found[field] = _pairs(value, places)
            case "price" | "size":
                found[field] = format_fixed(value, places[field == "size"])
            case "flags":
                found[field] = flag_names(value)
            case _ if value is not None:
                found[field] = value
    return found


def words_of(event: Event, places: tuple[int, int], every_level: bool) -> str:
    """Give an event as words for people."""
    match event:
        case Trade():
            price, size = format_fixed(event.price, places[0]), format_fixed(event.size, places[1])
            return f"trade    {event.taker:<4} {size} @ {price}  id {event.id}"
        case Delta():
            return f"delta    {_sides(event.bids, event.asks, places, every_level)}"
        case Snapshot():
            counts = f"{len(event.bids)}+{len(event.asks)} levels by {event.made}, {_state(event.state, event.flags)}"
            return f"snapshot {counts}: {_sides(event.bids, event.asks, places, every_level)}"
        case Status():
            return f"status   {_state(event.state, event.flags)}: {event.reason or 'no reason given'}"
        case Open():
            depth = "all" if event.depth is None else event.depth
            verified = "all" if event.verified_depth is None else event.verified_depth
            verified = "nothing" if event.detector == "none" else verified
            decimals = f"{event.price_decimals} and {event.size_decimals} decimals"
            return f"open     {decimals}, depth {depth}, detector {event.detector}, verified depth {verified}"


def _state(state: str, flags: int) -> str:
    return " ".join((state, *flag_names(flags)))


def _sides(bids: Levels, asks: Levels, places: tuple[int, int], every_level: bool) -> str:
    shown = None if every_level else SHOWN
    return " | ".join(_side(name, side, places, shown) for name, side in (("bids", bids), ("asks", asks)) if len(side))


def _side(name: str, levels: Levels, places: tuple[int, int], shown: int | None) -> str:
    pairs = [f"{price} x {size}" if size != "0" else f"{price} gone" for price, size in _pairs(levels[:shown], places)]
    more = len(levels) - len(pairs)
    return f"{name} {', '.join(pairs)}{f' and {more} more' if more else ''}"


def _pairs(levels: Levels, places: tuple[int, int]) -> list[tuple[str, str]]:
    return [(format_fixed(price, places[0]), format_fixed(size, places[1])) for price, size in levels.tolist()]


def _told(item: EpochBegan | Lapped | Regressed) -> dict[str, Any]:
    return {"kind": type(item).__name__.lower()} | {name: getattr(item, name) for name in item.__slots__}


def _sentence(item: EpochBegan | Lapped | Regressed) -> str:
    match item:
        case EpochBegan():
            return f"{item.key}: a new writer took over, epoch {item.epoch} after {item.before}"
        case Lapped():
            return f"{item.key}: {item.first} to {item.last} of epoch {item.epoch} were trimmed before they were read"
        case Regressed():
            return f"{item.key}: the server lost data: read {item.read}, but the stream ends at {item.top}"


def _clock(ts: int) -> str:
    return datetime.fromtimestamp(ts / 1e9, UTC).strftime("%H:%M:%S.%f")[:-3]
