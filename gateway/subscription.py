"""One client's place in a topic, and its count of what it got and what it did not."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gateway.shapes.control import Counts
from gateway.topic import Frame, Position, Topic


@dataclass(slots=True, eq=False)
class Subscription:
    """One client's place in a topic; b - a == merged + skipped between the positions `since` and the last sent.

    `left` is where the client stands while `behind`; `None` before its first keyframe. `joined` is the position from
    which it has followed every frame, `merged` and `skipped` what came before that. `depth` and `rate_ms` are those
    granted, which a slow client may not get for a while.
    """

    name: str
    topic: Topic
    depth: int = 0
    rate_ms: int = 0
    since: int = 0
    merged: int = 0
    skipped: int = 0
    joined: Position | None = None
    left: Position | None = None

    @property
    def behind(self) -> bool:
        """Whether it needs a keyframe before any frame."""
        return self.joined is None

    def leave(self, at: Position) -> None:
        """Stop following after `at`."""
        if self.joined is not None:
            self.merged += at.applied - self.joined.applied
            self.joined, self.left = None, at

    def follow_instead(self, topic: Topic) -> None:
        """Follow another variant of the same channel, which knows no place that a client may resume from."""
        self.topic = topic
        if self.left is not None:
            self.left = replace(self.left, resumed=False)

    def follow(self, keyframe: Frame) -> None:
        """Follow the topic from its position on, which this keyframe has shown."""
        place = self.topic.position
        if self.left is None or place.s < self.left.s:
            self.since, self.merged, self.skipped = place.s, 0, 0
        else:
            self.merged += keyframe.n
            self.skipped += place.s - self.left.s - keyframe.n
        self.joined, self.left = place, None

    def stats(self) -> Counts:
        """Give the counters; `from` + `merged` + `skipped` == `to`."""
        place = self.topic.position
        to, merged = self.left.s if self.left else self.since, self.merged
        if self.joined is not None:
            to, merged = place.s, merged + place.applied - self.joined.applied
        return {"from": self.since, "to": to, "merged": merged, "skipped": self.skipped}
