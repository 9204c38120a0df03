"""`thalweg record VENUE...`: capture raw frames from venues, exactly as they come."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import click

from thalweg.cli.journal import Journal, Limits
from thalweg.cli.recording import Recorder
from thalweg.cli.server import environment
from thalweg.errors import SettingsError
from thalweg.instruments import Instruments

REPORT_S = 10.0  # between the lines that say what recording costs
MB = 1_000_000


@click.command()
@click.argument("venues", nargs=-1, required=True, metavar="VENUE...")
@click.option("--instruments", metavar="A,B", help="Only these instruments; all that the venue lists by default.")
@click.option("--seconds", type=click.FloatRange(min=1), metavar="N", help="Stop after N seconds; else at Ctrl-C.")
@click.option("--output", default="{venue}.jsonl.gz", show_default=True, metavar="FILE", help=".gz compresses.")
@click.option("--force", is_flag=True, help="Write over files that are there.")
@click.option(
    "--part-mb", type=click.FloatRange(min=0.001), metavar="N", help="Begin the next file after N MB on disk."
)
@click.option(
    "--part-minutes", type=click.FloatRange(min=0.01), metavar="N", help="Begin the next file after N minutes."
)
@click.option("--keep", type=click.IntRange(min=1), metavar="N", help="Of each venue's files, keep the newest N.")
def command(
    venues: tuple[str, ...],
    instruments: str | None,
    seconds: float | None,
    output: str,
    force: bool,
    part_mb: float | None,
    part_minutes: float | None,
    keep: int | None,
) -> None:
    """Capture what venues send, one file a venue, in the capture format.

    Connects as the ingest workers do (same endpoints, subscriptions and split over sockets), and writes every frame
    exactly as it came and every frame sent. Needs no Redis. A connection that ends is made again.

    A file is written a second at a time, each piece whole in itself: kill -9 costs at most the last second, and every
    reader takes what is there. Files can be ended by size or age; the next ones are FILE.2, FILE.3 and so on, to be
    given to `replay` in that order. Every 10 s a line on stderr says what recording costs. A full disk ends it, with
    exit code 2 and what was kept.

    Examples:
      thalweg record kraken --seconds 60
      thalweg record kraken --part-mb 500 --keep 20
      thalweg record binance bybit --instruments BTC-USDT --output 'captures/{venue}.jsonl.gz'
    """
    from ingest.venues import VENUES

    if len(venues) > 1 and "{venue}" not in output:
        raise SettingsError(f"--output {output!r} has no {{venue}} in it, but there are {len(venues)} venues")
    settings = environment(venues)
    names = [part.strip() for part in instruments.split(",")] if instruments else None
    chosen = settings.instruments.only(names, venues)
    limits = Limits(round(part_mb * MB) if part_mb else None, part_minutes * 60 if part_minutes else None, keep)
    with ExitStack() as files:
        recorders = []
        for name in dict.fromkeys(venues):
            journal = Journal(Path(output.replace("{venue}", name)), name, limits, time.monotonic, force=force)
            files.callback(journal.close)
            recorders.append((Recorder(VENUES[name], settings, journal), journal))
        asyncio.run(_record(recorders, chosen, seconds))
    for recorder, journal in recorders:
        for trouble, times in recorder.troubles.items():
            click.echo(f"{recorder.venue.name}: {trouble} ({times} times)", err=True)
        parts = f" in {journal.parts} files" if journal.parts > 1 else ""
        click.echo(f"{journal.path}: {recorder.frames} frames{parts}, {journal.packed / MB:,.1f} MB")


async def _record(recorders: list[tuple[Recorder, Journal]], chosen: Instruments, seconds: float | None) -> None:
    """Record all venues side by side until told to stop or the time is over.

    Raises:
        SettingsError: the disk is full, or can't be written.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    for one in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(one, task.cancel if task else lambda: None)
    try:
        with suppress(TimeoutError, asyncio.CancelledError):
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
                for recorder, journal in recorders:
                    group.create_task(recorder.run(chosen.listings(recorder.venue.name)))
                    group.create_task(journal.run())
                group.create_task(_tell_cost([journal for _, journal in recorders]))
    except* SettingsError as group_of:
        raise _first(group_of) from None


async def _tell_cost(journals: list[Journal]) -> None:
    """Say now and then what recording costs, until cancelled."""
    before, cpu, then = dict.fromkeys(journals, (0, 0, 0)), time.process_time(), time.monotonic()
    while True:
        await asyncio.sleep(REPORT_S)
        spent, now = time.process_time(), time.monotonic()
        share = (spent - cpu) / (now - then)
        for journal in journals:
            counts = journal.lines, journal.raw, journal.packed
            lines, raw, packed = ((new - old) / (now - then) for new, old in zip(counts, before[journal], strict=True))
            cost = f"{lines:,.0f} lines/s, {raw / 1000:,.0f} kB/s, {packed / 1000:,.0f} kB/s on disk"
            click.echo(f"{journal.venue}: {cost}, {journal.packed / MB:,.1f} MB so far", err=True)
            before[journal] = counts
        click.echo(f"CPU {share:.1%} of a core", err=True)
        cpu, then = spent, now


def _first(group: BaseExceptionGroup[SettingsError]) -> SettingsError:
    for error in group.exceptions:
        return _first(error) if isinstance(error, BaseExceptionGroup) else error
    raise AssertionError("a group has at least one")
