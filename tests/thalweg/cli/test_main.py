"""The command line as a whole: quick help, every command's help, errors as one line."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

import thalweg.cli
from thalweg.cli import COMMANDS, keep_examples, main
from thalweg.errors import RedisTrouble, SettingsError, ThalwegError

LAZY = ("numba", "numpy", "redis", "websockets", "uvicorn")


def test_help_lists_every_command_and_imports_none() -> None:
    program = "import sys; from thalweg.cli import main; main(['--help'], standalone_mode=False); print(*sys.modules)"
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    text, modules = printed.rsplit("\n", 2)[0], printed.split("\n")[-2].split()
    assert all(f"  {name} " in text for name in COMMANDS)
    assert [name for name in LAZY if name in modules] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    shown = CliRunner().invoke(main, [name, "--help"])
    assert shown.exit_code == 0, shown.output
    assert f"Usage: main {name}" in shown.output
    assert "Example" in shown.output or name in ("simulator", "aggregator", "gateway")


def test_an_unknown_command_is_refused_by_name() -> None:
    shown = CliRunner().invoke(main, ["fly"])
    assert shown.exit_code == 2
    assert "No such command 'fly'" in shown.output


@pytest.mark.parametrize(
    ("error", "code"),
    [(SettingsError("REDIS_URL is wrong"), 2), (RedisTrouble("no server"), 1), (KeyboardInterrupt(), 130)],
)
def test_an_error_of_ours_is_one_line(error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def broken() -> None:
        raise error

    monkeypatch.setattr(thalweg.cli.LazyGroup, "get_command", lambda *_: broken)
    shown = CliRunner().invoke(main, ["broken"])
    assert shown.exit_code == code
    assert shown.output == (f"thalweg: {error}\n" if isinstance(error, ThalwegError) else "")


def test_a_wrong_variable_is_one_line_and_code_2() -> None:
    shown = CliRunner().invoke(main, ["redis-init"], env={"THALWEG_PORT": "many"})
    assert (shown.exit_code, shown.output) == (2, "thalweg: THALWEG_PORT must be 0 to 65535, not 'many'\n")


def test_ingest_refuses_an_unknown_venue_before_it_compiles_anything() -> None:
    program = "import sys; sys.modules['ingest.service'] = None; from thalweg.cli import main; main(['ingest', 'fly'])"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("thalweg: unknown venue fly; known: binance")


def test_examples_keep_their_lines() -> None:
    text = "Does it.\n\n    Examples:\n      one\n      two"
    assert keep_examples(text) == "Does it.\n\n\b\nExamples:\n  one\n  two"
