"""Run seeds in virtual time: `python -m tests.virtual --seed 7 --minutes 30`; the same seed gives the same digest.

--seed N      may be repeated; without one, a few fixed seeds and one by the clock
--minutes M   of virtual time, with something going wrong every few seconds
--usual       of the usual venues alone: a seed then means the same whatever other venues there are
--verbose     tell what goes wrong, and when
--mutant X    plant a fault in the code, which the judge must find: see `tests/virtual/mutants.py`
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time

SEEDS = (1, 2, 3)


def main() -> int:
    """Run what the arguments say and give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, action="append")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--usual", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--mutant")
    options = parser.parse_args()
    if not options.verbose:
        logging.disable(logging.CRITICAL)
    from tests.virtual.mutants import MUTANTS
    from tests.virtual.scenario import Scenario

    if options.mutant:
        MUTANTS[options.mutant]()
    failed = False
    for seed in options.seed or (*SEEDS, int(time.time())):
        started = time.monotonic()
        scenario = Scenario(seed, options.minutes, usual=options.usual)
        if options.verbose:
            scenario.log = print
        scenario.run()
        judge = scenario.judge
        print(
            f"seed {seed}: {scenario.timeline.now / 60e9:.1f} minutes of {' and '.join(scenario.names)} in "
            f"{time.monotonic() - started:.1f} s, {sum(scenario.actions.values())} faults of "
            f"{len(scenario.actions)} kinds, {judge.entries:,} entries, {judge.records:,} publications, "
            f"{judge.truth.judged:,} books judged ({judge.truth.unknown} at unknown positions), "
            f"{len(scenario.violations)} violations, digest {scenario.trace.hexdigest()[:16]}",
            flush=True,
        )
        for violation in scenario.violations[:10]:
            print(f"  {violation}")
        if scenario.violations:
            failed = True
            same = " --usual" * options.usual
            print(f"  again: python -m tests.virtual --seed {seed} --minutes {options.minutes:g}{same}")
    sys.stdout.flush()
    os._exit(int(failed))  # tasks of killed processes are pending for ever


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":  # sets of texts must come in one order
        again = [sys.executable, "-m", "tests.virtual", *sys.argv[1:]]
        os.execve(sys.executable, again, os.environ | {"PYTHONHASHSEED": "0"})  # noqa: S606  # ourselves
    main()
