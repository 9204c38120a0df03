"""`thalweg health`: ask a service whether it gets on; exit code 0 or 1, as a health check needs it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPException
from ipaddress import ip_address
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, build_opener

import click

from thalweg.cli import EXIT_FAILED
from thalweg.errors import SettingsError

TIMEOUT_S = 3.0
MOST_BYTES = 65_536


@click.command()
@click.argument("url", required=False)
def command(url: str | None) -> None:
    """Ask the service at URL whether it gets on, and say so in a line; exit code 1 if not, or if nobody answers.

    Without URL it is the service that the environment describes: THALWEG_METRICS, else the gateway's own port. A
    service that waits for a venue or for Redis is well; one that has stopped working is not, and a restart may help.

    Examples:
      thalweg health
      thalweg health http://127.0.0.1:9100/healthz
    """
    asked = url or address(os.environ)
    if not asked.startswith(("http://", "https://")):
        raise SettingsError(f"not an address: {asked[:80]!r}; it is like http://127.0.0.1:9100/healthz")
    well, text = ask(asked)
    click.echo(text, err=not well)
    if not well:
        sys.exit(EXIT_FAILED)


def address(environ: Mapping[str, str]) -> str:
    """Give where the service that an environment describes shows its health."""
    where = environ.get("THALWEG_METRICS") or f"{environ.get('THALWEG_HOST', '')}:{environ.get('THALWEG_PORT') or 8080}"
    host, _, port = where.rpartition(":")
    with suppress(ValueError):  # a name
        host = "" if ip_address(host.strip("[]")).is_unspecified else host
    return f"http://{host or '127.0.0.1'}:{port}/healthz"


def ask(url: str) -> tuple[bool, str]:
    """Give whether a service is well, and what it says."""
    try:
        with build_opener(ProxyHandler({})).open(url, timeout=TIMEOUT_S) as answer:
            return True, _said(answer.read(MOST_BYTES))
    except HTTPError as error:
        return False, _said(error.read(MOST_BYTES))
    except (URLError, HTTPException, OSError) as error:
        return False, f"{url} does not answer: {getattr(error, 'reason', error)}"


def _said(body: bytes) -> str:
    try:
        said = json.loads(body)
        return f"{said['status']}{': ' if said['why'] else ''}{'; '.join(said['why'])}"
    except (ValueError, KeyError, TypeError):
        return f"not an answer of ours: {body[:80]!r}"
