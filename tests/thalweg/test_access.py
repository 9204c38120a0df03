"""The Redis users: every allow and deny is asked of real servers, and the table here is spelt out once more."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.chaos.servers import ENGINES, Server
from thalweg.access import acl_file, users
from thalweg.cli.children import Guardian

VENUES = ("binance", "kraken")
ST, OUT, STATUS = "st:{BTC-USDT}:binance", "out:{BTC-USDT}", "status:{BTC-USDT}:binance"
CHECKPOINT, BEFORE = "ckpt:{BTC-USDT}", "ckpt:{BTC-USDT}:prev"
NAMES = ("ingest", "aggregator", "gateway", "loader", "health", "reader", "operator")
WRITERS, READERS = {"ingest", "aggregator"}, {"reader", "operator"}

ASKED: list[tuple[str, set[str]]] = [
    # a command, and who may run it
    ("PING", {"gateway", "health"} | READERS),
    ("CLIENT SETNAME me", set(NAMES) - {"health"}),
    (f"XADD {ST} 1-1 k v", {"ingest"}),
    (f"XTRIM {ST} MINID ~ 1-1", {"ingest"}),
    (f"XADD {OUT} 1-1 r v", {"aggregator"}),
    (f"XTRIM {OUT} MINID ~ 1-1", {"aggregator"}),
    (f"XRANGE {ST} - + COUNT 1", {"aggregator"} | READERS),
    (f"XREVRANGE {ST} + - COUNT 1", WRITERS | READERS),
    (f"XRANGE {OUT} - + COUNT 1", {"aggregator", "gateway"} | READERS),
    (f"XREAD COUNT 1 STREAMS {ST} 0", READERS),
    (f"XREAD COUNT 1 STREAMS {OUT} 0", READERS),
    (f"XINFO STREAM {ST}", {"ingest"} | READERS),
    (f"HSET {STATUS} state live", {"ingest"}),
    (f"HGETALL {STATUS}", {"aggregator", "gateway"} | READERS),
    (f"SET {CHECKPOINT} x", {"aggregator"}),
    (f"SET {BEFORE} x", {"aggregator"}),
    (f"GET {CHECKPOINT}", {"aggregator"} | READERS),
    ("SET lease:{0}:binance me PX 3000", {"ingest"}),
    ("SET epoch:{3}:kraken 1", {"ingest"}),
    ("ZADD workers:{0}:binance 1 me", {"ingest"}),
    ("HSET budget:{binance}:local left 1", {"ingest"}),
    ("SET lease:{0}:elsewhere me", set()),
    ("PTTL lease:{0}:binance", {"ingest", "aggregator", "operator"}),
    ("SET lease:{0}:out me PX 3000", {"aggregator"}),
    ("SET epoch:{3}:out 1", {"aggregator"}),
    ("ZADD workers:{0}:out 1 me", {"aggregator"}),
    ("GET epoch:{0}:binance", {"ingest", "operator"}),
    ("GET epoch:{0}:out", {"aggregator", "operator"}),
    ("SET lat:ingest:binance {} EX 10", {"ingest"}),
    ("SET lat:aggregator {} EX 10", {"aggregator"}),
    ("SET lat:gateway {} EX 10", {"gateway"}),
    ("HINCRBY uptime:{BTC-USDT}:495000 kraken.falls 1", {"aggregator"}),
    ("EXPIRE uptime:{BTC-USDT}:495000 9", {"aggregator"}),
    ("HGETALL uptime:{BTC-USDT}:495000", {"aggregator", "gateway"} | READERS),
    ("MGET lat:gateway lat:ingest:binance", {"gateway"} | READERS),
    ("PUBLISH bell:{0}:binance x", WRITERS),
    ("PUBLISH book:{BTC-USDT} x", {"aggregator"}),
    ("PUBLISH hb x", {"aggregator"}),
    ("PUBLISH other x", set()),
    ("SUBSCRIBE bell:{0}:binance", {"aggregator"} | READERS),
    ("SUBSCRIBE book:{BTC-USDT} hb", {"aggregator", "gateway"} | READERS),
    ("SUBSCRIBE other", set()),
    ("SPUBLISH bell:{0}:binance x", WRITERS),
    ("SPUBLISH book:{BTC-USDT} x", {"aggregator"}),
    ("SPUBLISH other x", set()),
    ("SSUBSCRIBE bell:{0}:binance", {"aggregator"} | READERS),
    ("SSUBSCRIBE book:{BTC-USDT}", {"aggregator", "gateway"} | READERS),
    ("SSUBSCRIBE other", set()),
    ("CLUSTER SLOTS", set(NAMES) - {"health"}),
    ("CLUSTER NODES", set()),
    ("CLUSTER SETSLOT 1 STABLE", set()),
    ("PSUBSCRIBE book:*", set()),
    ("FCALL thalweg_beat 1 workers:{0}:binance me 3000 0", {"ingest"}),
    ("FCALL thalweg_beat 1 workers:{0}:out me 3000 0", {"aggregator"}),
    ("FUNCTION LOAD x", {"loader"}),
    ("FUNCTION LIST", {"loader", "operator"}),
    ("INFO server", {"loader", "operator"}),
    ("TIME", WRITERS | {"operator"}),
    *((f"{command} unknown", set()) for command in ("GET", "DEL", "XLEN", "HGETALL")),
    (f"DEL {OUT}", {"aggregator"}),
    ("EVAL return(1) 0", set()),
    ("EVALSHA 0 0", set()),
    ("SCRIPT LOAD x", set()),
    ("FUNCTION FLUSH", set()),
    ("FUNCTION DELETE thalweg", set()),
    ("CONFIG GET *", set()),
    ("CONFIG SET maxmemory 0", set()),
    ("KEYS *", set()),
    ("SCAN 0", set()),
    ("FLUSHALL", set()),
    ("FLUSHDB", set()),
    ("DEBUG SLEEP 1", set()),
    ("MONITOR", set()),
    ("CLIENT KILL ID 1", set()),
    ("CLIENT LIST", set()),
    ("CLIENT PAUSE 1000", set()),
    ("ACL LOAD", {"loader"}),
    ("ACL SAVE", set()),
    ("ACL LIST", set()),
    ("ACL SETUSER x", set()),
    ("REPLICAOF NO ONE", set()),
    ("SHUTDOWN", set()),
    ("SAVE", set()),
    ("BGREWRITEAOF", set()),
    ("MODULE LOAD x", set()),
    ("WAIT 0 0", set()),
    ("SWAPDB 0 1", set()),
    ("RENAME st:{a}:b st:{a}:c", set()),
    ("XGROUP CREATE st:{a}:b g 0", set()),
    ("XDEL st:{a}:b 1-1", set()),
]


PASSWORDS = dict.fromkeys(NAMES, "a-secret")


@pytest.fixture(scope="module", params=ENGINES)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that was started from our file."""
    if request.param == "redis" and shutil.which("redis-server") is None:
        pytest.skip("no redis-server on PATH; deploy/redis-server installs it")
    with Guardian() as keeper:
        one = Server(request.param, tmp_path_factory.mktemp("acl"), keeper, acl_file(VENUES, PASSWORDS))
        one.start()
        one.load_functions()
        yield one
        one.kill()


def _as(server: Server, name: str, password: str = PASSWORDS["reader"]) -> redis.Redis:
    return redis.Redis(port=server.port, username=name, password=password, retry=Retry(NoBackoff(), 0))


def test_each_user_may_run_what_it_is_granted_and_nothing_else(server: Server) -> None:
    wrong = []
    for command, allowed in ASKED:
        for name in NAMES:
            said = server.run("ACL", "DRYRUN", name, *command.split())
            if (said == b"OK") != (name in allowed):
                wrong.append(f"{name}: {command}: {said!r}")
    assert wrong == []


def test_the_default_user_is_off_and_a_password_is_needed(server: Server) -> None:
    with pytest.raises(redis.AuthenticationError), redis.Redis(port=server.port, retry=Retry(NoBackoff(), 0)) as nobody:
        nobody.ping()
    with pytest.raises(redis.AuthenticationError), _as(server, "reader", "guess") as guess:
        guess.ping()
    with _as(server, "reader") as reader, _as(server, "health", "anything") as health:
        assert reader.ping()
        assert health.ping()


def test_a_function_runs_with_the_rights_of_its_caller(server: Server) -> None:
    with _as(server, "ingest") as ingest:
        assert ingest.fcall("thalweg_beat", 1, "workers:{0}:binance", "me", "3000", "0")
        with pytest.raises(redis.exceptions.NoPermissionError):
            ingest.fcall("thalweg_beat", 1, "workers:{0}:out", "me", "3000", "0")
        with pytest.raises(redis.ResponseError, match=r"(?i)can't|permission|acl"):
            ingest.fcall("thalweg_publish", 1, ST, "book:{BTC-USDT}", "9-1", "record")


def test_what_was_written_whole_is_there_after_a_crash(server: Server) -> None:
    """A server checks a transaction in its append-only file against the rights of the default user."""
    with _as(server, "ingest") as ingest, ingest.pipeline(transaction=True) as pipeline:
        pipeline.xadd(ST, {"k": "1"}, "77-1")  # one alone would be logged without the transaction
        pipeline.xadd(ST, {"k": "2"}, "77-2")
        pipeline.execute()
    server.kill()
    server.start()
    assert len(server.admin.xrange(ST, "77-1", "77-2") or ()) == 2


def test_hashes_stand_in_the_file_and_passwords_do_not() -> None:
    text = acl_file(VENUES, PASSWORDS)
    assert "a-secret" not in text
    assert text.splitlines()[0].split()[:3] == ["user", "default", "off"]
    assert [line.split()[1] for line in text.splitlines()[1:]] == list(NAMES)


def test_every_user_needs_a_password_but_the_health_check() -> None:
    assert [user.name for user in users(VENUES) if not user.password] == ["health"]
    with pytest.raises(KeyError):
        acl_file(VENUES, {})
