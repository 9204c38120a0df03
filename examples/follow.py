"""Follows a book and compares it with the aggregator's: follow.py redis://127.0.0.1:6379/0 kraken:BTC-USDT 60."""

import asyncio
import sys
from collections import Counter
from contextlib import suppress

from thalweg import read
from thalweg.publication import Kind

# Views, the best 200 bids and asks as [price, size], by the place of the entry read last; what is told at the end.
ours, theirs, counts = dict[read.Position, object](), dict[read.Position, object](), Counter[str]()


def meet(place: read.Position) -> None:
    """Compare the two views of a place once both are known."""
    if place in ours and place in theirs:
        counts["compared"] += 1
        counts["equal"] += ours[place] == theirs.pop(place)


async def keep_ours(book: read.FollowedBook) -> None:
    """Follow the book and keep its best levels at each place."""
    async for event in book:
        if isinstance(event, read.Unreadable):
            sys.exit(event.reason)
        counts["epochs"] += isinstance(event, read.EpochBegan)
        counts["lost"] += event.last - event.first + 1 if isinstance(event, read.Lapped) else 0
        if isinstance(event, read.Entry) and book.live and book.at:
            ours[book.at] = book.bids(200).tolist(), book.asks(200).tolist()
            meet(book.at)
            if len(ours) > 5000:  # places: more than are read while a record is on its way
                del ours[next(iter(ours))]


async def keep_theirs(url: str, book: read.FollowedBook) -> None:
    """Follow what the aggregator publishes, and keep its whole views at the place of the entry that went in last."""
    place = (0, 0)
    async for item in read.follow_records(url, book.instrument):
        if isinstance(item, read.Published):
            record, mine = item.publication, [line.name for line in item.publication.venues].index(book.venue)
            place = next(((epoch, n) for venue, epoch, _, n in record.runs[::-1].tolist() if venue == mine), place)
            if record.kind is Kind.KEY and record.venues[mine].state == "live":
                sides = [record.changes[record.changes[:, 0] == 2 * mine + side, 1:].tolist() for side in (0, 1)]
                theirs[place] = sorted(sides[0], reverse=True), sorted(sides[1])
                meet(place)


async def main(url: str, name: str, seconds: float) -> None:
    """Follow both for so long; the exit code is 0 if all that was compared was equal."""
    with suppress(TimeoutError):
        async with read.follow(url, name) as book, asyncio.timeout(seconds), asyncio.TaskGroup() as group:
            group.create_task(keep_ours(book))
            group.create_task(keep_theirs(url, book))
    told = f"{book.resyncs} resyncs, {counts['epochs']} new epochs, {counts['lost']} entries lost"
    print(f"{name}: {counts['equal']} of {counts['compared']} books equal, {told}")
    sys.exit(counts["equal"] != counts["compared"] or not counts["compared"])


asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
