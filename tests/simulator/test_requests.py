"""No request, however odd, stops a venue: it is answered, or nothing happens."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.venues import DIALECTS
from tests.simulator.bench import Bench

WORDS = st.sampled_from(
    [
        *("SUBSCRIBE", "UNSUBSCRIBE", "SET_PROPERTY", "LIST_SUBSCRIPTIONS", "subscribe", "unsubscribe", "ping"),
        *("book", "trade", "level2", "market_trades", "heartbeats", "combined", "NOPE"),
        *("btcusdt@trade", "orderbook.50.BTCUSDT", "BTCUSDT", "BTC/USDT", "BTC-USDT"),
    ]
)
KEYS = st.sampled_from(
    ["method", "params", "id", "op", "args", "req_id", "channel", "symbol", "depth", "type", "product_ids", "snapshot"]
)
SCALARS = WORDS | st.integers(-1, 1000) | st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS, lambda some: st.lists(some, max_size=3) | st.dictionaries(KEYS, some, max_size=4), max_leaves=8
)


@pytest.mark.parametrize("venue", DIALECTS)
@settings(max_examples=60, deadline=None)
@given(requests=st.lists(st.dictionaries(KEYS, VALUES, max_size=6) | VALUES | st.text(max_size=20), max_size=4))
def test_odd_requests_are_survived(venue: str, requests: list[Any]) -> None:
    bench = BENCHES.setdefault(venue, Bench(venue, ["BTC-USDT"]))
    client = bench.connect()
    for request in requests:
        bench.say(client, request)
    bench.exchange.disconnect(client)


BENCHES: dict[str, Bench] = {}
