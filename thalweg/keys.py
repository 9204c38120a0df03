"""Every name in Redis, spelt here alone.

Braces are Cluster hash tags: all that one instrument needs is in one slot. A shard is a quarter of the slots, and its
number is a tag in that quarter, so that one server of a Cluster can have all that a shard needs. A group is a venue's
ingest workers, named by the venue, or the aggregators, named `out`.

| name | type | what |
|---|---|---|
| `st:{BTC-USDT}:binance` | stream | one instrument at one venue, in the venue's order |
| `bell:{3}:binance` | channel | which streams of a shard grew, and to which ID |
| `out:{BTC-USDT}` | stream | every publication of the instrument |
| `book:{BTC-USDT}` | channel | the same bytes, pushed |
| `ckpt:{BTC-USDT}` | string | where the aggregator stands, JSON |
| `status:{BTC-USDT}:binance` | hash | the book's state and how to join its stream |
| `ckpt:{BTC-USDT}:prev` | string | the checkpoint before that one |
| `lease:{3}:binance` | string | who owns a shard, expires |
| `epoch:{3}:binance` | string | the last epoch handed out for a shard |
| `workers:{3}:binance` | sorted set | live workers of a group, by the server's milliseconds of their last beat there |
| `budget:{binance}:ADDRESS` | hash | requests that one address may still make of a venue |
| `uptime:{BTC-USDT}:HOUR` | hash | of each venue: ms observed and live, times it ceased to be; expires |
| `lat:SERVICE` | string | a service's latency summary, JSON, expires |
| `hb` | channel | heartbeat of the aggregator with head sequences, JSON |

A `*` in a part's place gives the pattern of all such names, for `thalweg/access.py`.
"""

from __future__ import annotations

from binascii import crc_hqx

SLOTS = 16384
HEARTBEAT = "hb"
OUT = "out"
"""The group of the aggregators."""


def stream(instrument: str, venue: str) -> str:
    """Give the input stream of one instrument at one venue."""
    return f"st:{{{instrument}}}:{venue}"


def bell(venue: str, shard: int | str) -> str:
    """Give the doorbell channel of a shard."""
    return f"bell:{{{shard}}}:{venue}"


def out(instrument: str) -> str:
    """Give the stream of an instrument's publications."""
    return f"out:{{{instrument}}}"


def book(instrument: str) -> str:
    """Give the channel of an instrument's publications."""
    return f"book:{{{instrument}}}"


def checkpoint(instrument: str) -> str:
    """Give the aggregator's checkpoint of an instrument."""
    return f"ckpt:{{{instrument}}}"


def status(instrument: str, venue: str) -> str:
    """Give the hash that says a book's state."""
    return f"status:{{{instrument}}}:{venue}"


def previous_checkpoint(instrument: str) -> str:
    """Give the aggregator's last checkpoint but one of an instrument."""
    return f"ckpt:{{{instrument}}}:prev"


def uptime(instrument: str, hour: int | str) -> str:
    """Give the hash of how long an instrument's books were live in an hour, counted from the Unix epoch."""
    return f"uptime:{{{instrument}}}:{hour}"


def lease(group: str, shard: int | str) -> str:
    """Give the string that names the owner of a shard."""
    return f"lease:{{{shard}}}:{group}"


def epoch(group: str, shard: int | str) -> str:
    """Give the epoch counter of a shard."""
    return f"epoch:{{{shard}}}:{group}"


def workers(group: str, shard: int | str) -> str:
    """Give the sorted set of a group's live workers, as the server that has the shard knows them."""
    return f"workers:{{{shard}}}:{group}"


def budget(venue: str, address: str) -> str:
    """Give the request budget of all workers that reach a venue from one address."""
    return f"budget:{{{venue}}}:{address}"


def latency(service: str) -> str:
    """Give the latency summary of a service (`ingest:binance`, `aggregator`, `gateway`)."""
    return f"lat:{service}"


def slot(name: bytes) -> int:
    """Give the Cluster slot of a key or sharded channel: that of its tag, the text in its first braces, if it has one.

    Source: https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/ (read 2026-11-26).
    """
    tag = name.partition(b"{")[2].partition(b"}")
    return crc_hqx(tag[0] if tag[0] and tag[1] else name, 0) % SLOTS


def parse_stream(key: str) -> tuple[str, str]:
    """Give instrument and venue of an input stream's name.

    Raises:
        ValueError: not the name of an input stream.
    """
    head, brace, venue = key.partition("}:")
    instrument = head.removeprefix("st:{")
    if instrument == head or not instrument or not brace or not venue:
        raise ValueError(f"not an input stream: {key!r}")
    return instrument, venue
