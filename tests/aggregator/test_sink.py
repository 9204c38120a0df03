from __future__ import annotations

from aggregator.consolidate import Ladder
from aggregator.sink import Outlet
from tests.aggregator.entries import a_trade, reply
from thalweg import keys
from thalweg.instruments import Instrument
from thalweg.publication import Kind
from thalweg.resp import pack

SECOND = 1_000_000_000
OUT = keys.out("BTC-USDT")


def an_outlet(opened_at: int, cap: int = 1000) -> Outlet:
    """An outlet of epoch 7 whose `out:` was opened at a sequence; it keeps ten seconds."""
    ladder = Ladder(Instrument("BTC-USDT", 8, 8, {}), ("binance",))
    ladder.epoch = 7
    ladder.stand_at(opened_at)
    return Outlet(ladder, 10.0, cap)


def publish(outlet: Outlet, count: int) -> None:
    for _ in range(count):
        outlet.ladder.merge(Kind.DELTA)
        outlet.ladder.publication(Kind.DELTA, 0, 0, 0)
        outlet.ladder.settle(0)


def trims(commands: list[bytes]) -> list[bytes]:
    return [command for command in commands if b"XTRIM" in command]


def test_a_checkpoint_is_written_when_it_changed() -> None:
    outlet = an_outlet(1)

    wrote = [len(outlet.keep(0, 0)), len(outlet.keep(1, 0))]
    outlet.ladder.take(0, reply(5, 1, a_trade("1")), 20)

    assert [*wrote, len(outlet.keep(2, 0))] == [1, 0, 1]


def test_records_older_than_the_retention_are_trimmed() -> None:
    outlet = an_outlet(5)
    publish(outlet, 3)
    early = outlet.keep(0, 0)
    publish(outlet, 4)

    assert trims(early) == []
    assert trims(outlet.keep(10 * SECOND, 0)) == [pack("XTRIM", OUT, "MINID", "~", "7-8")]


def test_no_more_than_the_cap_is_kept_of_an_epoch() -> None:
    outlet = an_outlet(5, cap=10)
    publish(outlet, 20)

    assert trims(outlet.keep(0, 0)) == [pack("XTRIM", OUT, "MINID", "~", "7-16")]


def test_a_high_sequence_does_not_trim_what_predecessors_wrote() -> None:
    outlet = an_outlet(1_000_000, cap=10)
    publish(outlet, 5)

    assert trims(outlet.keep(0, 0)) == []
