"""What is told of each trouble, from the words of a real server where one can be brought to say them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import redis

import thalweg
from thalweg.errors import RedisTrouble
from thalweg.refusals import explain, told
from thalweg.transport import RedisLink

pytestmark = pytest.mark.anyio

FUNCTIONS = Path(thalweg.__file__).with_name("functions.lua").read_text(encoding="utf-8")
PUBLISH = ("FCALL", "thalweg_publish", 1, "out", "channel", "1-1", "record")


@pytest.fixture
def server(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client, closing(client):
        client.function_load(FUNCTIONS, replace=True)
        yield client
        client.replicaof("NO", "ONE")
        client.config_set("maxmemory", 0)
        client.config_set("min-replicas-to-write", 0)
        client.acl_deluser("bob")


async def refusal(url: str) -> str:
    link = RedisLink(url, "trouble")
    try:
        await link.connect()
        await link.call(*PUBLISH)
    except RedisTrouble as error:
        return told(str(error))
    finally:
        await link.close()
    return ""


async def test_a_full_server(redis_url: str, server: redis.Redis) -> None:
    server.config_set("maxmemory", 1_000_000)
    assert await refusal(redis_url) == "redis full"


async def test_a_replica(redis_url: str, server: redis.Redis) -> None:
    server.replicaof("127.0.0.1", 1)
    assert await refusal(redis_url) == "redis read-only"


async def test_a_server_that_lacks_replicas(redis_url: str, server: redis.Redis) -> None:
    server.config_set("min-replicas-to-write", 1)
    assert await refusal(redis_url) == "redis lacks replicas"


async def test_functions_that_are_not_loaded(redis_url: str, server: redis.Redis) -> None:
    server.function_flush()
    assert await refusal(redis_url) == "redis has no server functions"


@pytest.mark.parametrize("rights", [("+@all", "-fcall"), ("+@all", "-xadd")])
async def test_rights_that_are_missing(rights: tuple[str, ...], redis_url: str, server: redis.Redis) -> None:
    server.acl_setuser("bob", enabled=True, passwords="+word", keys=["*"], channels=["*"], commands=list(rights))
    assert await refusal(redis_url.replace("//", "//bob:word@")) == "redis forbids it"


@pytest.mark.usefixtures("server")
async def test_a_login_that_is_refused(redis_url: str) -> None:
    assert await refusal(redis_url.replace("//", "//nobody:word@")) == "redis refuses the login"


async def test_a_server_that_is_not_there() -> None:
    assert await refusal("redis://127.0.0.1:1/0") == "redis can't be reached"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (explain("Redis is loading the dataset in memory", "LOADING"), "redis is loading"),
        (explain("MISCONF Redis is configured to save RDB snapshots, but"), "redis can't save to disk"),
        (explain("MASTERDOWN Link with MASTER is down"), "redis has no primary"),
        ("Redis: no answer in time", "redis does not answer"),
        ("Redis: Connection closed by server.", "redis can't be reached"),
        ("Redis refused: ERR anything", "redis refuses to work"),
    ],
)
def test_what_no_test_brings_about(text: str, words: str) -> None:
    assert told(text) == words
