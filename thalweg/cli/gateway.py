"""`thalweg gateway`: the gateway and the page, in the foreground."""

from __future__ import annotations

import os
import sys
from dataclasses import replace

import click

from thalweg.settings import load_settings


@click.command(name="gateway")
@click.option("--host", help="Address to listen on; THALWEG_HOST, else 127.0.0.1.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; THALWEG_PORT, else 8080.")
def command(host: str | None, port: int | None) -> None:
    """Serve the page, the WebSocket and REST from what the aggregator publishes.

    Examples:
      thalweg gateway                      on http://127.0.0.1:8080/
      thalweg gateway --port 0             on a free port, which is logged
    """
    from gateway.service import serve
    from thalweg.service import run_service

    settings = load_settings(os.environ)
    chosen = replace(settings, host=host or settings.host, port=settings.port if port is None else port)
    sys.exit(run_service("gateway", serve, chosen))
