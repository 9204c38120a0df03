"""Where Redis is: the forms of `REDIS_URL`. Pure.

| form | is |
|---|---|
| `redis://HOST:PORT/DB`, `unix:///PATH` | one server |
| `redis+cluster://HOST:PORT,HOST:PORT` | a Redis Cluster; a few of its nodes, from which all others are learned |
| `redis+sentinel://HOST:PORT,HOST:PORT/NAME/DB` | the server that these Sentinels call the master of NAME |

`rediss` instead of `redis` is TLS, in all forms. A user and a password stand before the first host, as in
`redis://USER:PASSWORD@HOST`, and are for the servers, not for Sentinels. Options follow a `?`: `?ssl_ca_certs=/ca.pem`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from urllib.parse import urlsplit

from thalweg.errors import SettingsError

USUAL_PORT, SENTINEL_PORT = 6379, 26379


class Form(Enum):
    """What a URL names."""

    SERVER = ""
    CLUSTER = "cluster"
    SENTINEL = "sentinel"


@dataclass(frozen=True, slots=True)
class Address:
    """A URL taken apart; `hosts` are nodes of a Cluster or Sentinels, `master` is what Sentinels call it."""

    url: str
    form: Form
    hosts: tuple[tuple[str, int], ...] = ()
    master: str = ""
    _scheme: str = ""
    _login: str = ""
    _path: str = ""
    _options: str = ""

    @property
    def first(self) -> str:
        """The URL of one server; where Sentinels will name it, one that has all but its name."""
        return self.url if self.form is Form.SERVER else self.server(*self.hosts[0])

    def server(self, host: str, port: int) -> str:
        """Give the URL of one of the servers, with all that this one has."""
        return f"{self._scheme}://{self._login}{_bracketed(host)}:{port}{self._path}{self._options}"

    def sentinel(self, host: str, port: int) -> str:
        """Give the URL of a Sentinel: it has neither our users nor databases."""
        return f"{self._scheme}://{_bracketed(host)}:{port}{self._options}"


def parse_address(url: str) -> Address:
    """Take a URL apart; that of one server is left to redis-py.

    Raises:
        SettingsError: a host or port is none, or a part is missing or too much.
    """
    scheme, _, kind = url.partition("://")[0].partition("+")
    if not kind:
        return Address(url, Form.SERVER)
    if kind not in ("cluster", "sentinel") or scheme not in ("redis", "rediss"):
        raise SettingsError(f"REDIS_URL: {scheme}+{kind} is no form of it; redis+cluster and redis+sentinel are")
    form = Form(kind)
    parts = urlsplit(url)
    login, at, places = parts.netloc.rpartition("@")
    usual = USUAL_PORT if form is Form.CLUSTER else SENTINEL_PORT
    hosts = tuple(_host(place, usual) for place in places.split(","))
    master, _, database = parts.path.strip("/").partition("/")
    if form is Form.CLUSTER and master not in ("", "0"):
        raise SettingsError("REDIS_URL: a Cluster has one database, 0")
    if form is Form.SENTINEL and not master:
        raise SettingsError("REDIS_URL: the master's name is missing, as in redis+sentinel://host:26379/mymaster/0")
    options = f"?{parts.query}" if parts.query else ""
    name = master if form is Form.SENTINEL else ""
    return Address(url, form, hosts, name, scheme, login + at, f"/{database}" if database else "", options)


def _host(text: str, usual_port: int) -> tuple[str, int]:
    """Read HOST, HOST:PORT or [HOST]:PORT."""
    try:
        one = urlsplit(f"//{text}")
        host, port = one.hostname, one.port
    except ValueError:
        host, port = None, None
    if not host or port == 0:
        raise SettingsError(f"REDIS_URL: {text[:80]!r} is not HOST:PORT")
    return host, port or usual_port


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
