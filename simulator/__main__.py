"""`python -m simulator`: the same as `thalweg simulator`."""

from __future__ import annotations

from thalweg.cli.simulator import command

if __name__ == "__main__":
    command()
