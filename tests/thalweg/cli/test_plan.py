"""What `thalweg up` decides before it starts anything."""

from __future__ import annotations

import contextlib
import socket
import sys
from pathlib import Path

import pytest
from redis.asyncio import ConnectionPool

from thalweg.cli.embedded import free_port
from thalweg.cli.plan import USUAL_PORT, Wishes, endpoints, make_plan, port_for_server
from thalweg.errors import SettingsError
from thalweg.settings import load_settings


def test_a_demo_sends_every_worker_to_the_simulator() -> None:
    plan = make_plan(Wishes(demo=True, port=free_port()), {})
    assert plan.venues == ["binance", "bybit", "kraken", "coinbase"]
    assert plan.settings.endpoint("kraken", "ws", "") == f"ws://127.0.0.1:{plan.simulator_port}/kraken"
    assert plan.settings.endpoint("binance", "rest", "") == f"http://127.0.0.1:{plan.simulator_port}/binance"
    assert plan.settings.redis_url == f"redis://127.0.0.1:{plan.server_port}/0"


def test_a_server_of_our_own_gets_the_usual_port_only_if_nobody_has_it() -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # closed connections that linger are nobody
        with contextlib.suppress(OSError):  # somebody has it already
            taken.bind(("127.0.0.1", USUAL_PORT))
            taken.listen()
        assert port_for_server() != USUAL_PORT


def test_live_venues_are_left_where_they_are() -> None:
    plan = make_plan(Wishes(port=free_port()), {})
    assert plan.simulator_port is None
    assert plan.settings.endpoints == {}


def test_a_named_server_is_used() -> None:
    plan = make_plan(Wishes(port=free_port()), {"REDIS_URL": "redis://elsewhere:6379/2"})
    assert plan.server_port is None
    assert plan.child_environ("gateway", Path("/tmp"))["REDIS_URL"] == "redis://elsewhere:6379/2"  # noqa: S108


def test_venues_and_instruments_are_narrowed_for_all_services() -> None:
    wishes = Wishes(venues="kraken,coinbase", instruments="BTC-USD,ETH-USD", port=free_port())
    plan = make_plan(wishes, {})
    assert plan.venues == ["kraken", "coinbase"]
    assert len(plan.streams) == 4
    environ = plan.child_environ("aggregator", Path())
    assert (environ["THALWEG_VENUES"], environ["THALWEG_ONLY"]) == ("kraken,coinbase", "BTC-USD,ETH-USD")


@pytest.mark.parametrize(
    ("wishes", "text"),
    [
        (Wishes(venues="kraken,krakn"), "unknown venue krakn"),
        (Wishes(venues="binance", instruments="BTC-USD"), "none of these instruments is listed"),
        (Wishes(instruments="BTC-EUR"), "unknown instrument BTC-EUR"),
        (Wishes(faults="default"), "--faults needs --demo"),
    ],
)
def test_what_cannot_be_run_is_refused_in_words(wishes: Wishes, text: str) -> None:
    with pytest.raises(SettingsError, match=text):
        make_plan(wishes, {"THALWEG_PORT": str(free_port())})


def test_a_taken_port_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"port {port} on 127.0.0.1 can't be had: .*; choose one with --port"):
            make_plan(Wishes(port=port), {})


def test_reports_are_asked_for_in_a_measured_run_only() -> None:
    environ = make_plan(Wishes(port=free_port()), {}).child_environ("ingest:kraken", Path("folder"))
    assert "THALWEG_REPORT" not in environ
    environ = make_plan(Wishes(seconds=5, port=free_port()), {}).child_environ("ingest:kraken", Path("folder"))
    assert Path(environ["THALWEG_REPORT"]) == Path("folder/ingest-kraken.json")


def test_the_simulator_gets_rate_seed_and_faults() -> None:
    plan = make_plan(Wishes(demo=True, rate=2000, seed=7, faults="default", port=free_port()), {})
    command = plan.simulator_command()
    assert command[:3] == [sys.executable, "-m", "simulator"]
    assert " ".join(command[5:]) == "--rate 2000 --seed 7 --faults default"


def test_the_page_of_a_gateway_on_all_addresses_is_on_loopback() -> None:
    port = free_port()
    plan = make_plan(Wishes(port=port), {"THALWEG_HOST": "0.0.0.0"})
    assert plan.page == f"http://127.0.0.1:{port}/"
    assert plan.socket == f"ws://127.0.0.1:{port}/ws/v1"


def test_every_venue_has_both_endpoints() -> None:
    found = endpoints(9900, load_settings({}))
    assert sum(name.endswith(("_WS", "_REST")) for name in found) == 8


def test_what_only_fake_venues_can_do_is_refused_for_real_ones() -> None:
    for wishes in (Wishes(rate=5.0), Wishes(seed=2)):
        with pytest.raises(SettingsError, match="need --demo"):
            make_plan(wishes, {})


def test_a_fault_script_that_is_not_there_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no file"):
        make_plan(Wishes(demo=True, faults=str(tmp_path / "none.toml")), {})


def test_services_reach_a_server_of_our_own_by_its_socket_and_others_by_its_port() -> None:
    plan = make_plan(Wishes(port=free_port()), {})
    for folder in (Path("/plain"), Path("/with space, 100 %")):
        services = load_settings(plan.child_environ("gateway", folder)).redis_url
        assert ConnectionPool.from_url(services).connection_kwargs["path"] == str(folder / "redis.sock")
    assert plan.settings.redis_url == f"redis://127.0.0.1:{plan.server_port}/0"


def test_a_folder_too_deep_for_a_socket_leaves_services_with_the_port() -> None:
    plan = make_plan(Wishes(port=free_port()), {})
    deep = Path("/", "x" * 100)
    assert plan.server_socket(deep) is None
    assert plan.child_environ("gateway", deep)["REDIS_URL"] == plan.settings.redis_url
