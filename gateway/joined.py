"""What one tick has for its clients: the frames of all topics, joined once for all who follow the same ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gateway.message import Deflater, Message
from gateway.topic import Frame, Now, Position, Topic

Topics = frozenset[Topic]


@dataclass(slots=True)
class Bundle:
    """What is due to all clients that follow `topics`; `news` says whether it is more than a heartbeat."""

    topics: Topics
    message: Message
    news: bool


class Joined:
    """One tick."""

    def __init__(self, frames: Mapping[Topic, Frame], heartbeat: bytes, at: Now) -> None:
        """Begin with the tick's frames, and a text for everybody, or nothing.

        Args:
            frames: a topic without one had nothing to say.
            heartbeat: a control message.
            at: the instant of the tick.
        """
        self.frames, self.at = frames, at
        self.restarted = any(frame.restart for frame in frames.values())
        self._heartbeat = heartbeat
        self._deflater = Deflater()
        self._made: dict[Topics, Bundle] = {}
        self._keyframes: dict[tuple[Topic, tuple[int, ...]], Frame] = {}
        self.heartbeat = self.message(())

    def message(self, texts: Iterable[bytes]) -> Message:
        """Give a message that begins with the heartbeat."""
        return Message((self._heartbeat, *texts), self._deflater)

    def bundle(self, topics: Topics) -> Bundle:
        """Give what is due to those who follow these topics.

        Its `topics` are equal to those asked for, and the same object for all: who keeps them is found faster.
        """
        made = self._made.get(topics)
        if made is None:
            texts = self.texts(topics)
            made = self._made[topics] = Bundle(topics, self.message(texts), bool(texts))
        return made

    def texts(self, topics: Topics) -> list[bytes]:
        """Give the texts of these topics' frames."""
        return [frame.text for topic in topics if (frame := self.frames.get(topic)) is not None and frame.text]

    def keyframe(self, topic: Topic, left: Position | None) -> Frame:
        """Give a topic's keyframe; made once for all who come at the same time, or have left at the same place."""
        place = () if left is None else (left.generation, left.s, left.applied, left.trades, left.resumed)
        made = self._keyframes.get((topic, place))
        if made is None:
            made = self._keyframes[topic, place] = topic.keyframe(left, self.at)
        return made
