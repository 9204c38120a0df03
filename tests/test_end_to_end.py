"""The whole system with one command: fake venues, a real server, real sockets, everything counted and compared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from thalweg.capture import Line, format_line
from thalweg.cli import main
from thalweg.cli.embedded import free_port

PROGRAM = [sys.executable, "-c", "from thalweg.cli import main; main()"]
SECONDS = 20
PATIENCE_S = 90  # a loaded machine takes its time to start
FAULTS = """
[schedule]
settle_s = 1.0
subscribed_s = 1.5
latest_s = 30.0
"""
KINDS = (
    ("binance", "drop"),
    ("bybit", "drop"),
    ("kraken", "corrupt_checksum"),
    ("coinbase", "drop"),
    ("kraken", "cut"),
)


@dataclass
class Finished:
    """A run that has ended: its summary, exit code, what it said, and what was asked of it on the way."""

    summary: dict[str, Any]
    code: int
    said: list[dict[str, Any]]
    errors: str
    verified: dict[str, Any]
    tailed: list[dict[str, Any]]


def clean_environ() -> dict[str, str]:
    return {name: text for name, text in os.environ.items() if not name.startswith(("THALWEG_", "REDIS_URL"))}


def run_demo(folder: Path, *options: str) -> Finished:
    """Run a demo to its end; look at its streams once all books are live."""
    file = folder / "summary.json"
    command = [*PROGRAM, "up", "--demo", "--json", "--port", str(free_port()), "--summary", str(file), *options]
    said: list[dict[str, Any]] = []
    verified: dict[str, Any] = {}
    tailed: list[dict[str, Any]] = []
    with (folder / "log").open("w") as log:
        up = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=clean_environ())
        for line in up.stdout or ():
            said.append(json.loads(line))
            if "all_live_s" in said[-1] and not verified:
                env = {"REDIS_URL": next(one["url"] for one in said if one.get("service") == "redis")}
                verified = json.loads(CliRunner().invoke(main, ["verify", "*:BTC-USD*", "--json"], env=env).output)
                tail = ["tail", "coinbase:BTC-USDT", "--json", "--count", "5"]
                tailed = [json.loads(text) for text in CliRunner().invoke(main, tail, env=env).output.splitlines()]
        code = up.wait(PATIENCE_S)
    errors = (folder / "log").read_text()
    summary = json.loads(file.read_text()) if file.exists() else {}
    return Finished(summary, code, said, errors, verified, tailed)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The smoke test of the whole system, once for all the tests here."""
    return run_demo(tmp_path_factory.mktemp("demo"), "--seconds", str(SECONDS))


@pytest.mark.integration
class TestDemo:
    """A demo without faults."""

    def test_it_ends_well(self, demo: Finished) -> None:
        assert demo.code == 0, demo.errors[-4000:]

    def test_every_book_was_live(self, demo: Finished) -> None:
        assert demo.summary["books_live"] == demo.summary["books"] == 54
        assert demo.summary["all_live_s"] < SECONDS

    def test_nothing_is_unaccounted_for(self, demo: Finished) -> None:
        assert demo.summary["conservation"] == {"ok": True, "violations": []}
        assert demo.summary["decoded"] > 0
        assert demo.summary["read"] == demo.summary["appended"] == demo.summary["covered"]
        assert [demo.summary[name] for name in ("held", "lag", "pending", "lapped", "bad_frames", "restarts")] == [
            0
        ] * 6

    def test_every_book_was_compared_with_the_true_one_again_and_again(self, demo: Finished) -> None:
        oracle = demo.summary["oracle"]
        assert oracle["books"] == 54
        assert oracle["equal"] == oracle["compared"] > 54
        assert demo.summary["live_wrong_events"] == 0

    def test_a_client_was_always_there(self, demo: Finished) -> None:
        assert demo.summary["subscribers"]["count"] == 1
        assert demo.summary["subscribers"]["merged"] > 0
        assert demo.summary["gateway"]["received"] > 0

    def test_every_hop_was_measured(self, demo: Finished) -> None:
        inside = {"venue", "decode", "append", "stream", "apply", "merge", "publish", "pubsub", "hold", "fanout"}
        assert set(demo.summary["latency_us"]) == inside | {"total", "engine", "engine_snapshot", "loop"}
        assert all(
            set(hop) == {"count", "mean", "p50", "p95", "p99", "max"} for hop in demo.summary["latency_us"].values()
        )

    def test_the_page_was_said(self, demo: Finished) -> None:
        assert next(one["url"] for one in demo.said if one.get("service") == "gateway").startswith("http://127.0.0.1:")

    def test_what_is_in_redis_is_right_while_it_runs(self, demo: Finished) -> None:
        assert demo.verified["violations"] == []
        assert demo.verified["views"] > 0

    def test_a_late_reader_begins_with_a_whole_book(self, demo: Finished) -> None:
        assert demo.tailed[0]["kind"] == "snapshot"
        assert {one["instrument"] for one in demo.tailed} == {"BTC-USDT"}


@pytest.mark.integration
def test_faults_are_marked_and_mended(tmp_path: Path) -> None:
    script = tmp_path / "faults.toml"
    faults = (f'[[fault]]\nat = {at}.0\nkind = "{kind}"\nvenue = "{venue}"\n' for at, (venue, kind) in enumerate(KINDS))
    script.write_text(FAULTS + "\n".join(faults))
    run = run_demo(
        tmp_path, "--faults", str(script), "--rate", "400", "--instruments", "BTC-USDT,ETH-USDT", "--seconds", "26"
    )
    assert run.code == 0, run.errors[-4000:]
    found = run.summary["faults"]
    assert found["injected"] == found["marked"] == found["resynced"] >= 1
    assert {one["kind"] for one in found["detail"]} == {kind for _, kind in KINDS}
    assert (found["collateral"], run.summary["live_wrong_events"]) == (0, 0)


@pytest.mark.integration
def test_a_capture_is_fed_through_all_of_it(tmp_path: Path) -> None:
    frames = (Path(__file__).parent / "frames" / "kraken" / "vector.jsonl").read_bytes().split()
    capture, file = tmp_path / "capture.jsonl", tmp_path / "summary.json"
    capture.write_bytes(b"".join(format_line(Line(at, 1, "<", frame)) for at, frame in enumerate(frames)))
    command = [
        *PROGRAM,
        "replay",
        f"kraken={capture}",
        "--speed",
        "0",
        "--port",
        str(free_port()),
        "--summary",
        str(file),
    ]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, env=clean_environ())
    assert ended.returncode == 0, ended.stderr[-4000:]
    summary = json.loads(file.read_text())
    assert summary["conservation"]["ok"]
    assert summary["decoded"] == summary["frames"] == len(frames)
    assert summary["books"] == 1
