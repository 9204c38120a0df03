"""Connections on a real server: replies in order, errors as values, hung and dead servers, cancelled commands."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.exceptions import ResponseError

from thalweg import transport
from thalweg.cli.embedded import free_port, start_server, stop_server
from thalweg.errors import Fenced, FunctionsMissing, RedisFull, RedisTrouble, SettingsError
from thalweg.resp import pack
from thalweg.transport import RedisLink, checked

pytestmark = pytest.mark.anyio
FUNCTIONS = Path(transport.__file__).with_name("functions.lua")


@pytest.fixture(scope="module", params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Both loops, since they differ in what they allow on a connection that is lost; the services run on uvloop."""
    return "asyncio", {"use_uvloop": request.param}


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[RedisLink]:
    link = RedisLink(url, "test")
    await link.connect()
    try:
        yield link
    finally:
        await link.close()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A server that a test may stop or kill."""
    port = free_port()
    server = start_server(port, tmp_path)
    try:
        yield f"redis://127.0.0.1:{port}/0", server
    finally:
        if server.poll() is None:
            os.kill(server.pid, signal.SIGCONT)
            stop_server(server)


async def test_replies_come_in_order_and_an_error_among_them_is_a_value(redis_url: str) -> None:
    async with connected(redis_url) as link:
        commands = [
            pack("SET", "k", "1"),
            pack("LPUSH", "k", "x"),
            pack("INCR", "k"),
            pack("NONSENSE"),
            pack("GET", "gone"),
        ]
        first, wrong, third, unknown, absent = await link.run(commands)
    assert (first, third, absent) == (b"OK", 2, None)
    assert isinstance(wrong, ResponseError)
    assert isinstance(unknown, ResponseError)


async def test_replies_are_bytes_whatever_they_hold(redis_url: str) -> None:
    async with connected(redis_url) as link:
        assert await link.call("SET", b"k\r\n\xff", b"\x00\r\n\xff") == b"OK"
        assert await link.call("GET", b"k\r\n\xff") == b"\x00\r\n\xff"


async def test_a_batch_larger_than_the_socket_s_buffers_goes_through(redis_url: str) -> None:
    async with connected(redis_url) as link:
        replies = await link.run([pack("ECHO", b"%d" % k * 1_000) for k in range(1_000, 2_000)])
    assert replies == [b"%d" % k * 1_000 for k in range(1_000, 2_000)]


async def test_two_tasks_get_their_own_replies(redis_url: str) -> None:
    async with connected(redis_url) as link:
        replies = await asyncio.gather(*(link.run([pack("ECHO", k), pack("ECHO", -k)]) for k in range(1, 20)))
    assert replies == [[b"%d" % k, b"%d" % -k] for k in range(1, 20)]


async def test_the_server_shows_the_link_by_its_name(redis_url: str) -> None:
    async with connected(redis_url) as link:
        assert b" name=test " in await link.call("CLIENT", "LIST")


async def test_an_older_and_a_repeated_entry_are_fenced_by_the_server(redis_url: str) -> None:
    async with connected(redis_url) as link:
        await link.call("XADD", "s", "5-1", "a", "b")
        for identity in ("4-9", "5-1"):
            with pytest.raises(Fenced, match="equal or smaller"):
                await link.call("XADD", "s", identity, "a", "b")
        assert await link.call("XLEN", "s") == 1


async def test_a_function_s_refusal_is_fenced_too(redis_url: str) -> None:
    async with connected(redis_url) as link:
        await link.call("FUNCTION", "LOAD", "REPLACE", FUNCTIONS.read_bytes())
        await link.call("FCALL", "thalweg_status", 1, "h", 7, "state", "live")
        with pytest.raises(Fenced, match="epoch 7 owns h"):
            await link.call("FCALL", "thalweg_status", 1, "h", 6, "state", "stale")
        assert await link.call("HGET", "h", "state") == b"live"


async def test_functions_that_are_not_loaded_are_told_with_what_to_do(redis_url: str) -> None:
    async with connected(redis_url) as link:
        with pytest.raises(FunctionsMissing, match="thalweg redis-init"):
            await link.call("FCALL", "thalweg_release", 1, "lease:test", "me")


async def test_any_other_refusal_is_trouble_and_the_link_stays_usable(redis_url: str) -> None:
    async with connected(redis_url) as link:
        await link.call("SET", "k", "v")
        with pytest.raises(RedisTrouble, match=r"Redis refused: .*wrong kind"):
            await link.call("LPUSH", "k", "x")
        assert await link.call("GET", "k") == b"v"


@pytest.mark.parametrize("reply", [None, 0, b"FENCED", [b"Function not found"], {}])
def test_what_is_no_error_is_given_on(reply: object) -> None:
    assert checked(reply) == reply


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("FENCED epoch 5 owns out:{BTC-USD}", Fenced),
        ("The ID specified in XADD is equal or smaller than the target stream top item", Fenced),
        ("FENCED ERR The ID specified in XADD is equal or smaller than the target stream top item", Fenced),
        ("Function not found", FunctionsMissing),
        ("WRONGTYPE Operation against a key holding the wrong kind of value", RedisTrouble),
        ("OOM command not allowed when used memory > 'maxmemory'.", RedisFull),
        ("NOPERM User reader has no permissions to run the 'xadd' command", RedisTrouble),
    ],
)
def test_an_error_reply_raises_what_it_means(text: str, error: type[Exception]) -> None:
    with pytest.raises(RedisTrouble if error is RedisTrouble else error) as caught:
        checked(ResponseError(text))
    assert type(caught.value) is error


async def test_a_hung_server_is_noticed_and_its_late_replies_answer_nothing(
    own_server: tuple[str, subprocess.Popen[bytes]],
) -> None:
    url, server = own_server
    async with connected(url) as link:
        os.kill(server.pid, signal.SIGSTOP)
        async with asyncio.timeout(5):
            with pytest.raises(RedisTrouble, match="no answer in time"):
                await link.run([pack("ECHO", "late")], timeout_s=0.1)
        os.kill(server.pid, signal.SIGCONT)
        await link.connect()
        assert await link.call("ECHO", "prompt") == b"prompt"


async def test_a_wait_ends_in_its_own_time_whatever_the_ones_before_it_had(
    own_server: tuple[str, subprocess.Popen[bytes]],
) -> None:
    url, server = own_server
    loop = asyncio.get_running_loop()
    async with connected(url) as link:
        await link.run([pack("PING")], timeout_s=60)
        os.kill(server.pid, signal.SIGSTOP)
        began = loop.time()
        with pytest.raises(RedisTrouble, match="no answer in time"):
            await link.run([pack("PING")], timeout_s=0.1)
        assert 0.09 <= loop.time() - began < 30  # uvloop counts whole milliseconds
        os.kill(server.pid, signal.SIGCONT)

        await link.connect()
        await link.run([pack("PING")], timeout_s=0.05)
        resume = loop.call_later(0.2, os.kill, server.pid, signal.SIGCONT)
        os.kill(server.pid, signal.SIGSTOP)
        assert await link.run([pack("PING")], timeout_s=60) == [b"PONG"]
        resume.cancel()


async def test_a_server_that_accepts_and_says_nothing_can_not_be_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "TIMEOUT_S", 0.1)
    monkeypatch.setattr(transport, "CONNECT_TIMEOUT_S", 0.1)
    heard: list[asyncio.StreamWriter] = []
    async with await asyncio.start_server(lambda _, writer: heard.append(writer), "127.0.0.1", 0) as mute:
        port = mute.sockets[0].getsockname()[1]
        link = RedisLink(f"redis://127.0.0.1:{port}/0", "test")
        with pytest.raises(RedisTrouble, match="can't connect"):
            await link.connect()
        await link.close()
        for writer in heard:  # Python 3.12 waits for them when the server closes
            writer.close()


async def test_a_server_that_goes_away_is_trouble_until_another_is_there(
    own_server: tuple[str, subprocess.Popen[bytes]],
) -> None:
    url, server = own_server
    async with connected(url) as link:
        server.kill()
        server.wait()
        with pytest.raises(RedisTrouble):
            await link.run([pack("PING")])
        with pytest.raises(RedisTrouble, match="can't connect"):
            await link.connect()


async def test_a_link_never_reconnects_by_itself(redis_url: str) -> None:
    async with connected(redis_url) as link:
        await link.close()
        with pytest.raises(RedisTrouble, match="not connected"):
            await link.run([pack("PING")])
        await link.connect()
        assert await link.call("PING") == b"PONG"


async def test_closing_twice_is_no_error(redis_url: str) -> None:
    async with connected(redis_url) as link:
        await link.close()
        await link.close()


async def test_the_reply_to_a_cancelled_command_answers_no_other(redis_url: str) -> None:
    async with connected(redis_url) as link, connected(redis_url) as other:
        task = asyncio.create_task(link.run([pack("BLPOP", "empty", 0), pack("ECHO", "old")]))
        while b"blocked_clients:1" not in await other.call("INFO", "clients"):
            pass
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(RedisTrouble, match="not connected"):
            await link.call("ECHO", "new")
        await link.connect()
        assert await link.call("ECHO", "new") == b"new"


async def test_pushed_messages_come_one_by_one_and_silence_is_none(redis_url: str) -> None:
    async with connected(redis_url) as link, connected(redis_url) as other:
        await link.run([pack("SUBSCRIBE", "hb")])
        assert await link.next_push(0.02) is None
        for text in (b"one", b"two"):
            await other.call("PUBLISH", "hb", text)
        assert await link.next_push(1.0) == [b"message", b"hb", b"one"]
        assert await link.next_push(1.0) == [b"message", b"hb", b"two"]


async def test_a_subscriber_that_does_not_read_leaves_the_rest_to_the_server_and_loses_nothing(redis_url: str) -> None:
    async with connected(redis_url) as link, connected(redis_url) as other:
        await link.run([pack("SUBSCRIBE", "flood")])
        text, count, written = b"x" * 10_000, 0, 0
        while b" omem=0 " in await other.call("CLIENT", "LIST", "TYPE", "pubsub"):
            await other.run([pack("PUBLISH", "flood", b"%d %b" % (written + k, text)) for k in range(100)])
            written += 100
            assert written < 20_000, "it read all of it"
        while count < written:
            push = await link.next_push(2.0)
            assert push is not None
            assert push[2].startswith(b"%d " % count)
            count += 1


async def test_a_subscriber_whose_server_goes_away_is_told(own_server: tuple[str, subprocess.Popen[bytes]]) -> None:
    url, server = own_server
    async with connected(url) as link:
        await link.run([pack("SUBSCRIBE", "hb")])
        server.kill()
        server.wait()
        with pytest.raises(RedisTrouble):
            await link.next_push(1.0)
        with pytest.raises(RedisTrouble):
            await link.run([pack("PING")])


async def test_a_password_that_is_wrong_is_trouble(redis_url: str) -> None:
    link = RedisLink(redis_url.replace("redis://", "redis://nobody:wrong@"), "test")
    with pytest.raises(RedisTrouble, match="can't connect"):
        await link.connect()


@pytest.mark.parametrize(
    "url",
    ["", "127.0.0.1:6379", "http://127.0.0.1", "redis://127.0.0.1:port", "redis://[::1", "redis://h/0?nonsense=1"],
)
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="REDIS_URL"):
        RedisLink(url, "test")
