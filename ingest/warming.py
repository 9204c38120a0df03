"""All compiled code of the way from a frame to the book: `warm` loads it, so that the first frame does not pay for it.

`python -m ingest.warming` compiles it and keeps it on disk, which installing does.
"""

from __future__ import annotations

import sys

from ingest import beats, express
from thalweg import instant, kernels, scan


def warm() -> None:
    """Load, or else compile, all of it."""
    for module in (kernels, scan, instant, beats, express):
        module.warm()


if __name__ == "__main__":
    warm()
    sys.stdout.write("kernels are compiled\n")
