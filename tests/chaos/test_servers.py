from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.chaos.processes import Process, service_environ
from tests.chaos.servers import ENGINES, Server
from thalweg.cli.children import Guardian

NEVER = Retry(NoBackoff(), 0)


@pytest.fixture
def keeper() -> Iterator[Guardian]:
    with Guardian() as guardian:
        yield guardian


@pytest.fixture(params=ENGINES)
def server(request: pytest.FixtureRequest, tmp_path: Path, keeper: Guardian) -> Iterator[Server]:
    if request.param == "redis" and shutil.which("redis-server") is None:
        pytest.skip("no redis-server; deploy/redis-server installs it")
    one = Server(request.param, tmp_path / "server", keeper)
    one.start()
    yield one
    one.go_on()
    one.kill()


def test_a_killed_server_has_its_data_again_unless_it_is_forgotten(server: Server) -> None:
    server.admin.xadd("s", {"a": "1"}, "5-1")
    server.admin.bgrewriteaof()
    server.kill()
    server.start()
    assert server.admin.xinfo_stream("s")["last-generated-id"] == b"5-1"
    server.kill()
    server.forget()
    server.start()
    assert not server.admin.exists("s")


def test_a_hung_server_answers_later(server: Server) -> None:
    server.hang()
    with redis.Redis(port=server.port, socket_timeout=0.2, retry=NEVER) as client, pytest.raises(redis.TimeoutError):
        client.ping()
    server.go_on()
    assert server.answers()


def test_a_process_is_killed_paused_and_started_again(tmp_path: Path, keeper: Guardian) -> None:
    sleeper = Process(
        "sleeper", ["-c", "import time; time.sleep(60)"], service_environ("redis://x", {}), tmp_path, keeper
    )
    sleeper.start()
    first = sleeper.pid
    assert sleeper.rss_kib() > 0
    assert sleeper.descriptors() > 0
    sleeper.pause()
    sleeper.go_on()
    sleeper.kill()
    assert sleeper.code == -9
    sleeper.start()
    assert sleeper.pid != first
    sleeper.terminate()
    assert sleeper.reap() == -15
