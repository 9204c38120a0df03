"""What is told of Redis: of one server without a label, of each master of a Cluster by its host and port."""

from __future__ import annotations

import pytest

from thalweg.cli.findings import memory_needed
from thalweg.cli.masters import Master, url_of
from thalweg.cli.overseer import Overseer, Seen
from thalweg.probe.measure import Measure
from thalweg.settings import load_settings

NAMES = "BTC-USDT,XRP-USDT,ADA-USDT"  # one instrument on each master


def told(one: Overseer, name: str) -> dict[str, float]:
    """Give a metric's values by node."""
    (found,) = [measure for measure in one.measures() if measure.name == f"thalweg_redis_{name}"]
    assert isinstance(found, Measure)
    return {labels.get("node", ""): value for labels, value in found.samples}


async def looked(url: str) -> Overseer:
    one = Overseer(load_settings({"REDIS_URL": url, "THALWEG_ONLY": NAMES}))
    one.servers = await one._look()
    await one._link.close()
    return one


def test_a_server_that_is_away_is_told_and_what_it_said_last() -> None:
    one = Overseer(load_settings({}))
    one.servers = {
        "a:7001": Seen(5, up=True, loaded=True, told={"used_memory": "7"}),
        "b:7002": Seen(6, up=False, loaded=True, told={"used_memory": "8"}),
        "c:7003": Seen(7),
    }
    assert told(one, "up") == {"a:7001": 1, "b:7002": 0, "c:7003": 0}
    assert told(one, "memory_bytes") == {"a:7001": 7, "b:7002": 8}
    assert told(one, "memory_needed_bytes") == {"a:7001": 5, "b:7002": 6, "c:7003": 7}


@pytest.mark.anyio
async def test_one_server_is_told_of_without_a_label(redis_url: str) -> None:
    one = await looked(redis_url)
    assert told(one, "up") == {"": 1}
    assert set(told(one, "memory_bytes")) == {""}
    assert told(one, "memory_needed_bytes") == {"": memory_needed(load_settings({"THALWEG_ONLY": NAMES}))[0]}


@pytest.mark.anyio
async def test_each_master_is_told_of_with_what_its_own_instruments_need(redis_cluster: list[Master]) -> None:
    nodes = [f"127.0.0.1:{master.port}" for master in redis_cluster]
    one = await looked(url_of(redis_cluster))
    assert told(one, "up") == dict.fromkeys(nodes, 1)
    assert set(told(one, "memory_bytes")) == set(nodes)
    alone = [memory_needed(load_settings({"THALWEG_ONLY": name}))[0] for name in NAMES.split(",")]
    assert told(one, "memory_needed_bytes") == dict(zip(nodes, alone, strict=True))
