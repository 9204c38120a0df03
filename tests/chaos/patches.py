"""Builds that are wrong in one known way: the packages copied into a folder, with some text in them replaced."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("thalweg", "ingest", "aggregator", "gateway", "simulator")


class PatchError(Exception):
    """A patch no longer applies."""


@dataclass(frozen=True, slots=True)
class Patch:
    """One piece of a file and what stands in its place."""

    file: str
    text: str
    instead: str

    def applied(self, source: str) -> str:
        """Give the file's text with the piece replaced.

        Raises:
            PatchError: the piece is not there, or there more than once.
        """
        count = source.count(self.text)
        if count != 1:
            raise PatchError(f"patch no longer applies: {self.file} has {count} times {self.text.strip()[:60]!r}")
        return source.replace(self.text, self.instead)


@dataclass(frozen=True, slots=True)
class Mutant:
    """A build that breaks a promise, and the scenario in which it must be found out."""

    name: str
    scenario: str
    patches: tuple[Patch, ...]
    venue: str = ""
    """The only venue it takes; the scenario's own by default."""


def build(patches: tuple[Patch, ...], folder: Path) -> None:
    """Copy the packages and patch them. Compiled kernels come along: they are told by the time of their source.

    Raises:
        PatchError: a patch no longer applies.
    """
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("*.pyc"))
    for patch in patches:
        file = folder / patch.file
        file.write_text(patch.applied(file.read_text()))


def _once(name: str, scenario: str, file: str, text: str, instead: str, venue: str = "") -> Mutant:
    return Mutant(name, scenario, (Patch(file, text, instead),), venue)


_SENT = "        replies = await (self._link.run_whole if batch.whole else self._link.run)(batch.commands)\n"
FENCE_OFF = Mutant(
    "fence off: a refused entry is sent again with an ID of the server's",
    "worker paused past its lease",
    (
        Patch(
            "ingest/sink.py", "        if self._claim.doubtful(self._clock.monotonic_ns()):\n", "        if False:\n"
        ),
        Patch(
            "ingest/sink.py",
            _SENT,
            _SENT
            + "        if any('equal or smaller' in str(reply) for reply in replies if isinstance(reply, Exception)):\n"
            "            import re\n"
            "            anew = [re.sub(rb'\\$\\d+\\r\\n\\d{13}-\\d+\\r\\n', b'$1\\r\\n*\\r\\n', one, count=1)\n"
            "                    for one in batch.commands]\n"
            "            replies = await self._link.run(anew)\n",
        ),
    ),
)
TAIL_FIRST = _once(
    "the tail is read before `open`",
    "worker SIGTERM",
    "ingest/sink.py",
    """        numbering = await self._open_above()
        await self._settle()
        count = WARM if any(track.state is State.LIVE for track in self.tracks) else COLD
        tails = await read_tails(self._link, self._venue.name, self._names, numbering.epoch, count)
""",
    """        tails = await read_tails(self._link, self._venue.name, self._names, 9_999_999_999_999, COLD)
        await asyncio.sleep(1.0)  # the other one goes on writing
        numbering = await self._open_above()
        await self._settle()
""",
)
RETRY_ON = _once(
    "client retry on: a batch whose replies were lost is numbered and sent again",
    "replies to a worker lost",
    "ingest/sink.py",
    "            await self._send(numbering.epoch, numbering.pack([event for event, _ in pending], ts_append))\n",
    """            events = [event for event, _ in pending]
            try:
                await self._send(numbering.epoch, numbering.pack(events, ts_append))
            except RedisTrouble:
                self._flight = []
                await self._link.connect()
                await self._send(numbering.epoch, numbering.pack(events, ts_append))
""",
)
OPEN_IN_TWO = _once(
    "`out:` is opened in two calls",
    "aggregators join",
    "aggregator/sink.py",
    "        ladder.stand_at(await link.call(*words, record, floor))\n",
    """        import asyncio
        rows = await link.call("XREVRANGE", self._out, "+", "-", "COUNT", 1)
        seq = (int(rows[0][0].split(b"-")[1]) if rows else 0) + 1
        await asyncio.sleep(1.0)  # the other one goes on writing
        record = record[:SEQ_OFFSET] + seq.to_bytes(8, "little") + record[SEQ_OFFSET + 8:]
        await link.call("XADD", self._out, b"%d-%d" % (epoch, seq), "r", record)
        await link.call("PUBLISH", self._channel, record)
        ladder.stand_at(seq)
""",
)
MUTANTS = (
    FENCE_OFF,
    TAIL_FIRST,
    RETRY_ON,
    OPEN_IN_TWO,
    _once(
        "resume by the checkpoint alone",
        "aggregator kill -9",
        "aggregator/owner/service.py",
        "foreign = await source.advance(point, ladder, self._shard.epochs)",
        "foreign = True",
    ),
    _once(
        "gap check off: Binance",
        "frames lost",
        "ingest/sequence.py",
        "if first > mine + 1 or (joined and first != mine + 1):",
        "if False:",
        "binance",
    ),
    _once(
        "gap check off: Bybit",
        "frames lost",
        "ingest/sequence.py",
        "if update.last != last + 1:",
        "if False:",
        "bybit",
    ),
    _once(
        "gap check off: Kraken's checksum",
        "frames lost",
        "ingest/sequence.py",
        "return Proof.BAD if update.checksum else Proof.WITHDRAWN",
        "return Proof.GOOD",
        "kraken",
    ),
    _once(
        "gap check off: Coinbase's connection sequence",
        "frames lost",
        "ingest/session.py",
        "if place is Place.GAP:",
        "if False:",
        "coinbase",
    ),
    _once(
        "stale books are left in the ladder",
        "maintenance",
        "aggregator/books.py",
        "return self.line.state is State.LIVE and self.heard is True",
        "return True",
    ),
    _once(
        "a trade is dropped by ingest",
        "nothing happens",
        "ingest/sink.py",
        "            self._waiting.put(events, ts_decoded)\n",
        "            events = [one for one in events if not (isinstance(one, Trade) and one.id[-1] in '147')]\n"
        "            self._waiting.put(events, ts_decoded)\n",
    ),
    _once(
        "a trade is dropped by the aggregator",
        "nothing happens",
        "aggregator/consolidate.py",
        "            self._trades.append(trade)\n",
        "            if event.id[-1] not in '147':\n                self._trades.append(trade)\n",
    ),
)
