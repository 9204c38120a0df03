"""What `make test-cluster` does beyond `make test`: each master in turn is killed, hangs, is emptied; a slot moves; a
replica takes over. All the while the demo runs with two workers each, and is judged at the end.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from tests.cluster.living import Book, Demo, demo
from tests.cluster.sentinels import watched
from tests.looking import eventually
from thalweg import keys
from thalweg.cli.embedded import free_port
from thalweg.cli.masters import Master, agrees, join, make_masters, url_of
from thalweg.cli.verify import verify
from thalweg.read import BookItem, Disconnected, Entry, FollowedBook, Follower, Lapped, Regressed

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(
        not os.environ.get("THALWEG_WHOLE_CLUSTER"), reason="`make test-cluster` runs it; it takes minutes"
    ),
]
VENUES = "binance,bybit,kraken,coinbase"
NAMES = "BTC-USDT,ETH-USDT,XRP-USDT,AVAX-USDT,DOT-USDT,ADA-USDT,BTC-USD,XRP-USD"
WORKERS = 2
TOLD_S = 1.5  # a second, and what the gateway's tick and a busy machine add
HUNG_S = 5.0
LOOK_S = 20.0  # for what servers agree on
LOST_BYTES = 40_000  # of a log: some dozens of entries and publications
AWAY_S = 4.0  # long enough for the other masters to call it failed


@pytest.fixture
def masters(tmp_path: Path) -> Any:
    """Three masters for one test, since some are changed for good."""
    found = make_masters(tmp_path / "masters", fsync="no")  # one that is killed is to lose nothing
    try:
        for master in found:
            master.start()
        join(found)
        yield found
    finally:
        for master in found:
            master.stop()


@pytest.fixture
async def running(masters: list[Master], tmp_path: Path) -> AsyncIterator[Demo]:
    """The demo on them."""
    async with demo(url_of(masters), tmp_path, VENUES, NAMES, "--workers", str(WORKERS), "--rate", "300") as one:
        yield one


def ask(master: Master, *words: str | int) -> Any:
    with master.client() as client:
        return client.execute_command(*words)


async def struck(one: Demo, number: int, since: float) -> None:
    """See that the books of a master, and no others, are told to be stale."""
    theirs = one.at(number)
    assert theirs
    assert await one.until(lambda: one.are(theirs, "stale")) < TOLD_S
    touches(one, theirs, since)


def touches(one: Demo, theirs: list[Book], since: float, *, all_of_them: bool = True) -> None:
    """See that since an instant these books ceased to be live, or some of them, and no others."""
    found = one.touched(since)
    assert {book: why for book, why in found.items() if book not in theirs} == {}
    assert not all_of_them or set(found) == set(theirs)


async def recovered(one: Demo) -> None:
    """See all books live again, and what is in Redis sound."""
    await one.until(lambda: one.are(one.books, "live"))
    await one.settle(WORKERS)
    streams = [(name, venue) for venue, name in one.books]
    assert (await verify(one.url, one.instruments, streams)).violations == []


def judge(summary: dict[str, Any], begun_anew: Sequence[Book] = ()) -> None:
    assert summary["conservation"] == {"ok": True, "violations": []}
    assert summary["oracle"]["compared"] == summary["oracle"]["equal"] > 0
    assert summary["live_wrong_events"] == 0
    allowed = tuple(f"{venue}:{name} became connecting" for venue, name in begun_anew)
    assert [one for one in summary["faults"]["unexplained"] if not one.startswith(allowed)] == []


async def test_every_master_in_turn_is_killed_and_started_again(masters: list[Master], running: Demo) -> None:
    for number, master in enumerate(masters):
        since = monotonic()
        master.kill()
        await struck(running, number, since)
        master.start()
        await recovered(running)
        touches(running, running.at(number), since)
        await eventually(lambda: all(agrees(master, len(masters)) for master in masters), LOOK_S)
    judge(await running.stop())


async def test_every_master_in_turn_hangs(masters: list[Master], running: Demo) -> None:
    for number, master in enumerate(masters):
        assert master.process is not None
        since = monotonic()
        os.kill(master.process.pid, signal.SIGSTOP)
        try:
            await struck(running, number, since)
            await asyncio.sleep(HUNG_S)
        finally:
            os.kill(master.process.pid, signal.SIGCONT)
        await recovered(running)
        touches(running, running.at(number), since)
        await eventually(lambda: all(agrees(master, len(masters)) for master in masters), LOOK_S)
    judge(await running.stop())


async def test_a_master_that_lost_the_end_of_its_log_is_gone_on_with(masters: list[Master], running: Demo) -> None:
    since, master = monotonic(), masters[0]
    master.kill()
    await struck(running, 0, since)
    (log,) = (master.folder / "appendonlydir").glob("*.incr.aof")
    os.truncate(log, log.stat().st_size - LOST_BYTES)
    master.start()
    await running.until(lambda: running.are(running.books, "live"))
    touches(running, running.at(0), since)
    await running.settle(WORKERS)
    summary = await running.stop()
    assert summary["oracle"]["compared"] == summary["oracle"]["equal"] > 0
    assert summary["live_wrong_events"] == 0


async def test_a_master_that_comes_back_empty_is_filled_again(masters: list[Master], running: Demo) -> None:
    since, master = monotonic(), masters[1]
    master.kill()
    await struck(running, 1, since)
    shutil.rmtree(master.folder / "appendonlydir")
    master.start()
    await recovered(running)
    touches(running, running.at(1), since, all_of_them=False)


async def test_a_slot_that_moves_under_load_begins_epochs_and_loses_nothing(
    masters: list[Master], running: Demo
) -> None:
    old, new = masters[0], masters[2]
    since, slot = monotonic(), keys.slot(b"BTC-USDT")
    ids = {master.port: ask(master, "CLUSTER MYID") for master in masters}
    ask(new, "CLUSTER SETSLOT", slot, "IMPORTING", ids[old.port])
    ask(old, "CLUSTER SETSLOT", slot, "MIGRATING", ids[new.port])
    while names := ask(old, "CLUSTER GETKEYSINSLOT", slot, 100):
        for name in names:
            ask(old, "MIGRATE", "127.0.0.1", new.port, name, 0, 5000)
        await asyncio.sleep(0.2)
    for master in (new, old, masters[1]):
        ask(master, "CLUSTER SETSLOT", slot, "NODE", ids[new.port])
    await asyncio.sleep(2.0)
    await recovered(running)
    touches(running, running.at(0), since, all_of_them=False)
    assert len(running.told.books) == len(running.books)
    judge(await running.stop(), begun_anew=running.at(0))  # all of the shard, though one of its slots moved


async def test_a_replica_takes_over_from_a_master_that_is_killed(
    masters: list[Master], running: Demo, tmp_path: Path
) -> None:
    port = free_port()
    replica = Master(port, free_port(), tmp_path / "masters" / str(port))
    replica.start()
    try:
        ask(replica, "CLUSTER MEET", "127.0.0.1", masters[0].port, masters[0].bus)
        node = ask(masters[1], "CLUSTER MYID")
        await eventually(lambda: _follows(replica, node), LOOK_S)
        since = monotonic()
        masters[1].kill()
        await struck(running, 1, since)
        await recovered(running)
        touches(running, running.at(1), since)
        assert ask(replica, "ROLE")[0] in ("master", b"master")
    finally:
        replica.stop()


async def test_a_replica_that_sentinels_choose_is_gone_on_with(tmp_path: Path) -> None:
    with watched(tmp_path / "servers") as servers:
        async with demo(
            servers.url, tmp_path, VENUES, "BTC-USDT,XRP-USDT", "--workers", str(WORKERS), "--rate", "200"
        ) as one:
            first = servers.master
            servers.servers[first].kill()
            await one.until(lambda: one.are(one.books, "stale"), TOLD_S)
            await recovered(one)
            assert servers.master != first


async def test_a_reader_keeps_its_books_elsewhere_live_while_a_master_is_away(
    masters: list[Master], running: Demo
) -> None:
    follower = Follower(running.url, [(name, venue) for venue, name in running.books])
    struck = [follower.books[name, venue] for venue, name in running.at(1)]
    others = [book for book in follower.books.values() if book not in struck]

    def renewed() -> bool:
        return all(_epoch(book) > before for book, before in zip(struck, epochs, strict=True))

    async with asyncio.timeout(60), aclosing(follower.items()) as items:
        await _until_read(items, lambda: all(book.live for book in follower.books.values()))
        epochs = [_epoch(book) for book in struck]
        killed_at = monotonic()
        masters[1].kill()
        await _until_read(items, lambda: not any(book.connected for book in struck), others)
        assert monotonic() - killed_at < TOLD_S
        told = await _until_read(items, lambda: monotonic() - killed_at > AWAY_S, others)
        masters[1].start()
        after = await _until_read(items, lambda: all(book.live for book in struck) and renewed(), others)
    cut = {name for one in told if isinstance(one, Disconnected) for name in one.instruments}
    assert cut == {book.instrument for book in struck}
    read = {(one.instrument, one.venue) for one in told if isinstance(one, Entry)}
    assert read == {(book.instrument, book.venue) for book in others}
    assert not any(isinstance(one, Regressed | Lapped) for one in told + after)


async def _until_read(
    items: AsyncIterator[BookItem], holds: Callable[[], bool], live: Iterable[FollowedBook] = ()
) -> list[BookItem]:
    """Read until something holds; all the while these books are live."""
    found: list[BookItem] = []
    async for item in items:
        found.append(item)
        assert all(book.live for book in live), item
        if holds():
            return found
    raise AssertionError("items end when they are closed")


def _epoch(book: FollowedBook) -> int:
    return 0 if book.at is None else book.at[0]


def _follows(replica: Master, node: str) -> bool:
    """Make a node a replica of another, once it knows that one; tell whether it has all its data."""
    try:
        ask(replica, "CLUSTER REPLICATE", node)
    except Exception as error:
        if "Unknown node" not in str(error):
            raise
        return False
    return bool(ask(replica, "INFO", "replication")["master_link_status"] == "up")
