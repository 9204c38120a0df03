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

    Raises:
        SettingsError: the server is too old to have functions.
        RedisTrouble: the server refuses or does not answer.
    """
    name, version = await server_name(link)
    text = f"{name} {'.'.join(map(str, version))}"
    if version[0] < OLDEST_MAJOR:
        raise SettingsError(f"{text} is too old: Redis >= {OLDEST_MAJOR} or Valkey is needed")
    await link.call("FUNCTION", "LOAD", "REPLACE", FUNCTIONS.read_bytes())
    return text


async def keep_functions(url: str, name: str, say: Callable[[str], None]) -> None:
    """Load the server functions again whenever the server has lost them, until cancelled; through any trouble.

    Functions of another version are left alone: somebody has just loaded them on purpose.
    """
    link = RedisLink(url, name)
    trouble = connected = False
    try:
        while True:
            try:
                if not connected:
                    await link.connect()
                    connected = True
                if not await link.call("FUNCTION", "LIST", "LIBRARYNAME", LIBRARY):
                    say(f"the server functions were lost: loaded again into {await load_functions(link)}")
                trouble = False
            except (RedisTrouble, SettingsError) as error:
                connected = False
                if not trouble:
                    say(f"{error}; trying again until it works")
                trouble = True
            await asyncio.sleep(KEEP_S)
    finally:
        await link.close()


async def functions_loaded(link: RedisLink) -> bool:
    """Tell whether the server has this version's functions.

    Raises:
        RedisTrouble: the server refuses or does not answer.
    """
    reply = await link.call("FUNCTION", "LIST", "LIBRARYNAME", LIBRARY, "WITHCODE")
    return FUNCTIONS.read_bytes() in [part for library in reply for part in library if isinstance(part, bytes)]
