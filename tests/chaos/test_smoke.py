"""A minute of chaos with a fixed seed: real processes, a real server, faults of every group."""

from __future__ import annotations

import asyncio

import pytest

from tests.chaos.run import run
from tests.chaos.system import Shape
from thalweg.cli.embedded import find_server
from thalweg.errors import SettingsError

SECONDS, SEED = 50.0, 20
FEWEST_FAULTS = 8  # on a machine that does much else


@pytest.mark.integration
def test_a_minute_of_chaos_breaks_no_promise() -> None:
    try:
        find_server()
    except SettingsError as error:
        pytest.fail(str(error))
    shape = Shape(venues=("binance", "kraken"), names=("BTC-USDT", "ETH-USDT"), rate=100.0, seed=SEED)
    result = asyncio.run(run(shape, SECONDS))
    assert result.tally.told == {}
    assert len(result.outcomes) >= FEWEST_FAULTS
    assert result.tally.looked["books compared with the oracle"] > 1000
    assert result.tally.looked["client ladders compared"] > 100
