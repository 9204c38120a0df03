"""`python -m tests.chaos.soak`: a full load for a while; memory must not grow, nor file descriptors."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

from tests.chaos.report import write
from tests.chaos.run import say
from tests.chaos.system import Shape, System
from thalweg.cli.children import Guardian
from thalweg.instruments import load_instruments

LOOK_S = 2.0
TELL_S = 30.0
WARM_SHARE = 0.4  # of the run: buffers, trimmed streams and rings have reached their size
SLOPE_MIB = 1.0  # that a process may grow in 10 minutes
JUDGED_S = 480.0  # a run of fewer seconds is too short to tell growth from noise: its slopes are only shown
LEAST_SHARE = 0.9  # of the rate asked for


def slope(readings: Sequence[tuple[float, float]]) -> float:
    """Give how much a value grows per unit of time, by least squares."""
    n = len(readings)
    if n < 2:
        return 0.0
    mean_x, mean_y = sum(x for x, _ in readings) / n, sum(y for _, y in readings) / n
    spread = sum((x - mean_x) ** 2 for x, _ in readings)
    return sum((x - mean_x) * (y - mean_y) for x, y in readings) / spread if spread else 0.0


async def soak(shape: Shape, seconds: float) -> dict[str, Any]:
    """Run for so long and give the readings."""
    memory: dict[str, list[tuple[float, float]]] = {}
    files: dict[str, list[int]] = {}
    with TemporaryDirectory(prefix="thalweg-soak-") as name, Guardian() as keeper:
        system = System(shape, Path(name), keeper)
        try:
            await system.start()
            began, warm = monotonic(), seconds * WARM_SHARE
            frames, told = (0.0, 0), 0.0
            while (passed := monotonic() - began) < seconds:
                await asyncio.sleep(LOOK_S)
                for process in system.processes.values():
                    if passed >= warm and process.pid:
                        reading = passed / 600, process.rss_kib() / 1024
                        memory.setdefault(process.name, []).append(reading)
                        files.setdefault(process.name, []).append(process.descriptors())
                if passed - told >= TELL_S:
                    told = passed
                    kib = sum(one.rss_kib() for one in system.processes.values())
                    say(f"{passed:4.0f} s: {kib / 1024:.0f} MiB in all{'' if passed >= warm else ', warming up'}")
                if passed >= warm and not frames[1]:
                    frames = passed, (await system.control({"op": "report"}))["frames"]
            report = await system.control({"op": "report"})
            rate = (report["frames"] - frames[1]) / (monotonic() - began - frames[0])
        finally:
            await system.stop()
        ended = list(system.ended)
    rows = {
        name: {
            "rss_mib": round(memory[name][-1][1], 1),
            "mib_per_10_min": round(slope(memory[name]), 2),
            "descriptors": [min(files[name]), max(files[name])],
        }
        for name in memory
    }
    found = {"seconds": seconds, "books": len(shape.books), "rate": shape.rate, "frames_s": round(rate)}
    return found | {"ended": ended, "processes": rows}


def beyond(found: Mapping[str, Any]) -> list[str]:
    """Give what is not level, as sentences."""
    rows: Mapping[str, Any] = found["processes"]
    texts = list[str](found["ended"])
    if found["frames_s"] < LEAST_SHARE * found["rate"]:
        texts.append(f"{found['frames_s']} frames/s, of {found['rate']:.0f} asked for")
    for name, row in rows.items():
        least, most = row["descriptors"]
        if most - least > 2:
            texts.append(f"{name} has {least} to {most} file descriptors")
        if found["seconds"] >= JUDGED_S and row["mib_per_10_min"] > SLOPE_MIB:
            texts.append(f"{name} grows by {row['mib_per_10_min']} MiB in 10 min")
    return texts


def main() -> int:
    """Run, print, and give the exit code: 1 when something grows."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="with the warm-up, its first 40 %% (10)")
    parser.add_argument("--rate", type=float, default=1000.0, help="frames a second of all books (1000)")
    parser.add_argument("--workers", type=int, default=1, help="of each venue (1)")
    parser.add_argument("--json", default="build/soak.json", help="where the report goes (build/soak.json)")
    asked = parser.parse_args()
    names = tuple(load_instruments(None).by_name)
    shape = Shape(names=names, workers=asked.workers, aggregators=1, rate=asked.rate, replica=False)
    say(f"soak: {len(shape.books)} books at {asked.rate:.0f} frames/s for {asked.minutes:g} min")
    found = asyncio.run(soak(shape, asked.minutes * 60))
    late = beyond(found)
    write(found | {"late": late}, Path(asked.json))
    print(f"{found['books']} books, {found['frames_s']} frames/s after the warm-up")
    for name, row in found["processes"].items():
        grown, (least, most) = row["mib_per_10_min"], row["descriptors"]
        print(f"  {name:22s}{row['rss_mib']:7.1f} MiB {grown:+6.2f} MiB/10 min  {least} to {most} files")
    if found["seconds"] < JUDGED_S:
        print(f"growth is judged in runs of {JUDGED_S / 60:.0f} min or more")
    print("\n".join(late) or "all level")
    return 1 if late else 0


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        sys.exit(main())
