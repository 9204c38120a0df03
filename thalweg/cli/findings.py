"""What `thalweg doctor` looks at, one function each; every one gives a level, a fact, and what to do about it."""

from __future__ import annotations

import asyncio
import ctypes
import socket
import ssl
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from thalweg.cli.embedded import OLDEST_MAJOR, find_server, server_version
from thalweg.cli.server import functions_loaded, server_name
from thalweg.errors import SettingsError
from thalweg.publication import VIEW_DEPTH
from thalweg.settings import PREFIX, Settings
from thalweg.transport import RedisLink

VARIABLES = {
    *("INSTRUMENTS", "VENUES", "ONLY", "RETENTION_S", "SNAPSHOT_S", "STREAM_CAP", "HOST", "PORT", "ORIGINS", "HOSTS"),
    *("REPORT", "LOG", "EGRESS", "MAX_AGE_S", "BUSY_POLL", "CONNECTIONS", "CONNECTIONS_PER_IP", "TOKEN", "TOKEN_FILE"),
    *("FEE_BPS", "METRICS", "PROGRAMS", "REPLAY"),
}
OK, WARN, FAIL = "OK", "WARN", "FAIL"
REACH_S = 3.0
CLOCK_NS = 50_000_000  # more than a round trip on one network; below it hops across hosts mean something
TIME_ERROR = 5  # adjtimex: the clock is not synchronised
ENTRY_RATE = 30.0  # entries a second of one book: the demo's mean, and that of a busy instrument's deltas and trades
ENTRY_BYTES = 450  # of an entry in the server's memory, mean of deltas and trades
PUBLICATION_RATE = 40.0  # records a second of one instrument
PUBLICATION_BYTES = 900
LEVEL_BYTES = 16
DEEP_LEVELS = 20_000  # of one book; the deepest feed shows 46,000 levels of BTC-USD, most show under 2,000
CHANGE_BYTES = 24
MIB = 2**20


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: how bad, about what, the fact, and what to do."""

    level: str
    about: str
    text: str
    advice: str = ""

    @classmethod
    def fine(cls, about: str, text: str) -> Finding:
        """Give a line about something that is right."""
        return cls(OK, about, text)


def look_at_variables(environ: Mapping[str, str]) -> list[Finding]:
    """Name the settings that are not the defaults, and those that nothing reads."""
    ours = sorted(name for name, value in environ.items() if name.startswith(PREFIX) and value)
    known = [name for name in ours if name.removeprefix(PREFIX) in VARIABLES or name.endswith(("_WS", "_REST"))]
    named = [name for name in ("REDIS_URL", "REDIS_PASSWORD_FILE") if environ.get(name)] + known
    found = [Finding.fine("settings", f"set: {', '.join(named)}" if named else "all defaults")]
    unread = [name for name in ours if name not in known]
    return found + [
        Finding(WARN, "settings", f"nothing reads {name}", "see the table in thalweg/settings.py") for name in unread
    ]


def look_at_instruments(settings: Settings) -> Finding:
    """Count what would be run."""
    books = sum(len(one.symbols) for one in settings.instruments.by_name.values())
    if not books:
        return Finding(FAIL, "instruments", "no instrument is listed on any venue", "see THALWEG_ONLY, THALWEG_VENUES")
    return Finding.fine("instruments", f"{len(settings.instruments.by_name)} instruments, {books} books")


def look_for_server() -> Finding:
    """Find the server that `thalweg up` would start."""
    try:
        path = find_server()
    except SettingsError as error:
        return Finding(WARN, "embedded", str(error))
    return Finding.fine("embedded", f"{path.name} {'.'.join(map(str, server_version(path)))} for `thalweg up`")


async def look_at_redis(link: RedisLink) -> list[Finding]:
    """Look at version, policy and clock of a server.

    Raises:
        RedisTrouble: the server refuses or does not answer.
    """
    before = time.time_ns()
    seconds, micros = (int(part) for part in await link.call("TIME"))
    skew = abs((before + time.time_ns()) // 2 - (seconds * 1_000_000 + micros) * 1000)
    name, version = await server_name(link)
    text = f"{name} {'.'.join(map(str, version))}"
    findings = [Finding.fine("redis", text)]
    if version[0] < OLDEST_MAJOR:
        findings = [Finding(FAIL, "redis", text, f"Redis >= {OLDEST_MAJOR} or Valkey is needed")]
    if skew > CLOCK_NS:
        findings.append(Finding(WARN, "redis clock", f"{skew / 1e6:.0f} ms from ours", "synchronise both by NTP"))
    policy = (await _info(link, "memory")).get("maxmemory_policy", "unknown")
    if policy != "noeviction":
        advice = "CONFIG SET maxmemory-policy noeviction: an evicted stream is a silent gap"
        findings.append(Finding(FAIL, "policy", f"maxmemory-policy is {policy}", advice))
    else:
        findings.append(Finding.fine("policy", "maxmemory-policy noeviction"))
    return findings


async def look_at_functions(link: RedisLink) -> Finding:
    """Look whether the server, or each master of a Cluster, has our functions.

    Raises:
        RedisTrouble: a server refuses or does not answer.
    """
    if await functions_loaded(link):
        return Finding.fine("functions", "loaded, of this version")
    return Finding(FAIL, "functions", "not loaded, or of another version", "run `thalweg redis-init`")


async def look_at_memory(link: RedisLink, settings: Settings) -> Finding:
    """Compare what the streams will take with what the server may use.

    Raises:
        RedisTrouble: the server refuses or does not answer.
    """
    need, arithmetic = memory_needed(settings)
    limits = [int((await _info(server, "memory")).get("maxmemory", "0")) for server in await link.servers()]
    limit = sum(limits) if all(limits) else 0
    if not limit:
        return Finding(WARN, "memory", f"{arithmetic}; no maxmemory", f"set maxmemory to {2 * need // MIB} MiB or more")
    text = f"{arithmetic}; maxmemory is {limit // MIB} MiB"
    if need > limit:
        return Finding(FAIL, "memory", text, "raise maxmemory, or lower THALWEG_RETENTION_S")
    return Finding.fine("memory", text)


def memory_needed(settings: Settings) -> tuple[int, str]:
    """Estimate the streams' memory in bytes, and show the arithmetic."""
    instruments = settings.instruments.by_name.values()
    books, kept = sum(len(one.symbols) for one in instruments), settings.retention_s
    entries = int(min(kept * ENTRY_RATE, settings.stream_cap)) * ENTRY_BYTES
    snapshots = int(kept / settings.snapshot_s + 1) * DEEP_LEVELS * LEVEL_BYTES
    views = sum(len(one.symbols) for one in instruments) * 2 * VIEW_DEPTH * CHANGE_BYTES  # one key record of each
    out = int(kept * PUBLICATION_RATE) * PUBLICATION_BYTES * len(settings.instruments.by_name) + int(kept) * views
    need = books * (entries + snapshots) + out
    text = (
        f"{books} streams x {kept:.0f} s x {ENTRY_RATE:.0f}/s x {ENTRY_BYTES} B"
        f" + snapshots {books * snapshots // MIB} MiB + publications {out // MIB} MiB = {need // MIB} MiB at most"
    )
    return need, text


async def _info(link: RedisLink, section: str) -> dict[str, str]:
    text: bytes = await link.call("INFO", section)
    return dict(line.split(":", 1) for line in text.decode().splitlines() if ":" in line)


def look_at_port(settings: Settings) -> Finding:
    """See whether the gateway could listen."""
    where = f"{settings.host}:{settings.port}"
    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host.strip("[]"), settings.port))
            probe.listen()
        except OSError as error:
            advice = "a gateway may be running; else choose another THALWEG_PORT"
            return Finding(WARN, "port", f"{where} can't be had: {error.strerror}", advice)
    return Finding.fine("port", f"{where} is free for the page")


def look_at_clock() -> Finding:
    """Ask the kernel whether the clock is synchronised (Linux)."""
    adjtimex = getattr(ctypes.CDLL(None), "adjtimex", None) if sys.platform == "linux" else None
    if adjtimex is None:
        return Finding(WARN, "clock", "whether it is synchronised can't be asked here", "see that NTP runs")
    if adjtimex(ctypes.create_string_buffer(512)) == TIME_ERROR:  # all zero: only ask
        advice = "run an NTP client; until then `venue` latency holds the clock's error"
        return Finding(WARN, "clock", "the kernel says it is not synchronised", advice)
    return Finding.fine("clock", "synchronised, by the kernel's word")


async def look_at_venue(venue: str, url: str) -> Finding:
    """Connect to a venue by TCP, and TLS where its URL says so."""
    parts = urlsplit(url)
    secure = parts.scheme in ("wss", "https")
    host, port = parts.hostname or "", parts.port or (443 if secure else 80)
    began = time.monotonic()
    advice = "needed for live data only; behind a proxy or elsewhere, set THALWEG_" + venue.upper() + "_WS and _REST"
    try:
        async with asyncio.timeout(REACH_S):
            _, writer = await asyncio.open_connection(host, port, ssl=ssl.create_default_context() if secure else None)
    except TimeoutError:
        return Finding(WARN, venue, f"{host}:{port} does not answer within {REACH_S:.0f} s", advice)
    except OSError as error:
        return Finding(WARN, venue, f"{host}:{port} can't be reached: {error.strerror or error}", advice)
    writer.close()
    how = "TCP and TLS" if secure else "TCP"
    return Finding.fine(venue, f"{host}:{port} reached by {how} in {(time.monotonic() - began) * 1e3:.0f} ms")
