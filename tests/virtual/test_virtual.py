"""The whole system in virtual time: seeds hold, a seed gives the same run again, and planted faults are found.

Runs are processes of their own: the virtual things are put in the places of the real ones before anything is imported.
A seed that fails is repeated with `python -m tests.virtual --seed N --minutes M`.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIMIT_S = 300


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.virtual", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S)


def test_whatever_goes_wrong_no_reader_is_told_a_wrong_book() -> None:
    seeds = [part for seed in (8, 12, 82) for part in ("--seed", str(seed))]
    done = run(*seeds, "--minutes", "2")
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    print(done.stdout)


def test_a_seed_gives_the_same_run_again() -> None:
    runs = [run("--seed", "11", "--minutes", "0.4").stdout for _ in range(2)]
    first, second = [re.findall(r"digest (\w+)", text) for text in runs]
    assert len(first) == 1, runs
    assert first == second


@pytest.mark.parametrize(
    ("mutant", "seed", "found"),
    [
        ("no_fence", 11, "I1|I3|I5"),
        ("no_gap_check", 23, "I1|I4|I6"),
        ("checkpoint_alone", 11, "I5"),
        ("lost_trade", 11, "I2"),
    ],
)
def test_a_planted_fault_is_found(mutant: str, seed: int, found: str) -> None:
    done = run("--seed", str(seed), "--minutes", "6", "--usual", "--mutant", mutant)
    assert done.returncode == 1, done.stdout + done.stderr[-2000:]
    assert re.search(rf"s: ({found}) ", done.stdout), done.stdout
