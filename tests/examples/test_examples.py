"""The programs of `examples/`, run as they stand there against a stream in which everything happens."""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import pytest

from tests.examples.feed import Feed
from tests.examples.programs import COMMANDS, FOLDER, Said, parse
from thalweg import keys
from thalweg.cli.children import Guardian
from thalweg.cli.embedded import free_port, start_server, stop_server
from thalweg.publication import Kind
from thalweg.transport import RedisLink

SECONDS = (2, 10, 20)  # that a program follows, from when it has started: longer where that was over before all had
LINES = 60
CONNECTIONS = {"python": 2, "node": 1, "rust": 1}  # of a program
PATIENCE_S = 10  # beyond that


@dataclass
class Ended:
    """How a program ended."""

    code: int | None
    said: Said | None
    faults: str


Results = Mapping[tuple[str, str], Ended]  # by language and what was to be followed


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Results]:
    """All programs, side by side, so that all of it takes as long as one; on a server on which nobody else waits."""
    port = free_port()
    with Guardian() as guardian:
        server = start_server(port, tmp_path_factory.mktemp("redis"))
        guardian.started(server.pid)
        yield asyncio.run(attempts(f"redis://127.0.0.1:{port}/0"))
        stop_server(server)
        guardian.ended(server.pid)


async def attempts(url: str) -> Results:
    for seconds in SECONDS[:-1]:
        with suppress(TimeoutError):
            return await run(url, seconds)
    return await run(url, SECONDS[-1])


async def run(url: str, seconds: int) -> Results:
    commands = {language: command for language, find in COMMANDS.items() if (command := find()) is not None}
    async with connected(url) as link, asyncio.timeout(seconds + PATIENCE_S):
        await link.call("FLUSHALL")
        feeds = {
            "right": Feed(link, "binance", "BTC-USDT"),
            "wrong": Feed(link, "kraken", "ETH-USDT", wrong=True),
            "other layout": Feed(link, "bybit", "SOL-USDT"),
        }
        for feed in feeds.values():
            await feed.open()
            await feed.key()
        other = feeds["other layout"]
        await link.call("HSET", keys.status(other.instrument, other.venue), "v", "2")
        return await follow(url, commands, feeds, seconds)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[RedisLink]:
    link = RedisLink(url, "writer")
    await link.connect()
    yield link
    await link.close()


async def follow(url: str, commands: dict[str, list[str]], feeds: dict[str, Feed], seconds: int) -> Results:
    """Start all programs, slow ones first, let everything happen, and publish on until they have ended."""
    programs: dict[tuple[str, str], Process] = {}
    for language, command in commands.items():
        for what, feed in feeds.items():
            words = (*command, url, f"{feed.venue}:{feed.instrument}", str(seconds))
            programs[language, what] = await asyncio.create_subprocess_exec(*words, stdout=PIPE, stderr=PIPE)
        await waiting(feeds["right"].link, 2 * sum(CONNECTIONS[one] for one, _ in programs) // len(feeds))
    readers = sum(CONNECTIONS[language] for language in commands)
    for what in ("right", "wrong"):
        await happen(feeds[what], [program for (_, one), program in programs.items() if one == what], 2 * readers)
    await waiting(feeds["right"].link, 2 * readers)  # all have read all of it, and none has ended before
    ending = asyncio.gather(*(program.communicate() for program in programs.values()))
    while not ending.done():
        for feed in feeds.values():
            await feed.key(Kind.DELTA)
        await asyncio.wait({ending}, timeout=0.05)
    return {
        name: Ended(program.returncode, parse(out.decode()), faults.decode())
        for (name, program), (out, faults) in zip(programs.items(), await ending, strict=True)
    }


async def waiting(link: RedisLink, clients: int) -> None:
    """Wait until so many clients wait in an XREAD: all that was there has been read.

    Raises:
        TimeoutError: some have ended before others began, as on a machine that has no time for us.
    """
    async with asyncio.timeout(PATIENCE_S):
        while f"blocked_clients:{clients}\r" not in (await link.call("INFO", "clients")).decode():
            pass


async def happen(feed: Feed, programs: list[Process], clients: int) -> None:
    """Write deltas, a new epoch that goes on, one that does not, a gap, entries trimmed unread; a key record each."""
    await feed.deltas(10)
    await feed.key()
    await feed.open(follows=True)
    await feed.deltas(3)
    await feed.key()
    await feed.open()
    await feed.key()
    await feed.stale()
    await feed.snapshot()
    await feed.deltas(5)
    await feed.key()
    await waiting(feed.link, clients)
    for program in programs:
        os.kill(program.pid, signal.SIGSTOP)
    await feed.deltas(5)  # the first answers the wait, and is in the socket; four are not
    await feed.link.call("XTRIM", feed.stream, "MINID", f"{feed.epoch}-{feed.n + 1}")
    await feed.snapshot()
    await feed.key()
    for program in programs:
        os.kill(program.pid, signal.SIGCONT)
    await feed.deltas(2)
    await feed.key()


def of(results: Results, language: str, what: str) -> Ended:
    if (language, what) not in results:
        pytest.skip(f"{language} can't run on this machine, or its package can't be had")
    return results[language, what]


@pytest.mark.parametrize("name", ["follow.py", "follow.mjs", "follow.rs"])
def test_a_program_is_short(name: str) -> None:
    assert len((FOLDER / name).read_text(encoding="utf-8").splitlines()) <= LINES


@pytest.mark.integration
@pytest.mark.parametrize("language", COMMANDS)
def test_a_book_is_equal_through_deltas_epochs_gaps_and_trims(language: str, results: Results) -> None:
    ended = of(results, language, "right")
    assert (ended.code, ended.said) == (0, Said(equal=6, compared=6, resyncs=3, epochs=2, lost=4)), ended.faults


@pytest.mark.parametrize("language", COMMANDS)
def test_a_book_that_differs_in_one_size_is_seen(language: str, results: Results) -> None:
    ended = of(results, language, "wrong")
    assert (ended.code, ended.said) == (1, Said(equal=0, compared=6, resyncs=3, epochs=2, lost=4)), ended.faults


@pytest.mark.parametrize("language", COMMANDS)
def test_another_layout_is_refused(language: str, results: Results) -> None:
    ended = of(results, language, "other layout")
    assert ended.code != 0
    assert "layout version 2" in ended.faults
