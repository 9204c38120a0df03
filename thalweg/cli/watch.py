"""`thalweg watch INSTRUMENT`: a gateway's ladder, live, or as JSON lines."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import suppress
from itertools import zip_longest

import click

from thalweg.client import Book, Client, connect
from thalweg.settings import load_settings

CLEAR = "\x1b[H\x1b[2J"


@click.command()
@click.argument("instrument")
@click.option("--venue", help="This venue's book; without it the ladder of all live ones.")
@click.option("--depth", type=click.IntRange(1, 200), default=10, show_default=True, help="Levels a side.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines: a book a line, prices and sizes as decimal text.")
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="Stop after N books.")
@click.option("--url", help="Of the gateway: ws://host:port/ws/v1; else THALWEG_HOST and THALWEG_PORT.")
def command(instrument: str, venue: str | None, depth: int, as_json: bool, count: int | None, url: str | None) -> None:
    """Follow a book as a client of the gateway does: checked, and resumed after a lost connection.

    The token is taken from THALWEG_TOKEN or THALWEG_TOKEN_FILE. Ends with 1 where no gateway answers.

    Examples:
      thalweg watch BTC-USDT
      thalweg watch BTC-USDT --venue kraken --json --count 100
    """
    settings = load_settings(os.environ)
    address = url or f"ws://{settings.host}:{settings.port}/ws/v1"
    channel = f"book:{venue}:{instrument}" if venue else f"cbook:{instrument}"
    with suppress(asyncio.CancelledError):
        asyncio.run(_watch(address, settings.token, channel, depth, as_json, count))


async def _watch(url: str, token: str | None, channel: str, depth: int, as_json: bool, count: int | None) -> None:
    async with connect(url, token=token) as client:
        await client.subscribe(channel, depth=depth)
        shown = 0
        async for book in client.changes():
            click.echo(line(book, depth) if as_json else page(book, client, depth))
            shown += 1
            if shown == count:
                return


def line(book: Book, depth: int) -> str:
    """Give a book as one line of JSON."""
    bids, asks = book.texts(depth)
    return json.dumps(
        {"ch": book.channel, "seq": book.seq, "epoch": book.epoch, "state": book.state, "flags": book.flags,
         "bids": bids, "asks": asks}
    )  # fmt: skip


def page(book: Book, client: Client, depth: int) -> str:
    """Give a book for people, over what was shown before where that can be."""
    counts = client.counts
    head = f"{book.channel}  {book.state} {' '.join(book.flags)}  sequence {book.seq}"
    tail = f"reconnects {counts.reconnects}, resumed {counts.resumed}, asked for anew {counts.mismatches}"
    rows = [row(bid, ask) for bid, ask in zip_longest(*book.texts(depth))]
    return (CLEAR if sys.stdout.isatty() else "") + "\n".join((head, *rows, tail))


def row(bid: list[str] | None, ask: list[str] | None) -> str:
    """Give a bid and an ask beside one another; the prices stand in the middle."""
    (bought, wanted), (asked, offered) = (bid or ("", ""))[:2], (ask or ("", ""))[:2]
    return f"{wanted:>20} {bought:>14} | {asked:<14} {offered:<20}"
