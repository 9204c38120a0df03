"""Ours and a peer's in turn: `python -m tests.bench.peers`; `make bench-peers` installs what it needs first."""

from __future__ import annotations

import argparse
import json
import sys

from tests.bench.host import description
from tests.bench.peers import stream
from tests.bench.peers.books import PYTHON, compare_books
from tests.bench.plan import ROOT
from tests.bench.report import as_object, text_of

COMPARISONS = {"books": compare_books, "stream": stream.compare}


def main() -> int:
    """Run the comparisons that are named, else all, and print their tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.peers", description=__doc__)
    parser.add_argument("--only", action="append", choices=COMPARISONS, help="only this one; may be repeated")
    asked = parser.parse_args().only or [*COMPARISONS]
    if not PYTHON.exists():
        print("needs the peers that make bench-peers installs")
        return 1
    print(description(), "\n")
    tables = []
    for name in asked:
        tables.append(COMPARISONS[name]())
        print(text_of(tables[-1]), flush=True)
    (ROOT / "build").mkdir(exist_ok=True)
    found = json.dumps([as_object(table) for table in tables], indent=1)
    (ROOT / "build/bench-peers.json").write_text(found + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
