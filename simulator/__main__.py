"""`python -m simulator`: the same as `thalweg simulator`."""

from __future__ import annotations

import sys

from thalweg.cli import main

if __name__ == "__main__":
    main(["simulator", *sys.argv[1:]], prog_name="thalweg")
