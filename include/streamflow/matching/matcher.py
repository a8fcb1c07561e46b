"""The decision about each stream: compared by tvg-id, by name and by the expressions of the rules.

Two looks at the streams: the first collects those that resemble a channel, and which countries have a channel of each
name; the second decides. All other streams are refused at the first look, so the memory is that of the similar ones.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher

import re2

from streamflow.matching import vocabulary
from streamflow.matching.decision import Candidate, Refusal
from streamflow.matching.records import ChannelName, StreamName
from streamflow.matching.rule import NAME, TVG_ID, Rule
from streamflow.matching.spelling import Spelling, group_country, guide_country, spelling_of
from streamflow.policies.patterns import EXPRESSION

# Ids that playlists write where a stream has none.
_NO_ID = frozenset({"", "none", "null", "na", "undefined", "unknown", "noepg", "0"})
# A household's country is that of most of its channels with a name of their own.
LEAST_VOTES, HOME_SHARE = 5, 0.8
_KINDS = {"event": "it is an event", "loop": "it repeats one programme", "film": "it is a film or an episode"}
# Names under one tvg-id that differ by a letter or two.
SIMILAR = 0.85


def match(
    channels: Sequence[ChannelName], streams: Iterable[StreamName], rules: Sequence[Rule]
) -> Iterator[Candidate | Refusal]:
    """Return the candidates of the channels, and the reason for each stream that none of them takes.

    Every stream has at least one outcome. A stream may be a candidate of several channels.
    """
    yield from _Matcher(channels, rules).outcomes(streams)


@dataclass(slots=True)
class _Channel:
    """A channel with its name in normal form, its own country, and its rules by their index."""

    channel: ChannelName
    spelling: Spelling
    country: str
    rules: list[tuple[int, Rule]]


@dataclass(slots=True)
class _Similar:
    """A stream that resembles channels.

    :param taken: the channels that an expression has already decided about.
    """

    stream: StreamName
    spelling: Spelling
    country: str
    by_id: list[_Channel] = field(default_factory=list)
    by_name: list[_Channel] = field(default_factory=list)
    taken: set[int] = field(default_factory=set)


class _Expressions:
    """The expressions of all rules, tried on a name at once."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._places: list[tuple[int, str]] = []
        self._set = re2.Set.SearchSet()
        for number, rule in enumerate(rules):
            for way in rule.by:
                if isinstance(way, str) and way.startswith(EXPRESSION):
                    self._set.Add(way.removeprefix(EXPRESSION))
                    self._places.append((number, way))
        if self._places:
            self._set.Compile()

    def found(self, name: str) -> list[tuple[int, str]]:
        """Return rule and expression of each one that the name contains, in the order of the rules."""
        return [self._places[place] for place in sorted(self._set.Match(name) or ())] if self._places else []


class _Matcher:
    def __init__(self, channels: Sequence[ChannelName], rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._channels = [
            _Channel(
                channel,
                spelling := spelling_of(channel.name),
                spelling.country or guide_country(channel.tvg_id) or group_country(channel.group),
                [(number, rule) for number, rule in enumerate(rules) if rule.names_channel(channel.id, channel.name)],
            )
            for channel in channels
        ]
        self._by_key: dict[str, list[_Channel]] = defaultdict(list)
        self._by_loose: dict[str, list[_Channel]] = defaultdict(list)
        self._by_id: dict[str, list[_Channel]] = defaultdict(list)
        self._by_rule: dict[int, list[_Channel]] = defaultdict(list)
        for channel in self._channels:
            self._index(channel)
        self._expressions = _Expressions(rules)
        # The number of streams by account and stated country.
        self._by_account: dict[int | None, Counter[str]] = defaultdict(Counter)
        # The countries that streams and channels state for each key.
        self._countries: dict[str, set[str]] = defaultdict(set)

    def _index(self, channel: _Channel) -> None:
        ways = {way for _, rule in channel.rules for way in rule.by}
        if NAME in ways and channel.spelling.key:
            self._by_key[channel.spelling.key].append(channel)
            if channel.spelling.loose:
                self._by_loose[channel.spelling.loose].append(channel)
        if TVG_ID in ways and (id := _plain_id(channel.channel.tvg_id)):
            self._by_id[id].append(channel)
        for number, _ in channel.rules:
            self._by_rule[number].append(channel)

    def outcomes(self, streams: Iterable[StreamName]) -> Iterator[Candidate | Refusal]:
        similar: list[_Similar] = []
        for stream in streams:
            expressions = self._expressions.found(stream.name)
            taken = [one for number, way in expressions for one in self._by_expression(stream, number, way)]
            yield from taken
            spelling = spelling_of(stream.name)
            one = self._similar(stream, spelling)
            if one:
                one.taken.update(outcome.channel_id for outcome in taken if outcome.channel_id is not None)
                similar.append(one)
            elif not taken:
                yield self._unlike(stream, spelling)
        self._give_homes()
        homes = {account: _winner(votes) for account, votes in self._by_account.items()}
        for one in similar:
            one.country = one.country or homes.get(one.stream.account_id, "")
            yield from self._decided(one)

    # -- expressions -------------------------------------------------------------------------
    def _by_expression(self, stream: StreamName, number: int, way: str) -> Iterator[Candidate | Refusal]:
        rule = self._rules[number]
        for channel in self._by_rule[number]:
            if reason := _kept_out(rule, stream):
                yield Refusal(stream.id, channel.channel.id, reason)
            else:
                evidence = f"the name contains {way.removeprefix(EXPRESSION)!r}"
                yield Candidate(stream.id, channel.channel.id, number, way, evidence)

    # -- the first look ----------------------------------------------------------------------
    def _similar(self, stream: StreamName, spelling: Spelling) -> _Similar | None:
        """Return the channels that a stream resembles; None for none."""
        country = spelling.country or guide_country(stream.tvg_id) or group_country(stream.group)
        if country:
            self._by_account[stream.account_id][country] += 1
        by_id = self._by_id.get(_plain_id(stream.tvg_id), []) if stream.tvg_id else []
        by_name = self._named(vocabulary.LOCAL_SPELLINGS.get(country, {}).get(spelling.key, spelling.key), spelling)
        if not by_id and not by_name:
            return None
        for channel in by_name:
            if country and spelling.kind == "channel":
                self._countries[channel.spelling.key].add(country)
        return _Similar(stream, spelling, country, by_id, by_name)

    def _named(self, key: str, spelling: Spelling) -> list[_Channel]:
        """Return the channels of a name; those that only words such as "TV" set apart if they are all of one name."""
        if not key or (exact := self._by_key.get(key)):
            return exact if key and exact else []
        near = self._by_loose.get(spelling.loose, []) if spelling.loose else []
        near = [channel for channel in near if _adds_words(spelling, channel.spelling)]
        return near if len({channel.spelling.key for channel in near}) == 1 else []

    def _unlike(self, stream: StreamName, spelling: Spelling) -> Refusal:
        if spelling.kind == "heading":
            return Refusal(stream.id, None, "it is a heading, not a stream")
        if reason := _KINDS.get(spelling.kind):
            return Refusal(stream.id, None, reason)
        for end in (-1, -2):
            shorter = "".join(spelling.words[:end])
            if shorter and (near := self._by_key.get(shorter)):
                more = " ".join(spelling.words[end:])
                return Refusal(stream.id, near[0].channel.id, f"it adds {more!r} to the name: another channel")
        return Refusal(stream.id, None, "no channel has this name or tvg-id")

    # -- countries ---------------------------------------------------------------------------
    def _give_homes(self) -> None:
        """Give the channels that state no country that of their household, if their other channels show it."""
        for channel in self._channels:
            if channel.country:
                self._countries[channel.spelling.key].add(channel.country)
        votes: Counter[str] = Counter()
        by_group: dict[str, Counter[str]] = defaultdict(Counter)
        for channel in self._channels:
            countries = self._countries.get(channel.spelling.key, set())
            if len(countries) == 1 and channel.spelling.key not in vocabulary.INTERNATIONAL:
                (country,) = countries
                votes[country] += 1
                by_group[channel.channel.group][country] += 1
        home = _winner(votes)
        for channel in self._channels:
            if not channel.country:
                channel.country = _winner(by_group[channel.channel.group]) or home

    # -- the second look ---------------------------------------------------------------------
    def _decided(self, one: _Similar) -> Iterator[Candidate | Refusal]:
        channels = {channel.channel.id: channel for channel in [*one.by_id, *one.by_name]}
        outcomes = [self._outcome(one, channel) for id, channel in channels.items() if id not in one.taken]
        candidates = [outcome for outcome in outcomes if isinstance(outcome, Candidate)]
        # One reason is enough for a stream that nobody takes.
        yield from candidates or outcomes[:1]

    def _outcome(self, one: _Similar, channel: _Channel) -> Candidate | Refusal:
        stream, has_id, has_name = one.stream, channel in one.by_id, channel in one.by_name
        if reason := self._contradiction(one, channel, has_name=has_name):
            return Refusal(stream.id, channel.channel.id, reason)
        kept_out = "the rules of the channel do not compare what fits"
        for number, rule in channel.rules:
            way = next((w for w in rule.by if (w == TVG_ID and has_id) or (w == NAME and has_name)), None)
            if way is None:
                continue
            if reason := _kept_out(rule, stream):
                kept_out = reason
                continue
            return Candidate(stream.id, channel.channel.id, number, str(way), _evidence(one, channel, has_id, has_name))
        return Refusal(stream.id, channel.channel.id, kept_out)

    def _contradiction(self, one: _Similar, channel: _Channel, *, has_name: bool) -> str:
        """Return why the stream does not show the channel although it resembles it; empty for no reason."""
        ours, theirs = one.spelling, channel.spelling
        if ours.kind != theirs.kind:
            return _KINDS.get(ours.kind, f"the channel is a {theirs.kind}")
        if ours.shift != theirs.shift:
            return f"it is {ours.shift} h late, the channel {theirs.shift} h"
        if ours.feed != theirs.feed:
            return f"it is the feed {ours.feed}" if ours.feed else f"the channel is the feed {theirs.feed}"
        if ours.is_edition and ours.country != channel.country:
            return f"it is the edition of {ours.country}"
        if one.country and channel.country and one.country != channel.country:
            return f"it is of {one.country}, the channel of {channel.country}"
        if has_name:
            return self._unsettled_country(one, channel)
        if ours.numbers != theirs.numbers or not _are_similar(ours, theirs):
            return "the tvg-id fits, but the name is another one"
        return ""

    def _unsettled_country(self, one: _Similar, channel: _Channel) -> str:
        """Return why it is open which country's channel the stream shows; empty where it is settled."""
        if one.country and channel.country:
            return ""
        key = channel.spelling.key
        countries = self._countries.get(key, set())
        if len(countries) <= 1 and not vocabulary.INTERNATIONAL & {key, one.spelling.key}:
            return ""
        side = "the stream" if not one.country else "the channel"
        return f"several countries have a channel of this name, and {side} does not say which"


def _winner(votes: Counter[str]) -> str:
    """Return the country of nearly all votes; empty for none."""
    if not votes:
        return ""
    ((country, count),) = votes.most_common(1)
    return country if count >= LEAST_VOTES and count >= HOME_SHARE * votes.total() else ""


def _adds_words(ours: Spelling, theirs: Spelling) -> bool:
    """Return whether one name only adds words to the other: the Weather Channel is not the Weather Network."""
    return set(ours.words) <= set(theirs.words) or set(theirs.words) <= set(ours.words)


def _kept_out(rule: Rule, stream: StreamName) -> str:
    """Return why a rule does not take a stream that fits; empty where it does."""
    if (pattern := rule.excluding(stream.id, stream.name)) is not None:
        return f"the rule excludes {pattern!r}"
    if not rule.takes_account(stream.account_id, stream.account):
        return "the rule takes no stream of its account"
    return ""


def _plain_id(tvg_id: str) -> str:
    """Return a tvg-id without case, punctuation and the version behind "@"; empty for none."""
    plain = re.sub(r"[\W_]", "", tvg_id.partition("@")[0]).casefold()
    return "" if plain in _NO_ID else plain


def _are_similar(ours: Spelling, theirs: Spelling) -> bool:
    if ours.loose and ours.loose == theirs.loose:
        return True
    return SequenceMatcher(None, ours.key, theirs.key).ratio() >= SIMILAR


def _evidence(one: _Similar, channel: _Channel, has_id: bool, has_name: bool) -> str:
    found = []
    if has_id:
        found.append(f"the tvg-id is {one.stream.tvg_id}")
    if has_name:
        apart = "" if one.spelling.key == channel.spelling.key else ", apart from words such as TV"
        found.append(f"the name is {' '.join(one.spelling.words)!r}{apart}")
    elif has_id:
        found.append("the names are similar")
    if one.country and one.country == channel.country:
        found.append(f"both are of {one.country}")
    if one.spelling.ignored:
        found.append(f"without {', '.join(one.spelling.ignored)}")
    return "; ".join(found)
