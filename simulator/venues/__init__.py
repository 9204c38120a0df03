"""The simulated venues, a dialect in a file each: a file that is here is simulated."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules

from simulator.dialect import Dialect


def _dialects() -> dict[str, Dialect]:
    """Give the dialect of every file beside this one."""
    modules = [import_module(f"{__name__}.{one.name}") for one in iter_modules(__path__)]
    return {dialect.venue: dialect for dialect in (module.DIALECT for module in modules)}


DIALECTS: Mapping[str, Dialect] = _dialects()
