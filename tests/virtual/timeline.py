"""Virtual time: one clock for all, an event loop for each process, and nothing that waits for real.

A process is an asyncio loop of its own, stepped when it has something to do. One that is paused is not stepped, so its
timers are late when it goes on, as after SIGSTOP; one that is killed is never stepped again.
"""

from __future__ import annotations

import asyncio
import heapq
from asyncio import events
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

SECOND = 1_000_000_000
MILLISECOND = 1_000_000
START_NS = 1_790_000_000 * SECOND


class Timeline:
    """The instant, what is to happen, and the processes."""

    def __init__(self) -> None:
        self.now = 0
        self.processes: list[Process] = []
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0

    @property
    def wall(self) -> int:
        """The true instant, nanoseconds since the Unix epoch."""
        return START_NS + self.now

    def after(self, delay: int, call: Callable[[], None]) -> None:
        """Do something later."""
        self._count += 1
        heapq.heappush(self._heap, (self.now + delay, self._count, call))

    def run(self, until: int) -> None:
        """Let time pass."""
        while True:
            for process in self.processes:
                while process.runs and process.due() <= self.now:
                    process.step()
            coming = self._heap[0][0] if self._heap else until
            for process in self.processes:
                if process.runs:
                    coming = min(coming, process.due())
            if coming > until:
                self.now = until
                return
            self.now = max(self.now, coming)
            while self._heap and self._heap[0][0] <= self.now:
                heapq.heappop(self._heap)[2]()
            if self.now >= until:
                return


class Clock:
    """A process's two clocks: the wall one may be wrong."""

    def __init__(self, timeline: Timeline, origin: int) -> None:
        self.skew = 0
        self._timeline, self._origin = timeline, origin

    def wall_ns(self) -> int:
        """What the process takes for the time of day."""
        return self._timeline.wall + self.skew

    def monotonic_ns(self) -> int:
        """Nanoseconds since some boot."""
        return self._timeline.now + self._origin


class _Nothing:
    """A selector of no files."""

    def select(self, timeout: float | None) -> list[object]:
        return []

    def close(self) -> None:
        return None


class Loop(asyncio.BaseEventLoop):
    """An event loop by virtual time; work for threads is done by the loop's `executed`."""

    def __init__(self, timeline: Timeline, executed: Callable[[Loop, Callable[[], Any]], asyncio.Future[Any]]) -> None:
        super().__init__()
        self._timeline, self._executed = timeline, executed
        self._selector = _Nothing()

    def time(self) -> float:
        return self._timeline.now / SECOND

    def due(self) -> int:
        """When there is something to do, in virtual nanoseconds."""
        if self._ready:  # type: ignore[attr-defined]
            return self._timeline.now
        scheduled = self._scheduled  # type: ignore[attr-defined]
        while scheduled and scheduled[0]._cancelled:
            heapq.heappop(scheduled)._scheduled = False
            self._timer_cancelled_count -= 1  # type: ignore[attr-defined]
        return int(scheduled[0]._when * SECOND) + 1 if scheduled else 1 << 62

    def step(self) -> None:
        """Run what is ready, once."""
        events._set_running_loop(self)
        try:
            self._run_once()  # type: ignore[attr-defined]
        finally:
            events._set_running_loop(None)

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        """Hand blocking work to the world outside."""
        return self._executed(self, lambda: func(*args))

    def _process_events(self, event_list: object) -> None:
        return None

    def _write_to_self(self) -> None:
        return None


class Process:
    """One process: a loop, clocks, and a main task; `current` is the one that runs just now."""

    current: ClassVar[Process]

    def __init__(self, timeline: Timeline, name: str, clock: Clock, loop: Loop) -> None:
        self.name, self.clock, self.loop = name, clock, loop
        self.alive, self.paused, self.cut = True, False, False
        self.main: asyncio.Task[None] | None = None
        self.ends: list[Callable[[], None]] = []
        timeline.processes.append(self)
        loop.set_exception_handler(lambda _, context: None)

    @property
    def runs(self) -> bool:
        """Whether it is stepped."""
        return self.alive and not self.paused

    def due(self) -> int:
        """When it has something to do."""
        return self.loop.due()

    def step(self) -> None:
        """Run it once; a main task that is done ends it."""
        Process.current = self
        self.loop.step()
        if self.main is not None and self.main.done():
            self.kill()

    def start(self, make: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Begin its main task."""
        Process.current = self
        events._set_running_loop(self.loop)
        try:
            self.main = self.loop.create_task(make())
        finally:
            events._set_running_loop(None)

    def terminate(self) -> None:
        """Ask it to end in order."""
        if self.main is not None and self.alive:
            self.main.cancel()

    def kill(self) -> None:
        """End it at once: what it held open is closed by the system."""
        if self.alive:
            self.alive = False
            for end in self.ends:
                end()
            for task in asyncio.all_tasks(self.loop):
                task._log_destroy_pending = False  # type: ignore[attr-defined]

    @property
    def failure(self) -> BaseException | None:
        """What ended its main task, if that was no order."""
        if self.main is None or not self.main.done() or self.main.cancelled():
            return None
        return self.main.exception()
