import tomllib
from pathlib import Path
from typing import Any

import pytest

from simulator.faults import Fault, Schedule, Script, load_script, parse_script
from simulator.kinds import KINDS
from simulator.venues import DIALECTS
from thalweg.errors import SettingsError

SECOND = 10**9


def parse(text: str) -> Script:
    return parse_script(tomllib.loads(text), DIALECTS, "test")


def test_a_script_is_read() -> None:
    script = parse(
        """
        [schedule]
        settle_s = 1.0
        [[fault]]
        at = 0.5
        kind = "drop"
        venue = "kraken"
        instruments = ["BTC-USD"]
        count = 3
        [[fault]]
        kind = "restart"
        venue = "bybit"
        """
    )
    assert script.settle_s == 1.0
    assert script.faults == (Fault(0.5, "drop", "kraken", ("BTC-USD",), 3), Fault(0.0, "restart", "bybit"))


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ({"kind": "dance", "venue": "kraken"}, "unknown kind 'dance'"),
        ({"kind": "restart", "venue": "kraken"}, "unknown kind 'restart'"),
        ({"kind": "corrupt_checksum", "venue": "bybit"}, "bybit has no checksum"),
        ({"kind": "rest_429", "venue": "kraken"}, "kraken gives no snapshots by REST"),
        ({"kind": "drop", "venue": "kraken", "when": 1}, "unknown when"),
        ({"kind": "drop", "venue": "kraken", "at": "soon"}, "at, count and seconds are numbers"),
        ({"kind": "drop", "venue": "kraken", "instruments": "BTC-USD"}, "instruments is a list"),
        ({"kind": "late", "venue": "kraken", "amount": "a lot"}, "amount is a number"),
        ({"kind": "checksum_zero", "venue": "binance"}, "binance has no checksum"),
        ({"kind": "rest_418", "venue": "coinbase"}, "coinbase gives no snapshots by REST"),
    ],
)
def test_a_wrong_fault_is_refused_by_its_number(row: dict[str, Any], complaint: str) -> None:
    with pytest.raises(SettingsError, match=f"fault 2: {complaint}"):
        parse_script({"fault": [{"kind": "drop", "venue": "kraken"}, row]}, DIALECTS, "test")


def test_a_script_that_can_t_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="unknown faults"):
        parse("[faults]")
    with pytest.raises(SettingsError, match=r"nowhere\.toml"):
        load_script(str(tmp_path / "nowhere.toml"), DIALECTS)


def test_faults_of_venues_that_are_not_simulated_are_left_out() -> None:
    rows = {"fault": [{"kind": "drop", "venue": "elsewhere"}, {"kind": "drop", "venue": "kraken"}]}
    assert [fault.venue for fault in parse_script(rows, DIALECTS, "test").faults] == ["kraken"]


USUAL = {"drop", "duplicate", "reorder", "truncate", "silent_book", "silent_socket", "refuse"}


def test_the_default_script_has_every_usual_kind_where_it_makes_sense_and_is_over_in_6_s() -> None:
    script = load_script("default", DIALECTS)
    assert all(0.5 <= fault.at_s <= 6 for fault in script.faults)
    for venue, dialect in DIALECTS.items():
        kinds = {fault.kind for fault in script.faults if fault.venue == venue}
        expected = USUAL | {"close" if venue == "coinbase" else "cut"}
        expected |= {"corrupt_checksum"} if dialect.spoil else set()
        expected |= {"drop_trade"} if dialect.trade_ids else set()
        expected |= {"rest_429", "stale_snapshot"} if dialect.rest_snapshots else set()
        assert kinds >= expected
        assert kinds <= set(KINDS) | set(dialect.tricks)


def test_every_kind_says_what_can_be_made_of_it() -> None:
    assert {kind.expect for kind in KINDS.values()} == {"gap", "absorbed"}
    assert {kind.scope for kind in KINDS.values()} == {"book", "socket", "trades", "subscription", "rest", "venue"}


def due(schedule: Schedule, at_s: float, subscribed: bool) -> list[str]:
    return [fault.kind for fault in schedule.due(int(at_s * SECOND), lambda: subscribed)]


def test_the_clock_starts_when_all_is_subscribed_and_settled() -> None:
    script = Script((Fault(1.0, "cut", "kraken"), Fault(0.5, "drop", "kraken")), 8.0, 2.0, 12.0)
    early = Schedule(script, 0)
    assert [due(early, at, at >= 3) for at in (3, 8.4, 8.6, 9.1, 9.5)] == [[], [], ["drop"], ["cut"], []]
    late = Schedule(script, 0)
    assert [due(late, at, at >= 9) for at in (8.6, 9.0, 11.4, 11.6)] == [[], [], [], ["drop"]]
    never = Schedule(script, 0)
    assert [due(never, at, False) for at in (11.9, 12.4, 12.6)] == [[], [], ["drop"]]
