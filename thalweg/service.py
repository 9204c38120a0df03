"""Runs one service as a process: event loop, signals, logging, exit codes and the closing report."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import uvloop

from thalweg.errors import SettingsError, ThalwegError
from thalweg.loop.service import settle, spin
from thalweg.settings import Settings, load_settings

EXIT_FAILED, EXIT_USAGE = 1, 2
LINES, WINDOW_S, KINDS = 20, 10.0, 512  # of one kind in a window; kinds that are remembered at once
LOG = logging.getLogger("thalweg")
UNPRINTABLE = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
UNPRINTABLE |= {code: f"\\u{code:04x}" for code in range(0xD800, 0xE000)}  # halves of surrogate pairs: no UTF-8


class _JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line."""
        line = {"at": self.formatTime(record), "level": record.levelname.lower(), "name": record.name}
        line["text"] = record.getMessage()
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return orjson.dumps(line).decode()


def _escape(record: logging.LogRecord) -> bool:
    """Escape what could begin a line or move a cursor: messages quote what venues and clients sent."""
    record.msg, record.args = record.getMessage().translate(UNPRINTABLE), None
    return True


class Limit(logging.Filter):
    """Lets so many lines of a kind pass in a window of time; the first of a later window says how many did not.

    A kind is a logger with a level and a text before its values are filled in, so a venue or a client that goes wrong
    again and again can't fill the log. Errors that end a process are one line each and never of a kind that is full.
    """

    def __init__(self, lines: int = LINES, window_s: float = WINDOW_S) -> None:
        """Begin with nothing seen."""
        super().__init__()
        self._lines, self._window_s = lines, window_s
        self._seen: dict[tuple[str, int, str], tuple[float, int]] = {}  # when the window began, how many came in it

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether a line is to be written."""
        kind = record.name, record.levelno, str(record.msg)
        began, count = self._seen.get(kind, (record.created, 0))
        if record.created - began >= self._window_s:
            left_out = max(count - self._lines, 0)
            if left_out:
                record.msg, record.args = f"{record.getMessage()} (and {left_out} more like it since)", None
            began, count = record.created, 0
        elif kind not in self._seen and len(self._seen) >= KINDS:
            self._seen.clear()
        self._seen[kind] = began, count + 1
        return count < self._lines


def set_up_logging(form: str) -> None:
    """Send log lines to stderr as `text` or `json`, not too many; control characters in them are escaped."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(Limit())
    handler.addFilter(_escape)
    text = logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S")
    handler.setFormatter(_JsonLines() if form == "json" else text)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def run_service(
    name: str,
    main: Callable[[Settings], Coroutine[Any, Any, None]],
    settings: Settings | None = None,
    venues: Sequence[str] | None = None,
) -> int:
    """Run a service until it ends or is told to stop (SIGINT, SIGTERM) and give the exit code.

    Without `settings`, those of the environment; `venues` are in force where it names none. Stopping is cancellation:
    `main` sees `CancelledError`, cleans up and returns.
    """
    try:
        settings = settings or load_settings(os.environ, venues)
    except SettingsError as error:
        sys.stderr.write(f"thalweg {name}: {error}\n")
        return EXIT_USAGE
    set_up_logging(settings.log)
    try:
        uvloop.run(_supervise(main(settings), spinning=settings.busy_poll))
    except ExceptionGroup as group:
        return _explain(name, group)
    return 0


def _explain(name: str, group: ExceptionGroup[Exception]) -> int:
    """Log each failure once: ours as a line, anything else with its trace, since that is a bug."""
    ours, bugs = group.split(ThalwegError)
    for error in _leaves(ours):
        LOG.error("%s: %s", name, error)
    for error in _leaves(bugs):
        LOG.error("%s: a bug: %r", name, error, exc_info=error)
    usage = bugs is None and any(isinstance(error, SettingsError) for error in _leaves(ours))
    return EXIT_USAGE if usage else EXIT_FAILED


def _leaves(error: BaseException | None) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for part in error.exceptions for leaf in _leaves(part)]
    return [error] if error else []


async def _supervise(main: Coroutine[Any, Any, None], *, spinning: bool) -> None:
    """Run `main` as a task that signals cancel, without pauses by the collector, and without sleep if `spinning`."""
    loop = asyncio.get_running_loop()
    settle(loop)
    if spinning:
        spin(loop)
    async with (
        asyncio.TaskGroup() as group
    ):  # so that whatever fails comes as a group, and a cancelled task is no failure
        task = group.create_task(main)
        for one in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(one, task.cancel)


def write_report(path: Path | None, report: Mapping[str, Any]) -> None:
    """Write a service's counters as one JSON object, whole or not at all."""
    if path is None:
        return
    part = path.with_suffix(".part")
    part.write_bytes(orjson.dumps(report, option=orjson.OPT_INDENT_2))
    part.replace(path)
