"""`python -m tests.examples`: the programs of `examples/` follow the demo for a minute of trouble. `make consumers`.

Frames are lost, corrupted and cut off by the fake venues; ingest workers and the aggregator are killed; and the
programs are stopped for longer than streams are kept, so that what they have not read is trimmed. Every program must
find all books that it compares equal, and each kind of trouble must have been met by some.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.examples.programs import COMMANDS, Said, parse
from thalweg.cli.embedded import free_port

BOOKS = ("binance:BTC-USDT", "bybit:BTC-USDT", "kraken:BTC-USDT", "coinbase:BTC-USDT")
KEPT = {"THALWEG_RETENTION_S": "8", "THALWEG_SNAPSHOT_S": "4"}
STOPPED_S = 12.0  # longer than streams are kept
KILLED = ("ingest binance", "ingest kraken", "aggregator", "ingest bybit")
FAULTS = ("drop", "cut", "corrupt_checksum")
SPARE_S = 60.0  # to start and to stop


def main() -> int:
    """Run it and give the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.examples", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="that the programs follow (60, at least 40)")
    parser.add_argument("--rate", type=int, default=200, help="frames a second of all books (200)")
    asked = parser.parse_args()
    commands = {language: command for language, find in COMMANDS.items() if (command := find()) is not None}
    for language in COMMANDS.keys() - commands.keys():
        print(f"{language} can't run on this machine, or its package can't be had: left out")
    with tempfile.TemporaryDirectory() as folder:
        faults = Path(folder) / "faults.toml"
        faults.write_text(_script(asked.seconds), encoding="utf-8")
        options = ["--rate", str(asked.rate), "--faults", str(faults), "--seconds", str(asked.seconds + SPARE_S)]
        with _demo(*options) as (demo, url):
            print(f"{len(commands)} programs follow {len(BOOKS)} books for {asked.seconds} s", flush=True)
            programs = [
                subprocess.Popen([*command, url, book, str(asked.seconds)], stdout=subprocess.PIPE, text=True)
                for command in commands.values()
                for book in BOOKS
            ]
            _make_trouble(demo, programs, time.monotonic(), asked.seconds)
            return _judge([language for language in commands for _ in BOOKS], programs)


def _script(seconds: int) -> str:
    """Give a fault every two seconds, kinds and venues in turn, where a venue has the kind."""
    lines = ["[schedule]\nsettle_s = 1.0\nsubscribed_s = 1.5\nlatest_s = 30.0\n"]
    for number, at in enumerate(range(1, seconds, 2)):
        kind = FAULTS[number % len(FAULTS)]
        venue = "kraken" if kind == "corrupt_checksum" else BOOKS[number % len(BOOKS)].partition(":")[0]
        lines.append(f'[[fault]]\nat = {at}.0\nkind = "{kind}"\nvenue = "{venue}"\n')
    return "\n".join(lines)


@contextmanager
def _demo(*options: str) -> Iterator[tuple[int, str]]:
    """Run the demo; give its process id and the server's URL once all books are live."""
    command = [sys.executable, "-c", "from thalweg.cli import main; main()", "up", "--demo", "--json"]
    command += ["--port", str(free_port()), "--instruments", "BTC-USDT", *options]
    ours = {name: text for name, text in os.environ.items() if not name.startswith(("THALWEG_", "REDIS_URL"))}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=ours | KEPT
    ) as demo:
        url = ""
        for line in demo.stdout or ():
            said: dict[str, Any] = json.loads(line)
            url = said["url"] if said.get("service") == "redis" else url
            if "all_live_s" in said:
                break
        try:
            yield demo.pid, url
        finally:
            demo.terminate()
            demo.communicate()


def _make_trouble(demo: int, programs: list[subprocess.Popen[str]], began: float, seconds: int) -> None:
    """Kill services in the first half, then stop the programs for a while."""
    for number, service in enumerate(KILLED, 1):
        _sleep_until(began + number * seconds / 10)
        for child in _children(demo, service):
            print(f"{time.monotonic() - began:5.1f} s: killing {service}", flush=True)
            os.kill(child, signal.SIGKILL)
    _sleep_until(began + seconds / 2)
    print(f"{time.monotonic() - began:5.1f} s: stopping the programs for {STOPPED_S:g} s", flush=True)
    for program in programs:
        program.send_signal(signal.SIGSTOP)
    _sleep_until(began + seconds / 2 + STOPPED_S)
    for program in programs:
        program.send_signal(signal.SIGCONT)


def _sleep_until(instant: float) -> None:
    time.sleep(max(0.0, instant - time.monotonic()))


def _children(parent: int, service: str) -> list[int]:
    """Give the children of a process that run this service."""
    found = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="utf-8").split()
    commands = {int(child): Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0") for child in found}
    return [child for child, words in commands.items() if service.encode() in b" ".join(words)]


def _judge(languages: list[str], programs: list[subprocess.Popen[str]]) -> int:
    """Print what the programs said and give the exit code."""
    ok, told = True, list[Said]()
    for language, program in zip(languages, programs, strict=True):
        line = program.communicate()[0].strip()
        said = parse(line)
        ok = ok and program.returncode == 0 and said is not None
        told += [said] if said else []
        print(f"{language:8} exit {program.returncode}  {line}")
    for what, met in (
        ("resync", sum(one.resyncs for one in told)),
        ("new epoch", sum(one.epochs for one in told)),
        ("trimmed entry", sum(one.lost for one in told)),
    ):
        if not met:
            print(f"no program met a {what}: nothing was proved about it")
            ok = False
    print("all equal" if ok else "FAILED")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
