from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from gateway import service
from gateway.app import Gateway
from gateway.transport import TURNS
from gateway.turns import AT_ONCE, Turns
from tests.gateway.publications import instruments
from thalweg.settings import Settings


class Sender:
    """A connection that notes what it read, and whether it is read from."""

    def __init__(self, read: list[tuple[int, bytes]], number: int) -> None:
        self.loop, self.transport = asyncio.get_running_loop(), self
        self.number, self.paused, self.closing, self._read = number, False, False, read

    def read(self, data: bytes) -> None:
        self._read.append((self.number, data))

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def is_closing(self) -> bool:
        return self.closing


@pytest.mark.anyio
async def test_what_comes_at_once_is_read_in_order_a_few_in_each_turn() -> None:
    turns, read = Turns(), list[tuple[int, bytes]]()
    senders = [Sender(read, number) for number in range(3 * AT_ONCE)]
    for one in senders:
        turns.take(one, b"a")
    senders[-1].closing = True
    assert [number for number, _ in read] == list(range(AT_ONCE))
    assert [one.paused for one in senders] == [False] * AT_ONCE + [True] * 2 * AT_ONCE
    seen = [len(read)]
    while len(read) < 3 * AT_ONCE - 1:
        await asyncio.sleep(0)
        seen.append(len(read))
    assert max(now - before for before, now in pairwise(seen)) <= AT_ONCE
    assert [number for number, _ in read] == list(range(3 * AT_ONCE - 1))
    assert not any(one.paused for one in senders[:-1])
    await asyncio.sleep(0)  # a turn in which nothing came
    turns.take(senders[0], b"b")
    assert read[-1] == (0, b"b")


@pytest.mark.anyio
async def test_nobody_is_read_while_all_are_held() -> None:
    turns, read = Turns(), list[tuple[int, bytes]]()
    senders = [Sender(read, number) for number in range(2 * AT_ONCE)]
    turns.take(senders[0], b"a")
    turns.hold()
    for one in senders[1:]:
        turns.take(one, b"a")
    for _ in range(5):
        await asyncio.sleep(0)
    assert read == [(0, b"a")]
    assert [one.paused for one in senders] == [False] + [True] * (2 * AT_ONCE - 1)
    turns.release()
    assert [number for number, _ in read] == list(range(1 + AT_ONCE))
    await asyncio.sleep(0)
    assert [number for number, _ in read] == list(range(2 * AT_ONCE))
    turns.hold()
    turns.release()
    turns.take(senders[0], b"b")
    assert read[-1] == (0, b"b")


@pytest.mark.anyio
async def test_clients_are_read_again_after_the_last_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is read shortly before a tick; here that is always, so the end falls into it."""
    monkeypatch.setattr(service, "CLEAR_S", 1.0)
    gateway, read = Gateway(Settings(instruments())), list[tuple[int, bytes]]()
    TURNS.take(Sender(read, 0), b"a")
    ticking = asyncio.create_task(service.tick(gateway, gateway.rings, asyncio.Lock()))
    late = Sender(read, 1)
    while not late.paused:  # until all are held
        TURNS.take(late, b"b")
        await asyncio.sleep(0)
    ticking.cancel()
    await asyncio.wait({ticking})
    TURNS.take(Sender(read, 9), b"c")
    assert read[-1] == (9, b"c")
