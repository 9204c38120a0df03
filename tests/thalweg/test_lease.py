"""Who owns which shard: all workers agree, little moves, and nothing that lives moves in haste."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg.lease import COLD_NS, PATIENCE_NS, STABLE_NS, TRUST_S, Duty, Role, Steward, View, beats, rank, view_of
from thalweg.resp import pack_words

SHARDS = range(4)
NAMES = st.frozensets(st.text("abcdef0123456789", min_size=4, max_size=4), min_size=1, max_size=8)
IDLE, STANDBY = Duty(Role.IDLE), Duty(Role.STANDBY)


def warm(shard: int) -> bool:
    return True


def cold(shard: int) -> bool:
    return False


def trio() -> tuple[str, str, str]:
    """The first shard's three workers, best rank first."""
    first, second, third = rank("g", 0, frozenset({"a", "b", "c"}))
    return first, second, third


def look(steward: Steward, owner: str | None, members: set[str], now: int, *, is_warm: bool = True) -> Duty:
    return steward.look(View(frozenset(members), {0: owner}), now, warm if is_warm else cold)[0]


def one(me: str) -> Steward:
    return Steward(me, "g")


@given(NAMES)
def test_everybody_agrees_who_takes_what_is_free(names: frozenset[str]) -> None:
    view = View(names, dict.fromkeys(SHARDS))
    takers = [
        (shard, me) for me in names for shard, duty in Steward(me, "g").look(view, 0, warm).items()
        if duty.role is Role.OWNER
    ]  # fmt: skip
    assert sorted(shard for shard, _ in takers) == [0, 1, 2, 3]


@given(NAMES, st.text("ghij", min_size=4, max_size=4))
def test_a_newcomer_moves_only_what_it_takes_itself(names: frozenset[str], new: str) -> None:
    for shard in SHARDS:
        before, after = rank("g", shard, names), rank("g", shard, names | {new})
        assert [name for name in after if name != new] == before


def test_a_newcomer_gets_its_share() -> None:
    shares = [rank("g", shard, frozenset({"a", "b", "c", "d"}))[0] for shard in range(4000)]
    assert all(800 < shares.count(name) < 1200 for name in "abcd")


def test_my_lease_is_mine_even_when_i_am_not_seen_as_a_member() -> None:
    first, second, _ = trio()
    assert look(one(first), first, {second}, 0) == Duty(Role.OWNER)


def test_who_left_takes_nothing() -> None:
    first, second, _ = trio()
    assert look(one(first), None, {second}, 0) == IDLE


def test_a_free_shard_is_taken_at_once_by_the_best_rank_and_later_by_the_next() -> None:
    first, second, third = trio()
    members = {first, second, third}

    assert look(one(first), None, members, 0) == Duty(Role.OWNER)
    assert look(one(third), None, members, 0, is_warm=False) == IDLE
    for me, place in ((second, 1), (third, 2)):
        steward = one(me)
        assert look(steward, None, members, 0) == STANDBY
        assert look(steward, None, members, place * PATIENCE_NS - 1).role is not Role.OWNER
        assert look(steward, None, members, place * PATIENCE_NS) == Duty(Role.OWNER)


def test_a_cold_worker_leaves_what_is_free_to_a_warm_one_for_a_moment() -> None:
    first, second, _ = trio()
    members, steward = {first, second}, one(first)
    assert look(steward, None, members, 0, is_warm=False) == STANDBY
    assert look(steward, None, members, COLD_NS - 1, is_warm=False) == STANDBY
    assert look(steward, None, members, COLD_NS, is_warm=False) == Duty(Role.OWNER)
    assert PATIENCE_NS < COLD_NS
    assert look(one(first), None, {first}, 0, is_warm=False) == Duty(Role.OWNER)


def test_a_shard_whose_owner_leaves_is_taken_from_it() -> None:
    first, second, third = trio()
    assert look(one(second), first, {second, third}, 0) == Duty(Role.OWNER, first)


def test_patience_begins_anew_with_every_owner() -> None:
    first, second, third = trio()
    members, steward = {first, second, third}, one(second)
    look(steward, None, members, 0)
    look(steward, first, members, PATIENCE_NS)

    assert look(steward, None, members, PATIENCE_NS + 1) == STANDBY


def test_the_best_of_the_others_stands_by() -> None:
    first, second, third = trio()
    members = {first, second, third}
    assert look(one(second), first, members, STABLE_NS) == STANDBY
    assert look(one(third), first, members, STABLE_NS) == IDLE


def test_a_live_shard_moves_to_its_best_rank_once_that_is_warm_and_the_workers_are_the_same() -> None:
    first, second, _ = trio()
    members, steward = {first, second}, one(first)

    assert look(steward, second, members, 0) == STANDBY
    assert look(steward, second, members, STABLE_NS - 1) == STANDBY
    assert look(steward, second, members, STABLE_NS, is_warm=False) == STANDBY
    assert look(steward, second, members, STABLE_NS) == Duty(Role.OWNER, second)


def test_a_live_shard_does_not_move_while_workers_come_and_go() -> None:
    first, second, third = trio()
    steward, now = one(first), 0
    for turn in range(10):
        now += STABLE_NS - 1
        assert look(steward, second, {first, second, third} if turn % 2 else {first, second}, now) == STANDBY


def test_only_one_live_shard_moves_a_beat() -> None:
    mine = [shard for shard in range(100) if rank("g", shard, frozenset({"a", "b"}))[0] == "a"][:3]
    steward, view = Steward("a", "g"), View(frozenset({"a", "b"}), dict.fromkeys(mine, "b"))
    steward.look(view, 0, warm)

    duties = steward.look(view, STABLE_NS, warm)
    assert [duty.role for duty in duties.values()] == [Role.OWNER, Role.STANDBY, Role.STANDBY]


def test_leases_are_trusted_for_a_while_after_a_good_beat_and_not_before_one() -> None:
    steward = one("a")
    assert not steward.trusts(0)
    look(steward, "a", {"a"}, 1_000)

    assert steward.trusts(1_000)
    assert not steward.trusts(1_000 + int(TRUST_S * 1e9))


@pytest.mark.parametrize(("members", "alone"), [({"a"}, True), (set(), True), ({"a", "b"}, False), ({"b"}, False)])
def test_a_worker_knows_whether_it_is_alone(members: set[str], alone: bool) -> None:
    steward = one("a")
    look(steward, "a", members, 0)
    assert steward.alone is alone


def test_a_beat_is_read_as_the_server_answers_it() -> None:
    replies = {0: [[b"a", b"b"], [b"a"], [2900]], 3: [[b"b", b"c"], [b""], [-2]]}
    assert view_of(replies) == View(frozenset({"a", "b", "c"}), {0: "a", 3: None})


def test_of_a_shard_whose_server_does_not_answer_nothing_is_said() -> None:
    steward = one("a")
    assert steward.look(View(frozenset({"a"}), {}), 0, warm) == {}
    assert look(steward, None, {"a"}, 1) == Duty(Role.OWNER)


def test_beats_have_one_command_a_shard_with_keys_of_its_own_slot() -> None:
    asked = beats("binance", [0, 3], "me", leaving=True)
    words = [b"FCALL", b"thalweg_beat", b"2", b"workers:{3}:binance", b"lease:{3}:binance", b"me", b"3000", b"1"]
    assert (len(asked), asked[1]) == (2, pack_words(words))


@given(st.lists(st.sampled_from("abcd"), min_size=2, max_size=6), st.integers(0, 2**32))
def test_the_group_settles_with_every_shard_at_its_best_rank(crowd: list[str], seed: int) -> None:
    members = frozenset(crowd)
    stewards = {me: Steward(me, "g") for me in members}
    owners: dict[int, str | None] = dict.fromkeys(SHARDS)
    for turn in range(40):
        for me, steward in stewards.items():
            before = dict(owners)
            for shard, duty in steward.look(View(members, before), turn * PATIENCE_NS, warm).items():
                if duty.role is Role.OWNER and (owners[shard] or "") in (duty.expected, me):
                    owners[shard] = me
    assert owners == {shard: rank("g", shard, members)[0] for shard in SHARDS}
