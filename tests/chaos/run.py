"""One run against one server: start everything, strike, let it come to rest, check, stop."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

from tests.chaos.granted import Commands, table
from tests.chaos.invariants import Tally
from tests.chaos.nemesis import Nemesis
from tests.chaos.recorder import Recorder
from tests.chaos.recovery import Outcome
from tests.chaos.system import Shape, System
from thalweg.cli.children import Guardian

VERIFY_S = 90.0
REST_S = 2.0  # so that what is judged later has been judged
WEIGHT_LIMIT = 6_000  # of requests a minute, at Binance
BUG = ("a bug:", "Traceback", "conservation:")


@dataclass(slots=True)
class Result:
    """What a run has found."""

    shape: Shape
    version: str = ""
    seconds: float = 0.0
    tally: Tally = field(default_factory=Tally)
    outcomes: list[Outcome] = field(default_factory=list)
    meters: dict[str, Any] = field(default_factory=dict)
    rss_mib: dict[str, tuple[int, int]] = field(default_factory=dict)
    log: dict[str, str] = field(default_factory=dict)
    commands: dict[str, Any] = field(default_factory=dict)


async def run(
    shape: Shape,
    seconds: float,
    only: str = "",
    keep: Path | None = None,
    play: Callable[[Nemesis], Awaitable[None]] | None = None,
    record: bool = False,
) -> Result:
    """Run for so many seconds from the start of the processes; `only` is a part of the names of kinds to do.

    `keep` is a folder for logs; without it they go with the run, but for their ends in the result. `play` is what is
    done once all is live, instead of what the nemesis chooses. `record` notes every command of every user.
    """
    began = monotonic()
    result = Result(shape)
    with TemporaryDirectory(prefix="thalweg-chaos-") as name, Guardian() as keeper:
        folder = Path(keep or name)
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        system = System(shape, folder, keeper)
        result.version = system.server.version
        recorder = Recorder(system, result.tally)
        watching: asyncio.Task[None] | None = None
        commands = Commands((system.server, system.spare)) if record else None
        try:
            await system.start()
            watching = asyncio.create_task(recorder.run())
            nemesis = Nemesis(system, recorder, shape.seed, only)
            result.outcomes = nemesis.outcomes
            if not await nemesis.until_live():
                result.tally.say("I7", "not all books became live at the start")
            else:
                say(f"{result.version}: {len(shape.books)} books are live, {monotonic() - began:.1f} s after the start")
                await (play(nemesis) if play else nemesis.run(seconds - (monotonic() - began)))
                await _finish(system, recorder, result)
        finally:
            if watching is not None:
                watching.cancel()
                with suppress(asyncio.CancelledError):
                    await watching
            if commands is not None:
                commands.stop()
                result.commands = table(commands.seen, shape.venues)
            bad = await system.stop()
        _look_at_ends(system, bad, result)
    result.seconds = monotonic() - began
    return result


async def _finish(system: System, recorder: Recorder, result: Result) -> None:
    """Let everything come to rest, then check what is kept, offline, as `thalweg verify` does."""
    await asyncio.sleep(REST_S)
    recorder.judge(monotonic())
    report = await system.control({"op": "report"})
    result.meters = report["meters"]
    for venue, meter in result.meters.items():
        if meter["rest_banned"]:
            result.tally.say("I9", f"{venue}: {meter['rest_banned']} requests while banned")
        if meter["weight_most"] > WEIGHT_LIMIT:
            result.tally.say("I9", f"{venue}: a weight of {meter['weight_most']} in a minute")
    await _verify(system, result)
    result.rss_mib = {name: (min(seen) // 1024, max(seen) // 1024) for name, seen in recorder.rss.items()}


async def _verify(system: System, result: Result) -> None:
    """Let `thalweg verify` check what is kept; in a process of its own, since our proxies must not wait for it."""
    ours = str(Path(__file__).parents[2])  # the judge is the sound one, whatever build runs
    environ = system.ingest[0].environ | {"REDIS_URL": system.redis_url("operator"), "PYTHONPATH": ours}
    command = [sys.executable, "-c", "from thalweg.cli import main; main()", "verify", "--json"]
    process = await asyncio.create_subprocess_exec(*command, env=environ, stdout=PIPE, stderr=DEVNULL)
    try:
        text, _ = await asyncio.wait_for(process.communicate(), VERIFY_S)
        found = json.loads(text)
    except (TimeoutError, ValueError) as error:
        result.tally.say("verify", f"could not be done: {error!r}")
        return
    for name in ("entries", "publications"):
        result.tally.saw(f"{name} verified offline", found[name])
    excused = bool(result.tally.looked.get("times the server had lost data"))
    for sentence in found["violations"]:
        # What the server lost shows as a hole before the next epoch: sequences are not used twice. I5 judges the rest.
        if not (excused and sentence.startswith("out:") and " are missing before " in sentence):
            result.tally.say("verify", sentence)


def _look_at_ends(system: System, bad: list[str], result: Result) -> None:
    """Hold against the services that they ended by themselves, ended badly, lacked a right, or logged a bug."""
    for text in system.ended:
        result.tally.say("ended", text)
    for text in system.denied:
        result.tally.say("denied", text)
    for text in bad:
        result.tally.saw(f"ends: {text}")
    for process in system.processes.values():
        lines = process.log.read_text(errors="replace").splitlines() if process.log.exists() else []
        for line in lines:
            if any(word in line for word in BUG):
                result.tally.say("bugs", f"{process.name}: {line[:300]}")
        result.log[process.name] = "\n".join(lines[-30:])


def say(text: str) -> None:
    """Tell how it goes."""
    print(f"chaos: {text}", file=sys.stderr, flush=True)
