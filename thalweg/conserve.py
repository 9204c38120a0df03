"""The conservation equations: nothing may vanish between a venue's socket and a browser without a count that says so.

    ingest      decoded + made == appended + dropped + held
    redis       appended == entries added, by the server's own count == sum over epochs of the last n
    reader      appended == read + lapped + lag
    aggregator  read == applied + skipped;  read == covered + pending;  covered == what the publications' runs say
    gateway     per instrument: head - joined_at == received + refilled
    subscriber  per variant, from a to b: b - a == merged + skipped
    stop        held, lag and pending are 0; held may be more while a book is still syncing

Each function takes counts and gives one sentence for each equation that does not hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Report: TypeAlias = Mapping[str, Any]
"""A service's counters as it wrote them when it stopped."""


@dataclass(slots=True)
class Accounts:
    """All counts of one run. `added`, `numbers` and `runs` come from witnesses: Redis itself and the publications.

    `expected` are the services that must have reported; `restarts` are those that died, by name, with how often.
    """

    ingest: dict[str, Report] = field(default_factory=dict)
    aggregators: dict[str, Report] = field(default_factory=dict)
    gateway: Report | None = None
    expected: Sequence[str] = ()
    restarts: Mapping[str, int] = field(default_factory=dict)
    added: int = 0
    numbers: int = 0
    runs: int = 0
    subscriber: Sequence[str] = ()
    all_live: bool = True

    @property
    def aggregator(self) -> Report | None:
        """The counts of all aggregators, as those of one."""
        return together([*self.aggregators.values()])

    @property
    def appended(self) -> int:
        """Entries that the workers say they have appended."""
        return sum(report["appended"] for report in self.ingest.values())


def together(reports: Sequence[Report]) -> Report | None:
    """Give the counts of several processes that share one work as those of one; `None` for none."""
    if not reports:
        return None
    whole: dict[str, Any] = {}
    for report in reports:
        for name, value in report.items():
            known = whole.get(name)
            if known is None or isinstance(value, str):
                whole[name] = value
            elif isinstance(value, Mapping):
                whole[name] = together([known, value])
            else:
                whole[name] = known + value
    return whole


def check(accounts: Accounts) -> list[str]:
    """Give a sentence for everything that does not add up."""
    found = missing_reports(accounts)
    for venue, report in accounts.ingest.items():
        found += check_ingest(venue, report)
    found += check_redis(accounts.appended, accounts.added, accounts.numbers)
    if accounts.aggregator is not None:
        found += check_reader(accounts.appended, accounts.aggregator)
        found += check_aggregator(accounts.aggregator, accounts.runs)
    if accounts.gateway is not None:
        found += check_gateway(accounts.gateway)
    return [*found, *accounts.subscriber, *check_stop(accounts)]


def missing_reports(accounts: Accounts) -> list[str]:
    """Name the services whose counts are not known, and those that lost theirs by dying."""
    reported = {f"ingest:{venue}" for venue in accounts.ingest}
    reported |= set(accounts.aggregators)
    reported |= {"gateway"} if accounts.gateway is not None else set()
    found = [f"{name}: no report, so its counts are not known" for name in accounts.expected if name not in reported]
    lost = [name for name, times in accounts.restarts.items() if times and name in accounts.expected]
    return found + [f"{name}: died ({accounts.restarts[name]} x); what it had counted is lost" for name in lost]


def check_ingest(venue: str, report: Report) -> list[str]:
    """What came in was appended, dropped for a reason, or is held."""
    made, dropped = sum(report["made"].values()), sum(report["dropped"].values())
    came, went = report["decoded"] + made, report["appended"] + dropped + report["held"]
    parts = f"decoded {report['decoded']} + made {made}", f"appended {report['appended']} + dropped {dropped}"
    return _equal(f"ingest:{venue}", parts[0], came, f"{parts[1]} + held {report['held']}", went)


def check_redis(appended: int, added: int, numbers: int) -> list[str]:
    """The server has as many entries as the workers say, and the IDs are dense."""
    return _equal("redis", "appended", appended, "entries added", added) + _equal(
        "redis", "entries added", added, "the sum over epochs of the last n", numbers
    )


def check_reader(appended: int, report: Report) -> list[str]:
    """What was appended was read, found lost, or is still to be read."""
    read, lapped, lag = report["read"], report["lapped"], report["lag"]
    return _equal("reader", "appended", appended, f"read {read} + lapped {lapped} + lag {lag}", read + lapped + lag)


def check_aggregator(report: Report, runs: int) -> list[str]:
    """What was read was applied or skipped for a reason, and is in exactly one publication or still pending."""
    read, applied, skipped = report["read"], report["applied"], sum(report["skipped"].values())
    covered, pending = report["covered"], report["pending"]
    return [
        *_equal("aggregator", "read", read, f"applied {applied} + skipped {skipped}", applied + skipped),
        *_equal("aggregator", "read", read, f"covered {covered} + pending {pending}", covered + pending),
        *_equal("aggregator", "covered", covered, "the entries in the publications' runs", runs),
    ]


def check_gateway(report: Report) -> list[str]:
    """Every publication since the gateway joined an instrument was received or fetched from its stream."""
    found = []
    for name, one in report["instruments"].items():
        parts = f"received {one['received']} + refilled {one['refilled']}"
        passed = f"head {one['head']} - joined at {one['joined_at']}"
        if one["joined_at"] is None:
            found.append(f"gateway {name}: it never joined this instrument")
            continue
        came = one["received"] + one["refilled"]
        found += _equal(f"gateway {name}", passed, one["head"] - one["joined_at"], parts, came)
    return found


def check_variant(name: str, first: int, last: int, merged: int, skipped: int) -> list[str]:
    """Every publication between a subscriber's first and last frame was merged into one or jumped."""
    parts = f"merged {merged} + skipped {skipped}"
    return _equal(f"subscriber {name}", f"last {last} - first {first}", last - first, parts, merged + skipped)


def check_stop(accounts: Accounts) -> list[str]:
    """Nothing is left on the way when everything has stopped in order."""
    left = {} if accounts.aggregator is None else {name: accounts.aggregator[name] for name in ("lag", "pending")}
    if accounts.all_live:
        left["held"] = sum(report["held"] for report in accounts.ingest.values())
    return [f"stop: {name} is {count}, not 0" for name, count in left.items() if count]


def _equal(place: str, left_words: str, left: int, right_words: str, right: int) -> list[str]:
    """Give a sentence where two counts differ."""
    if left == right:
        return []
    return [f"{place}: {left_words} is {left}, but {right_words} is {right}; {abs(left - right)} are unaccounted for"]
