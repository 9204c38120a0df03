from __future__ import annotations

from gateway.rest.system import health, stats
from gateway.topic import Now
from tests.gateway.rest.held import NOW, held

S = 1_000_000_000


def test_a_gateway_that_gets_on_is_healthy() -> None:
    assert health(held(({}, {}), ({}, {})), NOW.monotonic, NOW) == (200, {"status": "OK", "why": []})


def test_one_whose_ticks_do_not_come_is_not() -> None:
    status, answer = health(held(({}, {}), ({}, {})), NOW.monotonic, Now(NOW.wall, NOW.monotonic + 3 * S))
    assert (status, answer) == (503, {"status": "STUCK", "why": ["no tick for 3 s"]})


def test_one_that_hears_nothing_though_all_others_live_is_not() -> None:
    status, answer = health(held(({}, {}), ({}, {})), NOW.monotonic, Now(NOW.wall + 11 * S, NOW.monotonic))
    assert status == 503
    assert answer["why"][0].startswith("no publication for 11 s")


def test_lost_redis_is_no_reason_for_a_restart() -> None:
    hub = held(({}, {}), ({}, {}))
    hub.set_part("redis", False, "gone", NOW)
    assert health(hub, NOW.monotonic, Now(NOW.wall + 60 * S, NOW.monotonic))[0] == 200


def test_counts_obey_their_equation() -> None:
    answer = stats(held(({}, {}), ({}, {})), "node", (3, 1), NOW.monotonic, Now(NOW.wall, NOW.monotonic + S))
    assert (answer["connections"], answer["event_streams"], answer["uptime_s"]) == (3, 1, 1.0)
    counts = answer["instruments"]["BTC-USDT"]
    assert counts["head"] - counts["joined_at"] == counts["received"] + counts["refilled"]
