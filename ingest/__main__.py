"""`python -m ingest VENUE`: one venue's worker in the foreground."""

from __future__ import annotations

import sys

from ingest.service import serve
from thalweg.service import EXIT_USAGE, run_service

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python -m ingest VENUE\n")
        sys.exit(EXIT_USAGE)
    venue = sys.argv[1]
    sys.exit(run_service(f"ingest {venue}", lambda settings: serve(settings, venue), venues=[venue]))
