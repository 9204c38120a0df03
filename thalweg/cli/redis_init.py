"""`thalweg redis-init`: load the server functions, and again when the server has lost them."""

from __future__ import annotations

import asyncio
import json

import click

from thalweg.cli.server import connected, environment, load_functions


@click.command()
@click.option("--wait", "wait_s", type=click.FloatRange(min=0), default=0.0, metavar="S", help="Try this many seconds.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(wait_s: float, as_json: bool) -> None:
    """Load the server functions into the Redis that REDIS_URL names.

    Loading again replaces them, so it may be run at any time; services that found them missing go on by themselves.
    Redis >= 7 or Valkey is needed. The user it connects as needs the right to `FUNCTION LOAD` and `INFO` only.

    Examples:
      thalweg redis-init
      REDIS_URL=redis://cache:6379/0 thalweg redis-init --wait 30
    """
    url = environment().redis_url
    server = asyncio.run(_load(url, wait_s))
    click.echo(json.dumps({"loaded": True, "server": server}) if as_json else f"Functions loaded into {server}.")


async def _load(url: str, wait_s: float) -> str:
    link = await connected(url, "thalweg-redis-init", wait_s)
    try:
        return await load_functions(link)
    finally:
        await link.close()
