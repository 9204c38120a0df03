"""What the tests of ingest share: a clean server with our functions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

import thalweg


@pytest.fixture
def server(redis_url: str) -> Iterator[Any]:
    """A clean server with our functions."""
    client = redis.Redis.from_url(redis_url)
    client.function_load((Path(thalweg.__file__).with_name("functions.lua")).read_text(), replace=True)
    yield client
    client.close()
