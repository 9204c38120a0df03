"""A state machine of the lease protocol, over the model server or over a real one with the model in lockstep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import hypothesis.strategies as st
import redis
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.virtual.server import Refusal, Server
from thalweg import keys
from thalweg.lease import BEAT_S, TTL_S, Role, Steward, rank, view_of

GROUP = "toy"
SHARDS = (0, 1)
TTL_MS = int(TTL_S * 1000)
BEAT_MS = int(BEAT_S * 1000)
START_MS = 1_764_000_000_000
SETTLING_BEATS = 30
WORKERS = st.integers(0, 3)
NUMBERS = st.sampled_from(SHARDS)
LEASES = [keys.lease(GROUP, shard).encode() for shard in SHARDS]
EPOCHS = [keys.epoch(GROUP, shard).encode() for shard in SHARDS]
MEMBERS = [keys.workers(GROUP, shard).encode() for shard in SHARDS]
STREAMS = [keys.stream(f"BTC-{shard}", GROUP).encode() for shard in SHARDS]


class Model:
    """The model server and its clock."""

    def __init__(self) -> None:
        self.now = START_MS
        self.passed = 0  # by the workers' own clocks, which never step
        self.server = Server(lambda: self.now)
        self.call: Callable[[Sequence[bytes]], Any] = self.server.call

    def wait(self, milliseconds: int) -> None:
        """Let time pass, or step the server's clock back."""
        self.now += milliseconds
        self.passed += max(milliseconds, 0)


class Lockstep(Model):
    """A real server beside the model; what each refuses and shows of owners and members must be the same."""

    def __init__(self, client: redis.Redis) -> None:
        super().__init__()
        self._client = client
        client.flushdb()
        self.call = self._both

    def wait(self, milliseconds: int) -> None:
        super().wait(max(milliseconds, 0))
        self.server.call([b"GET", b"nothing"])  # lets the model expire what is due
        gone = [lease for lease in LEASES if lease not in self.server.keys]
        self._client.delete(b"nothing", *gone)
        for group in MEMBERS:
            members = self.server.keys.get(group, {})
            stale: Any = self._client.zrange(group, 0, -1)
            for one in stale:
                if members.get(one, 0) <= self.now - TTL_MS:
                    self._client.zrem(group, one)

    def _both(self, words: Sequence[bytes]) -> Any:
        real = _outcome(lambda: self._client.execute_command(*words))  # type: ignore[no-untyped-call]
        model = _outcome(lambda: self.server.call(words))
        assert isinstance(real, str) == isinstance(model, str), f"{words!r}: the server says {real!r}, we {model!r}"
        if isinstance(real, str):
            assert real.split()[0] == model.split()[0]
            raise Refusal(real)
        if words[1] == b"thalweg_beat":
            assert (sorted(real[0]), real[1]) == (sorted(model[0]), model[1])
        if words[1] == b"thalweg_acquire":
            self.server.keys[words[4]] = b"%d" % real
        return real


def _outcome(call: Callable[[], Any]) -> Any:
    """A reply; the text of a refusal."""
    try:
        found = call()
    except (Refusal, redis.ResponseError) as refusal:
        text = str(refusal)
        return text if text.startswith(("HELD", "FENCED")) else f"SMALLER {text}" if "smaller" in text else f"? {text}"
    return found.encode() if isinstance(found, str) else found


@dataclass
class Worker:
    """What one process knows: its steward, and for each shard it writes the epoch and the last n."""

    name: str
    steward: Steward
    writes: dict[int, tuple[int, int]] = field(default_factory=dict)


class Leases(RuleBasedStateMachine):
    """Four workers and two shards."""

    make: Callable[[], Model] = Model

    @initialize()
    def begin(self) -> None:
        self.world = type(self).make()
        self.born = 0
        self.workers = [self._new() for _ in range(4)]
        self.opened: list[list[int]] = [[] for _ in SHARDS]
        self.log: list[list[tuple[int, int, str]]] = [[] for _ in SHARDS]

    def _new(self) -> Worker:
        self.born += 1
        name = f"w{self.born}"
        return Worker(name, Steward(name, GROUP))

    @property
    def _now_ns(self) -> int:
        return self.world.passed * 1_000_000

    @rule(who=WORKERS)
    def beat(self, who: int) -> None:
        self._beat(self.workers[who])

    def _beat(self, worker: Worker, leaving: bytes = b"0") -> None:
        told = worker.name.encode(), b"%d" % TTL_MS, leaving
        replies = {
            shard: self.world.call([b"FCALL", b"thalweg_beat", b"2", MEMBERS[shard], LEASES[shard], *told])
            for shard in SHARDS
        }
        for shard, duty in worker.steward.look(view_of(replies), self._now_ns, lambda shard: True).items():
            if duty.role is Role.OWNER and shard not in worker.writes:
                self._take(worker, shard, duty.expected)

    def _take(self, worker: Worker, shard: int, expected: str) -> None:
        """Acquire and open, as the sink does: a second try above a counter that was lost."""
        floor = 0
        for _ in range(2):
            try:
                call = [b"FCALL", b"thalweg_acquire", b"2", LEASES[shard], EPOCHS[shard], worker.name.encode()]
                epoch = int(self.world.call([*call, b"%d" % TTL_MS, expected.encode(), b"%d" % floor]))
            except Refusal:
                return
            if self._append(worker, shard, epoch, 1):
                self.opened[shard].append(epoch)
                return
            floor = self._top(shard)[0]

    def _append(self, worker: Worker, shard: int, epoch: int, n: int) -> bool:
        """Append one entry; a refusal means that another owns the shard."""
        try:
            self.world.call([b"XADD", STREAMS[shard], b"%d-%d" % (epoch, n), b"by", worker.name.encode()])
        except Refusal:
            worker.writes.pop(shard, None)
            return False
        worker.writes[shard] = epoch, n
        self.log[shard].append((epoch, n, worker.name))
        return True

    def _top(self, shard: int) -> tuple[int, int]:
        return max(((epoch, n) for epoch, n, _ in self.log[shard]), default=(0, 0))

    @rule(who=WORKERS, shard=NUMBERS)
    def append(self, who: int, shard: int) -> None:
        """Write where this worker believes it may, however long ago it last beat: it may have been paused."""
        worker = self.workers[who]
        if shard in worker.writes:
            epoch, n = worker.writes[shard]
            self._append(worker, shard, epoch, n + 1)

    @rule(who=WORKERS, shard=NUMBERS, victim=WORKERS)
    def grab(self, who: int, shard: int, victim: int) -> None:
        """Take a shard from whoever has it, as one does that moves a live shard."""
        self._take(self.workers[who], shard, self.workers[victim].name)

    @rule(who=WORKERS)
    def crash(self, who: int) -> None:
        self.workers[who] = self._new()

    @rule(who=WORKERS, shard=NUMBERS)
    def leave(self, who: int, shard: int) -> None:
        """Say that one leaves, and free a lease."""
        worker = self.workers[who]
        self._beat(worker, b"1")
        self.world.call([b"FCALL", b"thalweg_release", b"1", LEASES[shard], worker.name.encode()])

    @rule(milliseconds=st.sampled_from((100, BEAT_MS, 1500, TTL_MS - 1, TTL_MS, 10_000)))
    def wait(self, milliseconds: int) -> None:
        self.world.wait(milliseconds)

    @rule(milliseconds=st.sampled_from((100, 5_000, 3_600_000)))
    def step_back(self, milliseconds: int) -> None:
        """Set the server's clock back; what expires by it stays longer."""
        self.world.wait(-milliseconds)

    @rule(shard=NUMBERS)
    def lose_the_counter(self, shard: int) -> None:
        self.world.call([b"DEL", EPOCHS[shard]])

    @rule(shard=NUMBERS)
    def lose_the_lease(self, shard: int) -> None:
        self.world.call([b"DEL", LEASES[shard]])

    @invariant()
    def at_most_one_can_append(self) -> None:
        for shard in SHARDS:
            top = self._top(shard)
            able = [one.name for one in self.workers if one.writes.get(shard, (0, 0)) >= top > (0, 0)]
            assert len(able) <= 1, f"shard {shard}: {able}"

    @invariant()
    def epochs_rise(self) -> None:
        for opened in self.opened:
            assert opened == sorted(set(opened))

    @invariant()
    def every_epoch_is_dense_and_of_one_writer(self) -> None:
        for log in self.log:
            ends: dict[int, tuple[int, str]] = {}
            for epoch, n, name in log:
                before, owner = ends.get(epoch, (0, name))
                assert (n, name) == (before + 1, owner)
                ends[epoch] = n, name
            assert list(ends) == sorted(ends)

    def teardown(self) -> None:
        """Left alone, the workers agree: every shard is written by its best rank and by nobody else."""
        self.world.wait(2 * TTL_MS)
        for _ in range(SETTLING_BEATS):
            self.world.wait(BEAT_MS)
            for worker in self.workers:
                self._beat(worker)
            for who in range(len(self.workers)):
                for shard in SHARDS:
                    self.append(who, shard)
        names = frozenset(worker.name for worker in self.workers)
        for shard in SHARDS:
            writers = [worker.name for worker in self.workers if shard in worker.writes]
            assert writers == rank(GROUP, shard, names)[:1]
