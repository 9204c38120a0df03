"""Where `thalweg up` says things: its own lines, and its children's log lines with their names before them."""

from __future__ import annotations

import json
import sys
from typing import Any, TextIO

NAME = 16  # columns for the longest service name


class Screen:
    """Lines for people, or JSON lines for programs; a progress line now and then if a person watches."""

    def __init__(self, own: TextIO, logs: TextIO, *, as_json: bool) -> None:
        """Say our own lines on one stream and log lines on another."""
        self._own: TextIO | None = own
        self._logs: TextIO | None = logs
        self._json = as_json
        self.watched = logs.isatty() and not as_json

    def say(self, text: str, **fields: Any) -> None:
        """Show one line of our own; as JSON it has the fields too."""
        self._own = _print(self._own, json.dumps({"text": text} | fields) if self._json else text)

    def pass_on(self, name: str, line: bytes) -> None:
        """Show one line of a child's log; control characters in it are shown, not sent."""
        text = "".join(char if char.isprintable() else repr(char)[1:-1] for char in line.decode(errors="replace"))
        self._logs = _print(self._logs, text if self._json else f"{name:<{NAME}} | {text}")

    def progress(self, text: str) -> None:
        """Show how it goes, where a person watches."""
        if self.watched:
            self._logs = _print(self._logs, f"{'up':<{NAME}} | {text}")


def _print(stream: TextIO | None, text: str) -> TextIO | None:
    """Print a line; give the stream, or nothing once its reader has gone, which must not stop the services."""
    if stream is None:
        return None
    try:
        print(text, file=stream, flush=True)
    except BrokenPipeError:
        return None
    return stream


def standard_screen(*, as_json: bool, stdout_is_taken: bool) -> Screen:
    """Give the screen of this process; our own lines go to stderr where stdout holds the summary."""
    return Screen(sys.stderr if stdout_is_taken else sys.stdout, sys.stderr, as_json=as_json)
