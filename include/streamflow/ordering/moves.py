"""The explanation of a new order: which streams moved and which did not, and why."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from streamflow.ordering import dead_streams
from streamflow.ordering.order import Order, Rules, beats
from streamflow.ordering.standing import Standing
from streamflow.policies.ranking import Rank
from streamflow.records import ChannelChange, Move

_STREAM = re.compile(r"\bstream (\d+)\b")


@dataclass(frozen=True)
class Arrangement:
    """A channel's new order, with the former one, the standings and the rules that led to it."""

    before: Sequence[int]
    order: Order
    standings: Mapping[int, Standing]
    rules: Rules

    def moves(self) -> tuple[Move, ...]:
        """Return the streams that changed places, in the new order; removed streams come last."""
        places = {stream: place for place, stream in enumerate(self.before)}
        moved = [
            Move(stream_id=stream, before=places.get(stream), after=place, why=self._reason(stream))
            for place, stream in enumerate(self.order.stream_ids)
            if places.get(stream) != place
        ]
        removed = [
            Move(stream_id=stream, before=places[stream], after=None, why=f"removed, {self._reason_to_leave(stream)}")
            for stream in self.before
            if stream not in self.order.stream_ids
        ]
        return (*moved, *removed)

    def stays(self) -> tuple[Move, ...]:
        """Return the moves that the rules prevented: streams whose score is higher, but not by enough."""
        prevented = []
        for place, stream in enumerate(self.order.stream_ids):
            old_place = self._old_place(stream)
            if old_place is not None and (reason := self._reason_to_stay(place, stream)):
                prevented.append(Move(stream_id=stream, before=old_place, after=place, why=reason))
        return tuple(prevented)

    def _reason(self, stream: int) -> str:
        """Return why a stream moved: by which rank it beats, or is beaten by, a stream that it changed sides with."""
        own = self.standings[stream]
        if not own.is_working:
            return own.summary
        for other in self._passed(stream):
            rival = self.standings[other]
            if rival.is_working and beats(self._rank(stream), self._rank(other), self.rules.switch_margin):
                return self._comparison(stream, other)
            if rival.is_dead:
                return f"{own.summary}, ahead of stream {other}, {rival.summary}"
        for other in self._passed_by(stream):
            if merits := self._rank(stream).merit_against(self._rank(other)):
                return f"{own.summary}, {merits[0]}, behind stream {other}, {merits[1]}"
            if not self.rules.turns:
                return f"{own.summary}, behind stream {other} with {self._points(other)}"
        return f"{own.summary}; accounts take turns" if self.rules.turns else own.summary

    def _comparison(self, stream: int, other: int) -> str:
        """Return by what a working stream beats another one."""
        summary = self.standings[stream].summary
        if merits := self._rank(stream).merit_against(self._rank(other)):
            return f"{summary}, {merits[0]}, ahead of stream {other}, {merits[1]}"
        by_score = self._rank(stream).points == self.standings[stream].score
        own_points = "" if by_score else f", {self._points(stream)} points"
        return f"{summary}{own_points}, more than {self._margin} above stream {other} with {self._points(other)}"

    def _reason_to_leave(self, stream: int) -> str:
        standing = self.standings[stream]
        if standing.is_dead:
            return standing.summary
        most = self.rules.max_streams
        return self.rules.unfit.get(stream) or f"{standing.summary}; the channel keeps {most} streams"

    def _rank(self, stream: int) -> Rank:
        return self.rules.rank(stream, self.standings[stream])

    def _points(self, stream: int) -> str:
        return f"{self._rank(stream).points:.3f}"

    def _reason_to_stay(self, place: int, stream: int) -> str | None:
        own = self.standings[stream]
        if stream in self.rules.pinned:
            return None
        if dead_streams.is_on_probation(own, self.rules.dead_streams):
            return f"{own.summary}; it is moved after {self.rules.dead_streams.after_failures} failures in a row"
        if not own.is_working or self.rules.turns:
            return None
        ahead = [
            i for i in self.order.stream_ids[:place] if self.standings[i].is_working and i not in self.rules.pinned
        ]
        worst = min(ahead, key=lambda i: (self._rank(i).bands, self._rank(i).points), default=None)
        if worst is None or not beats(self._rank(stream), self._rank(worst), 0.0):
            return None
        if not self.rules.reorder:
            return f"{own.summary}; the policy keeps the order"
        return f"{own.summary}, not more than {self._margin} above stream {worst} with {self._points(worst)}"

    def _passed(self, stream: int) -> list[int]:
        """Return the streams that were ahead of a stream and are behind it now, or left the channel."""
        old_place = self._old_place(stream)
        ahead = self.before if old_place is None else self.before[:old_place]
        now_ahead = self.order.stream_ids[: self.order.stream_ids.index(stream)]
        return [other for other in ahead if other not in now_ahead]

    def _passed_by(self, stream: int) -> list[int]:
        """Return the working streams that were behind a stream and are ahead of it now, the nearest one first."""
        old_place = self._old_place(stream)
        was_ahead = self.before if old_place is None else self.before[:old_place]
        now_ahead = self.order.stream_ids[: self.order.stream_ids.index(stream)]
        return [i for i in reversed(now_ahead) if i not in was_ahead and self.standings[i].is_working]

    def _old_place(self, stream: int) -> int | None:
        return self.before.index(stream) if stream in self.before else None

    @property
    def _margin(self) -> str:
        return f"{self.rules.switch_margin:g}"


def explain(change: ChannelChange, names: Mapping[int, str]) -> list[str]:
    """Return one sentence for each move, and for each move that the rules prevented.

    :param names: the streams' names by id.
    """
    if change.conflict:
        return [f"Nothing was changed: {change.conflict}."]
    moved = [_sentence(move, names) for move in change.moves] or ["The order was right already."]
    return moved + [_sentence(move, names) for move in change.stays if move.before == move.after]


def _sentence(move: Move, names: Mapping[int, str]) -> str:
    name = _named(f"stream {move.stream_id}", names)
    why = _named(move.why, names)
    match move.before, move.after:
        case None, int(after):
            return f"{name} comes in at place {after + 1}: {why}."
        case int(before), None:
            return f"{name} leaves place {before + 1}: {why}."
        case int(before), int(after) if before == after:
            return f"{name} stays at place {before + 1}: {why}."
        case int(before), int(after):
            way = "up" if after < before else "down"
            return f"{name} goes {way} from place {before + 1} to {after + 1}: {why}."
        case _:
            return f"{name} stays out: {why}."


def _named(text: str, names: Mapping[int, str]) -> str:
    """Return the text with the names of streams in place of their ids."""
    return _STREAM.sub(lambda found: names.get(int(found.group(1))) or found.group(), text)
