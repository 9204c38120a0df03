"""`thalweg simulator`: the fake venues on one port, in the foreground."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import click

from thalweg.settings import Settings, load_settings

if TYPE_CHECKING:
    from simulator.service import Address


@click.command(name="simulator")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=9900, show_default=True, help="Port to listen on; 0 takes a free one.")
@click.option("--venues", help="Comma-separated venues; all that are simulated by default.")
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
        chosen = settings.instruments.only(_names(instruments), _names(venues))
        options = Options(rate, seed, faults, tuple(_names(venues) or ()), seconds, rest_latency)
        await simulate(chosen, options, Address(host, port), _say)

    settings = replace(load_settings(os.environ), busy_poll=False)  # nobody needs a fake venue to be in time
    sys.exit(run_service("simulator", main, replace(settings, log="json") if json_log else settings))


def _say(address: Address) -> None:
    """Print where it listens, as JSON for whoever started it."""
    click.echo(json.dumps(asdict(address)))


def _names(text: str | None) -> list[str] | None:
    """Give the parts of a comma-separated list; `None` where nothing is said."""
    return [part.strip() for part in text.split(",") if part.strip()] if text else None
