"""A server that refuses: the sink goes on trying, says what to do, and begins a new epoch when it is over."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from ingest.relief import cuts, step
from tests.ingest.hand import KEY, assert_sound, hand, until
from tests.ingest.toy import Desk, delta, replay, whole
from thalweg.events import Open
from thalweg.lease import Role

pytestmark = pytest.mark.anyio
STATUS = "status:{BTC-USDT}:toy"

TROUBLES = {
    "READONLY": (["REPLICAOF", "127.0.0.1", "1"], ["REPLICAOF", "NO", "ONE"], "let REDIS_URL name the primary"),
    "NOPERM": (["ACL", "SETUSER", "default", "-xadd"], ["ACL", "SETUSER", "default", "+@all"], "give it the commands"),
    "OOM": (["CONFIG", "SET", "maxmemory", "1"], ["CONFIG", "SET", "maxmemory", "0"], "raise `maxmemory`"),
    "NOAUTH": (["CONFIG", "SET", "requirepass", "x"], ["CONFIG", "SET", "requirepass", ""], "put user and password"),
    "maxclients": (["CONFIG", "SET", "maxclients", "1"], ["CONFIG", "SET", "maxclients", "10000"], "`maxclients`"),
    "gone": (["FUNCTION", "FLUSH"], [], "thalweg redis-init"),
}


@pytest.fixture
def healed(server: Any) -> Iterator[Any]:
    """A server that is as before after the test, whatever was done to it."""
    yield server
    for _, heal, _ in TROUBLES.values():
        if heal:
            server.execute_command(*heal)


@pytest.mark.parametrize("name", TROUBLES)
async def test_a_refusal_is_told_with_what_to_do_and_outlived(
    redis_url: str, healed: Any, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    spoil, heal, advice = TROUBLES[name]
    functions = healed.function_dump()
    async with hand(redis_url, Desk()) as one:
        await one.own()
        one.tell(one.desk.connect())
        one.frame(whole(1))
        await one.sink.drain(5)
        epoch = one.sink.epoch
        with caplog.at_level(logging.WARNING):
            healed.execute_command(*spoil)
            if name in ("NOAUTH", "maxclients"):  # only who connects is refused
                healed.client_kill_filter(_type="normal", skipme=True)
            one.frame(delta(2, 2), {"kind": "trade", "symbol": "BTC", "number": 1}, whole(2))
            await until(lambda: advice in caplog.text)
        if heal:
            healed.execute_command(*heal)
        else:
            healed.function_restore(functions)
        one.frame(delta(3, 3, bids=[[99, 1]]))
        await until(lambda: one.sink.epoch > epoch)
        await one.sink.drain(5)
        events = assert_sound(healed, one)
    assert one.desk.tally.trades == 1
    book = replay([event for event in events if not isinstance(event, Open)])
    assert book is not None
    assert book.bids().tolist() == one.desk.session.tracks[0].book.bids().tolist()


async def test_a_full_server_is_told_in_the_status_and_relieved(redis_url: str, healed: Any) -> None:
    async with hand(redis_url, Desk()) as one:
        await one.own()
        one.tell(one.desk.connect())
        for k in range(1, 300):
            one.frame(delta(k, k), {"kind": "trade", "symbol": "BTC", "number": k})
        one.frame(whole(300))
        for k in range(301, 400):
            one.frame(delta(k, k))
        await one.sink.drain(5)
        before = healed.xlen(KEY)
        snap_id = healed.hget(STATUS, "snap_id")
        healed.config_set("maxmemory", 1)
        one.frame(delta(400, 400))
        await until(lambda: healed.hget(STATUS, "reason") == b"redis full")
        assert healed.hget(STATUS, "state") == b"stale"
        await until(lambda: healed.xlen(KEY) < before)
        one.assign(Role.OWNER, mine=True)
        assert healed.xrange(KEY, snap_id, count=1)[0][0] == snap_id
        healed.config_set("maxmemory", 0)
        await until(lambda: healed.hget(STATUS, "state") == b"live")


@pytest.mark.parametrize(
    ("first", "last", "snapshot", "kept"),
    [
        ((5, 1), (5, 101), None, (5, 11)),
        ((5, 1), (5, 101), (5, 7), (5, 7)),
        ((5, 7), (5, 101), (5, 7), None),
        ((4, 1), (5, 101), None, (5, 0)),
        ((4, 1), (5, 101), (4, 30), (4, 30)),
        ((5, 1), (5, 5), None, None),
    ],
)
def test_a_step_cuts_older_epochs_then_a_tenth_and_keeps_the_snapshot(
    first: tuple[int, int], last: tuple[int, int], snapshot: tuple[int, int] | None, kept: tuple[int, int] | None
) -> None:
    assert step(first, last, snapshot) == kept


def test_a_stream_that_is_not_there_is_not_cut() -> None:
    empty = [b"first-entry", None, b"last-entry", None]
    assert cuts("toy", ["BTC-USDT", "ETH-USDT"], [ValueError("no such key"), None, empty, b"nonsense"]) == []
