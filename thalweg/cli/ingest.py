"""`thalweg ingest VENUE`: one venue's worker in the foreground."""

from __future__ import annotations

import os
import sys

import click

from thalweg.settings import load_settings


@click.command()
@click.argument("venue")
def command(venue: str) -> None:
    """Run one venue's ingest worker until it is stopped (SIGINT or SIGTERM).

    It connects to the VENUE's public WebSocket, checks continuity, and appends to the Redis streams
    `st:{INSTRUMENT}:VENUE`. Settings come from the environment (REDIS_URL, THALWEG_...).

    \b
    Example: THALWEG_ONLY=BTC-USDT thalweg ingest binance
    """
    settings = load_settings(os.environ, [venue])  # first: on a new machine the import compiles for many seconds
    from ingest.service import serve
    from thalweg.service import run_service

    sys.exit(run_service(f"ingest {venue}", lambda settings: serve(settings, venue), settings))
