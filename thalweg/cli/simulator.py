"""`thalweg simulator`: the fake venues on one port, in the foreground."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import click

from thalweg.settings import PREFIX, Settings, load_settings

if TYPE_CHECKING:
    from simulator.service import Address


@click.command(name="simulator")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=9900, show_default=True, help="Port to listen on; 0 takes a free one.")
@click.option("--venues", help="Comma-separated venues; the usual ones by default, `all` is every one.")
@click.option("--instruments", help="Comma-separated instruments; all of the instruments file by default.")
@click.option("--rate", default=1500.0, show_default=True, help="Frames a second, all venues together.")
@click.option("--seed", default=1, show_default=True, help="Of the market model.")
@click.option("--faults", metavar="FILE|default", help="Fault script; without it nothing goes wrong.")
@click.option("--seconds", type=float, help="Stop after that long.")
@click.option("--rest-latency", default=0.0, show_default=True, help="Seconds by which HTTP answers are delayed.")
@click.option("--json-log", is_flag=True, help="Log JSON lines.")
def command(
    host: str,
    port: int,
    venues: str | None,
    instruments: str | None,
    rate: float,
    seed: int,
    faults: str | None,
    seconds: float | None,
    rest_latency: float,
    json_log: bool,
) -> None:
    """Serve fake venues that speak the real protocols on loopback.

    Once it listens it prints its address as one JSON line. `docs/simulator.md` describes the control and oracle
    sockets and the fault scripts.

    Examples:
      thalweg simulator --rate 3000 --faults default
      thalweg simulator --venues kraken --instruments BTC-USD --seconds 60
    """
    from simulator.service import Address, Options, simulate
    from thalweg.service import run_service

    async def main(settings: Settings) -> None:
        chosen = settings.instruments
        options = Options(rate, seed, faults, chosen.all_venues, seconds, rest_latency)
        await simulate(chosen, options, Address(host, port), _say)

    asked = {PREFIX + name: text for name, text in (("VENUES", venues), ("ONLY", instruments)) if text}
    settings = replace(load_settings(os.environ | asked), busy_poll=False)  # nobody needs a fake venue to be in time
    sys.exit(run_service("simulator", main, replace(settings, log="json") if json_log else settings))


def _say(address: Address) -> None:
    """Print where it listens, as JSON for whoever started it."""
    click.echo(json.dumps(asdict(address)))
