"""The offline checks find every mutation of a stream or publication, and nothing in what is right."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import redis
from click.testing import CliRunner

from thalweg import keys
from thalweg.cli import main
from thalweg.cli.checks import Found, Raw, check_input
from thalweg.cli.outputs import check_publications
from thalweg.events import Delta, Event, Made, Open, Snapshot, State, Status, Taker, Trade
from thalweg.fixed import Levels
from thalweg.ladder import Quote
from thalweg.publication import Kind, Publication, PublishedTrade, VenueLine, decode_publication, encode_publication
from thalweg.wire import encode_entry

NAME, VENUE, EPOCH = "BTC-USD", "kraken", 7
STREAM, OUT = keys.stream(NAME, VENUE), keys.out(NAME)
Entries = list[Raw]
Records = list[Raw]


def levels(*pairs: tuple[int, int]) -> Levels:
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def snapshot(made: Made, bids: Levels, asks: Levels, ts: int) -> Snapshot:
    return Snapshot(VENUE, NAME, bids, asks, None, None, ts, ts, made, State.LIVE, 0)


EVENTS: list[Event] = [
    Open(VENUE, NAME, 8, 8, 25, "checksum", 10, 1),
    snapshot(Made.VENUE, levels((100, 1), (99, 2)), levels((101, 3)), 2),
    Status(VENUE, NAME, State.LIVE, 0, "synced", 2, 2),
    Delta(VENUE, NAME, levels((100, 0), (98, 5)), levels((102, 6)), None, None, 3, 3),
    Trade(VENUE, NAME, 101, 1, Taker.BUY, "a", 3, 3),
    Delta(VENUE, NAME, levels((99, 4)), levels((102, 0)), None, None, 4, 4),
    snapshot(Made.PERIODIC, levels((99, 4), (98, 5)), levels((101, 3)), 4),
]


def entry(n: int, event: Event, epoch: int = EPOCH) -> Raw:
    return (epoch, n), encode_entry(event, 9)


def entries() -> Entries:
    return [entry(n, event) for n, event in enumerate(EVENTS, 1)]


QUOTES = {5: (100, 1, 101, 3), 6: (99, 2, 101, 3), 7: (99, 4, 101, 3), 8: (99, 4, 101, 3)}


def record(seq: int, rows: list[tuple[int, int, int]], first: int, last: int, ts: int, kind: Kind = Kind.DELTA) -> Raw:
    one = Publication(kind, NAME, seq, EPOCH, 8, 8)
    one.quote = Quote(*QUOTES[seq])
    one.venues = [VenueLine(VENUE, State.LIVE, 0, None, ts, ts, 2, "synced")]
    one.changes = np.array(rows, dtype=np.int64).reshape(-1, 3)
    one.runs = np.array([[0, EPOCH, first, last]], dtype=np.int64)
    if first <= 5 <= last:
        one.trades = [PublishedTrade(0, Taker.BUY, 101, 1, "a", 3, 3)]
    return (EPOCH, seq), [b"r", encode_publication(one)]


def records() -> Records:
    return [
        ((EPOCH, 4), [b"r", encode_publication(Publication(Kind.OPEN, NAME, 4, EPOCH, 8, 8))]),
        record(5, [(0, 100, 1), (0, 99, 2), (1, 101, 3)], 1, 3, 2, Kind.KEY),
        record(6, [(0, 100, 0), (0, 98, 5), (1, 102, 6)], 4, 5, 3),
        record(7, [(0, 99, 4), (1, 102, 0)], 6, 7, 4),
    ]


def check(inputs: Entries, outputs: Records) -> Found:
    found = check_input(NAME, VENUE, STREAM, inputs).found
    found.add(check_publications(OUT, outputs, NAME, {VENUE: (STREAM, inputs)}))
    return found


def test_what_is_right_has_no_violation_and_was_really_compared() -> None:
    found = check(entries(), records())
    assert found.violations == []
    assert (found.entries, found.snapshots, found.publications, found.views) == (7, 1, 4, 3)


def test_trimmed_heads_are_no_violation() -> None:
    assert check(entries()[3:], records()).violations == []
    assert check(entries(), records()[2:]).violations == []
    assert check(entries(), records()[3:]).violations == []  # the trade is in a publication that is gone


def test_a_new_epoch_begins_with_its_open_entry() -> None:
    more = [*entries(), entry(1, EVENTS[0], EPOCH + 1)]
    assert check(more, records()).violations == []


def drop(at: int) -> Callable[[Entries], None]:
    return lambda found: found.__delitem__(at)


def replace(at: int, event: Event) -> Callable[[Entries], None]:
    def act(found: Entries) -> None:
        found[at] = entry(found[at][0][1], event)

    return act


STREAM_MUTATIONS: list[tuple[Callable[[Entries], None], str]] = [
    (drop(3), "4 to 4 of epoch 7 are missing before 7-5"),
    (drop(4), "5 to 5 of epoch 7 are missing before 7-6"),
    (replace(3, Delta(VENUE, NAME, levels((98, 5)), levels((102, 6)), None, None, 3, 3)), "not what the deltas make"),
    (replace(5, Delta(VENUE, NAME, levels((99, 5)), levels((102, 0)), None, None, 4, 4)), "first 99: 4 instead of 5"),
    (replace(6, snapshot(Made.PERIODIC, levels((99, 4)), levels((101, 3)), 4)), "first 98: 0 instead of 5"),
    (replace(2, Status(VENUE, NAME, State.STALE, 0, "gap", 2, 2)), "changes a book that is stale"),
    (replace(3, EVENTS[0]), "an epoch opens with `open` at 1 and nowhere else"),
    (lambda found: found.__setitem__(3, ((EPOCH, 4), [b"kind", b"delta"])), "7-4 can't be read"),
    (replace(2, EVENTS[4]), "7-5 tells trade 'a' again"),
    (replace(1, Status(VENUE, NAME, State.LIVE, 0, "", 2, 2)), "7-4 changes a book that no snapshot has begun"),
    (lambda found: found.insert(5, found[3]), "7-4 stands after 7-5"),
]


@pytest.mark.parametrize(("mutate", "text"), STREAM_MUTATIONS, ids=[text[:40] for _, text in STREAM_MUTATIONS])
def test_a_mutated_stream_is_found(mutate: Callable[[Entries], None], text: str) -> None:
    inputs = entries()
    mutate(inputs)
    found = check_input(NAME, VENUE, STREAM, inputs).found
    assert text in "\n".join(found.violations)


def changed(at: int, change: Callable[[Publication], None]) -> Callable[[Records], None]:
    def act(found: Records) -> None:
        one = decode_publication(found[at][1][1])
        change(one)
        found[at] = found[at][0], [b"r", encode_publication(one)]

    return act


def rows(*values: tuple[int, int, int]) -> Callable[[Publication], None]:
    return lambda one: setattr(one, "changes", np.array(values, dtype=np.int64))


def runs(first: int, last: int, epoch: int = EPOCH) -> Callable[[Publication], None]:
    return lambda one: setattr(one, "runs", np.array([[0, epoch, first, last]], dtype=np.int64))


def stand_at(ts: int) -> Callable[[Publication], None]:
    return lambda one: setattr(one.venues[0], "ts_event", ts)


OUT_MUTATIONS: list[tuple[Callable[[Records], None], str]] = [
    (lambda found: found.__delitem__(2), "6 to 6 are missing before 7-7"),
    (changed(2, rows((0, 98, 5), (1, 102, 6))), "6 shows kraken with other bids than its inputs make"),
    (changed(3, rows((0, 99, 5), (1, 102, 0))), "first 99: 5 instead of 4"),
    (changed(1, rows((0, 100, 1), (0, 99, 2))), "5 shows kraken with other asks than its inputs make"),
    (changed(2, runs(4, 4)), "7 takes kraken from 7-6, but 7-5 is next"),
    (changed(3, runs(7, 7)), "7 takes kraken from 7-7, but 7-6 is next"),
    (changed(2, lambda one: one.trades.clear()), "6 has trades [], its inputs have [('kraken', 101, 1, 'a')]"),
    (changed(2, lambda one: setattr(one.trades[0], "size", 2)), "6 has trades [('kraken', 101, 2, 'a')]"),
    (changed(2, stand_at(4)), "6 shows kraken at None/4, but its stream is at (None, 3)"),
    (changed(2, lambda one: setattr(one, "seq", 9)), "the record at 7-6 says it is 7-9"),
    (lambda found: found.__setitem__(2, ((EPOCH, 6), [b"r", b"t?"])), "7-6 can't be read"),
    (
        changed(2, lambda one: setattr(one.quote, "bid", 100)),
        "6 has bid (100, 2), but the best of its live venues is (99, 2)",
    ),
    (
        changed(3, lambda one: setattr(one.venues[0], "state", State.STALE)),
        "7 has bid (99, 4), but the best of its live",
    ),
    (lambda found: found.append(found[2]), "7-6 stands after 7-7"),
    (
        changed(3, lambda one: setattr(one, "runs", np.array([[0, EPOCH - 1, 1, 2]]))),
        "7 takes kraken from 6-1, after 7-5",
    ),
]


@pytest.mark.parametrize(("mutate", "text"), OUT_MUTATIONS, ids=[text[:40] for _, text in OUT_MUTATIONS])
def test_a_mutated_publication_is_found(mutate: Callable[[Records], None], text: str) -> None:
    outputs = records()
    mutate(outputs)
    assert text in "\n".join(check(entries(), outputs).violations)


def test_a_book_shown_live_that_its_stream_calls_stale_is_found() -> None:
    inputs = entries()
    inputs.append(entry(8, Status(VENUE, NAME, State.STALE, 0, "gap", 5, 5)))
    outputs = [*records(), record(8, [], 8, 8, 4)]
    assert check(inputs, outputs).violations == [f"{OUT}: 8 shows kraken as live, but its stream says stale"]


def test_publications_that_leave_out_the_end_of_an_epoch_are_found() -> None:
    inputs = [*entries(), entry(1, EVENTS[0], EPOCH + 1)]
    outputs = records()
    outputs[3] = record(7, [], 1, 1, 3)
    changed(3, runs(1, 1, EPOCH + 1))(outputs)
    assert f"{OUT}: 7 takes kraken from 8-1, but leaves out 7-6" in check(inputs, outputs).violations


def lapped(state: State, *, again: bool) -> list[str]:
    """Give what is found where the server lost entry 6, and the last record takes what is after it.

    `again`: a whole book of the venue's is among that.
    """
    inputs = entries()
    inputs[5:] = [entry(7, snapshot(Made.VENUE, levels((99, 4), (98, 5)), levels((101, 3)), 4) if again else EVENTS[4])]
    outputs = records()
    changed(3, runs(7, 7))(outputs)
    changed(3, lambda one: setattr(one.venues[0], "state", state))(outputs)
    return check_publications(OUT, outputs, NAME, {VENUE: (STREAM, inputs)}).violations


def test_entries_that_the_server_lost_are_no_violation_where_the_book_is_not_passed_for_whole() -> None:
    jump = f"{OUT}: 7 takes kraken from 7-7, but 7-6 is next"
    assert jump in lapped(State.LIVE, again=False)
    assert jump not in lapped(State.STALE, again=False)
    assert jump not in lapped(State.LIVE, again=True)


@pytest.fixture
def filled(redis_url: str) -> str:
    """A server that holds the streams and a status hash that tells the truth."""
    with redis.Redis.from_url(redis_url) as client:
        for key, raws in ((STREAM, entries()), (OUT, records())):
            for (epoch, n), flat in raws:
                client.xadd(key, dict(zip(flat[::2], flat[1::2], strict=True)), id=f"{epoch}-{n}")
        hashed = {"epoch": EPOCH, "state": "live", "flags": 0, "snap_id": f"{EPOCH}-7", "reason": "synced"}
        client.hset(keys.status(NAME, VENUE), mapping=hashed)
    return redis_url


def verified(url: str) -> tuple[int, str]:
    shown = CliRunner().invoke(main, ["verify", f"{VENUE}:{NAME}"], env={"REDIS_URL": url})
    return shown.exit_code, shown.output


def test_verify_reads_all_of_it_from_redis(filled: str) -> None:
    assert verified(filled) == (
        0,
        "7 entries of 1 streams, 1 snapshots compared, 4 publications, 3 views compared: all as they should be\n",
    )


def test_verify_tells_a_deleted_entry_and_a_lying_status(filled: str) -> None:
    with redis.Redis.from_url(filled) as client:
        client.xdel(STREAM, f"{EPOCH}-4")
        client.hset(keys.status(NAME, VENUE), "state", "stale")
    code, output = verified(filled)
    assert code == 1
    assert f"{STREAM}: 4 to 4 of epoch 7 are missing before 7-5" in output
    assert f"{keys.status(NAME, VENUE)}: state is 'stale', but the stream says 'live'" in output
