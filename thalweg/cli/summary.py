"""The summary of a measured run: reports and witnesses put together into one JSON object, and what is wrong with it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from thalweg.cli.history import Outage
from thalweg.conserve import Accounts, Report, check
from thalweg.latency import HOPS


@dataclass(slots=True)
class Findings:
    """All that was seen of one run.

    `faults` and `oracle` are empty where the venues are real ones; a `partial` run need not have every book live.
    """

    accounts: Accounts
    seconds: float
    venues: Sequence[str]
    instruments: Sequence[str]
    all_live_s: float | None
    books: int
    books_live: int
    missing: Sequence[str]
    frames: int
    measured_s: float
    subscribers: Mapping[str, int]
    oracle: Mapping[str, int]
    faults: Mapping[str, Any]
    wrong: int = 0
    wrong_details: Sequence[str] = ()
    losses: Sequence[str] = ()
    outages: Sequence[Outage] = ()
    demo: bool = False
    partial: bool = False
    steps: Mapping[str, float] = field(default_factory=dict)


def summarise(found: Findings) -> dict[str, Any]:
    """Give the summary, field by field as the command's help lists them."""
    ingest = list(found.accounts.ingest.values())
    aggregator: Report = found.accounts.aggregator or {}
    gateway: Report = found.accounts.gateway or {}
    violations = [*check(found.accounts), *found.losses]
    return {
        "seconds": round(found.seconds, 3),
        "venues": list(found.venues),
        "instruments": list(found.instruments),
        "books": found.books,
        "all_live_s": None if found.all_live_s is None else round(found.all_live_s, 3),
        "books_live": found.books_live,
        "frames": found.frames,
        "frames_per_s": round(found.frames / found.measured_s, 1) if found.measured_s > 0 else 0.0,
        **{name: sum(report[name] for report in ingest) for name in ("bad_frames", "decoded")},
        "made": _added(report["made"] for report in ingest),
        "appended": found.accounts.appended,
        "dropped": _added(report["dropped"] for report in ingest),
        "held": sum(report["held"] for report in ingest),
        **{name: aggregator.get(name) for name in ("read", "lapped", "lag", "applied", "skipped")},
        **{name: aggregator.get(name) for name in ("published", "covered", "pending")},
        "gateway": {name: gateway.get(name) for name in ("received", "refilled")},
        "subscribers": dict(found.subscribers),
        **{name: sum(report[name] for report in ingest) for name in ("gaps", "resyncs", "reconnects")},
        "refused": _added(report["refused"] for report in ingest),
        "faults": dict(found.faults),
        "outages": [asdict(one) for one in found.outages],
        "restarts": sum(found.accounts.restarts.values()),
        "live_wrong_events": found.wrong,
        "conservation": {"ok": not violations, "violations": violations},
        "oracle": dict(found.oracle),
        "latency_us": latencies([*ingest, aggregator, gateway]),
        "stop_s": {name: round(seconds, 3) for name, seconds in found.steps.items()},
    }


def _added(parts: Any) -> dict[str, int]:
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part)
    return dict(total)


def latencies(reports: Sequence[Report]) -> dict[str, dict[str, float]]:
    """Merge every service's samples by hop: exact percentiles over all that the rings held at the end."""
    samples: dict[str, list[int]] = defaultdict(list)
    for report in reports:
        for hop, values in (report.get("samples") or {}).items():
            samples[hop] += values
    return {hop.name: _percentiles(samples[hop.name]) for hop in HOPS if samples.get(hop.name)}


def _percentiles(samples: Sequence[int]) -> dict[str, float]:
    micros = np.sort(np.array(samples, dtype=np.int64)) / 1e3
    ranks = {name: min(len(micros) - 1, int(len(micros) * part)) for name, part in (("p50", 0.5), ("p95", 0.95))}
    ranks["p99"] = min(len(micros) - 1, int(len(micros) * 0.99))
    found = {"count": len(micros), "mean": round(float(micros.mean()), 1)}
    found |= {name: round(float(micros[rank]), 1) for name, rank in ranks.items()}
    return found | {"max": round(float(micros[-1]), 1)}


def verdict(found: Findings, summary: Mapping[str, Any]) -> list[str]:
    """Give a sentence for everything that makes the run a failure."""
    wrong: list[str] = list(summary["conservation"]["violations"])
    if found.all_live_s is None and not found.partial:
        wrong.append(f"not every book was live at any time; at the end: {', '.join(found.missing) or 'all of them'}")
    if found.wrong:
        wrong.append(f"{found.wrong} live books were shown wrong: {'; '.join(found.wrong_details)}")
    oracle, faults = found.oracle, found.faults
    if found.demo and oracle["equal"] != oracle["compared"]:
        wrong.append(f"oracle: {oracle['equal']} of {oracle['compared']} compared books were equal")
    if found.demo and not oracle["compared"]:
        wrong.append("oracle: nothing was compared")
    wrong += [
        f"faults: {faults[name]} of {faults['injected']} were {name}: {_failed(faults, name)}"
        for name in ("marked", "resynced")
        if faults and faults[name] != faults["injected"]
    ]
    if faults and faults["collateral"]:
        wrong.append(f"faults: books without one were touched: {'; '.join(faults['unexplained'])}")
    return wrong


def _failed(faults: Mapping[str, Any], name: str) -> str:
    failed = [one for one in faults["detail"] if one["expect"] == "gap" and one[f"{name}_ms"] is None]
    return "; ".join(f"{one['kind']} at {one['venue']} of {', '.join(one['instruments'])}" for one in failed)
