"""Every event, command and record survives the way to JSON and back, and what does not fit is refused before it is written."""

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from enum import Enum
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ccserver.core import codec
from ccserver.core import expressions as e
from ccserver.core.codec import CodecError, UnsupportedType
from ccserver.core.commands import Command, RingAgent
from ccserver.core.events import CenterStarted, Event, LegEnded, LegStarted, LinkUp, PbxObserved, SettingsLoaded
from ccserver.core.ids import AgentId, CommandId, InteractionId, LegId, PhoneId
from ccserver.core.moment import Moment
from ccserver.core.records import PhoneState, Record
from ccserver.core.settings import Node, SayNode, Settings, Spoken, SpokenKind

VALUES = st.text(max_size=12) | st.booleans() | st.floats(allow_nan=False)
EXPRESSIONS: st.SearchStrategy = st.recursive(
    st.builds(e.Literal, VALUES) | st.builds(e.Name, st.text(max_size=12)),
    lambda part: st.one_of(
        st.builds(e.Not, part),
        st.builds(e.Both, st.lists(part, max_size=2).map(tuple)),
        st.builds(e.Either, st.lists(part, max_size=2).map(tuple)),
        st.builds(e.Compare, st.sampled_from(e.Comparison), part, part),
        st.builds(e.OneOf, part, st.lists(part, max_size=2).map(tuple)),
        st.builds(e.Compute, st.sampled_from(e.Arithmetic), part, part),
        st.builds(e.Apply, st.sampled_from(e.Function), st.lists(part, max_size=2).map(tuple)),
    ),
    max_leaves=4,
)
"""Each holds others in every member: drawn by annotations alone they would not end."""


@cache
def values(type_: object) -> st.SearchStrategy:
    """Any value of an annotation, hostile text included. Kept: Hypothesis looks at each strategy anew, which costs more than drawing."""
    if type_ == e.Expression:
        return EXPRESSIONS
    while isinstance(type_, typing.NewType):
        type_ = type_.__supertype__
    origin, arguments = typing.get_origin(type_), typing.get_args(type_)
    if type_ is str:
        return st.text(st.characters(), max_size=12)  # control characters and lone surrogates too
    if type_ is int:
        return st.integers()
    if type_ is bool:
        return st.booleans()
    if type_ is float:
        return st.floats(allow_nan=False)
    if type_ is None or type_ is type(None):
        return st.none()
    if origin in (types.UnionType, typing.Union):
        return st.one_of([values(member) for member in arguments])
    if origin is tuple and arguments[1:] == (...,):
        return st.lists(values(arguments[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*map(values, arguments))
    if origin is frozenset:
        return st.frozensets(values(arguments[0]), max_size=3)
    if origin is Mapping:
        return st.dictionaries(values(arguments[0]), values(arguments[1]), max_size=2)
    if issubclass(type_, Enum):
        return st.sampled_from(list(type_))
    if dataclasses.is_dataclass(type_):
        hints = typing.get_type_hints(type_)
        fields = {field.name: st.deferred(lambda hint=hints[field.name]: values(hint)) for field in dataclasses.fields(type_)}
        return st.builds(type_, **fields)
    hints = typing.get_type_hints(type_)
    return st.tuples(*(values(hints[name]) for name in type_._fields)).map(type_._make)


CLASSES = [*typing.get_args(Event), *typing.get_args(Command), *typing.get_args(Record), Settings, Moment, CommandId]


@pytest.mark.parametrize("class_", CLASSES, ids=lambda class_: class_.__name__)
def test_round_trip(class_: type) -> None:
    @settings(
        max_examples=20 if class_ in (Settings, SettingsLoaded) else 60,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(values(class_))
    def both_ways(value: object) -> None:
        line = codec.dump(value)
        assert b"\n" not in line and line.isascii()
        again = codec.load(class_, line)
        assert again == value
        assert type(again) is type(value)
        assert codec.dump(again) == line

    both_ways()


@pytest.mark.parametrize(
    ("union", "write", "read"),
    [
        (Event, codec.encode_event, codec.decode_event),
        (Command, codec.encode_command, codec.decode_command),
        (Record, codec.encode_record, codec.decode_record),
    ],
    ids=["event", "command", "record"],
)
def test_a_tag_finds_the_class(union: object, write: typing.Any, read: typing.Any) -> None:
    seen = set()

    @settings(max_examples=300, deadline=None)
    @given(values(union))
    def both_ways(value: object) -> None:
        assert read(write(value)) == value
        seen.add(type(value))

    both_ways()
    assert len(seen) > len(typing.get_args(union)) // 2


def test_what_an_event_looks_like() -> None:
    event = LegEnded(leg=LegId("main", "1700000000.7"), cause=16)
    assert codec.encode_event(event) == b'{"t":"LegEnded","leg":["main","1700000000.7"],"cause":16,"tech_cause":0}'


def test_the_order_of_a_mapping_is_kept() -> None:
    phones = {PhoneId("PJSIP/1002"): PhoneState.IDLE, PhoneId("PJSIP/1001"): PhoneState.IN_USE}
    observed = PbxObserved(pbx="main", asked_at_s=1.5, channels=(), phones=phones)
    again = codec.decode_event(codec.encode_event(observed))
    assert isinstance(again, PbxObserved)
    assert list(again.phones) == list(phones)
    frozen = dataclasses.replace(observed, phones=types.MappingProxyType(phones))
    assert codec.encode_event(frozen) == codec.encode_event(observed)


def test_a_set_has_one_form() -> None:
    written = {codec.dump(frozenset(order), frozenset[str]) for order in (["a", "b", "c", "dd"], ["dd", "c", "b", "a"])}
    assert written == {b'["a","b","c","dd"]'}


def test_a_mapping_by_number_is_pairs() -> None:
    type_ = Mapping[InteractionId, str]
    held = {InteractionId(7): "x", InteractionId(3): "y"}
    assert codec.encode(held, type_) == [[7, "x"], [3, "y"]]
    assert codec.decode(type_, [[7, "x"], [3, "y"]]) == held


def test_a_member_of_a_union_is_tagged_and_found_inside_others() -> None:
    nodes: Mapping[str, Node] = {"hello": SayNode(say=(Spoken(SpokenKind.PROMPT, "hello"),), next="bye")}
    written = codec.encode(nodes, Mapping[str, Node])
    assert written["hello"]["t"] == "SayNode"
    assert codec.decode(Mapping[str, Node], written) == nodes


def test_a_missing_field_takes_its_default() -> None:
    assert codec.decode(Event, {"t": "LegEnded", "leg": ["main", "1"], "cause": 16}) == LegEnded(
        leg=LegId("main", "1"), cause=16
    )


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b'{"t":"LegEnded","leg":["main","1"]}', "LegEnded.cause is missing"),
        (b'{"t":"LegEnded","leg":["main","1"],"cause":1,"colour":2}', "no field 'colour'"),
        (b'{"t":"LegEnded","leg":["main","1"],"cause":"16"}', "LegEnded.cause: expected a whole number"),
        (b'{"t":"LegEnded","leg":["main","1"],"cause":true}', "LegEnded.cause: expected a whole number"),
        (b'{"t":"LegEnded","leg":["main"],"cause":1}', "LegEnded.leg: expected LegId: an array of 2"),
        (b'{"t":"LegEnded","leg":{"pbx":"main"},"cause":1}', "LegEnded.leg"),
        (b'{"t":"PhoneStateChanged","phone":"PJSIP/1","state":"asleep"}', "one of PhoneState"),
        (b'{"t":"PhoneStateChanged","phone":"PJSIP/1","state":[]}', "one of PhoneState"),
        (b'{"t":"Elvis"}', "a known tag"),
        (b'{"t":["LegEnded"]}', "a known tag"),
        (b"{}", "a known tag"),
        (b"[]", "a known tag"),
        (b'{"t":"LegEnded"', "no JSON"),
        (b"\xff", "no JSON"),
        (b"[" * 100_000, "no JSON"),
    ],
)
def test_what_does_not_fit_is_refused(line: bytes, says: str) -> None:
    with pytest.raises(CodecError, match=says.replace("[", r"\[")):
        codec.decode_event(line)


@pytest.mark.parametrize(
    "event",
    [
        LegStarted(leg=LegId("main", 7), channel="x"),
        LegStarted(leg=("main", "7"), channel="x"),
        LegStarted(leg=LegId("main", "7"), channel=None),
        LinkUp(pbx="main", uptime_s="3"),
        CenterStarted(incarnation=True, first_interaction=InteractionId(1)),
    ],
)
def test_what_could_not_be_read_again_is_not_written(event: Event) -> None:
    with pytest.raises(CodecError):
        codec.encode_event(event)


def test_a_whole_number_is_a_good_number_of_seconds() -> None:
    event = LinkUp(pbx="main", uptime_s=30)
    assert codec.decode_event(codec.encode_event(event)) == event


@dataclasses.dataclass(frozen=True)
class Folder:
    name: str
    parent: "Folder | None"


@dataclasses.dataclass(frozen=True)
class Hidden:
    t: str


def test_a_class_may_hold_itself() -> None:
    folder = Folder("a", Folder("b", None))
    assert codec.encode(folder) == {"t": "Folder", "name": "a", "parent": {"name": "b", "parent": None}}
    assert codec.decode(Folder, codec.encode(folder)) == folder


@pytest.mark.parametrize(
    "type_", [object, str | AgentId | PhoneState, tuple[int, ...] | LegId, Mapping[str, int] | Folder, Hidden]
)
def test_a_type_without_one_clear_form_is_refused(type_: object) -> None:
    with pytest.raises(UnsupportedType):
        codec.decode(type_, {"t": "Hidden"})


def test_commands_are_checked_too() -> None:
    fields = {field.name for field in dataclasses.fields(RingAgent)}
    assert "recording" in fields
    with pytest.raises(CodecError, match="RingAgent"):
        codec.decode_command(json.dumps({"t": "RingAgent"}).encode())
