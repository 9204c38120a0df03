"""When a server has lost publications, and who is to go on above them."""

from __future__ import annotations

import asyncio

import pytest

from aggregator import source
from aggregator.checkpoint import Checkpoint
from aggregator.source import End, HeadSource
from thalweg.transport import RedisLink


@pytest.mark.parametrize(
    ("top", "kept", "head", "lost"),
    [
        (10, 8, 10, False),
        (10, 8, 11, False),  # told of, and refused
        (10, 8, 12, True),
        (0, 12, 12, False),  # the checkpoint knows
        (0, None, 0, False),
        (0, None, 1, False),
        (0, None, 2, True),
    ],
)
def test_what_a_heartbeat_told_of_and_the_server_does_not_have_is_lost(
    top: int, kept: int | None, head: int, lost: bool
) -> None:
    end = End((5, 1), (5, top), None if kept is None else Checkpoint(kept, 5))

    assert end.lost(head) is lost


def test_heads_only_rise_and_garbage_is_passed_over() -> None:
    heard = HeadSource(RedisLink("redis://127.0.0.1:1/0", "heads"))
    for text in (b'{"heads":{"A":5,"B":1}}', b"\xff", b"[]", b'{"heads":{"A":"x"}}', b'{"heads":{"A":4,"B":2}}'):
        heard.note(text)

    assert heard.heads == {"A": 5, "B": 2}


@pytest.mark.anyio
async def test_a_connection_that_brings_no_heartbeat_is_given_up(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "DEAF_S", 0.05)

    async with asyncio.timeout(5):
        await HeadSource(RedisLink(redis_url, "heads")).listen()
