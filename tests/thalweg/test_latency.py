"""Rings of samples against a sorted list, and the declarations of the hops."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg.latency import BOUNDS_US, BY_NAME, HOPS, RING_SIZE, Ring, Rings, Summary

SECOND = 1_000_000_000
SAMPLES = st.integers(-(10**12), 10**15)  # a venue's clock may be ahead of ours


def filled(samples: list[int], size: int) -> Ring:
    ring = Ring(size)
    for sample in samples:
        ring.add(sample)
    return ring


def summary(ring: Ring, now_ns: int = 0) -> Summary:
    found = ring.summary(now_ns)
    assert found is not None
    return found


@settings(max_examples=150, deadline=None)
@given(st.lists(SAMPLES, min_size=1, max_size=200), st.sampled_from([1, 2, 16, 64]))
def test_a_summary_is_that_of_the_last_samples_sorted(samples: list[int], size: int) -> None:
    """A percentile p is the sample that a share p of all lie before: no value is made up between two samples."""
    held = sorted(samples[-size:])
    found = summary(filled(samples, size))
    ranks = {
        name: min(len(held) - 1, len(held) * percent // 100)
        for name, percent in (("p50", 50), ("p95", 95), ("p99", 99))
    }
    assert {name: found[name] for name in ranks} == {name: held[rank] / 1e3 for name, rank in ranks.items()}  # type: ignore[literal-required]
    assert found["max"] == held[-1] / 1e3
    assert math.isclose(found["mean"], sum(held) / len(held) / 1e3, rel_tol=1e-9, abs_tol=1e-6)
    assert found["count"] == len(samples)


@settings(max_examples=100, deadline=None)
@given(st.lists(SAMPLES, max_size=40), st.sampled_from([1, 8, 32]))
def test_a_ring_holds_exactly_the_last_samples(samples: list[int], size: int) -> None:
    assert sorted(filled(samples, size).samples()) == sorted(samples[-size:])


def test_percentiles_of_a_hundred_samples_are_the_samples_of_that_rank() -> None:
    found = summary(filled([sample * 37 % 100 * 1_000 for sample in range(100)], 128))
    assert (found["p50"], found["p95"], found["p99"], found["max"]) == (50.0, 95.0, 99.0, 99.0)


def test_a_ring_without_samples_has_no_summary() -> None:
    assert Ring().summary(0) is None


@pytest.mark.parametrize("size", [0, -1, 3, 12, 4095])
def test_a_size_that_is_no_power_of_two_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        Ring(size)


def test_the_window_grows_until_the_ring_is_full() -> None:
    ring, windows = Ring(1024), []
    for second in range(5):
        ring.add(1)
        windows.append(summary(ring, second * SECOND)["window_s"])
    assert windows == [0.0, 1.0, 2.0, 3.0, 4.0]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=1, max_size=60))
def test_the_window_reaches_back_to_the_call_before_the_oldest_sample_held(grown: list[int]) -> None:
    """It covers every sample held, and begins at the latest call that still does (two calls at least)."""
    ring, totals = Ring(16), list(itertools.accumulate(grown))
    for call, count in enumerate(grown):
        for _ in range(count):
            ring.add(1)
        found = ring.summary(call * SECOND)
        overwritten = max(totals[call] - 16, 0)
        before = max((k for k in range(call + 1) if totals[k] <= overwritten), default=0)
        start = min(before, max(call - 1, 0))
        if found is not None:
            assert found["window_s"] == call - start


def test_every_hop_is_declared_once_with_both_ends_and_its_clock() -> None:
    assert [hop.name for hop in HOPS] == [
        *("venue", "decode", "append", "stream", "apply", "merge", "publish", "pubsub", "hold", "fanout"),
        *("total", "engine", "engine_snapshot", "loop"),
    ]
    assert list(BY_NAME.values()) == list(HOPS)
    assert all(hop.what.endswith(".") and hop.start and hop.end and hop.clock for hop in HOPS)


def test_the_hops_of_one_sample_are_contiguous_from_the_venue_to_the_browser() -> None:
    chain = HOPS[: [hop.name for hop in HOPS].index("total")]
    assert [hop.end for hop in chain[:-1]] == [hop.start for hop in chain[1:]]
    assert BY_NAME["total"].start == chain[1].start


def test_rings_are_kept_by_declared_hops_alone() -> None:
    with pytest.raises(KeyError):
        Rings("decode", "decoding")
    with pytest.raises(KeyError):
        Rings("decode")["append"]


def test_only_rings_with_samples_are_told() -> None:
    rings = Rings("decode", "append")
    rings["decode"].add(2_000)
    assert rings.samples() == {"decode": [2_000]}
    assert rings.summaries(0) == {
        "decode": {"count": 1, "window_s": 0.0, "mean": 2.0, "p50": 2.0, "p95": 2.0, "p99": 2.0, "max": 2.0}
    }


def test_the_default_ring_wraps_at_its_size() -> None:
    ring = filled(list(range(RING_SIZE + 3)), RING_SIZE)
    assert min(ring.samples()) == 3
    assert ring.count == RING_SIZE + 3


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(SAMPLES, max_size=16), max_size=8))
def test_a_histogram_counts_every_sample_once_however_often_it_is_asked_for(batches: list[list[int]]) -> None:
    ring, seen = Ring(16), list[int]()
    for batch in batches:
        for sample in batch:
            ring.add(sample)
        seen += batch
        found = ring.histogram()
        edges = [*(bound * 1000 for bound in BOUNDS_US), 10**19]
        counts = [sum(low < one <= high for one in seen) for low, high in itertools.pairwise([-(10**19), *edges])]
        assert found.counts == tuple(counts)
        assert found.total_ns == sum(seen)


def test_samples_that_were_overwritten_unseen_are_in_no_bucket() -> None:
    assert sum(filled([1] * 20, 16).histogram().counts) == 16
