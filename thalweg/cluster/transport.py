"""The connections of one link to the masters of a Cluster, made as commands need them.

| a node says | then |
|---|---|
| MOVED, of a slot in which nothing was done since `connect` | the map is corrected and the command goes there |
| MOVED, of another slot | trouble: the new master may lack what the old one took, so whoever writes begins an epoch |
| ASK, TRYAGAIN | it is asked again as the node says, within a bound: keys are on the way, and none is lost |
| nothing in time, or the connection ends | trouble with this node; the others are left alone |

Only what was certainly not done is sent again: each of these answers says that it was not.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from redis.exceptions import AskError, MovedError, ResponseError, TryAgainError

from thalweg.address import Address
from thalweg.cluster.pieces import Piece, split
from thalweg.cluster.routing import Node, SlotMap, slot_map, subscriptions
from thalweg.errors import RedisTrouble
from thalweg.refusals import explain
from thalweg.replies.transport import first_ready
from thalweg.resp import Reply, pack

if TYPE_CHECKING:
    from thalweg.transport import RedisLink

ROUNDS = 16  # of asking again: as many as other clients of Clusters allow themselves
AGAIN_S = 0.05  # before asking again for keys that are on the way
REST_S = 0.5  # a node that failed is left alone for so long where others will do
FIND_S = (0.2, 1.0)  # for one node to tell the map, and if none did: one that hangs must not keep us from the others
SELDOM_S = 2.0  # between two looks at the map by those who stay connected when a node fails
_SLOTS = pack("CLUSTER", "SLOTS")


class Masters:
    """What a link to a Cluster has; its methods take turns."""

    def __init__(self, address: Address, open_link: Callable[[str], RedisLink]) -> None:
        """Connect to nobody yet; `open_link` makes a link to one server.

        Raises:
            SettingsError: the URL is not one.
        """
        self.map = SlotMap()
        self._address, self._open = address, open_link
        self._links: dict[Node, RedisLink] = {}
        self._sent_to: dict[Node, None] = {}
        self._homes: dict[Node, None] = {}  # those of them that have slots of ours
        self._used: set[int] = set()
        self._failed_at: dict[Node, float] = {}
        self._troubles: dict[Node, RedisTrouble] = {}
        self._looked_at = 0.0
        self._turn = asyncio.Lock()
        open_link(address.server(*address.hosts[0]))  # says what is wrong with the options

    async def connect(self) -> None:
        """Forget all connections and learn the map afresh; nodes are connected to as they are needed.

        Raises:
            RedisTrouble: no node can be reached, or none lets us in.
        """
        async with self._turn:
            await self.close()
            await self._learn()

    async def close(self) -> None:
        """Close all connections."""
        links, self._links = self._links, {}
        self._sent_to, self._homes, self._used = {}, {}, set()
        for link in links.values():
            await link.close()

    async def _learn(self) -> None:
        """Ask node after node for the map, those that failed lately last.

        Raises:
            RedisTrouble: none gives it.
        """
        trouble = RedisTrouble("can't connect to Redis: no node of the Cluster is known")
        known = list(dict.fromkeys([*self.map.nodes, *self._address.hosts]))
        random.shuffle(known)
        for node, patience_s in [(node, wait_s) for wait_s in FIND_S for node in sorted(known, key=self._rests)]:
            try:
                link = await self._link(node, patience_s)
                (reply,) = await link.run([_SLOTS], patience_s)
            except (RedisTrouble, TimeoutError) as error:
                await self._forget(node)
                trouble = self._failed(node, error)
                continue
            if not isinstance(reply, ResponseError):
                self.map, self._looked_at = slot_map(reply, node[0]), _now()
                return
            trouble = RedisTrouble(f"{node[0]}:{node[1]}: Redis refused: {explain(str(reply))}")
        raise trouble

    async def _forget(self, node: Node) -> None:
        """Let go of a connection, so that it is made anew when it is needed."""
        link = self._links.pop(node, None)
        if link is not None:
            await link.close()

    def _rests(self, node: Node) -> bool:
        return _now() - self._failed_at.get(node, -REST_S) < REST_S

    def _failed(self, node: Node, error: Exception) -> RedisTrouble:
        self._failed_at[node] = _now()
        self._troubles[node] = RedisTrouble(f"{node[0]}:{node[1]}: {str(error) or 'no answer in time'}")
        return self._troubles[node]

    async def _link(self, node: Node, timeout_s: float) -> RedisLink:
        """Give the connection to a node; one that broke stays so until the next `connect`.

        Raises:
            TimeoutError: it can't be made in time.
            RedisTrouble: it can't be made.
        """
        link = self._links.get(node)
        if link is None:
            link = self._open(self._address.server(*node))
            try:
                async with asyncio.timeout(timeout_s):
                    await link.connect()
            except BaseException:
                await link.close()
                raise
            self._links[node] = link
        return link

    async def run(self, commands: Sequence[bytes], timeout_s: float, *, whole: bool = False) -> list[Reply]:
        """Send packed commands, each to the node that has its slot; with `whole` those of a slot are done all or none.

        Raises:
            RedisTrouble: a node can't be used; what was applied there is not known, all others have answered.
        """
        async with self._turn:
            replies: list[Reply] = [None] * len(commands)
            await self._exchange(split(commands, whole=whole), replies, timeout_s)
        trouble = next((reply for reply in replies if isinstance(reply, RedisTrouble)), None)
        if trouble is not None:
            raise trouble
        return replies

    async def run_each(self, commands: Sequence[bytes], timeout_s: float) -> list[Reply]:
        """As `run`, but trouble with a node is the reply to the commands that were for it.

        Nodes that failed are connected to again, after a rest, so nothing may be sent that follows from what was sent
        before.
        """
        async with self._turn:
            for node in [node for node, link in self._links.items() if not link.alive]:
                await self._forget(node)
            if self._failed_at:
                await self._look_again()
            fit, replies = list[Piece](), list[Reply]([None] * len(commands))
            for piece in split(commands, whole=False):
                owner = None if piece.slot is None else self.map.owner(piece.slot)
                if owner is not None and self._rests(owner):
                    replies[piece.places[0]] = self._troubles[owner]
                else:
                    fit.append(piece)
            await self._exchange(fit, replies, timeout_s)
            return replies

    async def _look_again(self) -> None:
        """Learn the map anew now and then; what is known stays where nobody tells."""
        if _now() - self._looked_at > SELDOM_S:
            self._looked_at = _now()
            with suppress(RedisTrouble):
                await self._learn()

    async def _exchange(self, waiting: Sequence[Piece], replies: list[Reply], timeout_s: float) -> None:
        """Put the replies to all pieces in their places, after as many rounds as the nodes ask for."""
        for _ in range(ROUNDS if waiting else 0):
            batches = self._place(waiting)
            works = [self._send(node, pieces, timeout_s) for node, pieces in batches.items()]
            answered = [await works[0]] if len(works) == 1 else await asyncio.gather(*works)
            waiting = []
            for piece, answers in (pair for pairs in answered for pair in pairs):
                if self._again(piece, answers):
                    waiting.append(piece)
                for place, answer in zip(piece.places, answers, strict=True):
                    replies[place] = answer
            if not waiting:
                return
            await asyncio.sleep(AGAIN_S if any(piece.asked is None for piece in waiting) else 0)

    def _place(self, pieces: Iterable[Piece]) -> dict[Node | None, list[Piece]]:
        """Give the pieces by node; what any will do for goes with the others."""
        batches: dict[Node | None, list[Piece]] = {}
        anywhere = list[Piece]()
        for piece in pieces:
            if piece.slot is None:
                anywhere.append(piece)
            else:
                batches.setdefault(piece.asked or self.map.owner(piece.slot), []).append(piece)
        if anywhere:
            batches.setdefault(self._any(batches), []).extend(anywhere)
        return batches

    def _any(self, used: Iterable[Node | None]) -> Node | None:
        """Choose one with slots of ours, so as to depend on no other; else any, rather one that did not just fail."""
        broken = {node for node, link in self._links.items() if not link.alive}
        ours = [node for node in [*used, *self._homes] if node is not None and node not in broken]
        known = [node for node in [*self._links, *self.map.nodes] if node not in broken]
        return ours[0] if ours else min(known, key=self._rests, default=None)

    async def _send(
        self, node: Node | None, pieces: Sequence[Piece], timeout_s: float
    ) -> list[tuple[Piece, list[Reply]]]:
        """Send pieces to one node and give each its replies; trouble is the reply to all."""
        packed = [piece.packed() for piece in pieces]
        try:
            if node is None:
                raise RedisTrouble("Redis: no master of the Cluster has this slot")
            link = await self._link(node, timeout_s)
            flat = await link.run([command for commands in packed for command in commands], timeout_s)
        except (RedisTrouble, TimeoutError) as error:
            trouble = error if node is None else self._failed(node, error)
            return [(piece, [trouble] * len(piece.commands)) for piece in pieces]
        self._failed_at.pop(node, None)
        self._sent_to[node] = None
        if any(piece.slot is not None for piece in pieces):
            self._homes[node] = None
        found, at = [], 0
        for piece, commands in zip(pieces, packed, strict=True):
            found.append((piece, piece.unpacked(flat[at : at + len(commands)])))
            at += len(commands)
        return found

    def _again(self, piece: Piece, answers: list[Reply]) -> bool:
        """Whether a piece was refused and may be sent again; notes what the node told of its slot."""
        first, piece.asked = answers[0], None
        if piece.slot is None or isinstance(first, RedisTrouble):
            return False
        if not isinstance(first, AskError | TryAgainError):  # a MovedError is an AskError
            self._used.add(piece.slot)
            return False
        if isinstance(first, MovedError):
            self.map.moved[piece.slot] = first.node_addr
            self._looked_at = 0.0
            if piece.slot in self._used:
                answers[:] = [RedisTrouble("Redis: a slot has moved to another master")] * len(answers)
                return False
        elif isinstance(first, AskError):
            piece.asked = first.node_addr
        return True

    async def subscribe(self, channels: Sequence[bytes], timeout_s: float) -> None:
        """Subscribe to channels, each at the node that has its slot; those without one where any other is.

        Raises:
            RedisTrouble: a node can't be used or refuses.
        """
        refused = [one for one in await self.run(subscriptions(channels), timeout_s) if isinstance(one, ResponseError)]
        if refused:
            raise RedisTrouble(f"Redis refused: {refused[0]}")

    async def next_push(self, timeout_s: float) -> Reply | None:
        """Wait for the next message from any node that was subscribed at; `None` when the time runs out.

        Raises:
            RedisTrouble: a connection failed, or a slot has moved, and its channels with it.
        """
        links = [self._links[node] for node in self._sent_to if node in self._links]
        link = links[0] if len(links) == 1 else await first_ready(links, timeout_s)
        push = None if link is None else await link.next_push(timeout_s)
        if isinstance(push, ResponseError) or (push is not None and push[0] == b"sunsubscribe"):
            raise RedisTrouble("Redis: a slot has moved to another master")
        if push is not None and push[0] == b"smessage":
            push[0] = b"message"
        return push

    async def each(self) -> list[RedisLink]:
        """Give a connection to each master; one that can't be made shows when it is used.

        Raises:
            RedisTrouble: the map can't be had.
        """
        async with self._turn:
            if _now() - self._looked_at > SELDOM_S:
                await self._learn()
            for node in self.map.nodes:
                if node not in self._links or not self._links[node].alive:
                    self._links[node] = link = self._open(self._address.server(*node))
                    with suppress(RedisTrouble):
                        await link.connect()
            return [self._links[node] for node in self.map.nodes]


def _now() -> float:
    return asyncio.get_running_loop().time()
