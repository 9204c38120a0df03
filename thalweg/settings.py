"""Every setting, read once from the environment; each has a default that works on one machine.

| variable | default | meaning |
|---|---|---|
| `REDIS_URL` | `redis://127.0.0.1:6379/0` | the server; all forms are in `thalweg/address.py` |
| `REDIS_PASSWORD_FILE` | none | a file with the password of the URL's user, so that it is in no environment |
| `THALWEG_INSTRUMENTS` | the file that ships | instruments file |
| `THALWEG_VENUES` | those the instruments file calls usual | comma-separated venues to run and to show, or `all` |
| `THALWEG_ONLY` | all | comma-separated instruments to run and to show |
| `THALWEG_RETENTION_S` | 120 | seconds of history kept in every stream |
| `THALWEG_SNAPSHOT_S` | 30, at most half the retention | at most this long between in-stream snapshots of a live book |
| `THALWEG_STREAM_CAP` | 200000 | entries of one stream, whatever the retention |
| `THALWEG_EGRESS` | `local` | a name of the address that venues see; workers that share it share their budgets |
| `THALWEG_<VENUE>_WS`, `THALWEG_<VENUE>_REST` | the venue's own | where the venue is (simulator, proxy) |
| `THALWEG_MAX_AGE_S` | the venue's own | age at which connections to venues are replaced, without a break |
| `THALWEG_HOST`, `THALWEG_PORT` | 127.0.0.1, 8080 | where the gateway listens |
| `THALWEG_REPLAY` | none | what is replayed: the page says so above all else; `thalweg replay` sets it |
| `THALWEG_ORIGINS` | the page's own | comma-separated origins that may open a WebSocket |
| `THALWEG_PROGRAMS` | 0 | 1: programs, which send no Origin, are let in, whatever the gateway listens on |
| `THALWEG_HOSTS` | localhost names | comma-separated Host names the gateway answers to |
| `THALWEG_BUSY_POLL` | 0 | 1: event loops spin instead of sleeping, which takes one whole core a process |
| `THALWEG_CONNECTIONS` | 2000 | clients that the gateway serves at once |
| `THALWEG_CONNECTIONS_PER_IP` | 20 | of these from one address; behind a proxy all come from the same |
| `THALWEG_TOKEN`, `THALWEG_TOKEN_FILE` | none | a token that clients of the gateway must show, or a file with it |
| `THALWEG_FEE_BPS` | none | taker fees in basis points, `kraken=26,binance=10`; a venue without one is shown gross |
| `THALWEG_REPORT` | none | file for a service's counters when it stops |
| `THALWEG_METRICS` | off | `host:port` where a service shows its metrics and health; `:9100` means on loopback |
| `THALWEG_LOG` | `text` | `text` or `json` lines on stderr |
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

from thalweg.errors import NumberRefused, SettingsError
from thalweg.fixed import parse_fixed
from thalweg.instruments import SYMBOL, Instruments, load_instruments

PREFIX = "THALWEG_"
FEE_DECIMALS = 4  # of a basis point; finer than any venue's schedule
MOST_FEE_BPS = 1000  # a tenth of the price; more is a slip, such as a percentage with a wrong unit
TOKEN = re.compile(r"[A-Za-z0-9._~+-]{16,256}")  # all may stand in a header and in the name of a subprotocol


@dataclass(frozen=True, slots=True)
class Address:
    """Where a service listens."""

    host: str
    port: int

    def __str__(self) -> str:
        """Give it as it stands in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of a process; durations in seconds."""

    instruments: Instruments
    redis_url: str = field(default="redis://127.0.0.1:6379/0", repr=False)  # may hold a password
    retention_s: float = 120.0
    snapshot_s: float = 30.0
    stream_cap: int = 200_000
    host: str = "127.0.0.1"
    port: int = 8080
    origins: tuple[str, ...] = ()
    replay: str | None = None
    hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]")
    programs: bool = False
    connections: int = 2000
    connections_per_ip: int = 20
    token: str | None = field(default=None, repr=False)
    fee_bps: Mapping[str, int] = field(default_factory=dict)  # by venue, in units of 10 ** -FEE_DECIMALS bps
    report: Path | None = None
    metrics: Address | None = None
    log: str = "text"
    egress: str = "local"
    max_age_s: float | None = None
    busy_poll: bool = False
    endpoints: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def endpoint(self, venue: str, kind: str, default: str) -> str:
        """Give where a venue's `ws` or `rest` is: the setting, else the default."""
        return self.endpoints.get((venue, kind), default)


def load_settings(environ: Mapping[str, str], venues: Sequence[str] | None = None) -> Settings:
    """Read the settings; `venues` are in force where the environment names none.

    Raises:
        SettingsError: a value is not what its variable takes, or the instruments file is wrong.
    """
    get = environ.get
    path = get(PREFIX + "INSTRUMENTS")
    all_instruments = load_instruments(Path(path) if path else None)
    instruments = all_instruments.only(_names(get(PREFIX + "ONLY")), _names(get(PREFIX + "VENUES")) or venues)
    report = get(PREFIX + "REPORT")
    retention_s = _positive(environ, "RETENTION_S", 120.0)
    snapshot_s = _positive(environ, "SNAPSHOT_S", min(30.0, retention_s / 2))
    if snapshot_s > retention_s / 2:
        raise SettingsError(
            f"{PREFIX}SNAPSHOT_S ({snapshot_s:g}) must be at most half of {PREFIX}RETENTION_S ({retention_s:g})"
        )
    log = get(PREFIX + "LOG") or "text"
    if log not in ("text", "json"):
        raise SettingsError(f"{PREFIX}LOG must be text or json, not {log!r}")
    return Settings(
        instruments=instruments,
        redis_url=_redis_url(get("REDIS_URL") or "redis://127.0.0.1:6379/0", get("REDIS_PASSWORD_FILE")),
        retention_s=retention_s,
        snapshot_s=snapshot_s,
        stream_cap=_whole(environ, "STREAM_CAP", 200_000, range(1, 10**12)),
        host=get(PREFIX + "HOST") or "127.0.0.1",
        port=_whole(environ, "PORT", 8080, range(65536)),
        origins=tuple(_names(get(PREFIX + "ORIGINS")) or ()),
        replay=get(PREFIX + "REPLAY") or None,
        hosts=tuple(_names(get(PREFIX + "HOSTS")) or ("127.0.0.1", "localhost", "[::1]")),
        programs=bool(_whole(environ, "PROGRAMS", 0, range(2))),
        connections=_whole(environ, "CONNECTIONS", 2000, range(1, 10**6)),
        connections_per_ip=_whole(environ, "CONNECTIONS_PER_IP", 20, range(1, 10**6)),
        token=_token(get(PREFIX + "TOKEN"), get(PREFIX + "TOKEN_FILE")),
        fee_bps=_fees(get(PREFIX + "FEE_BPS"), all_instruments),
        report=Path(report) if report else None,
        max_age_s=_positive_or_none(environ, "MAX_AGE_S"),
        busy_poll=bool(_whole(environ, "BUSY_POLL", 0, range(2))),
        metrics=_address("METRICS", get(PREFIX + "METRICS")),
        log=log,
        egress=_egress(get(PREFIX + "EGRESS") or "local"),
        endpoints=_endpoints(environ),
    )


def _redis_url(url: str, path: str | None) -> str:
    """Put the password in a file into the URL; what an error says never repeats it."""
    if not path:
        return url
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise SettingsError(f"REDIS_URL: {error}") from error
    if parts.password or not parts.username:
        raise SettingsError(
            "REDIS_PASSWORD_FILE needs a user and no password in REDIS_URL, as in redis://reader@host:6379/0"
        )
    password = _secret("REDIS_PASSWORD_FILE", path)
    if not password:
        raise SettingsError(f"REDIS_PASSWORD_FILE is empty: {path[:80]}")
    return url.replace("@", f":{quote(password, safe='')}@", 1)


def _secret(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not text"
        raise SettingsError(f"{name} can't be read: {path[:80]}: {why}") from error


def _address(name: str, text: str | None) -> Address | None:
    """Read `host:port`; a host that is left out means loopback."""
    if not text:
        return None
    host, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) < 65536):
        raise SettingsError(f"{PREFIX}{name} must be host:port, not {text[:80]!r}")
    return Address(host.strip("[]") or "127.0.0.1", int(port))


def _egress(text: str) -> str:
    """Check a name that becomes part of a key."""
    if not SYMBOL.fullmatch(text):
        raise SettingsError(f"{PREFIX}EGRESS must be a short plain name, not {text[:40]!r}")
    return text


def _token(text: str | None, path: str | None) -> str | None:
    """Give the token that is set; what an error says never repeats it."""
    if text and path:
        raise SettingsError(f"{PREFIX}TOKEN and {PREFIX}TOKEN_FILE are both set")
    if path:
        text = _secret(f"{PREFIX}TOKEN_FILE", path)
    if (text or path) and not TOKEN.fullmatch(text or ""):
        raise SettingsError(f"{PREFIX}TOKEN must be 16 to 256 of the characters A-Z a-z 0-9 . _ ~ + -")
    return text or None


def _fees(text: str | None, known: Instruments) -> dict[str, int]:
    """Give the taker fees that are set; a venue that is misspelt would silently have none, so it is refused."""
    venues = known.all_venues
    found: dict[str, int] = {}
    for part in _names(text) or ():
        venue, _, fee = part.partition("=")
        if venue in found or venue not in venues:
            raise SettingsError(f"{PREFIX}FEE_BPS names {venue[:40]!r}, which is no venue or was named before")
        try:
            found[venue] = parse_fixed(fee, FEE_DECIMALS)
        except NumberRefused as error:
            raise SettingsError(f"{PREFIX}FEE_BPS: {fee[:40]!r} is no number of basis points") from error
        if found[venue] > MOST_FEE_BPS * 10**FEE_DECIMALS:
            raise SettingsError(f"{PREFIX}FEE_BPS: {fee[:40]} basis points are more than {MOST_FEE_BPS}")
    return found


def _names(text: str | None) -> list[str] | None:
    """Give the parts of a comma-separated list; `None` where nothing is said."""
    return [part.strip() for part in (text or "").split(",") if part.strip()] or None


def _positive(environ: Mapping[str, str], name: str, default: float) -> float:
    text = environ.get(PREFIX + name)
    if not text:
        return default
    if not (text.isascii() and text.replace(".", "", 1).isdigit() and 0 < float(text) < 1e12):
        raise SettingsError(f"{PREFIX}{name} must be a number above 0, not {text[:40]!r}")
    return float(text)


def _positive_or_none(environ: Mapping[str, str], name: str) -> float | None:
    return _positive(environ, name, 0.0) or None


def _whole(environ: Mapping[str, str], name: str, default: int, allowed: range) -> int:
    text = environ.get(PREFIX + name)
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(allowed[-1])) and int(text) in allowed):
        raise SettingsError(f"{PREFIX}{name} must be {allowed[0]} to {allowed[-1]}, not {text[:40]!r}")
    return int(text)


def _endpoints(environ: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """Give the endpoints that are set, by venue and kind."""
    found = {}
    for name, url in environ.items():
        venue, _, kind = name.removeprefix(PREFIX).lower().rpartition("_")
        if not name.startswith(PREFIX) or kind not in ("ws", "rest") or not venue or not url:
            continue
        schemes = ("ws", "wss") if kind == "ws" else ("http", "https")
        if not _leads_somewhere(url, schemes):
            raise SettingsError(f"{name} must be {' or '.join(f'{one}://host' for one in schemes)}, not {url[:80]!r}")
        found[venue, kind] = url.rstrip("/")
    return found


def _leads_somewhere(url: str, schemes: tuple[str, ...]) -> bool:
    """Whether a URL has one of the schemes, a host, and a port that can be one where it names any."""
    try:
        parts = urlsplit(url)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
