"""From a seed to faults: seasons in which every venue has its own, and seasons in which one at a time hits all."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Callable, Iterator
from itertools import count
from time import monotonic, strftime

from tests.chaos.hops_struck import KINDS as HOPS
from tests.chaos.invariants import Tally
from tests.chaos.kinds import ALL, Kind, Strike
from tests.chaos.processes_struck import KINDS as PROCESSES
from tests.chaos.recorder import Recorder
from tests.chaos.recovery import BOUNDS, LIVE, TOLD, Outcome, first_told, last_back, stale_for
from tests.chaos.redis_struck import KINDS as REDIS
from tests.chaos.system import System
from tests.chaos.venues_struck import KINDS as VENUES
from thalweg import keys
from thalweg.events import State

KINDS: tuple[Kind, ...] = (*PROCESSES, *HOPS, *REDIS, *VENUES)
START_S = 60.0  # until all books are live at first
PATIENCE_S = 25.0  # until they are again after a fault
LOOK_S = 0.02
CALM_S = 0.2  # between two faults at the same place
LANES_S, ALONE_S = 22.0, 26.0  # of the two kinds of seasons
OFTEN = 4  # the weight from which a kind comes often enough for a bound to be held against it
OPENING_S = 4.0  # until a book's habit is known
HISTORY_S = 90.0
QUIET_TRIES, QUIET_S = 4, 1.5


def deck(kinds: list[Kind], source: random.Random, often: int, turn: int) -> Iterator[Kind]:
    """Give kinds for ever: `often` of each `turn` are frequent ones, the others come once before any comes again."""
    frequent = [kind for kind in kinds if kind.weight >= OFTEN]
    others = [kind for kind in kinds if 0 < kind.weight < OFTEN]
    draws: dict[bool, list[Kind]] = {True: [], False: []}
    for number in count():
        chosen = not others or (bool(frequent) and number % turn >= turn - often)
        if not draws[chosen]:
            pile = frequent if chosen else others
            draws[chosen] = source.sample(pile, len(pile))
        yield draws[chosen].pop()


class Nemesis:
    """Strikes until its time is over."""

    def __init__(self, system: System, recorder: Recorder, seed: int, only: str = "") -> None:
        self.outcomes: list[Outcome] = []
        self.system, self.recorder = system, recorder
        self._tally: Tally = recorder.tally
        self._random = random.Random(seed)
        self._chosen = chosen = [kind for kind in KINDS if only in kind.name]
        alone = [kind for kind in chosen if not kind.venues and kind.weight]
        self._alone = deck(alone, self._random, 2, 3) if alone else None
        self._lanes: dict[str, Iterator[Kind]] = {}
        for venue in system.shape.venues:
            kinds = [kind for kind in chosen if kind.weight and (venue in kind.venues or kind.venues == (ALL,))]
            if kinds:
                lane = random.Random(f"{seed} {venue}")
                self._lanes[venue] = deck(kinds, lane, 1, 3)

    async def run(self, seconds: float) -> None:
        """Strike for so long, season by season."""
        until = monotonic() + seconds
        await self._open()
        while monotonic() < until:
            if self._lanes:
                end = min(until, monotonic() + LANES_S)
                async with asyncio.TaskGroup() as group:
                    for venue in self._lanes:
                        group.create_task(self._lane(venue, end))
            end = min(until, monotonic() + ALONE_S)
            while self._alone is not None and monotonic() < end:
                await self.strike(next(self._alone), "")
            self._forget()

    async def _open(self) -> None:
        """Let hot books fall silent before anything else has made their silence a habit."""
        kinds = [kind for kind in self._chosen if not kind.weight]
        if kinds:
            await asyncio.sleep(OPENING_S)
        for kind in kinds:
            async with asyncio.TaskGroup() as group:
                for venue in set(kind.venues).intersection(self.system.shape.venues):
                    group.create_task(self.strike(kind, venue))

    async def _lane(self, venue: str, until: float) -> None:
        while monotonic() < until:
            await self.strike(next(self._lanes[venue]), venue)

    async def strike(self, kind: Kind, venue: str) -> Outcome:
        """Do one fault, wait until all is well again, and measure."""
        strike = Strike(self.system, self.recorder, random.Random(self._random.random()), venue)
        if kind.measured == "redis restart":
            await self._quiet()
        strike.begin()
        place = f" at {venue}" if venue else ""
        print(f"chaos: {strftime('%H:%M:%S')} {kind.name}{place}", file=sys.stderr, flush=True)
        before = await self._rest_calls() if kind.measured == "redis restart" else 0
        await kind.act(strike)
        since = strike.ended or monotonic()
        books = strike.books or (strike.mine() if venue else self.system.shape.books)
        well = await self._until(lambda: self._well(strike, books, since), PATIENCE_S)
        if not well:
            away = [self._states(one) for one in self.system.shape.books if not venue or one[0] == venue]
            text = f"{kind.name}{place}: not live again within {PATIENCE_S:.0f} s: {'; '.join(filter(None, away))}"
            self._tally.say("I7", text)
        outcome = self._measure(kind, strike, books, monotonic())
        if kind.measured == "redis restart" and await self._rest_calls() > before:
            self._tally.say("I9", f"{kind.name}: {await self._rest_calls() - before} REST calls, and none was needed")
        self.outcomes.append(outcome)
        await asyncio.sleep(CALM_S)
        return outcome

    def _well(self, strike: Strike, books: list[tuple[str, str]], since: float) -> bool:
        recorder = self.recorder
        if monotonic() < since + strike.hold_s or not all(map(self._live, books)):
            return False
        if not all(recorder.published.get(name, 0.0) > since for _, name in books):
            return False
        if strike.venue and not all(map(self._live, strike.mine())):
            return False
        if not strike.venue and not recorder.all_live:
            return False
        opened = {book for at, book in recorder.opens if at >= strike.began}
        out_opened = {key for at, key in recorder.out_opens if at >= strike.began}
        if strike.reopened and not opened.issuperset(books):
            return False
        return not strike.out_reopened or all(f"out:{{{name}}}" in out_opened for _, name in books)

    def _states(self, book: tuple[str, str]) -> str:
        """Say how a book that is not live stands in its stream, in `out:` and at the client."""
        recorder = self.recorder
        if self._live(book):
            return ""
        state = recorder.inputs[keys.stream(book[1], book[0])].state
        return f"{':'.join(book)} st {state} out {recorder.states.get(book)} client {recorder.client.states.get(book)}"

    def _live(self, book: tuple[str, str]) -> bool:
        return self.recorder.states.get(book) is State.LIVE and self.recorder.client.states.get(book) == "live"

    def _measure(self, kind: Kind, strike: Strike, books: list[tuple[str, str]], now: float) -> Outcome:
        recorder, told = self.recorder, list(self.recorder.client.told)
        if strike.venue:  # other lanes may concern Redis or the aggregator's word: not ours
            told = [one for one in told if one[1] != "sys"]
        opens = [*recorder.opens] if strike.reopened else []
        if strike.out_reopened:
            opens += [(at, book) for at, key in recorder.out_opens for book in books if key == f"out:{{{book[1]}}}"]
        back = last_back(recorder.changes, told, opens, books, strike.began)
        since = strike.ended if kind.measured == "redis restart" and strike.ended else strike.began
        outcome = Outcome(kind.name, kind.measured, strike.venue, strike.began)
        words = recorder.words if strike.venue else ()  # also of what is over before the next publication
        outcome.told = first_told([*words, *told], books, strike.began)
        outcome.live = max(back - since, 0.0) if back is not None else 0.0
        outcome.stale = max((stale_for(recorder.changes, book, strike.began, now) for book in books), default=0.0)
        bound = BOUNDS.get(kind.measured)
        if bound is not None:
            value = {TOLD: outcome.told, LIVE: outcome.live}.get(bound.what, outcome.stale)
            shown = "never" if value is None else f"{value:.2f} s"
            place = f" at {strike.venue}" if strike.venue else ""
            print(f"chaos:   {kind.measured}{place}: {bound.what} {shown}", file=sys.stderr, flush=True)
        return outcome

    async def until_live(self) -> bool:
        """Wait until all books are live at first."""
        return await self._until(lambda: self.recorder.all_live, START_S)

    async def _until(self, holds: Callable[[], bool], within_s: float) -> bool:
        deadline = monotonic() + within_s
        for _ in range(int(within_s / LOOK_S)):
            if holds():
                return True
            if monotonic() > deadline:
                break
            await asyncio.sleep(LOOK_S)
        return False

    async def _quiet(self) -> None:
        """Wait until workers that were started lately have asked what they ask when they start."""
        before = -1
        for _ in range(QUIET_TRIES):
            calls = await self._rest_calls()
            if calls == before:
                return
            before = calls
            await asyncio.sleep(QUIET_S)

    async def _rest_calls(self) -> int:
        report = await self.system.control({"op": "report"})
        return sum(meter["rest_calls"] for meter in report["meters"].values())

    def _forget(self) -> None:
        """Forget what is too old to matter."""
        oldest = monotonic() - HISTORY_S
        recorder = self.recorder
        for kept in (recorder.changes, recorder.words, recorder.opens, recorder.out_opens, recorder.client.told):
            while kept and kept[0][0] < oldest:
                kept.popleft()
