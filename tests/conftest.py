"""What all tests share: a real server, an empty database, captures of the venues, a browser."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from thalweg.cli.children import Guardian
from thalweg.cli.embedded import find_server, free_port, start_server, stop_server
from thalweg.cli.masters import Master, join, make_masters
from thalweg.errors import SettingsError

MAXMEMORY = "1gb"  # as the embedded server is started; some tests leave it at another value
MARKED_BY_FIXTURE = {"redis_server": "integration", "redis_cluster": "integration", "chromium": "browser"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark a test by what it asks for, so that no mark is forgotten."""
    for item in items:
        for fixture, mark in MARKED_BY_FIXTURE.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(mark)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio, as the services do."""
    return "asyncio"


@pytest.fixture(scope="session")
def redis_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Master]]:
    """Three masters of a Cluster that live as long as the test run; a test that ends one starts it again."""
    masters = make_masters(tmp_path_factory.mktemp("cluster"), fsync="no")  # one that is killed is to lose nothing
    try:
        for master in masters:
            master.start()
        join(masters)
        yield masters
    finally:
        for master in masters:
            master.stop()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real server that lives as long as the test run; it keeps nothing on disk."""
    try:
        find_server()
    except SettingsError as error:
        pytest.fail(str(error))
    port = free_port()
    with Guardian() as guardian:  # a run that is killed leaves no server behind
        server = start_server(port, tmp_path_factory.mktemp("redis"))
        guardian.started(server.pid)
        yield f"redis://127.0.0.1:{port}/0"
        stop_server(server)
        guardian.ended(server.pid)


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """The server's URL, after all its keys and functions have been removed, with the memory it was started with."""
    with redis.Redis.from_url(redis_server) as client:
        client.config_set("maxmemory", MAXMEMORY)
        client.flushall()
        client.function_flush()
    return redis_server


@pytest.fixture(scope="session")
def captures() -> Path:
    """The folder of frames recorded at the venues; too large for the repository, so not everyone has it."""
    folder = os.environ.get("THALWEG_CAPTURES")
    if not folder:
        pytest.skip("THALWEG_CAPTURES does not name a folder of recorded frames")
    path = Path(folder).resolve()
    if not path.is_dir():
        pytest.fail(f"THALWEG_CAPTURES={folder} is not a folder")
    return path


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of an installed Chromium, as `deploy/chromium` prints it."""
    if os.environ.get("SKIP_BROWSER", "0") not in ("", "0", "no", "off", "false"):
        pytest.skip("SKIP_BROWSER is set")
    path = os.environ.get("THALWEG_CHROMIUM")
    if not path:
        pytest.skip("THALWEG_CHROMIUM does not name a browser; `make test` sets it")
    return path
