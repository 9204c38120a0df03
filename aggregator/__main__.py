"""Run the aggregator: `python -m aggregator`."""

from __future__ import annotations

import sys

from aggregator.service import serve
from thalweg.service import run_service

if __name__ == "__main__":
    sys.exit(run_service("aggregator", serve))
