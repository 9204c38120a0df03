"""The recorder says what the worker would: after the greeting, with the instant, and in answer where that is wanted."""

from __future__ import annotations

import json
from dataclasses import replace

from ingest.venues import VENUES
from tests.ingest.toy import TOY
from thalweg.cli.recording import Talk

WELCOME = json.dumps({"messages": [{"kind": "control", "sign": "welcome"}]}).encode()


def said(talk: Talk) -> list[str]:
    return [talk.said.get_nowait() for _ in range(talk.said.qsize())]


def test_a_venue_that_greets_is_spoken_to_after_that_with_the_instant() -> None:
    talk = Talk(replace(TOY, greets=True, stamp=lambda frame, ts: f"{frame} at {ts > 0}"), ["A"])
    assert said(talk) == []
    talk.hear(WELCOME)
    assert said(talk) == ["subscribe A at True"]
    talk.hear(b"no frame")
    assert said(talk) == []


def test_heartbeats_that_want_an_answer_get_it() -> None:
    venue = VENUES["cryptocom"]
    talk = Talk(venue, ["BTC_USDT"])
    assert said(talk) == venue.subscribe(["BTC_USDT"])
    talk.hear(b'{"id":1587523073344,"method":"public/heartbeat","code":0}')
    (answer,) = said(talk)
    assert json.loads(answer) == {"id": 1587523073344, "method": "public/respond-heartbeat"}
