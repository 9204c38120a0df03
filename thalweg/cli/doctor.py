"""`thalweg doctor`: look at everything the services need, and say what to do where it is not right."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping

import click

from thalweg.cli import EXIT_FAILED
from thalweg.cli.clustered import look_at_cluster
from thalweg.cli.findings import (
    FAIL,
    Finding,
    look_at_clock,
    look_at_functions,
    look_at_instruments,
    look_at_memory,
    look_at_port,
    look_at_redis,
    look_at_variables,
    look_at_venue,
    look_for_server,
)
from thalweg.cli.server import connected, shown_url
from thalweg.errors import RedisTrouble, SettingsError
from thalweg.settings import Settings, load_settings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--offline", is_flag=True, help="Do not try to reach the venues.")
def command(as_json: bool, offline: bool) -> None:
    """Check settings, Redis, memory, venues, port and clock of this machine; say what to do.

    Each line is OK, WARN or FAIL. Venues are reached by TCP and TLS alone, within 3 seconds; one that can't be
    reached is a warning, since a demo needs none. Exit code 1 if anything is FAIL.

    Examples:
      thalweg doctor
      REDIS_URL=redis://cache:6379/0 thalweg doctor --json
    """
    findings = asyncio.run(examine(os.environ, offline=offline))
    failed = any(one.level == FAIL for one in findings)
    if as_json:
        rows = [{"level": one.level, "about": one.about, "text": one.text, "advice": one.advice} for one in findings]
        click.echo(json.dumps({"ok": not failed, "findings": rows}, indent=2))
    else:
        for one in findings:
            click.echo(f"{one.level:<4} {one.about:<12} {one.text}{f'; {one.advice}' if one.advice else ''}")
    if failed:
        sys.exit(EXIT_FAILED)


async def examine(environ: Mapping[str, str], *, offline: bool) -> list[Finding]:
    """Look at everything, in the order in which it would stop the services."""
    try:
        settings = load_settings(environ)
    except SettingsError as error:
        return [Finding(FAIL, "settings", str(error), "the other checks need the settings")]
    findings = [*look_at_variables(environ), look_at_instruments(settings)]
    if not environ.get("REDIS_URL"):  # else `thalweg up` starts none
        findings.append(look_for_server())
    findings += await _redis(settings, environ)
    findings += [look_at_port(settings), look_at_clock()]
    if not offline:
        findings += await asyncio.gather(*(look_at_venue(name, url) for name, url in _endpoints(settings)))
    return findings


async def _redis(settings: Settings, environ: Mapping[str, str]) -> list[Finding]:
    """Look at the server, if there is one."""
    url = shown_url(settings.redis_url)
    try:
        link = await connected(settings.redis_url, "thalweg-doctor")
    except RedisTrouble as error:
        if not environ.get("REDIS_URL"):
            return [Finding.fine("redis", f"none at {url}, and REDIS_URL is not set: `thalweg up` starts its own")]
        return [Finding(FAIL, "redis", str(error), "start the server, or set REDIS_URL to where it is")]
    except SettingsError as error:
        return [Finding(FAIL, "redis", str(error))]
    try:
        found = await (look_at_cluster(link) if link.clustered else look_at_redis(link))
        return [*found, await look_at_functions(link), await look_at_memory(link, settings)]
    except RedisTrouble as error:
        return [Finding(FAIL, "redis", f"{url}: {error}", "give the user the rights, or look at the server's log")]
    finally:
        await link.close()


def _endpoints(settings: Settings) -> list[tuple[str, str]]:
    """Give each venue's name and URLs, as the workers would use them."""
    from ingest.venues import VENUES

    found = []
    for name, venue in VENUES.items():
        if not settings.instruments.listings(name):
            continue
        found.append((name, venue.connect(settings.endpoint(name, "ws", venue.ws))))
        if venue.rest:
            found.append((name, settings.endpoint(name, "rest", venue.rest)))
    return found
