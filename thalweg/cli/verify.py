"""`thalweg verify`: check what is in Redis, offline: density, books, publications, states."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence

import click

from thalweg import keys
from thalweg.cli import EXIT_FAILED
from thalweg.cli.checks import Found, Raw, check_input
from thalweg.cli.ledger import check_checkpoint, check_counter
from thalweg.cli.outputs import check_publications
from thalweg.cli.server import connected, environment
from thalweg.cli.tail import matching
from thalweg.instruments import Instruments, shard_of
from thalweg.resp import pack
from thalweg.transport import RedisLink, checked
from thalweg.wire import format_id, parse_id

PAGE = 2000  # entries a read; some MB
TRIES, PAUSE_S = 5, 0.2  # for hash and stream to agree while writers are running
STATE_KINDS = (b"status", b"snapshot")
LOOK_BACK = 5000  # entries in which a state is looked for


@click.command()
@click.argument("patterns", nargs=-1, metavar="[PATTERN]...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(patterns: tuple[str, ...], as_json: bool) -> None:
    """Check the streams that match VENUE:INSTRUMENT (all by default) and the publications of their instruments.

    Checks:
      density                 every stream's numbers step by one; an epoch opens with `open` at 1, and only goes on
                              from the entry that it says it follows
      the venue's order       no change of a book is missing unmarked or told twice, where its venue numbers changes by
                              book; no book changes that is not live; no trade is told twice
      snapshot == deltas      a snapshot that ingest made is the one before with all deltas applied
      publications == inputs  every publication takes the next entries, carries all their trades, and
                              shows each live book exactly as its entries make it, 200 levels deep; its quote is
                              the best of the live books and of no other
      status truth            the status hash says what the last entry in the stream says
      books kept beside       checkpoints stand where the publications do; epoch counters are not behind the streams

    Only what is still kept can be checked; trimmed heads are no violation, and an epoch that was trimmed away whole or
    the loss of an epoch's last entries can't be seen but for the `open` that follows. It may be run while the services
    are.
    Exit code 1 if anything is violated.

    Examples:
      thalweg verify
      thalweg verify '*:BTC-USDT' --json
    """
    settings = environment()
    streams = matching(settings.instruments, patterns or ("*",))
    found = asyncio.run(verify(settings.redis_url, settings.instruments, streams))
    counts = {name: getattr(found, name) for name in ("entries", "snapshots", "publications", "views")}
    if as_json:
        click.echo(json.dumps({"ok": not found.violations, **counts, "violations": found.violations}, indent=2))
    else:
        for sentence in found.violations:
            click.echo(f"thalweg verify: {sentence}", err=True)
        click.echo(
            f"{counts['entries']} entries of {len(streams)} streams, {counts['snapshots']} snapshots compared, "
            f"{counts['publications']} publications, {counts['views']} views compared: "
            + (f"{len(found.violations)} violations" if found.violations else "all as they should be")
        )
    if found.violations:
        sys.exit(EXIT_FAILED)


async def verify(url: str, instruments: Instruments, streams: Sequence[tuple[str, str]]) -> Found:
    """Run all checks on these (instrument, venue).

    Raises:
        RedisTrouble: the server can't be reached or does not answer.
    """
    link = await connected(url, "thalweg-verify")
    total = Found()
    try:
        for instrument in dict.fromkeys(name for name, _ in streams):
            chosen = [venue for name, venue in streams if name == instrument]
            total.add(await _verify_instrument(link, instrument, chosen, instruments.venues(instrument)))
        for instrument, venue in streams:
            total.violations += await _status_truth(link, instrument, venue)
        total.violations += await _epoch_truth(link, streams)
    finally:
        await link.close()
    return total


async def _verify_instrument(link: RedisLink, instrument: str, chosen: Sequence[str], venues: Sequence[str]) -> Found:
    """Read an instrument's publications first, so that the inputs of all of them are there; then check both."""
    out, checkpoint = keys.out(instrument), keys.checkpoint(instrument)
    kept = await link.call("GET", checkpoint)  # before the publications, so that they reach at least as far
    records = await _all_of(link, out)
    inputs = {venue: (key := keys.stream(instrument, venue), await _all_of(link, key)) for venue in venues}
    found = Found()
    for venue in chosen:
        found.add(check_input(instrument, venue, *inputs[venue]).found)
    found.add(check_publications(out, records, instrument, inputs))
    found.violations += check_checkpoint(checkpoint, kept, records)
    return found


async def _epoch_truth(link: RedisLink, streams: Sequence[tuple[str, str]]) -> list[str]:
    """Compare every shard's epoch counter with its streams; counters are read last, as they only grow."""
    shards: dict[str, list[str]] = {}
    for instrument, venue in streams:
        shards.setdefault(keys.epoch(venue, shard_of(instrument)), []).append(keys.stream(instrument, venue))
    for instrument in {name for name, _ in streams}:
        shards.setdefault(keys.epoch(keys.OUT, shard_of(instrument)), []).append(keys.out(instrument))
    told: list[str] = []
    for counter, names in shards.items():
        replies = await link.run([pack("XREVRANGE", name, "+", "-", "COUNT", 1) for name in names])
        tops = {
            name: parse_id(rows[0][0]) for name, reply in zip(names, replies, strict=True) if (rows := checked(reply))
        }
        told += check_counter(counter, await link.call("GET", counter), tops)
    return told


async def _all_of(link: RedisLink, key: str) -> list[Raw]:
    """Read a whole stream, page by page, up to what is its end now."""
    newest = checked(await link.call("XREVRANGE", key, "+", "-", "COUNT", 1))
    entries: list[Raw] = []
    after = b"-"
    while newest and (page := checked(await link.call("XRANGE", key, after, newest[0][0], "COUNT", PAGE))):
        entries += [(parse_id(identity), fields) for identity, fields in page]
        after = b"(" + format_id(*entries[-1][0])
    return entries


async def _status_truth(link: RedisLink, instrument: str, venue: str) -> list[str]:
    """Compare a book's hash with the last entries of its stream; they may differ for a moment, not for long."""
    told: list[str] = []
    for _ in range(TRIES):
        told = await _compare_status(link, instrument, venue)
        if not told:
            break
        await asyncio.sleep(PAUSE_S)
    return told


async def _compare_status(link: RedisLink, instrument: str, venue: str) -> list[str]:
    key, status = keys.stream(instrument, venue), keys.status(instrument, venue)
    replies = await link.run([pack("HGETALL", status), pack("XREVRANGE", key, "+", "-", "COUNT", LOOK_BACK)])
    flat, entries = (checked(reply) for reply in replies)
    hashed = {name.decode(): value.decode() for name, value in zip(flat[::2], flat[1::2], strict=True)}
    said = _last_said([(identity, dict(zip(words[::2], words[1::2], strict=True))) for identity, words in entries])
    return [
        f"{status}: {name} is {hashed.get(name)!r}, but the stream says {value!r}"
        for name, value in said.items()
        if hashed.get(name) != value
    ]


def _last_said(entries: list[tuple[bytes, dict[bytes, bytes]]]) -> dict[str, str]:
    """Give what the newest entries say of a book, as the hash should have it; newest entry first."""
    said: dict[str, str] = {}
    for identity, fields in entries:
        kind = fields.get(b"kind")
        if kind == b"open":
            break
        if kind in STATE_KINDS and "state" not in said:
            said |= {"state": fields[b"state"].decode(), "flags": fields[b"flags"].decode()}
            said["epoch"] = str(parse_id(identity)[0])
        if kind == b"snapshot" and "snap_id" not in said:
            said["snap_id"] = identity.decode()
    return said
