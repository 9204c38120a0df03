"""Each conservation equation goes red when any of its counters is off by one, and only then."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from thalweg.conserve import Accounts, check, check_variant


def balanced() -> Accounts:
    """A run that adds up: 100 events in, 90 appended, all of them read and covered."""
    ingest: dict[str, Any] = {
        "decoded": 95,
        "made": {"open": 1, "bridge": 0, "periodic": 1, "status": 3},
        "appended": 90,
        "dropped": {"before_snapshot": 4, "duplicate": 6},
        "held": 0,
    }
    aggregator: dict[str, Any] = {
        "read": 90,
        "lapped": 0,
        "lag": 0,
        "applied": 86,
        "skipped": {"open": 1, "status": 3, "not_live": 0},
        "covered": 90,
        "pending": 0,
    }
    gateway = {"instruments": {"BTC-USDT": {"joined_at": 3, "head": 33, "received": 28, "refilled": 2}}}
    return Accounts(
        {"kraken": ingest},
        {"aggregator": aggregator},
        gateway,
        expected=("ingest:kraken", "aggregator", "gateway"),
        restarts={"ingest:kraken": 0},
        added=90,
        numbers=90,
        runs=90,
    )


def add(report: Any, *path: str) -> None:
    """Make one counter wrong by one."""
    for key in path[:-1]:
        report = report[key]
    report[path[-1]] += 1


def test_a_run_that_adds_up_has_no_violation() -> None:
    assert check(balanced()) == []


COUNTERS: list[tuple[Callable[[Accounts], Any], tuple[str, ...], list[str]]] = [
    (lambda a: a.ingest["kraken"], ("decoded",), ["ingest:kraken"]),
    (lambda a: a.ingest["kraken"], ("made", "periodic"), ["ingest:kraken"]),
    (lambda a: a.ingest["kraken"], ("dropped", "duplicate"), ["ingest:kraken"]),
    (lambda a: a.ingest["kraken"], ("held",), ["ingest:kraken", "stop"]),
    (lambda a: a.ingest["kraken"], ("appended",), ["ingest:kraken", "redis", "reader"]),
    (lambda a: a.aggregators["aggregator"], ("read",), ["reader", "aggregator", "aggregator"]),
    (lambda a: a.aggregators["aggregator"], ("lapped",), ["reader"]),
    (lambda a: a.aggregators["aggregator"], ("lag",), ["reader", "stop"]),
    (lambda a: a.aggregators["aggregator"], ("applied",), ["aggregator"]),
    (lambda a: a.aggregators["aggregator"], ("skipped", "not_live"), ["aggregator"]),
    (lambda a: a.aggregators["aggregator"], ("covered",), ["aggregator", "aggregator"]),
    (lambda a: a.aggregators["aggregator"], ("pending",), ["aggregator", "stop"]),
    (lambda a: a.gateway, ("instruments", "BTC-USDT", "head"), ["gateway BTC-USDT"]),
    (lambda a: a.gateway, ("instruments", "BTC-USDT", "joined_at"), ["gateway BTC-USDT"]),
    (lambda a: a.gateway, ("instruments", "BTC-USDT", "received"), ["gateway BTC-USDT"]),
    (lambda a: a.gateway, ("instruments", "BTC-USDT", "refilled"), ["gateway BTC-USDT"]),
]


@pytest.mark.parametrize(("report", "path", "places"), COUNTERS, ids=lambda value: str(value)[:60])
def test_a_wrong_counter_turns_its_equations_red(
    report: Callable[[Accounts], Any], path: tuple[str, ...], places: list[str]
) -> None:
    accounts = copy.deepcopy(balanced())
    add(report(accounts), *path)
    assert [sentence.partition(": ")[0] for sentence in check(accounts)] == places


@pytest.mark.parametrize(
    ("counter", "places"),
    [("added", ["redis", "redis"]), ("numbers", ["redis"]), ("runs", ["aggregator"])],
)
def test_a_witness_that_disagrees_is_a_violation(counter: str, places: list[str]) -> None:
    accounts = balanced()
    setattr(accounts, counter, getattr(accounts, counter) + 1)
    assert [sentence.partition(": ")[0] for sentence in check(accounts)] == places


def test_a_violation_names_both_sides_and_the_difference() -> None:
    accounts = balanced()
    accounts.added += 2
    accounts.numbers += 2
    assert check(accounts) == ["redis: appended is 90, but entries added is 92; 2 are unaccounted for"]


def test_a_held_event_is_no_violation_while_a_book_is_syncing() -> None:
    accounts = balanced()
    accounts.all_live = False
    report = dict(accounts.ingest["kraken"])
    accounts.ingest["kraken"] = report | {"held": 1, "decoded": 96}
    assert check(accounts) == []


def test_what_two_aggregators_share_is_counted_as_one_work() -> None:
    accounts = balanced()
    first = dict(accounts.aggregators["aggregator"])
    skipped = {"open": 1, "status": 1, "not_live": 0}
    second = {"read": 40, "lapped": 0, "lag": 0, "applied": 38, "skipped": skipped, "covered": 40, "pending": 0}
    parts = {"read": 50, "applied": 48, "covered": 50, "skipped": {"open": 0, "status": 2, "not_live": 0}}
    accounts.aggregators = {"aggregator": first | parts, "aggregator:2": second}
    accounts.expected = (*accounts.expected, "aggregator:2")

    assert check(accounts) == []
    assert accounts.aggregator == first
    del accounts.aggregators["aggregator:2"]
    assert check(accounts)[0] == "aggregator:2: no report, so its counts are not known"


def test_a_service_without_a_report_is_a_violation() -> None:
    accounts = balanced()
    accounts.gateway = None
    assert check(accounts) == ["gateway: no report, so its counts are not known"]


def test_a_service_that_died_is_a_violation() -> None:
    accounts = balanced()
    accounts.restarts = {"ingest:kraken": 2, "simulator": 1}
    assert check(accounts) == ["ingest:kraken: died (2 x); what it had counted is lost"]


def test_a_gateway_that_never_joined_is_a_violation() -> None:
    accounts = balanced()
    accounts.gateway = {"instruments": {"BTC-USDT": {"joined_at": None, "head": 0, "received": 0, "refilled": 0}}}
    assert check(accounts) == ["gateway BTC-USDT: it never joined this instrument"]


@pytest.mark.parametrize(("merged", "skipped", "violations"), [(20, 10, 0), (21, 10, 1), (20, 11, 1), (30, 0, 0)])
def test_a_variant_is_merged_or_skipped(merged: int, skipped: int, violations: int) -> None:
    assert len(check_variant("cbook:BTC-USDT", 70, 100, merged, skipped)) == violations
