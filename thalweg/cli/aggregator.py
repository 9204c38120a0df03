"""`thalweg aggregator`: keep all venues' books, merge the live ones, publish what changed."""

from __future__ import annotations

import sys

import click

from thalweg.service import run_service


@click.command("aggregator")
def command() -> None:
    """Run the aggregator: entries of all venues in, publications of all instruments out.

    One is enough; several share the instruments, and take over from each other. Settings come from the environment;
    `thalweg doctor` shows them.
    """
    from aggregator.service import serve

    sys.exit(run_service("aggregator", serve))
