"""`thalweg replay FILE...`: feed captures through the whole pipeline, as if the venues sent them now."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import click

from thalweg.capture import parse_line
from thalweg.cli.console import standard_screen
from thalweg.cli.embedded import free_port
from thalweg.cli.pinning import run_pinned
from thalweg.cli.plan import Wishes, endpoints, make_plan
from thalweg.cli.reading import CaptureFile
from thalweg.cli.replaying import Player, load_tape
from thalweg.cli.server import environment
from thalweg.cli.supervisor import Run
from thalweg.cli.up import exec_instant, finish, summary_path
from thalweg.errors import SettingsError
from thalweg.settings import PREFIX


@click.command()
@click.argument("captures", nargs=-1, required=True, metavar="[VENUE=]FILE...")
@click.option("--speed", type=click.FloatRange(min=0), default=1.0, show_default=True, help="1 own pace, 0 flat out.")
@click.option("--instruments", metavar="A,B", help="Only these instruments; all in the captures by default.")
@click.option("--pinned", is_flag=True, help="Make the same bytes each time, and print their digest.")
@click.option("--summary", metavar="FILE|-", help="Write the counts of the run as one JSON object at its end.")
@click.option("--port", type=click.IntRange(1, 65535), help="Of the page; THALWEG_PORT or 8080 by default.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines: ours on stdout, the services' on stderr.")
def command(
    captures: tuple[str, ...],
    speed: float,
    instruments: str | None,
    pinned: bool,
    summary: str | None,
    port: int | None,
    as_json: bool,
) -> None:
    """Feed captures through ingest, Redis, aggregator and gateway, and show them in the page.

    Runs the same services as `thalweg up`, with a server on loopback in the venues' place that sends each worker the
    recorded frames from their beginning. When all have been sent, everything is drained, counted and stopped; exit
    code 1 if anything does not add up. Instants of the venue are those of the recording, so the `venue` hop is not
    a latency. A capture made by `thalweg record` names its venue; for others say VENUE=FILE.

    With --pinned one process stands in for ingest and aggregator, and the capture's instants are its clock: a capture
    gives the same bytes in `out:`, with its epochs and instants, at any speed, and the SHA-256 of all of them is
    printed at the end.

    Examples:
      thalweg replay kraken.jsonl.gz
      thalweg replay kraken.jsonl.gz kraken.2.jsonl.gz --pinned --speed 0
      thalweg replay kraken=capture.jsonl.gz --speed 10 --summary -
      thalweg replay binance.jsonl.gz bybit.jsonl.gz --speed 0
    """
    path = summary_path(summary)
    files = _files(captures)
    names = instruments or ",".join(_instruments(files))
    for part in (part for parts in files.values() for part in parts if part.torn):
        click.echo(f"{part.path}: the last {part.torn} bytes make no whole line; all before them is played", err=True)
    if pinned:
        if summary:
            raise SettingsError("--pinned has no --summary: it has no services to count")
        wishes = Wishes(venues=",".join(files), instruments=names, port=port, as_json=as_json)
        environ = {name: text for name, text in os.environ.items() if name != "REDIS_URL"}
        screen = standard_screen(as_json=as_json, stdout_is_taken=False)
        asyncio.run(run_pinned(make_plan(wishes, environ | replayed(files, speed)), files, speed, screen))
        return
    tapes = {venue: load_tape(parts) for venue, parts in files.items()}
    server_port = free_port()
    wishes = Wishes(
        venues=",".join(files), instruments=names, port=port, as_json=as_json, summary=summary, counted=True
    )
    environ = dict(os.environ) | endpoints(server_port, environment(list(files))) | replayed(files, speed)
    screen = standard_screen(as_json=as_json, stdout_is_taken=summary == "-")
    run = Run(make_plan(wishes, environ), screen, exec_instant(), Player(tapes, speed), server_port)
    finish(asyncio.run(run.run()), summary, path)


def replayed(files: Mapping[str, list[CaptureFile]], speed: float) -> dict[str, str]:
    """Give the variable that has the page say what it shows, so that nobody takes it for live."""
    names = ", ".join(part.path.name for parts in files.values() for part in parts)
    firsts = (line.ts for parts in files.values() for line in map(parse_line, parts[0]) if line is not None)
    recorded = datetime.fromtimestamp(next(firsts, 0) / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    pace = "flat out" if not speed else f"at {speed:g} times its pace"
    return {f"{PREFIX}REPLAY": f"{names}, recorded {recorded}, {pace}"}


def _files(captures: Iterable[str]) -> dict[str, list[CaptureFile]]:
    """Give each venue's files, in the order in which they were given.

    Raises:
        SettingsError: a venue is unknown, or neither the argument nor the file's head line names it.
    """
    from ingest.venues import VENUES

    files: dict[str, list[CaptureFile]] = {}
    for capture in captures:
        venue, equals, name = capture.partition("=")
        file = CaptureFile(Path(name if equals else capture))
        if not equals:
            venue = _venue_in(file)
        if venue not in VENUES:
            raise SettingsError(f"{file.path}: say VENUE=FILE, where VENUE is one of {', '.join(VENUES)}")
        files.setdefault(venue, []).append(file)
    return files


def _venue_in(file: CaptureFile) -> str:
    """Give the venue that a capture's head line names, or nothing.

    Raises:
        SettingsError: the file can't be read.
        CaptureError: it is damaged.
    """
    try:
        head = json.loads(next(iter(file), b""))
    except ValueError:
        return ""
    return str(head.get("venue", "")) if isinstance(head, dict) else ""


def _instruments(files: dict[str, list[CaptureFile]]) -> list[str]:
    """Give those of our instruments of which the captures have a book.

    Raises:
        SettingsError: there is none.
        CaptureError: a line is not in the capture format.
    """
    from ingest.decoding import Decoding
    from ingest.venues import VENUES

    known = environment().instruments.by_name
    found: dict[str, None] = {}
    for venue, parts in files.items():
        decoding = Decoding(VENUES[venue])
        for _ in decoding.run(line for part in parts for line in part):
            pass
        found |= dict.fromkeys(name for name in json.loads(decoding.stats())["books"] if name in known)
    if not found:
        raise SettingsError("the captures have no book of an instrument in the instruments file")
    return list(found)
