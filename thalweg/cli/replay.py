"""`thalweg replay FILE...`: feed captures through the whole pipeline, as if the venues sent them now."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterable
from pathlib import Path

import click

from thalweg.cli.console import standard_screen
from thalweg.cli.embedded import free_port
from thalweg.cli.plan import Wishes, endpoints, make_plan
from thalweg.cli.reading import CaptureFile
from thalweg.cli.replaying import Player, load_tape
from thalweg.cli.server import environment
from thalweg.cli.supervisor import Run
from thalweg.cli.up import exec_instant, finish, summary_path
from thalweg.errors import SettingsError


@click.command()
@click.argument("captures", nargs=-1, required=True, metavar="[VENUE=]FILE...")
@click.option("--speed", type=click.FloatRange(min=0), default=1.0, show_default=True, help="1 own pace, 0 flat out.")
@click.option("--instruments", metavar="A,B", help="Only these instruments; all in the captures by default.")
@click.option("--summary", metavar="FILE|-", help="Write the counts of the run as one JSON object at its end.")
@click.option("--port", type=click.IntRange(1, 65535), help="Of the page; THALWEG_PORT or 8080 by default.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines: ours on stdout, the services' on stderr.")
def command(
    captures: tuple[str, ...],
    speed: float,
    instruments: str | None,
    summary: str | None,
    port: int | None,
    as_json: bool,
) -> None:
    """Feed captures through ingest, Redis, aggregator and gateway, and show them in the page.

    Runs the same services as `thalweg up`, with a server on loopback in the venues' place that sends each worker the
    recorded frames from their beginning. When all have been sent, everything is drained, counted and stopped; exit
    code 1 if anything does not add up. Instants of the venue are those of the recording, so the `venue` hop is not
    a latency. A capture made by `thalweg record` names its venue; for others say VENUE=FILE.

    Examples:
      thalweg replay kraken.jsonl.gz
      thalweg replay kraken=capture.jsonl.gz --speed 10 --summary -
      thalweg replay binance.jsonl.gz bybit.jsonl.gz --speed 0
    """
    path = summary_path(summary)
    files = _files(captures)
    tapes = {venue: load_tape(parts) for venue, parts in files.items()}
    for part in (part for parts in files.values() for part in parts if part.torn):
        click.echo(f"{part.path}: the last {part.torn} bytes make no whole line; all before them is played", err=True)
    names = instruments or ",".join(_instruments(files))
    server_port = free_port()
    wishes = Wishes(
        venues=",".join(files), instruments=names, port=port, as_json=as_json, summary=summary, counted=True
    )
    environ = dict(os.environ) | endpoints(server_port, environment(list(files)))
    screen = standard_screen(as_json=as_json, stdout_is_taken=summary == "-")
    run = Run(make_plan(wishes, environ), screen, exec_instant(), Player(tapes, speed), server_port)
    finish(asyncio.run(run.run()), summary, path)


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
