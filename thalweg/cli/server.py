"""What several commands ask of a Redis server: to be reached, to be new enough, to hold our functions."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic

from thalweg.cli.embedded import OLDEST_MAJOR
from thalweg.errors import RedisTrouble, SettingsError
from thalweg.settings import Settings, load_settings
from thalweg.transport import RedisLink

FUNCTIONS = Path(__file__).parents[1] / "functions.lua"
KEEP_S = 0.5  # between looks whether the functions are still there
RETRY_S = 0.1  # between attempts to reach a server that is starting
LIBRARY = b"thalweg"


def environment(venues: Sequence[str] | None = None) -> Settings:
    """Give the settings of this process's environment; `venues` are in force where it names none.

    Raises:
        SettingsError: a variable has a value that it does not take.
    """
    return load_settings(os.environ, venues)


async def connected(url: str, name: str, wait_s: float = 0.0) -> RedisLink:
    """Give a connection; keep trying for `wait_s` seconds.

    Raises:
        RedisTrouble: the server can't be reached.
        SettingsError: the URL is not one.
    """
    deadline = monotonic() + wait_s
    link = RedisLink(url, name)
    while True:
        try:
            await link.connect()
        except RedisTrouble as error:
            if monotonic() >= deadline:
                raise RedisTrouble(f"{error} (REDIS_URL names the server: {shown_url(url)})") from error
            await asyncio.sleep(RETRY_S)
        else:
            return link


def shown_url(url: str) -> str:
    """Give a URL without its user and password, fit to be printed."""
    scheme, mark, rest = url.partition("://")
    return scheme + mark + rest.rpartition("@")[2]


async def server_name(link: RedisLink) -> tuple[str, tuple[int, ...]]:
    """Give the server's name and version, as in ("valkey", (9, 1, 2)).

    Raises:
        RedisTrouble: the server does not answer.
    """
    reply = await link.call("INFO", "server")
    said = dict(line.split(":", 1) for line in reply.decode().splitlines() if ":" in line)
    for name in ("valkey", "redis"):
        version = said.get(f"{name}_version", "")
        if version:
            return name, tuple(int(part) for part in version.split(".") if part.isdigit())
    return "unknown server", (0,)


async def load_functions(link: RedisLink) -> str:
    """Load the server functions over what is there and give the server's name and version as text.

    In a Cluster each master gets them; they are not passed on.

    Raises:
        SettingsError: the server is too old to have functions.
        RedisTrouble: the server refuses or does not answer.
    """
    texts = {await _load(server, functions(link)): None for server in await link.servers()}
    return ", ".join(texts) + (f", a Cluster of {len(await link.servers())} masters" if link.clustered else "")


def functions(link: RedisLink) -> bytes:
    """Give the server functions as this server or Cluster needs them: in a Cluster channels are sharded."""
    code = FUNCTIONS.read_bytes()
    return code.replace(b"local PUBLISH = 'PUBLISH'", b"local PUBLISH = 'SPUBLISH'") if link.clustered else code


async def _load(server: RedisLink, code: bytes) -> str:
    name, version = await server_name(server)
    text = f"{name} {'.'.join(map(str, version))}"
    if version[0] < OLDEST_MAJOR:
        raise SettingsError(f"{text} is too old: Redis >= {OLDEST_MAJOR} or Valkey is needed")
    await server.call("FUNCTION", "LOAD", "REPLACE", code)
    return text


async def keep_functions(url: str, name: str, say: Callable[[str], None]) -> None:
    """Load the server functions again whenever the server has lost them, until cancelled; through any trouble.

    Functions of another version are left alone: somebody has just loaded them on purpose.
    """
    link = RedisLink(url, name)
    troubles: dict[str, str] = {}
    connected = False
    try:
        while True:
            try:
                if not connected:
                    await link.connect()
                connected = True
                for server in await link.servers():
                    connected = await _keep(server, functions(link), say, troubles) or link.clustered
            except RedisTrouble as error:
                connected = False
                _say_once(link, error, say, troubles)
            await asyncio.sleep(KEEP_S)
    finally:
        await link.close()


async def _keep(server: RedisLink, code: bytes, say: Callable[[str], None], troubles: dict[str, str]) -> bool:
    """Look after one server; false where that is not possible."""
    try:
        if not await server.call("FUNCTION", "LIST", "LIBRARYNAME", LIBRARY):
            say(f"the server functions were lost: loaded again into {await _load(server, code)}")
        troubles.pop(server.url, None)
    except (RedisTrouble, SettingsError) as error:
        _say_once(server, error, say, troubles)
        return False
    return True


def _say_once(server: RedisLink, error: Exception, say: Callable[[str], None], troubles: dict[str, str]) -> None:
    """Say what is wrong with a server, unless something was said since it was well."""
    if server.url not in troubles:
        say(f"{shown_url(server.url)}: {error}; trying again until it works")
    troubles[server.url] = str(error)


async def functions_loaded(link: RedisLink) -> bool:
    """Tell whether the server, or each master of a Cluster, has this version's functions.

    Raises:
        RedisTrouble: a server refuses or does not answer.
    """
    return all([await has_functions(server, functions(link)) for server in await link.servers()])


async def has_functions(server: RedisLink, code: bytes) -> bool:
    """Tell whether one server has these functions.

    Raises:
        RedisTrouble: it refuses or does not answer.
    """
    reply = await server.call("FUNCTION", "LIST", "LIBRARYNAME", LIBRARY, "WITHCODE")
    return code in [part for library in reply for part in library]
