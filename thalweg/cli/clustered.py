"""What `thalweg doctor` looks at in a Redis Cluster: each master, the slots, and the shards."""

from __future__ import annotations

from thalweg.cli.findings import FAIL, WARN, Finding, look_at_redis
from thalweg.cli.server import shown_url
from thalweg.cluster.routing import SlotMap, slot_map
from thalweg.errors import RedisTrouble
from thalweg.instruments import SHARDS
from thalweg.keys import SLOTS
from thalweg.transport import RedisLink

QUARTER = SLOTS // SHARDS
FEWEST = 3  # masters of which two can agree that the third is away


async def look_at_cluster(link: RedisLink) -> list[Finding]:
    """Look at every master, at who has which slots, and at what a master that is away would cost.

    Raises:
        RedisTrouble: no node tells who has which slots.
    """
    slots = slot_map(await link.call("CLUSTER", "SLOTS"), "")
    findings = [look_at_slots(slots), look_at_shards(slots)]
    for server in await link.servers():
        where = shown_url(server.url)
        try:
            findings += [
                Finding(one.level, one.about, f"{where}: {one.text}", one.advice) for one in await _server(server)
            ]
        except RedisTrouble as error:
            findings.append(Finding(FAIL, "redis", f"{where}: {error}", "start it, or let another have its slots"))
    return findings


async def _server(server: RedisLink) -> list[Finding]:
    found = await look_at_redis(server)
    try:
        told = await server.call("CONFIG", "GET", "cluster-require-full-coverage")
    except RedisTrouble:  # not everyone may ask
        return found
    if told[1:] != [b"no"]:
        advice = "CONFIG SET cluster-require-full-coverage no, or one master that is away stops all"
        found.append(Finding(FAIL, "coverage", "cluster-require-full-coverage is yes", advice))
    return found


def look_at_slots(slots: SlotMap) -> Finding:
    """Say whether all slots have a master."""
    count = len(slots.nodes)
    if slots.missing:
        return Finding(FAIL, "slots", f"{slots.missing} of {SLOTS} slots have no master", "give them to one")
    if count < FEWEST:
        return Finding(WARN, "slots", f"{count} masters", f"with fewer than {FEWEST} none is ever replaced")
    return Finding.fine("slots", f"all {SLOTS} on {count} masters")


def look_at_shards(slots: SlotMap) -> Finding:
    """Say whether each shard, which is a quarter of the slots, is on one master."""
    split = [shard for shard in range(SHARDS) if len(_masters_of(slots, shard)) > 1]
    if not split:
        return Finding.fine("shards", "each is on one master")
    names = ", ".join(map(str, split))
    advice = f"let no master end within a multiple of {QUARTER} slots, so that one that is away costs fewer instruments"
    return Finding(WARN, "shards", f"shard {names} is spread over several masters, and needs them all", advice)


def _masters_of(slots: SlotMap, shard: int) -> set[object]:
    first = (SHARDS - 1 - shard) * QUARTER
    return {slots.owner(number) for number in range(first, first + QUARTER)}
