"""Why a venue could not be reached is said in words that still tell when they are cut."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from errno import ECONNREFUSED
from socket import EAI_NONAME, gaierror

import pytest

from ingest.outside.source import failure_of, http_get


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


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", b"not HTTP\r\n\r\n", b""])
def test_an_answer_that_is_cut_off_or_none_is_status_0(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor() as threads:
        asked = threads.submit(http_get, f"http://127.0.0.1:{server.getsockname()[1]}/")
        one, _ = server.accept()
        one.recv(65_536)
        one.sendall(answer)
        one.close()
        assert asked.result(timeout=5)[0] == 0
