"""Where the benches' frames come from: recorded at the venues, or rendered by the simulator where no captures are."""

from __future__ import annotations

from pathlib import Path

from tests.bench.rendered import from_simulator
from tests.bench.replay import Replay, from_capture


def frames_of(captures: Path | None, venue: str) -> Replay:
    """Give a venue's frames, of the captures if there are any."""
    return from_simulator(venue) if captures is None else from_capture(captures, venue)


def kind_of(captures: Path | None) -> str:
    """Say where the frames are from, as tables print it."""
    return "rendered by the simulator (THALWEG_CAPTURES is not set)" if captures is None else "recorded at the venue"
