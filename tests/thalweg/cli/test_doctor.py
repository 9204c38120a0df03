"""`thalweg doctor`: what is wrong is said with what to do, and only what stops the services is a failure."""

from __future__ import annotations

import json
import re
import socket

import pytest
import redis
from click.testing import CliRunner

from thalweg import settings
from thalweg.cli import doctor, main
from thalweg.cli.embedded import free_port
from thalweg.cli.findings import VARIABLES, look_at_variables, look_at_venue, memory_needed
from thalweg.errors import RedisTrouble
from thalweg.settings import load_settings


def examined(**environ: str) -> tuple[int, dict[str, tuple[str, str]]]:
    """The exit code, and level and text by what they are about."""
    shown = CliRunner().invoke(main, ["doctor", "--json", "--offline"], env={"REDIS_URL": "", **environ})
    rows = json.loads(shown.output)["findings"]
    return shown.exit_code, {row["about"]: (row["level"], f"{row['text']} {row['advice']}") for row in rows}


def test_a_wrong_setting_is_a_failure() -> None:
    code, found = examined(THALWEG_PORT="many")
    assert (code, found["settings"][0]) == (1, "FAIL")


def test_no_server_is_no_failure_where_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: str) -> None:
        raise RedisTrouble("nobody there")

    monkeypatch.setattr(doctor, "connected", away)
    code, found = examined()
    assert code == 0
    assert found["redis"][0] == "OK"
    assert "starts its own" in found["redis"][1]


def test_settings_are_named_and_a_variable_nothing_reads_is_a_warning() -> None:
    found = {one.text: one.level for one in look_at_variables({"THALWEG_KRAKEN_WS": "ws://x", "THALWEG_PROT": "1"})}
    assert found == {"set: THALWEG_KRAKEN_WS": "OK", "nothing reads THALWEG_PROT": "WARN"}


def test_a_setting_that_is_empty_is_not_said_to_be_set() -> None:
    assert [one.text for one in look_at_variables({"THALWEG_ONLY": "", "THALWEG_LOG": "json"})] == ["set: THALWEG_LOG"]


def test_a_server_to_start_is_looked_for_only_where_none_is_named() -> None:
    assert "embedded" in examined()[1]
    assert "embedded" not in examined(REDIS_URL=f"redis://127.0.0.1:{free_port()}/0")[1]


def test_every_variable_of_the_settings_is_known() -> None:
    documented = set(re.findall(r"`THALWEG_([A-Z_]+)`", settings.__doc__ or ""))
    assert documented == VARIABLES


def test_a_named_server_that_is_away_is_a_failure() -> None:
    code, found = examined(REDIS_URL=f"redis://127.0.0.1:{free_port()}/0")
    assert (code, found["redis"][0]) == (1, "FAIL")
    assert "start the server" in found["redis"][1]


def test_a_server_that_is_ready_is_right(redis_url: str) -> None:
    assert CliRunner().invoke(main, ["redis-init"], env={"REDIS_URL": redis_url}).exit_code == 0
    code, found = examined(REDIS_URL=redis_url)
    assert code == 0, found
    assert {found[about][0] for about in ("redis", "policy", "functions", "memory")} == {"OK"}


def test_missing_functions_and_an_evicting_policy_are_failures(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            code, found = examined(REDIS_URL=redis_url)
        finally:
            client.config_set("maxmemory-policy", "noeviction")
    assert code == 1
    assert found["policy"] == (
        "FAIL",
        "maxmemory-policy is allkeys-lru CONFIG SET maxmemory-policy noeviction: an evicted stream is a silent gap",
    )
    assert found["functions"][0] == "FAIL"
    assert "thalweg redis-init" in found["functions"][1]


def test_too_little_memory_is_a_failure_and_none_set_a_warning(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        limit = client.config_get("maxmemory")["maxmemory"]
        try:
            client.config_set("maxmemory", "100mb")
            assert examined(REDIS_URL=redis_url)[1]["memory"][0] == "FAIL"
            client.config_set("maxmemory", "0")
            assert examined(REDIS_URL=redis_url)[1]["memory"][0] == "WARN"
        finally:
            client.config_set("maxmemory", limit)


def test_the_arithmetic_grows_with_books_and_retention() -> None:
    small, text = memory_needed(load_settings({"THALWEG_ONLY": "BTC-USD"}))
    assert text.startswith("2 streams x 120 s x 30/s x 450 B")
    assert memory_needed(load_settings({}))[0] > 9 * small
    assert memory_needed(load_settings({"THALWEG_ONLY": "BTC-USD", "THALWEG_RETENTION_S": "240"}))[0] > 1.5 * small


def test_a_taken_port_is_a_warning() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, found = examined(THALWEG_PORT=str(taken.getsockname()[1]))
    assert (code, found["port"][0]) == (0, "WARN")


@pytest.mark.anyio
async def test_a_venue_that_answers_is_right_and_one_that_does_not_a_warning() -> None:
    with socket.create_server(("127.0.0.1", 0)) as venue:
        url = f"ws://127.0.0.1:{venue.getsockname()[1]}/v2"
        assert (await look_at_venue("kraken", url)).level == "OK"
    away = await look_at_venue("kraken", url)
    assert away.level == "WARN"
    assert "THALWEG_KRAKEN_WS" in away.advice
