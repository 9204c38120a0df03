"""`thalweg top`: every book and hop in a terminal, live."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic

import click

from thalweg.cli.desk.model import ORDERS, Desk, ordered
from thalweg.cli.desk.picture import View, as_json, lines, plain, press
from thalweg.cli.server import environment
from thalweg.client import Client, connect

DRAW_S = 0.5
FIRST_S = 10.0  # for what `--once` shows to be there
RATE_MS = 1000
MARGIN = 6  # lines that are no rows
NAMED = {
    "[A": "up", "[B": "down", "OA": "up", "OB": "down", "[5~": "pageup", "[6~": "pagedown", "[H": "home", "[F": "end",
    "[1~": "home", "[4~": "end",
}  # fmt: skip
SPOKEN = {"\r": "enter", "\n": "enter", "\x7f": "backspace", "\x08": "backspace"}
ENTER, LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"  # the other screen, without a cursor, and back


@click.command()
@click.option("--sort", type=click.Choice(list(ORDERS)), default="state", show_default=True, help="What comes first.")
@click.option("--filter", "wanted", default="", metavar="TEXT", help="Only books whose venue, name or state has it.")
@click.option("--once", is_flag=True, help="Print everything once and end.")
@click.option("--json", "as_lines", is_flag=True, help="The same as one JSON object; implies --once.")
@click.option("--url", help="Of the gateway: ws://host:port/ws/v1; else THALWEG_HOST and THALWEG_PORT.")
def command(sort: str, wanted: str, once: bool, as_lines: bool, url: str | None) -> None:
    """Show every book's state, age, best prices and spread, and where time goes, until `q` is pressed.

    The worst comes first. It is a client of a gateway, as the page is, and survives its restarts. NO_COLOR is honoured.
    Ends with 1 where no gateway answers.

    Examples:
      thalweg top
      thalweg top --filter kraken --sort age
      thalweg top --json
    """
    settings = environment()
    address = url or f"ws://{settings.host}:{settings.port}/ws/v1"
    view = View(by=sort, wanted=wanted, colour=not os.environ.get("NO_COLOR"))
    shown = not (once or as_lines) and sys.stdin.isatty() and sys.stdout.isatty()
    work = _watch(address, settings.token, view) if shown else _print(address, settings.token, view, as_lines)
    with suppress(asyncio.CancelledError):
        asyncio.run(work)


async def _follow(client: Client, desk: Desk, enough: Callable[[], bool] = lambda: False) -> None:
    """Keep the desk up to date until that is enough."""
    await client.subscribe("status", "metrics", rate_ms=RATE_MS)
    async for message in client.messages():
        instrument = desk.take(message, monotonic())
        if instrument is not None:
            await client.subscribe(f"bbo:*:{instrument}", rate_ms=RATE_MS)
        if enough():
            return


async def _print(url: str, token: str | None, view: View, as_lines: bool) -> None:
    """Wait until every live book has a price and a rate, or not for long, and print."""
    desk = Desk(heard_at=monotonic())

    def enough() -> bool:
        rows = desk.rows.values()
        return bool(rows and desk.hops) and all(row.rate is not None or row.state != "live" for row in rows)

    async with connect(url, token=token) as client:
        with suppress(TimeoutError):
            async with asyncio.timeout(FIRST_S):
                await _follow(client, desk, enough)
    now = monotonic()
    rows = ordered(desk, view.by, view.wanted, now)
    if as_lines:
        parts = {name: {"state": part.state, "why": part.why} for name, part in desk.parts.items()}
        click.echo(json.dumps({"books": as_json(rows, now), "parts": parts, "hops": desk.hops}))
    else:
        head = lines(desk, View(colour=False), now, 200, 5)[:4]
        click.echo("\n".join([*(line.rstrip() for line in head), *plain(rows, now)]))


async def _watch(url: str, token: str | None, view: View) -> None:
    """Draw until the operator leaves; the terminal is as it was before, however this ends."""
    desk, again = Desk(heard_at=monotonic()), asyncio.Event()
    async with connect(url, token=token) as client:
        with _terminal():
            async with asyncio.TaskGroup() as group:
                following = group.create_task(_follow(client, desk))
                asyncio.get_running_loop().add_reader(sys.stdin.fileno(), _read, view, again, following)
                try:
                    await _draw_on(desk, view, again, following)
                finally:
                    asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
                    following.cancel()


async def _draw_on(desk: Desk, view: View, again: asyncio.Event, following: asyncio.Task[None]) -> None:
    before: list[str] = []
    while not following.done():
        width, height = shutil.get_terminal_size()
        if not view.frozen or again.is_set() or not before:
            picture = lines(desk, view, monotonic(), width, height)
            if picture != before:
                sys.stdout.write("\x1b[H" + "\x1b[K\r\n".join(picture) + "\x1b[K\x1b[J")
                sys.stdout.flush()
                before = picture
        again.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAW_S):
                await again.wait()


def _read(view: View, again: asyncio.Event, following: asyncio.Task[None]) -> None:
    """Do what was typed; the end of input is a wish to leave."""
    typed = os.read(sys.stdin.fileno(), 1024).decode(errors="ignore")
    page = max(shutil.get_terminal_size().lines - MARGIN, 1)
    for key in keys(typed) if typed else ["q"]:
        if not press(view, key, page):
            following.cancel()
    again.set()


def keys(typed: str) -> list[str]:
    """Give the keys that make these bytes: characters, and names for what has none."""
    found = re.findall(r"\x1b(\[[0-9;]*[~A-Za-z]|O[A-Z])|(\x1b)|(.)", typed, re.DOTALL)
    return [NAMED.get(code, "") if code else "escape" if alone else SPOKEN.get(one, one) for code, alone, one in found]


@contextmanager
def _terminal() -> Iterator[None]:
    """Take the whole terminal, key by key, and give it back."""
    inside = sys.stdin.fileno()
    before = termios.tcgetattr(inside)
    tty.setcbreak(inside)
    sys.stdout.write(ENTER)
    try:
        yield
    finally:
        termios.tcsetattr(inside, termios.TCSADRAIN, before)
        sys.stdout.write(LEAVE)
        sys.stdout.flush()
