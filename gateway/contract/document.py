"""The two documents by name, each made once."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache

from gateway.contract.asyncapi import asyncapi
from gateway.contract.openapi import openapi
from gateway.contract.schema import Schema

DOCUMENTS: Mapping[str, Callable[[], Schema]] = {"openapi": openapi, "asyncapi": asyncapi}


@cache
def written(name: str) -> str:
    """Give a document as JSON for people to read.

    Raises:
        KeyError: there is no such document.
    """
    return json.dumps(DOCUMENTS[name](), indent=1, ensure_ascii=False) + "\n"
