"""The lease protocol under any order of beats, appends, pauses, crashes and losses: one writer, rising epochs, dense n.

The same rules run over the model server by virtual time, and over a real server with the model in lockstep: there a
lapse is brought about by deleting what would have expired.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import Phase, settings
from hypothesis.errors import Flaky
from hypothesis.stateful import run_state_machine_as_test

import thalweg
from tests.virtual.leases import TTL_MS, Leases, Lockstep, Model
from tests.virtual.server import Server, Stream


@pytest.fixture
def server(redis_url: str) -> redis.Redis:
    client = redis.Redis.from_url(redis_url)
    client.function_load(Path(thalweg.__file__).with_name("functions.lua").read_text(encoding="utf-8"))
    return client


def run(make: Callable[[], Model], examples: int, *, same: bool = False) -> None:
    """Run the machine over servers that `make` gives; `same` for the same examples each time."""

    class Machine(Leases):
        pass

    Machine.make = make
    phases = (Phase.generate, Phase.target)  # a failing run is short enough as it is
    few = settings(
        max_examples=examples, stateful_step_count=40, deadline=None, database=None, phases=phases, derandomize=same
    )
    run_state_machine_as_test(Machine, settings=few)


def test_leases_over_the_model() -> None:
    run(Model, 60)


def test_leases_over_a_real_server(server: redis.Redis) -> None:
    with server:
        run(lambda: Lockstep(server), 12)


def unfenced(self: Server, key: bytes, number: tuple[int, int], words: list[bytes]) -> bytes:
    """Append whatever comes, as an ID chosen by the server would."""
    stream = self.keys.setdefault(key, Stream())
    stream.entries[number] = words
    stream.ids.append(number)
    return b""


def given_to_all(self: Server, names: Sequence[bytes], words: Sequence[bytes]) -> int:
    """Acquire what another holds."""
    epoch = max(self.now_ms(), int(self._get(names[1]) or b"0") + 1)
    self.keys |= {names[0]: words[0], names[1]: b"%d" % epoch}
    self._expire(names[0], TTL_MS)
    return epoch


def never_forgetting(self: Server, names: Sequence[bytes], words: Sequence[bytes]) -> list[Any]:
    """Beat, and keep the silent ones among the members."""
    members = self.keys.setdefault(names[0], {})
    members[words[0]] = self.now_ms()
    return [list(members), [self._get(name) or b"" for name in names[1:]], [0 for _ in names[1:]]]


@pytest.mark.parametrize(("name", "broken"), [("_append", unfenced), ("_beat", never_forgetting)])
def test_a_server_that_keeps_no_order_is_noticed(
    monkeypatch: pytest.MonkeyPatch, name: str, broken: Callable[..., Any]
) -> None:
    monkeypatch.setattr(Server, name, broken)
    with pytest.raises((AssertionError, ExceptionGroup, Flaky)):
        run(Model, 200, same=True)


def test_a_model_that_is_not_like_the_server_is_noticed(monkeypatch: pytest.MonkeyPatch, server: redis.Redis) -> None:
    monkeypatch.setattr(Server, "_acquire", given_to_all)
    with server, pytest.raises((AssertionError, ExceptionGroup, Flaky)):
        run(lambda: Lockstep(server), 60, same=True)
