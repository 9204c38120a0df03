"""A service as a process: its exit codes, what it says, signals, and its report."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from thalweg.service import Limit, write_report

HEAD = """
import asyncio, logging, os, signal, sys
from pathlib import Path
from thalweg.errors import *
from thalweg.service import run_service, write_report

async def endless(settings):
    print("ready", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        write_report(settings.report, {"service": "toy", "stopped": True})
"""


FAILURES = """
class Told(Exception): pass
async def fails(settings): raise Told("boom")
async def ends(settings): pass
async def group_fails(settings):
    async with asyncio.TaskGroup() as group:
        group.create_task(fails(settings))
        group.create_task(raises(Fenced("epoch 7 owns it"))(settings))
async def fails_stopping(settings):
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()
    finally:
        raise Fenced("too late")
def raises(error):
    async def main(settings): raise error
    return main
def told(main):
    code = run_service("toy", main)
    print(f"code {code}", file=sys.stderr, flush=True)
told(ends)
told(raises(SettingsError("no such venue")))
told(raises(ExceptionGroup("a", [SettingsError("no such venue")])))
told(raises(Fenced("epoch 7 owns it")))
told(raises(ExceptionGroup("a", [ExceptionGroup("b", [Fenced("epoch 7 owns it")])])))
told(fails)
told(group_fails)
told(fails_stopping)
logging.getLogger("venue").warning("a\\x1b[2J\\nb\\x9b %s", "\\r\\ud800")
told(ends)
"""
EXPECTED = {
    "ends": 0,
    "settings": 2,
    "settings in a group": 2,
    "ours": 1,
    "ours in groups": 1,
    "bug": 1,
    "bug in a group": 1,
}
EXPECTED |= {"fails while stopping": 1, "logs": 0}


def start(code: str, **variables: str) -> subprocess.Popen[str]:
    environ = {name: text for name, text in os.environ.items() if not name.startswith("THALWEG_")} | variables
    command = [sys.executable, "-c", HEAD + code]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ)


def ended(service: subprocess.Popen[str]) -> tuple[int, str]:
    _, said = service.communicate(timeout=30)
    return service.returncode, said


@pytest.fixture(scope="module", params=["text", "json"])
def failures(request: pytest.FixtureRequest) -> dict[str, tuple[int, list[str]]]:
    """Exit code and lines of every way to end, run one after the other in one process."""
    code, said = ended(start(FAILURES, THALWEG_LOG=request.param))
    assert code == 0, said
    found: list[tuple[int, list[str]]] = []
    lines: list[str] = []
    for line in said.splitlines():
        if line.startswith("code "):
            found.append((int(line.removeprefix("code ")), lines))
            lines = []
        else:
            lines.append(line)
    return dict(zip(EXPECTED, found, strict=True))


def test_every_way_to_end_has_its_exit_code(failures: dict[str, tuple[int, list[str]]]) -> None:
    assert {way: code for way, (code, _) in failures.items()} == EXPECTED


@pytest.mark.parametrize(
    ("way", "said"),
    [
        ("settings", "toy: no such venue"),
        ("settings in a group", "toy: no such venue"),
        ("ours", "toy: epoch 7 owns it"),
        ("ours in groups", "toy: epoch 7 owns it"),
        ("fails while stopping", "toy: too late"),
    ],
)
def test_an_error_of_ours_is_one_line_without_a_trace(
    failures: dict[str, tuple[int, list[str]]], way: str, said: str
) -> None:
    (line,) = failures[way][1]
    assert said in line
    assert "Traceback" not in line


@pytest.mark.parametrize("way", ["bug", "bug in a group"])
def test_a_bug_is_logged_with_its_trace(failures: dict[str, tuple[int, list[str]]], way: str) -> None:
    said = "\n".join(failures[way][1])
    assert "toy: a bug: Told('boom')" in said
    assert "Traceback" in said
    assert "in fails" in said


def test_what_ends_by_itself_says_nothing(failures: dict[str, tuple[int, list[str]]]) -> None:
    assert failures["ends"][1] == []


def test_control_characters_in_a_log_line_are_escaped(failures: dict[str, tuple[int, list[str]]]) -> None:
    (line,) = failures["logs"][1]
    text = json.loads(line)["text"] if line.startswith("{") else line.rpartition("venue: ")[2]
    assert text == r"a\x1b[2J\x0ab\x9b \x0d\ud800"


def test_json_lines_are_objects_also_for_a_bug(failures: dict[str, tuple[int, list[str]]]) -> None:
    lines = [line for _, lines in failures.values() for line in lines]
    if lines[0].startswith("{"):
        assert {json.loads(line)["level"] for line in lines} == {"error", "warning"}


def test_a_wrong_variable_is_one_line_and_exit_2() -> None:
    code, said = ended(start("sys.exit(run_service('toy', endless))", THALWEG_PORT="http"))
    assert (code, said) == (2, "thalweg toy: THALWEG_PORT must be 0 to 65535, not 'http'\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_service_told_to_stop_writes_its_report_and_exits_0(number: int, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    service = start("sys.exit(run_service('toy', endless))", THALWEG_REPORT=str(report))
    assert service.stdout is not None
    assert service.stdout.readline() == "ready\n"
    service.send_signal(number)
    assert ended(service) == (0, "")
    assert json.loads(report.read_bytes()) == {"service": "toy", "stopped": True}
    assert list(tmp_path.iterdir()) == [report]


def test_a_report_is_written_whole_over_the_last_one(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    for count in (1, 2):
        write_report(path, {"frames": count, "samples": {"decode": [1, 2]}})
    assert json.loads(path.read_bytes()) == {"frames": 2, "samples": {"decode": [1, 2]}}
    assert list(tmp_path.iterdir()) == [path]


def test_without_a_path_there_is_no_report() -> None:
    write_report(None, {"frames": 1})


def test_a_loop_that_spins_is_stopped_like_any_other() -> None:
    service = start("sys.exit(run_service('toy', endless))", THALWEG_BUSY_POLL="1")
    assert service.stdout is not None
    assert service.stdout.readline() == "ready\n"
    service.send_signal(signal.SIGTERM)
    assert ended(service) == (0, "")


def _said(limit: Limit, at: float, text: str, *values: object, name: str = "venue") -> str | None:
    record = logging.LogRecord(name, logging.WARNING, "", 0, text, values, None)
    record.created = at
    return record.getMessage() if limit.filter(record) else None


def test_a_kind_of_line_is_limited_and_says_how_many_were_left_out() -> None:
    limit = Limit(lines=2, window_s=10.0)
    first = [_said(limit, second, "bad frame %d of 100 %%", second) for second in range(5)]
    assert first == ["bad frame 0 of 100 %", "bad frame 1 of 100 %", None, None, None]
    assert _said(limit, 11, "bad frame %d of 100 %%", 11) == "bad frame 11 of 100 % (and 3 more like it since)"
    assert _said(limit, 12, "bad frame %d of 100 %%", 12) == "bad frame 12 of 100 %"


def test_kinds_do_not_take_each_others_lines() -> None:
    limit = Limit(lines=1, window_s=10.0)
    assert [_said(limit, 0, text) for text in ("a", "b", "a")] == ["a", "b", None]
    assert _said(limit, 0, "a", name="another") == "a"
