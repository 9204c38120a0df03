"""`thalweg record VENUE...`: capture raw frames from venues, exactly as they come."""

from __future__ import annotations

import asyncio
import gzip
import json
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

import click

from thalweg import __version__
from thalweg.capture import VERSION
from thalweg.cli.recording import Recorder
from thalweg.cli.server import environment
from thalweg.errors import SettingsError
from thalweg.instruments import Instruments


@click.command()
@click.argument("venues", nargs=-1, required=True, metavar="VENUE...")
@click.option("--instruments", metavar="A,B", help="Only these instruments; all that the venue lists by default.")
@click.option("--seconds", type=click.FloatRange(min=1), metavar="N", help="Stop after N seconds; else at Ctrl-C.")
@click.option("--output", default="{venue}.jsonl.gz", show_default=True, metavar="FILE", help=".gz compresses.")
@click.option("--force", is_flag=True, help="Write over files that are there.")
def command(venues: tuple[str, ...], instruments: str | None, seconds: float | None, output: str, force: bool) -> None:
    """Capture what venues send, one file a venue, in the capture format.

    Connects as the ingest workers do (same endpoints, subscriptions and split over sockets), and writes every frame
    exactly as it came and every frame sent. Needs no Redis. A connection that ends is made again.

    Examples:
      thalweg record kraken --seconds 60
      thalweg record binance bybit --instruments BTC-USDT --output 'captures/{venue}.jsonl.gz'
    """
    from ingest.venues import VENUES

    if len(venues) > 1 and "{venue}" not in output:
        raise SettingsError(f"--output {output!r} has no {{venue}} in it, but there are {len(venues)} venues")
    settings = environment(venues)
    names = [part.strip() for part in instruments.split(",")] if instruments else None
    chosen = settings.instruments.only(names, venues)
    with ExitStack() as files:
        recorders = {}
        for name in dict.fromkeys(venues):
            path = Path(output.replace("{venue}", name))
            recorders[path] = Recorder(VENUES[name], settings, files.enter_context(_capture(path, name, force=force)))
        asyncio.run(_record(list(recorders.values()), chosen, seconds))
    for path, recorder in recorders.items():
        for trouble, times in recorder.troubles.items():
            click.echo(f"{recorder.venue.name}: {trouble} ({times} times)", err=True)
        click.echo(f"{path}: {recorder.frames} frames")


async def _record(recorders: list[Recorder], chosen: Instruments, seconds: float | None) -> None:
    """Record all venues side by side until told to stop or the time is over."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    for one in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(one, task.cancel if task else lambda: None)
    with suppress(TimeoutError, asyncio.CancelledError):
        async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
            for recorder in recorders:
                group.create_task(recorder.run(chosen.listings(recorder.venue.name)))


@contextmanager
def _capture(path: Path, venue: str, *, force: bool) -> Iterator[BinaryIO]:
    """Open a capture file and write its head line.

    Raises:
        SettingsError: it is there already, or can't be written.
    """
    mode = "wb" if force else "xb"
    try:
        with gzip.open(path, mode) if path.suffix == ".gz" else path.open(mode) as opened:
            file = cast("BinaryIO", opened)
            file.write(json.dumps({"v": VERSION, "venue": venue, "by": f"thalweg {__version__}"}).encode() + b"\n")
            yield file
    except FileExistsError as error:
        raise SettingsError(f"{path} is there already; --force writes over it") from error
    except OSError as error:
        raise SettingsError(f"{path} can't be written: {error.strerror}") from error
