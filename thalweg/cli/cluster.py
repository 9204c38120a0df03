"""`thalweg cluster`: three masters of a Redis Cluster on loopback, for a look at how thalweg lives on one."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from thalweg.cli.children import Guardian
from thalweg.cli.masters import Master, join, make_masters, url_of
from thalweg.cli.server import connected, keep_functions, load_functions

WATCH_S = 0.25


@click.command()
@click.option("--port", default=7001, show_default=True, help="Of the first master; the others have the next two.")
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), help="Where they keep their data.")
@click.option(
    "--restart", "restart_s", type=click.FloatRange(min=0), default=5.0, show_default=True, metavar="S",
    help="Start one that has died again after so many seconds.",
)  # fmt: skip
def command(port: int, folder: Path | None, restart_s: float) -> None:
    """Run three masters of a Redis Cluster on loopback until Ctrl-C, with the server functions loaded.

    Each has whole shards of thalweg's. Kill one by the process id that is shown: its instruments are marked stale, the
    others go on, and when it is back so are its own. Without --folder all data is gone at the end.

    Examples:
      thalweg cluster
      REDIS_URL=redis+cluster://127.0.0.1:7001,127.0.0.1:7002,127.0.0.1:7003 thalweg up --demo
    """
    with ExitStack() as stack:
        keeper = stack.enter_context(Guardian())
        home = folder or Path(stack.enter_context(TemporaryDirectory(prefix="thalweg-cluster-")))
        masters = make_masters(home.absolute(), port)
        for master in masters:
            stack.callback(master.stop)
            start(master, keeper)
        join(masters)
        with suppress(asyncio.CancelledError):
            asyncio.run(_run(masters, keeper, restart_s))


def start(master: Master, keeper: Guardian) -> None:
    """Start a master and say its process id; it ends with us."""
    master.start()
    if master.process is not None:
        keeper.started(master.process.pid)
        click.echo(f"master 127.0.0.1:{master.port}, process {master.process.pid}")


async def _run(masters: Sequence[Master], keeper: Guardian, restart_s: float) -> None:
    """Load the functions, say the URL, and look after the masters until told to stop."""
    task = asyncio.current_task()
    for one in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(one, task.cancel if task else lambda: None)
    url = url_of(masters)
    link = await connected(url, "thalweg-cluster")
    click.echo(f"{await load_functions(link)}: export REDIS_URL={url}")
    await link.close()
    async with asyncio.TaskGroup() as group:
        group.create_task(keep_functions(url, "thalweg-cluster-functions", click.echo))
        for master in masters:
            group.create_task(_watch(master, keeper, restart_s))


async def _watch(master: Master, keeper: Guardian, restart_s: float) -> None:
    """Start a master again whenever it has died."""
    while True:
        await asyncio.sleep(WATCH_S)
        if master.process is not None and master.process.poll() is not None:
            keeper.ended(master.process.pid)
            click.echo(f"master 127.0.0.1:{master.port} has ended with code {master.process.returncode}")
            await asyncio.sleep(restart_s)
            start(master, keeper)
