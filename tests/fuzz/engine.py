"""One target fuzzed in a process of its own: `python -m tests.fuzz.engine TARGET SECONDS SEED own|atheris`.

With atheris, libFuzzer sees the branches that an input takes and keeps those that take new ones. Without it, or with
`own`, inputs are kept for an outcome that no other gave. Both change inputs in the same ways. The process prints its
counts as one JSON line and ends with 0; with 1 after it has saved an input that fails.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
import traceback
from pathlib import Path
from random import Random
from typing import NoReturn

from tests.fuzz.inputs import CRASH, FOUND, KEPT, inputs, save
from tests.fuzz.mutation import LARGEST, Mutator
from tests.fuzz.target import Target

RSS_MAX = 1 << 20  # KiB: no input has a reason to need a gibibyte
CASE_S = 10  # and none takes so long
BLOCK = 64  # cases between two looks at the clock
PATIENCE = 2  # times its seconds that a target may take to reach its least number of cases
POOL = 4000  # inputs
INSTRUMENTED = ["ingest", "thalweg", "gateway", "aggregator"]
COMPILED = [
    "ingest.beats",
    "ingest.express",
    "ingest.memory",
    "thalweg.instant",
    "thalweg.kernels",
    "thalweg.scan",
]  # numba reads their bytecode itself


class Run:
    """The cases of one target: counted, bounded in time and memory, and ended at the first that fails."""

    def __init__(self, target: Target, seconds: float) -> None:
        self.target = target
        self.cases = 0
        self.kept = 0
        self._started = time.monotonic()
        self._seconds = seconds
        signal.signal(signal.SIGALRM, self._stuck)

    @staticmethod
    def _stuck(number: int, frame: object) -> NoReturn:
        raise TimeoutError(f"not done in {CASE_S} s")

    def take(self, data: bytes) -> object:
        """Judge one input; `SystemExit` when the run is over."""
        if not self.cases % BLOCK:
            self._look(data)
        self.cases += 1
        try:
            return self.target.judge(data)
        except Exception:  # noqa: BLE001  # whatever leaves is the finding
            self.fail(data, traceback.format_exc())

    def _look(self, data: bytes) -> None:
        signal.alarm(CASE_S)
        if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > RSS_MAX:
            self.fail(data, f"over {RSS_MAX >> 10} MiB of memory")
        spent = time.monotonic() - self._started
        if spent > self._seconds and (self.cases >= self.target.least or spent > PATIENCE * self._seconds):
            self.end(0)

    def fail(self, data: bytes, why: str) -> NoReturn:
        """Save an input that fails, say why, and end."""
        path = save(KEPT / self.target.name, data, CRASH)
        print(f"{self.target.name}: {len(data)} bytes fail, saved as {path}\n{why}", file=sys.stderr)
        print(f"repeat: python -m tests.fuzz --repeat {path}", file=sys.stderr)
        self.end(1)

    def end(self, code: int) -> NoReturn:
        """Print the counts and leave at once: libFuzzer takes no exception for an end."""
        seconds = time.monotonic() - self._started
        print(json.dumps({"cases": self.cases, "seconds": round(seconds, 1), "kept": self.kept}), flush=True)
        sys.stderr.flush()
        os._exit(code)


def fuzz(target: Target, seconds: float, seed: int) -> NoReturn:
    """Fuzz by outcomes."""
    run, random, pool = Run(target, seconds), Random(seed), inputs(target)
    mutator, seen = Mutator(random, target.words), {run.take(data) for data in pool}
    while True:
        data = mutator.change(random.choice(pool), random.choice(pool))
        outcome = run.take(data)
        if outcome not in seen and len(pool) < POOL:
            seen.add(outcome)
            pool.append(data)
            run.kept += 1
            save(FOUND / target.name, data)


def fuzz_by_branches(name: str, seconds: float, seed: int) -> NoReturn:
    """Fuzz with atheris."""
    import atheris

    with atheris.instrument_imports(include=INSTRUMENTED, exclude=COMPILED):
        from tests.fuzz.targets import TARGETS
    target = TARGETS[name]
    run, random, pool = Run(target, seconds), Random(seed), inputs(target)
    mutator = Mutator(random, target.words)
    known = {data: save(FOUND / name, data) for data in pool}

    def change(data: bytes, most: int, number: int) -> bytes:
        random.seed(number)
        if random.random() < 0.3:
            return bytes(atheris.Mutate(data, most))
        return mutator.change(data, random.choice(pool))[:most]

    flags = [f"-seed={seed}", f"-max_len={LARGEST}", "-rss_limit_mb=0", "-timeout=0", "-verbosity=0"]
    atheris.Setup([sys.argv[0], *flags, str(FOUND / name)], run.take, custom_mutator=change)
    atheris.Fuzz()
    raise AssertionError(f"libFuzzer gave up on {len(known)} inputs")


def main() -> NoReturn:
    """Fuzz what the arguments say."""
    name, seconds, seed, engine = sys.argv[1:]
    if engine == "atheris":
        fuzz_by_branches(name, float(seconds), int(seed))
    from tests.fuzz.targets import TARGETS

    fuzz(TARGETS[name], float(seconds), int(seed))


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    Path.mkdir(FOUND, parents=True, exist_ok=True)
    main()
