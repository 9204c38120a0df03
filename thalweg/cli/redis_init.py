"""`thalweg redis-init`: load the server functions, and again when the server has lost them."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
from contextlib import suppress

import click

from thalweg.cli.overseer import Overseer
from thalweg.cli.server import connected, environment, functions_loaded, keep_functions, load_functions
from thalweg.errors import FunctionsMissing
from thalweg.probe.service import probe
from thalweg.service import set_up_logging
from thalweg.settings import Settings

LOG = logging.getLogger("thalweg.redis_init")


@click.command()
@click.option("--wait", "wait_s", type=click.FloatRange(min=0), default=0.0, metavar="S", help="Try this many seconds.")
@click.option("--keep", is_flag=True, help="Stay, and load them again whenever the server has lost them.")
@click.option("--users", is_flag=True, help="Let the server read its ACL file again first.")
@click.option("--check", is_flag=True, help="Load nothing; exit code 1 if the functions are not there.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(wait_s: float, keep: bool, users: bool, check: bool, as_json: bool) -> None:
    """Load the server functions into the Redis that REDIS_URL names.

    Loading again replaces them, so it may be run at any time; services that found them missing go on by themselves.
    Redis >= 7 or Valkey is needed. The user `loader` of `thalweg acl` has the rights for it, and no others. With --keep
    it also shows the server's memory and more as metrics, where THALWEG_METRICS is set.

    Examples:
      thalweg redis-init
      REDIS_URL=redis://cache:6379/0 thalweg redis-init --wait 30
      thalweg redis-init --keep
    """
    settings = environment()
    url = settings.redis_url
    if check:
        asyncio.run(_check(url))
        return
    server = asyncio.run(_load(url, wait_s, users=users))
    if keep and settings.log == "json":  # a service, whose lines a program reads
        set_up_logging(settings.log)
        LOG.info("functions loaded into %s", server)
    else:
        click.echo(json.dumps({"loaded": True, "server": server}) if as_json else f"Functions loaded into {server}.")
    if keep:
        asyncio.run(_keep(settings))


async def _load(url: str, wait_s: float, *, users: bool) -> str:
    link = await connected(url, "thalweg-redis-init", wait_s)
    try:
        for server in await link.servers() if users else ():
            await server.call("ACL", "LOAD")
        return await load_functions(link)
    finally:
        await link.close()


async def _check(url: str) -> None:
    link = await connected(url, "thalweg-redis-init")
    try:
        if not await functions_loaded(link):
            raise FunctionsMissing("the server functions are not loaded, or are of another version")
    finally:
        await link.close()


async def _keep(settings: Settings) -> None:
    """Keep the functions there, and tell of the server where THALWEG_METRICS says, until told to stop."""
    overseer = Overseer(settings)
    say = LOG.warning if settings.log == "json" else click.echo
    async with probe(settings.metrics, overseer.measures, overseer.troubles):
        keeping = asyncio.gather(keep_functions(settings.redis_url, "thalweg-redis-init", say), overseer.follow())
        for one in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(one, keeping.cancel)
        with suppress(asyncio.CancelledError):
            await keeping
