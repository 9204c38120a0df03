from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.gateway.site import Site


@pytest.fixture
def site() -> Iterator[Site]:
    """A gateway with something in its books, behind Starlette's test client."""
    one = Site()
    one.fill()
    with one.client:
        yield one
