"""The command line: `thalweg COMMAND`. Commands are imported when they are run, so `thalweg --help` is quick.

Each command is one module with a `command`. An error of ours is one line on stderr: exit code 2 for a wrong setting
or argument, 1 for anything else; never a trace.
"""

from __future__ import annotations

import re
import sys
from importlib import import_module
from inspect import cleandoc
from typing import Any

import click

from thalweg import __version__
from thalweg.errors import SettingsError, ThalwegError

EXIT_FAILED, EXIT_USAGE = 1, 2
EXIT_INTERRUPTED = 130  # as shells say it: 128 + SIGINT
COMMANDS: dict[str, tuple[str, str]] = {
    "up": ("thalweg.cli.up", "Run all of it on this machine and print the page's address."),
    "ingest": ("thalweg.cli.ingest", "Run one venue's ingest worker."),
    "aggregator": ("thalweg.cli.aggregator", "Run the aggregator: streams in, publications out."),
    "gateway": ("thalweg.cli.gateway", "Run the gateway: publications in, browsers out."),
    "simulator": ("thalweg.cli.simulator", "Run the fake venues on loopback."),
    "decode": ("thalweg.cli.decode", "Decode a capture into normalised events; nothing is sent anywhere."),
    "tail": ("thalweg.cli.tail", "Follow streams, decoded, one line an entry."),
    "top": ("thalweg.cli.top", "Watch every book and hop in a terminal."),
    "watch": ("thalweg.cli.watch", "Follow a book at the gateway, as its clients do."),
    "record": ("thalweg.cli.record", "Capture raw frames from venues into a file."),
    "replay": ("thalweg.cli.replay", "Feed a capture through the whole pipeline."),
    "verify": ("thalweg.cli.verify", "Check what is in Redis: density, books, publications, states."),
    "redis-init": ("thalweg.cli.redis_init", "Load the server functions into Redis."),
    "cluster": ("thalweg.cli.cluster", "Run three masters of a Redis Cluster on loopback."),
    "acl": ("thalweg.cli.acl", "Write the Redis users, each with the least rights, as an ACL file."),
    "health": ("thalweg.cli.health", "Ask a service whether it gets on, as a container's health check does."),
    "doctor": ("thalweg.cli.doctor", "Check settings, Redis, venues and clock; say what to do."),
}
"""Command to its module and its line in the help."""


def keep_examples(text: str | None) -> str | None:
    """Mark the tables of a help text (`Examples:`, `Checks:`) so that click does not join their lines."""
    return re.sub(r"\n\n(Examples|Checks):", "\n\n\b\n\\1:", cleandoc(text)) if text else text


class LazyGroup(click.Group):
    """A group whose commands are modules, imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Give the names in the table's order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command; `None` for a name that is not in the table."""
        if cmd_name not in COMMANDS:
            return None
        command = import_module(COMMANDS[cmd_name][0]).command
        if not isinstance(command, click.Command):
            raise TypeError(f"{COMMANDS[cmd_name][0]}.command is not a command")
        command.help = keep_examples(command.help)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the table, importing none."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; an error of ours becomes one line and an exit code."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            sys.exit(EXIT_INTERRUPTED)
        except ThalwegError as error:
            click.echo(f"thalweg: {error}", err=True)
            sys.exit(EXIT_USAGE if isinstance(error, SettingsError) else EXIT_FAILED)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="thalweg")
def main() -> None:
    """Order books and trades of several venues: exact, in order, to Redis streams and a web page.

    Settings come from the environment: REDIS_URL and THALWEG_* (see `thalweg doctor`).

    Examples:
      thalweg up --demo                  everything, against fake venues; no internet needed
      thalweg tail 'binance:BTC-USDT'    follow one book, decoded
      thalweg decode kraken FILE --stats what a capture holds
    """


main.help = keep_examples(main.help)
