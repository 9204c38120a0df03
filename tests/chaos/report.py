"""What a chaos run prints and writes."""

from __future__ import annotations

import json
import platform
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

from tests.chaos.recovery import beyond, table
from tests.chaos.run import Result

INVARIANTS = {
    "I1": "duplicates",
    "I2": "unmarked gaps",
    "I3": "ID holes",
    "zombies": "zombie writes accepted",
    "I4": "live while wrong (I4, I6)",
    "I5": "publication holes or repeats",
    "I7": "not live again, or not told",
    "I8": "memory beyond its bound",
    "I9": "REST calls while banned, beyond budget, or needless",
    "I10": "client view differs from out:",
    "verify": "found offline by thalweg verify",
    "ended": "services that ended by themselves",
    "denied": "commands that a user has no right to",
    "bugs": "bugs logged",
}


def summary(results: list[Result], seed: int) -> dict[str, Any]:
    """Give everything as one object."""
    outcomes = [one for result in results for one in result.outcomes]
    rows = table(outcomes)
    late = beyond(rows)
    return {
        "seed": seed,
        "commit": _commit(),
        "python": platform.python_version(),
        "servers": [result.version for result in results],
        "seconds": round(sum(result.seconds for result in results), 1),
        "faults": len(outcomes),
        "kinds": len({one.kind for one in outcomes}),
        "by_kind": dict(Counter(one.kind for one in outcomes).most_common()),
        "looked": _sum(result.tally.looked for result in results),
        "violations": {name: sum(result.tally.counts.get(name, 0) for result in results) for name in INVARIANTS},
        "told": {name: [t for r in results for t in r.tally.told.get(name, ())] for name in INVARIANTS},
        "recovery": rows,
        "late": late,
        "commands": [result.commands for result in results],
        "meters": [result.meters for result in results],
        "rss_mib": [result.rss_mib for result in results],
        "ok": not late and not any(result.tally.violations for result in results) and all(r.outcomes for r in results),
    }


def _sum(counts: Any) -> dict[str, int]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(total)


def _commit() -> str:
    asked = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return asked.stdout.strip()


def text_of(found: dict[str, Any]) -> str:
    """Give it for people."""
    lines = [
        f"seed {found['seed']}, commit {found['commit']}, {' and '.join(found['servers'])}, {found['seconds']:.0f} s: "
        f"{found['faults']} faults of {found['kinds']} kinds"
    ]
    lines += [f"  {count:4d}  {kind}" for kind, count in found["by_kind"].items()]
    lines.append("looked at: " + ", ".join(f"{count:,} {what}" for what, count in found["looked"].items()))
    lines.append("invariants")
    lines += [f"  {found['violations'][name]:4d}  {name:8s}{what}" for name, what in INVARIANTS.items()]
    lines.append(f"recovery, seconds{'':24s}n    p50    max  bound")
    for name, row in found["recovery"].items():
        mark = "" if row["max"] <= row["bound"] else "  <- beyond"
        lines.append(f"  {name:34s}{row['n']:6.0f} {row['p50']:6.2f} {row['max']:6.2f} {row['bound']:6.1f}{mark}")
    for commands in filter(None, found["commands"]):
        for user, seen in commands.items():
            used = ", ".join(f"{name} {count:,}" for name, count in seen["used"].items())
            lines.append(f"commands of {user}: {used or 'none'}; granted and not needed: {', '.join(seen['never'])}")
            lines += [f"commands of {user} beyond its rights: {', '.join(seen['beyond'])}"] if seen["beyond"] else []
    lines += [f"violation {name}: {text}" for name, told in found["told"].items() for text in told]
    lines += [f"late: {text}" for text in found["late"]]
    lines.append("all as promised" if found["ok"] else "NOT as promised")
    return "\n".join(lines)


def write(found: dict[str, Any], path: Path) -> None:
    """Write it as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1))
