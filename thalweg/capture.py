"""The capture format: raw frames as JSON lines, exactly as they came.

An optional first line is `{"v": 1, ...}`. Every other line is an object:
`t` instant (ns since the Unix epoch), `c` connection number, `d` direction: `<` in, `>` out, `h` HTTP response
(`u` URL, `s` status, `hd` headers), `x` closed (code in `s`); `u` also on a connection's first line;
`f` the frame's text, or `b64` for bytes that are not UTF-8.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass

from thalweg.errors import CaptureError

VERSION = 1
MAX_LINE = 64 * 2**20  # bytes; a 16 MiB frame, escaped, fits


@dataclass(slots=True)
class Line:
    """One line of a capture; `data` is the frame or body as bytes."""

    ts: int
    connection: int
    direction: str
    data: bytes
    url: str | None = None
    status: int | None = None


def parse_line(text: bytes) -> Line | None:
    """Give one line of a capture; `None` for the head line and for blank lines.

    Raises:
        CaptureError: not a line of the format.
    """
    if not text.strip():
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CaptureError(f"not a JSON object: {text[:60]!r}") from error
    if not isinstance(found, dict):
        raise CaptureError(f"not a JSON object: {text[:60]!r}")
    if "v" in found and "d" not in found:
        if found["v"] != VERSION:
            raise CaptureError(f"capture version {found['v']!r}; this reader knows {VERSION}")
        return None
    ts, connection, direction = found.get("t"), found.get("c", 0), found.get("d")
    if direction not in ("<", ">", "h", "x") or not isinstance(ts, int) or not isinstance(connection, int):
        raise CaptureError(f"a line needs t, c and d: {text[:60]!r}")
    url, status = found.get("u"), found.get("s")
    return Line(
        ts,
        connection,
        direction,
        _data(found.get("f"), found.get("b64")),
        url if isinstance(url, str) else None,
        status if isinstance(status, int) else None,
    )


def _data(text: object, encoded: object) -> bytes:
    """Give the frame's bytes from its base64 or its text; none where a line has neither.

    Raises:
        CaptureError: what is there is not text, or not base64.
    """
    if not isinstance(text, str | None) or not isinstance(encoded, str | None):
        raise CaptureError("f and b64 must be text")
    if encoded is None:
        return (text or "").encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(encoded, validate=True)
    except ValueError as error:
        raise CaptureError("b64 is not base64") from error


def format_line(line: Line) -> bytes:
    """Give a line of a capture, with its line end."""
    found: dict[str, object] = {"t": line.ts, "c": line.connection, "d": line.direction}
    if line.url is not None:
        found["u"] = line.url
    if line.status is not None:
        found["s"] = line.status
    try:
        found["f"] = line.data.decode("utf-8")
    except UnicodeDecodeError:
        found["b64"] = base64.b64encode(line.data).decode()
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass") + b"\n"
