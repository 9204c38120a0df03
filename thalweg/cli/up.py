"""`thalweg up`: all of it on this machine, against live venues or fake ones."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path

import click

from thalweg.cli import EXIT_FAILED, EXIT_INTERRUPTED
from thalweg.cli.console import standard_screen
from thalweg.cli.ending import Ended
from thalweg.cli.plan import DEMO_RATE, MOST_WORKERS, Wishes, make_plan
from thalweg.cli.supervisor import Run
from thalweg.errors import SettingsError


@click.command()
@click.option("--demo", is_flag=True, help="Fake venues on this machine in place of the live ones.")
@click.option("--venues", metavar="A,B", help="Only these venues; `all` is every one.")
@click.option("--instruments", metavar="A,B", help="Only these instruments.")
@click.option(
    "--workers",
    type=click.IntRange(1, MOST_WORKERS),
    default=1,
    show_default=True,
    metavar="N",
    help="Ingest workers a venue, and aggregators; they stand by for one another.",
)
@click.option("--rate", type=click.FloatRange(min=1), default=DEMO_RATE, show_default=True, help="Demo: frames/s.")
@click.option("--seed", type=int, default=1, show_default=True, help="Demo: of the market model.")
@click.option("--faults", metavar="FILE|default", help="Demo: let things go wrong by this script.")
@click.option("--seconds", type=click.FloatRange(min=1), metavar="N", help="Stop N seconds after the start.")
@click.option("--summary", metavar="FILE|-", help="Write the counts of the run as one JSON object at its end.")
@click.option("--port", type=click.IntRange(1, 65535), help="Of the page; THALWEG_PORT or 8080 by default.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines: ours on stdout, the services' on stderr.")
def command(**options: object) -> None:
    """Run all services on this machine and print the page's address.

    Starts a Redis-compatible server of its own (unless REDIS_URL names one; on port 6379 if that is free, else it
    says where), an ingest worker for each venue, the aggregator and the gateway. Services that die are started
    again. Ctrl-C stops all within 5 seconds; a second one at once. The services' logs go to stderr, each line with
    the service's name.

    With --seconds or --summary everything is counted: the run ends with fake venues paused, all streams drained and
    every event accounted for. Frames are those the simulator sent, or with live venues those that ingest decoded,
    from the first instant at which all books were live until the stop. With --demo every live book is compared with
    the simulator's true book whenever its position has changed. Exit code 1 if anything does not add up, if a live
    book was ever wrong or a fault was not marked.

    Examples:
      thalweg up --demo
      thalweg up --venues kraken,coinbase --instruments BTC-USD,ETH-USD
      thalweg up --demo --workers 2
      thalweg up --demo --seconds 20 --summary -
      thalweg up --demo --faults default --seconds 40 --summary out.json
    """
    wishes = Wishes(**options)  # type: ignore[arg-type]  # click has checked them against the declarations above
    path = summary_path(wishes.summary)
    screen = standard_screen(as_json=wishes.as_json, stdout_is_taken=wishes.summary == "-")
    run = Run(make_plan(wishes, os.environ), screen, exec_instant())
    try:
        ended = asyncio.run(run.run())
    except asyncio.CancelledError:  # told to stop twice: at once, and without a word
        sys.exit(EXIT_INTERRUPTED)
    finish(ended, wishes.summary, path)


def summary_path(summary: str | None) -> Path | None:
    """Give the file of a summary; `None` for stdout and for no summary.

    Raises:
        SettingsError: its folder is not there.
    """
    path = None if summary in (None, "-") else Path(summary or "")
    if path is not None and not path.parent.is_dir():
        raise SettingsError(f"--summary {path}: there is no folder {path.parent}")
    return path


def finish(ended: Ended | None, summary: str | None, path: Path | None) -> None:
    """Write a run's summary and what is wrong with it; end the process with code 1 if anything is."""
    if ended is None:
        return
    text = json.dumps(ended.summary, indent=2)
    if path is not None:
        path.write_text(text + "\n", encoding="utf-8")
    elif summary == "-":
        click.echo(text)
    for sentence in ended.violations:
        click.echo(f"thalweg: {sentence}", err=True)
    if ended.violations:
        sys.exit(EXIT_FAILED)


def exec_instant() -> float:
    """Give when this process was started, by the monotonic clock; now where the system does not say."""
    try:
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, AttributeError):
        return time.monotonic()
    return time.monotonic() - max(age, 0.0)
