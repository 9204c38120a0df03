"""`thalweg redis-init` loads the functions, says the server, and refuses what can't have them."""

from __future__ import annotations

import json
import os
import sys
from subprocess import PIPE, Popen
from time import monotonic

import pytest
import redis
from click.testing import CliRunner

from thalweg.cli import main, server
from thalweg.cli.embedded import free_port
from thalweg.cli.overseer import Overseer
from thalweg.errors import SettingsError
from thalweg.settings import load_settings
from thalweg.transport import RedisLink


def test_the_functions_are_loaded_and_loaded_again(redis_url: str) -> None:
    for _ in range(2):
        shown = CliRunner().invoke(main, ["redis-init", "--json"], env={"REDIS_URL": redis_url})
        assert shown.exit_code == 0, shown.output
        assert json.loads(shown.output)["loaded"] is True
    with redis.Redis.from_url(redis_url) as client:
        assert client.fcall("thalweg_acquire", 2, "lease:test", "epoch:test", "me", 3000) > 0


def test_kept_functions_are_loaded_again_within_a_second(redis_url: str) -> None:
    def loaded() -> bool:
        with redis.Redis.from_url(redis_url) as client:
            return bool(client.function_list("thalweg"))

    command = [sys.executable, "-c", "from thalweg.cli import main; main()", "redis-init", "--keep"]
    with Popen(command, env={**os.environ, "REDIS_URL": redis_url}, stdout=PIPE, text=True) as keeper:
        assert keeper.stdout is not None
        assert keeper.stdout.readline().startswith("Functions loaded")
        with redis.Redis.from_url(redis_url) as client:
            client.function_flush()
        began = monotonic()
        assert "loaded again" in keeper.stdout.readline()
        assert monotonic() - began < 1.0
        assert loaded()
        keeper.terminate()
        assert keeper.wait(10) == 0


@pytest.mark.anyio
async def test_the_keeper_is_well_while_the_server_has_our_functions(redis_url: str) -> None:
    keeper = Overseer(load_settings({"REDIS_URL": redis_url}))
    link = await server.connected(redis_url, "test")
    await link.call("FUNCTION", "FLUSH")
    assert keeper.troubles() == ["Redis did not answer at the last look"]
    await keeper.look()
    assert keeper.troubles() == ["Redis has not this version's functions"]
    await server.load_functions(link)
    await keeper.look()
    assert keeper.troubles() == []
    await link.close()


def test_in_a_container_the_keeper_speaks_json_as_services_do(redis_url: str) -> None:
    command = [sys.executable, "-c", "from thalweg.cli import main; main()", "redis-init", "--keep"]
    environ = {**os.environ, "REDIS_URL": redis_url, "THALWEG_LOG": "json"}
    with Popen(command, env=environ, stderr=PIPE, text=True) as keeper, redis.Redis.from_url(redis_url) as client:
        assert keeper.stderr is not None
        assert "functions loaded" in json.loads(keeper.stderr.readline())["text"]
        client.function_flush()
        assert json.loads(keeper.stderr.readline())["level"] == "warning"
        keeper.terminate()
        assert keeper.wait(10) == 0


def test_a_server_that_is_away_is_one_line(redis_url: str) -> None:
    port = free_port()
    url = f"redis://user:secret@127.0.0.1:{port}/0"
    shown = CliRunner().invoke(main, ["redis-init", "--wait", "0.2"], env={"REDIS_URL": url})
    assert shown.exit_code == 1
    assert shown.output.startswith("thalweg: can't connect to Redis")
    assert shown.output.count("\n") == 1
    assert "secret" not in shown.output


@pytest.mark.anyio
async def test_an_old_server_is_refused(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def old(_: RedisLink) -> tuple[str, tuple[int, ...]]:
        return "redis", (6, 2, 14)

    monkeypatch.setattr(server, "server_name", old)
    link = await server.connected(redis_url, "test")
    with pytest.raises(SettingsError, match=r"redis 6\.2\.14 is too old: Redis >= 7"):
        await server.load_functions(link)
    await link.close()


@pytest.mark.anyio
async def test_loaded_functions_are_recognised_and_changed_ones_are_not(redis_url: str) -> None:
    link = await server.connected(redis_url, "test")
    assert not await server.functions_loaded(link)
    await server.load_functions(link)
    assert await server.functions_loaded(link)
    await link.call("FUNCTION", "LOAD", "REPLACE", server.FUNCTIONS.read_bytes() + b"\n-- older\n")
    assert not await server.functions_loaded(link)
    await link.close()
