"""A replay of which every byte is decided by the capture: the cores of ingest and aggregator in step, in one process.

The services batch what happens to come together, so two runs of them never publish the same records. Here one line of
the capture is one batch, the capture's instants are the clock, and the epochs are given: the same capture makes the
same entries and the same `out:`, whatever the machine and the speed.
"""

from __future__ import annotations

import asyncio
import hashlib
import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import TYPE_CHECKING

from thalweg.capture import Line, parse_line
from thalweg.cli.children import Guardian
from thalweg.cli.console import Screen
from thalweg.cli.fleet import GATEWAY, Fleet, server_of_our_own
from thalweg.cli.plan import Plan
from thalweg.cli.reading import CaptureFile
from thalweg.cli.server import connected, load_functions
from thalweg.clock import SystemClock
from thalweg.cursor import Published
from thalweg.events import Event, Open
from thalweg.instruments import Instruments
from thalweg.publication import Kind
from thalweg.streams.source import publications
from thalweg.transport import RedisLink
from thalweg.wire import encode_entry, format_id

if TYPE_CHECKING:
    from aggregator.consolidate import Ladder
    from aggregator.sink import Outlet
    from ingest.decoding import Decoding
    from ingest.numbering import Numbering

EPOCH = 1  # of all streams: above none that a server of our own has
TICK_NS = 250_000_000  # as often as the aggregator sees whether a key record is due
HEARTBEAT_S = 0.25
SERVER_WAIT_S, STOP_S, PROGRESS_S = 10.0, 5.0, 5.0
BATCH = 256  # commands in one write


def merged(files: Mapping[str, Sequence[CaptureFile]]) -> Iterator[tuple[str, Line]]:
    """Give all lines of all venues in the order of their instants; venues in turn where two are the same.

    Raises:
        CaptureError: a line is not in the capture format, or a file is damaged.
    """

    def lines(order: int, venue: str) -> Iterator[tuple[int, int, int, str, Line]]:
        texts = (text for part in files[venue] for text in part)
        for number, line in enumerate(line for line in map(parse_line, texts) if line is not None):
            yield line.ts, order, number, venue, line

    for _, _, _, venue, line in heapq.merge(*(lines(order, venue) for order, venue in enumerate(files))):
        yield venue, line


@dataclass(slots=True)
class Progress:
    """How far a replay has come: lines, and the capture's instant."""

    lines: int = 0
    ts: int = 0


class Pinned:
    """The books of a replay, and the commands that its lines make; it sends nothing itself."""

    def __init__(self, venues: Iterable[str], instruments: Instruments) -> None:
        """Begin with empty streams."""
        from aggregator.consolidate import Ladder
        from aggregator.sink import Outlet
        from ingest.decoding import Decoding
        from ingest.venues import VENUES

        self._decodings: dict[str, Decoding] = {venue: Decoding(VENUES[venue]) for venue in venues}
        self._numberings: dict[str, Numbering] = {}
        self._instruments = instruments
        names = instruments.by_name.values()
        self.outlets: dict[str, Outlet] = {
            one.name: Outlet(Ladder(one, [venue for venue in self._decodings if venue in one.symbols]), 0.0, 0)
            for one in names
        }
        self._ticked = 0

    def begin(self, ts: int) -> list[bytes]:
        """Give the commands that open every book's stream."""
        from ingest.numbering import Numbering
        from ingest.venues import VENUES
        from thalweg import keys

        self._ticked = ts
        self._hear(ts)
        commands = []
        for venue in self._decodings:
            can = VENUES[venue].capability
            opens = [
                Open(venue, one.name, one.price_decimals, one.size_decimals, None, can.detector, can.verified_depth, ts)
                for one in self._instruments.by_name.values()
                if venue in one.symbols
            ]
            self._numberings[venue] = Numbering(keys.bell(venue, 0), EPOCH, opens, 3600.0, 1 << 40)
            commands += self._numberings[venue].opens(ts).commands
            commands += [self._step(venue, opened.instrument, [(1, opened)], ts) for opened in opens]
        return commands

    def take(self, venue: str, line: Line) -> list[bytes]:
        """Give the commands of a line: what is due by then, its entries, its publications."""
        commands = self._tick(line.ts)
        wanted = [e for e in self._decodings[venue].take(line) if e.instrument in self.outlets]
        if not wanted:
            return commands
        batch = self._numberings[venue].pack(wanted, line.ts)
        commands += batch.commands
        grown: dict[str, list[tuple[int, Event]]] = {}
        for placed in batch.placed:
            if placed is not None:
                grown.setdefault(placed.event.instrument, []).append((placed.n, placed.event))
        return commands + [self._step(venue, name, entries, line.ts) for name, entries in grown.items()]

    def _tick(self, ts: int) -> list[bytes]:
        """Give the key records that are due before an instant, as of the ticks at which they are."""
        commands = []
        while self._ticked + TICK_NS <= ts:
            self._ticked += TICK_NS
            self._hear(self._ticked)
            commands += [
                self._publish(outlet, self._ticked)
                for outlet in self.outlets.values()
                if outlet.ladder.key_due(self._ticked)
            ]
        return commands

    def _hear(self, ts: int) -> None:
        """Tell every book that its ingest lives: it is this process."""
        for outlet in self.outlets.values():
            for book in outlet.ladder.books:
                book.hear(True, ts)

    def _step(self, venue: str, name: str, entries: Iterable[tuple[int, Event]], ts: int) -> bytes:
        """Take entries into a ladder as the aggregator reads them, and give the command that publishes it."""
        outlet = self.outlets[name]
        index = [book.line.name for book in outlet.ladder.books].index(venue)
        raws = [(format_id(EPOCH, n), encode_entry(event, ts)) for n, event in entries]
        outlet.ladder.take(index, raws, ts)
        return self._publish(outlet, ts)

    def _publish(self, outlet: Outlet, ts: int) -> bytes:
        ladder: Ladder = outlet.ladder
        kind = Kind.KEY if ladder.key_due(ts) else Kind.DELTA
        ladder.merge(kind)
        publication = ladder.publication(kind, ts, ts, ts)
        publication.stamps.ts_published = ts
        command = outlet.publish(publication)
        ladder.settle(ts)
        return command

    def heartbeat(self) -> bytes:
        """Give the command that tells how far every instrument is, as of now."""
        from aggregator.sink import heartbeat

        heads = {name: outlet.ladder.seq for name, outlet in self.outlets.items()}
        return heartbeat(SystemClock().wall_ns(), EPOCH, heads, None)


async def play(
    link: RedisLink, pinned: Pinned, lines: Iterator[tuple[str, Line]], speed: float, progress: Progress
) -> None:
    """Send what every line makes, at its pace; speed 0 is flat out.

    Raises:
        RedisTrouble: the server does not answer or refuses.
        CaptureError: a line is not in the capture format.
    """
    from aggregator.sink import flush

    for outlet in pinned.outlets.values():
        await outlet.open(link, EPOCH, 0)
    began, first, beat, waiting = monotonic(), 0, 0.0, list[bytes]()
    for venue, line in lines:
        if not first:
            first = line.ts
            waiting += pinned.begin(first)
        due = began + (line.ts - first) / 1e9 / speed if speed else 0.0
        while waiting and (len(waiting) >= BATCH or due > monotonic() or monotonic() >= beat):
            beat = monotonic() + HEARTBEAT_S
            await flush(link, [*waiting, pinned.heartbeat()])
            waiting.clear()
        while (left := due - monotonic()) > 0:
            await flush(link, [pinned.heartbeat()])
            await asyncio.sleep(min(left, HEARTBEAT_S))
        waiting += pinned.take(venue, line)
        progress.lines, progress.ts = progress.lines + 1, line.ts
    await flush(link, [*waiting, pinned.heartbeat()])


async def digest(link: RedisLink, instruments: Iterable[str]) -> tuple[str, int]:
    """Read all of `out:` back; give the SHA-256 of its IDs and records, and their number.

    Raises:
        RedisTrouble: the server does not answer.
    """
    found, count = hashlib.sha256(), 0
    for instrument in sorted(instruments):
        async for item in publications(link, [instrument], wait=False):
            if isinstance(item, Published):
                found.update(b"%s %d-%d %d " % (instrument.encode(), item.epoch, item.seq, len(item.record)))
                found.update(item.record)
                count += 1
    return found.hexdigest(), count


async def run_pinned(plan: Plan, files: Mapping[str, Sequence[CaptureFile]], speed: float, screen: Screen) -> None:
    """Play captures into a server of our own, with a gateway for the page, and say the digest of `out:`.

    Raises:
        ThalwegError: the server or the gateway can't be run, or a capture can't be read.
    """
    settings = plan.settings
    with TemporaryDirectory(prefix="thalweg-") as name, Guardian() as keeper:
        folder = Path(name)
        with server_of_our_own(plan, folder, keeper):
            link = await connected(settings.redis_url, "thalweg-replay", SERVER_WAIT_S)
            await load_functions(link)
            fleet = Fleet(plan, folder, screen, keeper)
            progress = Progress()
            async with asyncio.TaskGroup() as group:
                fleet.start(group, GATEWAY)
                screen.say(f"gateway    {plan.page}  <- open this page", service=GATEWAY, url=plan.page)
                telling = group.create_task(_tell(screen, progress))
                await play(link, Pinned(files, settings.instruments), merged(files), speed, progress)
                found, count = await digest(link, settings.instruments.by_name)
                text = f"{progress.lines} lines, {count} publications, sha256 {found}"
                screen.say(text, lines=progress.lines, publications=count, sha256=found)
                telling.cancel()
                await fleet.stop(GATEWAY, within_s=STOP_S)
            await link.close()


async def _tell(screen: Screen, progress: Progress) -> None:
    """Say how far the replay has come, now and then, until cancelled."""
    while True:
        await asyncio.sleep(PROGRESS_S)
        at = datetime.fromtimestamp(progress.ts / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        screen.progress(f"{progress.lines:,} lines, at {at}")
