"""The summary has the brief's fields, adds up its parts, and says everything that makes a run a failure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from thalweg.cli.summary import Findings, latencies, summarise, verdict
from thalweg.conserve import Accounts, Report

FIELDS = {
    *(
        "seconds",
        "venues",
        "instruments",
        "all_live_s",
        "books_live",
        "frames",
        "frames_per_s",
        "bad_frames",
        "decoded",
    ),
    *("made", "appended", "dropped", "held", "read", "lapped", "lag", "applied", "skipped", "published", "covered"),
    *("pending", "gateway", "subscribers", "resyncs", "faults", "restarts", "live_wrong_events", "conservation"),
    *("oracle", "latency_us"),
}
FAULTS = {"injected": 0, "marked": 0, "resynced": 0, "collateral": 0, "unexplained": [], "detail": []}


def ingest(decoded: int) -> dict[str, Any]:
    return {
        "decoded": decoded,
        "made": {"open": 1},
        "appended": decoded + 1,
        "dropped": {"duplicate": 0},
        "held": 0,
        **dict.fromkeys(("bad_frames", "gaps", "resyncs", "reconnects"), 1),
        "refused": {"overflow": 1},
        "samples": {"decode": [1000, 3000]},
    }


def findings() -> Findings:
    read = {"read": 22, "lapped": 0, "lag": 0, "applied": 20, "skipped": {"open": 2}, "published": 9, "covered": 22}
    gateway = {"instruments": {}, "received": 9, "refilled": 0}
    expected = ("ingest:kraken", "ingest:bybit", "aggregator", "gateway")
    aggregators: dict[str, Report] = {"aggregator": read | {"pending": 0}}
    accounts = Accounts({"kraken": ingest(10), "bybit": ingest(10)}, aggregators, gateway, expected)
    accounts.added = accounts.numbers = accounts.runs = 22
    return Findings(
        accounts,
        seconds=20.0,
        venues=["kraken", "bybit"],
        instruments=["BTC-USDT"],
        all_live_s=4.0,
        books=2,
        books_live=2,
        missing=[],
        frames=16_000,
        measured_s=16.0,
        subscribers={"count": 1, "merged": 9, "skipped": 0},
        oracle={"compared": 50, "equal": 50, "books": 2},
        faults=FAULTS,
        demo=True,
    )


def wrong(**changes: Any) -> list[str]:
    found = replace(findings(), **changes)
    return verdict(found, summarise(found))


def test_the_briefs_fields_are_there_and_parts_are_added() -> None:
    summary = summarise(findings())
    assert set(summary) >= FIELDS
    assert (summary["decoded"], summary["appended"], summary["made"], summary["resyncs"]) == (20, 22, {"open": 2}, 2)
    assert (summary["frames_per_s"], summary["refused"]) == (1000.0, {"overflow": 2})
    assert summary["conservation"] == {"ok": True, "violations": []}


def test_a_good_run_has_nothing_wrong() -> None:
    assert wrong() == []


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"all_live_s": None, "missing": ["kraken:BTC-USDT stale"]}, "not every book was live at any time"),
        ({"wrong": 2, "wrong_details": ["here"]}, "2 live books were shown wrong: here"),
        ({"oracle": {"compared": 5, "equal": 4, "books": 1}}, "oracle: 4 of 5 compared books were equal"),
        ({"oracle": {"compared": 0, "equal": 0, "books": 0}}, "oracle: nothing was compared"),
        ({"losses": ["the judge lost publications"]}, "the judge lost publications"),
        ({"faults": FAULTS | {"injected": 1}}, "faults: 0 of 1 were marked"),
        ({"faults": FAULTS | {"injected": 1, "marked": 1}}, "faults: 0 of 1 were resynced"),
        (
            {"faults": FAULTS | {"collateral": 1, "unexplained": ["kraken:X"]}},
            "books without one were touched: kraken:X",
        ),
    ],
)
def test_what_is_wrong_is_a_sentence(changes: dict[str, Any], text: str) -> None:
    assert text in wrong(**changes)[0]


def test_a_violation_of_conservation_is_a_sentence() -> None:
    found = findings()
    found.accounts.added += 1
    assert "redis: appended is 22, but entries added is 23" in verdict(found, summarise(found))[0]


def test_live_venues_have_no_oracle_and_a_partial_run_need_not_be_all_live() -> None:
    assert wrong(demo=False, partial=True, all_live_s=None, oracle={"compared": 0, "equal": 0, "books": 0}) == []


def test_samples_of_all_services_are_merged_by_hop() -> None:
    merged = latencies([{"samples": {"decode": [1000] * 98}}, {"samples": {"decode": [5000, 9000]}}, {}])
    assert merged == {"decode": {"count": 100, "mean": 1.1, "p50": 1.0, "p95": 1.0, "p99": 9.0, "max": 9.0}}
