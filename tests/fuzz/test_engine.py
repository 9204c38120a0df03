"""The fuzzer finds what is planted, within bounds, and does the same again by the same seed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from ingest.rows import LAST
from ingest.scanning import Template
from ingest.sequence import Spliced, Verdict
from ingest.track import Track
from ingest.venue import BookUpdate
from ingest.venues import binance
from tests.fuzz import books
from tests.fuzz.engine import COMPILED, INSTRUMENTED
from tests.fuzz.inputs import ROOT
from tests.fuzz.mutation import LARGEST, Mutator
from tests.fuzz.targets import TARGETS
from thalweg import fixed, publication
from thalweg.book import Book
from thalweg.events import State
from thalweg.ladder import Quote
from thalweg.scan import ASK_PAIRS, BID_PAIRS, INTEGER, OBJECT, TEXT


def fails(name: str, tries: int = 4000) -> bool:
    """Whether a target sees something wrong within so many inputs."""
    target = TARGETS[name]
    random = Random(7)
    mutator, pool = Mutator(random, target.words), list(target.seeds())
    for number in range(tries):
        data = pool[number] if number < len(pool) else mutator.change(random.choice(pool), random.choice(pool))
        try:
            target.judge(data)
        except Exception:  # noqa: BLE001  # as the engine does
            return True
    return False


def test_what_numba_compiles_is_not_instrumented() -> None:
    """Its bytecode must be the compiler's, or numba can't read it."""
    compiled = [
        file for name in INSTRUMENTED for file in (ROOT / name).rglob("*.py") if "import numba" in file.read_text()
    ]
    assert sorted(".".join(file.relative_to(ROOT).with_suffix("").parts) for file in compiled) == sorted(COMPILED)


ANY_KIND = Template(
    {"stream": TEXT, "data": OBJECT},
    {"e": TEXT, "E": INTEGER, "s": TEXT, "U": INTEGER, "u": INTEGER, "b": BID_PAIRS, "a": ASK_PAIRS},
    symbol="s",
)


def without_overflow(text: str, coefficient: int, power: int) -> int:
    """Scale as if every number fitted."""
    return int(coefficient * 10**power) if power >= 0 else coefficient // 10**-power


def untold(self: Track, state: State, reason: str, ts_recv: int) -> None:
    """Change a book's state and tell nobody."""
    self.state, self.reason = state, reason


def applies_all(self: Spliced, update: BookUpdate) -> Verdict:
    """A rule without a check for gaps."""
    self.cells[LAST] = update.last or 0
    return Verdict.APPLY


@pytest.mark.parametrize(
    ("name", "owner", "attribute", "broken"),
    [
        ("fixed", fixed, "_scale", without_overflow),
        ("binance", binance, "BOOK", ANY_KIND),
        ("publication", publication, "_absent", lambda value: value or -1),
        ("rule", Spliced, "admit", applies_all),
        ("book", Book, "truncate", lambda self, depth: (self.bids()[:0], self.asks()[:0])),
        ("views", books, "best_quote", lambda bids, asks: Quote(1, 1)),
        ("session-binance", Track, "set_state", untold),
    ],
)
def test_a_planted_fault_is_found(
    monkeypatch: pytest.MonkeyPatch, name: str, owner: object, attribute: str, broken: object
) -> None:
    assert not fails(name, 300)
    monkeypatch.setattr(owner, attribute, broken)
    assert fails(name)


def test_changes_are_the_same_by_the_same_seed_and_stay_in_bounds() -> None:
    def some(seed: int) -> list[bytes]:
        mutator, data = Mutator(Random(seed), [b"word"]), b'{"a":[1.5,"x"],"b":7}'
        return [data := mutator.change(data, b"other" * 40) for _ in range(2000)]

    assert some(3) == some(3)
    assert some(3) != some(4)
    assert max(map(len, some(3))) <= LARGEST


def test_a_run_is_bounded_and_counts_its_cases() -> None:
    command = [sys.executable, "-m", "tests.fuzz.engine", "id", "0.2", "1", "own"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    counts = json.loads(run.stdout)
    assert counts["cases"] > 1000


def test_a_saved_input_is_judged_again(tmp_path: Path) -> None:
    path = tmp_path / "id" / "crash-1"
    path.parent.mkdir()
    path.write_bytes(b"1-2")
    command = [sys.executable, "-m", "tests.fuzz", "--repeat", str(path)]
    assert "outcome: False" in subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
