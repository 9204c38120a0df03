"""All targets by name."""

from __future__ import annotations

from tests.fuzz import books, clients, codecs, decoders, numbers, records, sessions

_MODULES = (decoders, numbers, codecs, records, books, clients, sessions)
TARGETS = {target.name: target for module in _MODULES for target in module.TARGETS}
