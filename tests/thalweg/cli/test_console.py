"""What `up` says, for people and for programs, and that nobody need listen."""

from __future__ import annotations

import io
import json

from thalweg.cli.console import Screen


class Gone(io.StringIO):
    """A pipe whose reader has gone."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_people_get_lines_with_the_services_name() -> None:
    own, logs = io.StringIO(), io.StringIO()
    screen = Screen(own, logs, as_json=False)
    screen.say("gateway is up", service="gateway")
    screen.pass_on("ingest:kraken", b"12:00 \x1b[31mred\xff")
    assert own.getvalue() == "gateway is up\n"
    assert logs.getvalue() == "ingest:kraken    | 12:00 \\x1b[31mred\ufffd\n"


def test_programs_get_json_lines_and_the_services_own_lines() -> None:
    own, logs = io.StringIO(), io.StringIO()
    screen = Screen(own, logs, as_json=True)
    screen.say("gateway is up", service="gateway")
    screen.pass_on("gateway", b'{"level":"info"}')
    assert json.loads(own.getvalue()) == {"text": "gateway is up", "service": "gateway"}
    assert json.loads(logs.getvalue()) == {"level": "info"}


def test_progress_is_for_people_who_watch() -> None:
    logs = io.StringIO()
    Screen(io.StringIO(), logs, as_json=False).progress("54/54 books live")
    assert logs.getvalue() == ""
    logs.isatty = lambda: True  # type: ignore[method-assign]
    Screen(io.StringIO(), logs, as_json=False).progress("54/54 books live")
    assert logs.getvalue() == "up               | 54/54 books live\n"


def test_a_reader_that_has_gone_stops_nothing() -> None:
    logs = io.StringIO()
    screen = Screen(Gone(), logs, as_json=False)
    screen.say("one")
    screen.say("two")
    screen.pass_on("gateway", b"still here")
    assert "still here" in logs.getvalue()
