"""Why a venue could not be reached is said in words that still tell when they are cut."""

from __future__ import annotations

from errno import ECONNREFUSED
from socket import EAI_NONAME, gaierror

import pytest

from ingest.outside.source import failure_of


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (gaierror(EAI_NONAME, "Name or service not known"), "host unknown: ws.kraken.com (Name or service not known)"),
        (ConnectionRefusedError(ECONNREFUSED, "x"), "connection refused: ws.kraken.com (ECONNREFUSED)"),
        (TimeoutError("timed out during opening handshake"), "no answer in time: ws.kraken.com"),
        (OSError("Multiple exceptions"), "connection failed: Multiple exceptions"),
        (EOFError(), "connection failed: EOFError"),
    ],
)
def test_why_there_is_no_connection_is_said_before_a_reason_is_cut(error: Exception, said: str) -> None:
    assert failure_of(error, "wss://ws.kraken.com/v2") == said
