"""The listener over a real socket, the text it gives, and progress as a count that should grow."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families

from thalweg.cli import main
from thalweg.cli.embedded import free_port
from thalweg.cli.health import address
from thalweg.errors import SettingsError
from thalweg.latency import Rings
from thalweg.probe.measure import Measure, about, labelled
from thalweg.probe.progress import Progress
from thalweg.probe.service import probe
from thalweg.settings import Address

pytestmark = pytest.mark.anyio
SECOND = 1_000_000_000


def get(address: Address, path: str) -> tuple[int, str, Any]:
    try:
        with urlopen(f"http://{address}{path}", timeout=5) as answer:  # loopback
            return answer.status, answer.headers["Content-Type"], answer.read()
    except HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read()


@pytest.fixture
def where() -> Address:
    return Address("127.0.0.1", free_port())


async def test_metrics_can_be_read_back(where: Address) -> None:
    rings = Rings("decode", "loop")
    for nanoseconds in (900, 1_000, 1_001, 3_000_000):
        rings["decode"].add(nanoseconds)
    gaps = labelled("thalweg_gaps", "counter", "Losses.", "venue", {"kraken": 2.0})
    async with probe(where, lambda: [*about("ingest:kraken", "me", 1.5, rings), gaps], list):
        status, media, text = await asyncio.to_thread(get, where, "/metrics")
    assert (status, media) == (200, "text/plain; version=0.0.4; charset=utf-8")
    families = list(text_string_to_metric_families(text.decode()))
    found = {(one.name, *sorted(one.labels.items())): one.value for family in families for one in family.samples}
    labels = ("hop", "decode"), ("service", "ingest:kraken")
    bucket = "thalweg_hop_duration_seconds_bucket"
    assert found["thalweg_gaps_total", ("venue", "kraken")] == 2
    assert found["thalweg_uptime_seconds", ("service", "ingest:kraken")] == 1.5
    assert found["thalweg_hop_duration_seconds_count", *labels] == 4
    assert found["thalweg_hop_duration_seconds_sum", *labels] == pytest.approx(3_002_901e-9)
    at_most = {le: found[bucket, ("hop", "decode"), ("le", le), ("service", "ingest:kraken")] for le in BOUNDS}
    assert at_most == BOUNDS
    assert ("thalweg_event_loop_lag_seconds_count", ("service", "ingest:kraken")) not in found
    assert found["process_open_fds",] > 0


BOUNDS = {"1e-06": 2.0, "2e-06": 3.0, "0.002048": 3.0, "0.004096": 4.0, "+Inf": 4.0}
"""How many of 0.9, 1, 1.001 and 3,000 us are at most so many seconds."""


async def test_health_has_reasons_or_none(where: Address) -> None:
    why = list[str]()
    async with probe(where, list, lambda: why):
        assert await asyncio.to_thread(get, where, "/healthz") == (
            200, "application/json", b'{"status":"OK","why":[]}'
        )  # fmt: skip
        why.append("no beat for 11 s")
        status, _, body = await asyncio.to_thread(get, where, "/healthz")
        assert (status, json.loads(body)) == (503, {"status": "STUCK", "why": why})


async def test_all_else_is_not_there_and_a_garbled_request_harms_nobody(where: Address) -> None:
    async with probe(where, list, list):
        assert (await asyncio.to_thread(get, where, "/"))[0] == 404
        reader, writer = await asyncio.open_connection(where.host, where.port)
        writer.write(b"\x00\xff garbage\r\n\r\n")
        assert b"200" not in (await reader.read()).split(b"\r\n")[0]
        writer.close()
        assert (await asyncio.to_thread(get, where, "/healthz"))[0] == 200


async def test_without_an_address_nothing_listens() -> None:
    async with probe(None, list, list):
        pass


async def test_a_taken_address_is_said(where: Address) -> None:
    async with probe(where, list, list):
        with pytest.raises(SettingsError, match="THALWEG_METRICS"):
            async with probe(where, list, list):
                pass


async def test_the_command_tells_health_by_its_exit_code(where: Address) -> None:
    why = list[str]()

    def ask() -> tuple[int, str]:
        shown = CliRunner().invoke(main, ["health", f"http://{where}/healthz"])
        return shown.exit_code, shown.output.strip()

    async with probe(where, list, lambda: why):
        assert await asyncio.to_thread(ask) == (0, "OK")
        why += ["no beat for 11 s", "shard 1: no sweep for 12 s"]
        assert await asyncio.to_thread(ask) == (1, "STUCK: no beat for 11 s; shard 1: no sweep for 12 s")
    code, said = ask()
    assert code == 1
    assert "does not answer" in said


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({}, "http://127.0.0.1:8080/healthz"),
        ({"THALWEG_HOST": "0.0.0.0", "THALWEG_PORT": "81"}, "http://127.0.0.1:81/healthz"),  # not bound
        ({"THALWEG_METRICS": ":9100"}, "http://127.0.0.1:9100/healthz"),
        ({"THALWEG_METRICS": "[::]:9100"}, "http://127.0.0.1:9100/healthz"),
        ({"THALWEG_METRICS": "gateway:9100"}, "http://gateway:9100/healthz"),
    ],
)
def test_the_address_is_that_of_the_service_described(environ: dict[str, str], url: str) -> None:
    assert address(environ) == url


def test_progress_is_since_the_count_was_seen_to_change() -> None:
    one = Progress()
    assert [one.idle_s(count, at * SECOND) for count, at in ((0, 5), (0, 7), (3, 8), (3, 9), (3, 20))] == [
        0, 2, 0, 1, 12
    ]  # fmt: skip


def test_a_measure_without_samples_is_no_error() -> None:
    assert list(about("gateway", "me", 0.0, Rings("hold")))[2].samples == []
    assert Measure("thalweg_x", "gauge", "Nothing.").samples == []
