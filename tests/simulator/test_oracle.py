import json
import struct
from zlib import crc32

from simulator.oracle import Oracle, digest, position

BIDS = [(6_280_700_000_000, 50_930_100), (6_280_690_000_000, 10_000_000)]
ASKS = [(6_280_710_000_000, 100_000_000)]


def test_a_digest_is_of_little_endian_pairs_with_a_mark_between_the_sides() -> None:
    flat = (6_280_700_000_000, 50_930_100, 6_280_690_000_000, 10_000_000, -1, -1, 6_280_710_000_000, 100_000_000)
    assert digest(BIDS, ASKS) == crc32(struct.pack("<8q", *flat))


def test_a_digest_covers_only_its_depth() -> None:
    assert digest(BIDS, ASKS, depth=1) == digest(BIDS[:1], ASKS)
    assert digest(BIDS, ASKS) != digest(BIDS[:1], ASKS)


def test_an_empty_side_is_not_the_other_empty_side() -> None:
    assert digest(BIDS, []) != digest([], BIDS)


def test_a_position_names_what_the_frame_states() -> None:
    assert position(12, 1_000) == "12/1000"
    assert position(None, 1_000) == "-/1000"
    assert position(12, None) == "12/-"


def test_a_batch_is_given_once_and_the_current_state_always() -> None:
    oracle = Oracle()
    oracle.record("kraken", "BTC-USD", "-/1", 5)
    oracle.record("kraken", "BTC-USD", "-/2", 6)
    batch = oracle.drain()
    assert batch is not None
    assert json.loads(batch) == {"o": [["kraken", "BTC-USD", "-/1", 5], ["kraken", "BTC-USD", "-/2", 6]]}
    assert oracle.drain() is None
    assert json.loads(oracle.current()) == {"o": [["kraken", "BTC-USD", "-/2", 6]]}
