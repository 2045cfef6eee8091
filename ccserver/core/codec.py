"""The core's values as JSON and back, without loss: for the journal, the snapshots, traces and bug reports.

How a type looks is derived from its annotations; nothing has to be registered. For each class an encoder and a decoder are
put together once, when it is first met, since looking at annotations for each event would cost far more than the event.

| type                                  | JSON                                                                        |
|---------------------------------------|-----------------------------------------------------------------------------|
| `str`, `int`, `float`, `bool`, `None` | the same                                                                    |
| `NewType`                             | as the type below it                                                        |
| `Enum`                                | its value                                                                   |
| `NamedTuple`, `tuple`, `list`         | array                                                                       |
| `frozenset`, `set`                    | array in a stable order                                                     |
| `Mapping`, `dict`                     | object if the keys are text, else an array of pairs; the order is kept      |
| dataclass                             | object of its fields; with `"t"`, its class name, where it is a union's member |
| `X | Y`                               | as its member; two members that look alike in JSON are refused              |

Both ways check the types: a value that could be written but not read again would make a whole journal unreadable, and it is
found here, before it is written. A field that has a default may be missing; an unknown one is an error.
"""

import dataclasses
import functools
import json
import operator
import types
import typing
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from enum import Enum
from typing import TypeVar, cast, overload

from ccserver.core.commands import Command
from ccserver.core.events import Event
from ccserver.core.records import Record

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
TAG = "t"
_MISSING = dataclasses.MISSING

T = TypeVar("T")
Encode = Callable[[object], Json]
Decode = Callable[[object], object]


class CodecError(ValueError):
    """A value or its JSON does not fit the type. The text names the field, what it must be and what it is (shortened)."""


class UnsupportedType(TypeError):
    """A type has no unambiguous JSON form: a mistake in the type's definition, not in a value."""


@dataclasses.dataclass(frozen=True, slots=True)
class Shape:
    """How one type is written and read. `kinds` are the JSON kinds it can take, `classes` its Python classes."""

    encode: Encode
    decode: Decode
    kinds: frozenset[str]
    classes: tuple[type, ...]


# --- what the rest of ccserver calls ----------------------------------------------------------------------------------
def encode(value: object, type_: object = None) -> Json:
    """`value` as JSON, by `type_` or else by its own class; a dataclass then carries its tag.

    Raises CodecError if a field holds what its annotation does not allow.
    """
    if type_ is not None:
        return _shape(type_).encode(value)
    class_: object = type(value)
    if dataclasses.is_dataclass(value):
        return _tagged(class_)(value)
    return _shape(class_).encode(value)


@overload
def decode(type_: type[T], given: object) -> T: ...
@overload
def decode(type_: object, given: object) -> object: ...
def decode(type_: object, given: object) -> object:
    """The value of `type_` (a class or a union) that `encode` made `given` of. Raises CodecError."""
    return _shape(type_).decode(given)


def dump(value: object, type_: object = None) -> bytes:
    """`encode` as one line of ASCII, without its end."""
    return _to_text(encode(value, type_)).encode("ascii")


@overload
def load(type_: type[T], line: bytes) -> T: ...
@overload
def load(type_: object, line: bytes) -> object: ...
def load(type_: object, line: bytes) -> object:
    """Undoes `dump`. Raises CodecError, also for what is no JSON."""
    return _shape(type_).decode(parse(line))


def parse(line: bytes) -> object:
    """JSON of untrusted bytes. Raises CodecError, whatever is wrong with them."""
    try:
        return _from_text(line.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise CodecError(f"no JSON: {error}") from error


def encode_event(event: Event) -> bytes:
    return dump(event)


def decode_event(line: bytes) -> Event:
    return cast(Event, load(Event, line))


def encode_command(command: Command) -> bytes:
    return dump(command)


def decode_command(line: bytes) -> Command:
    return cast(Command, load(Command, line))


def encode_record(record: Record) -> bytes:
    return dump(record)


def decode_record(line: bytes) -> Record:
    return cast(Record, load(Record, line))


# --- parts --------------------------------------------------------------------------------------------------------------
# No check for cycles: frozen values have none.
_to_text = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
_from_text = json.JSONDecoder().decode


def _misfit(expected: str, value: object) -> CodecError:
    shown = repr(value)
    return CodecError(f"expected {expected}, got {shown if len(shown) <= 80 else shown[:77] + '...'}")


def _text(value: object) -> str:
    if value.__class__ is str:
        return value
    if isinstance(value, str) and not isinstance(value, Enum):
        return str(value)
    raise _misfit("text", value)


def _whole(value: object) -> int:
    if value.__class__ is int:
        return value
    raise _misfit("a whole number", value)


def _real(value: object) -> float:
    if value.__class__ is float or value.__class__ is int:  # 30 is a good `ring_timeout_s`; it stays as it is
        return cast(float, value)
    raise _misfit("a number", value)


def _truth(value: object) -> bool:
    if value.__class__ is bool:
        return value
    raise _misfit("true or false", value)


def _nothing(value: object) -> None:
    if value is not None:
        raise _misfit("null", value)


_SCALARS: Mapping[object, Shape] = {
    str: Shape(_text, _text, frozenset({"text"}), (str,)),
    int: Shape(_whole, _whole, frozenset({"number"}), (int,)),
    float: Shape(_real, _real, frozenset({"number"}), (float, int)),
    bool: Shape(_truth, _truth, frozenset({"truth"}), (bool,)),
    type(None): Shape(_nothing, _nothing, frozenset({"null"}), (type(None),)),
}


@functools.cache
def _shape(type_: object) -> Shape:
    while isinstance(type_, typing.NewType):
        type_ = type_.__supertype__
    if type_ is None:
        type_ = type(None)
    if type_ in _SCALARS:
        return _SCALARS[type_]
    origin, arguments = typing.get_origin(type_), typing.get_args(type_)
    if origin in (types.UnionType, typing.Union):
        return _union(arguments)
    if origin is tuple:
        return _sequence(tuple, arguments[0]) if arguments[1:] == (...,) else _fixed(tuple, arguments, "a tuple")
    if origin is list:
        return _sequence(list, arguments[0])
    if origin is Sequence:
        return _sequence(tuple, arguments[0])
    if origin in (frozenset, set):
        return _unordered(cast(type, origin), arguments[0])
    if origin in (Mapping, dict):
        return _mapping(*arguments)
    if isinstance(type_, type):
        if issubclass(type_, Enum):
            return _enum(type_)
        if dataclasses.is_dataclass(type_):
            return _object(type_)
        if issubclass(type_, tuple) and hasattr(type_, "_fields"):
            hints = typing.get_type_hints(type_)
            return _fixed(type_, tuple(hints[name] for name in type_._fields), type_.__name__)
    raise UnsupportedType(f"{type_!r} has no JSON form here")


def _enum(class_: type[Enum]) -> Shape:
    members = {member.value: member for member in class_}
    for value in members:
        if value.__class__ not in (str, int):
            raise UnsupportedType(f"{class_.__name__}: the values of an enum must be text or whole numbers")

    def write(value: object) -> Json:
        if isinstance(value, class_):
            return cast(Json, value._value_)  # `.value` is a descriptor written in Python: four times slower
        raise _misfit(class_.__name__, value)

    def read(given: object) -> object:
        if given.__class__ is str or given.__class__ is int:
            found = members.get(given)
            if found is not None:
                return found
        raise _misfit(f"one of {class_.__name__}", given)

    kinds = frozenset("text" if isinstance(value, str) else "number" for value in members)
    return Shape(write, read, kinds, (class_,))


def _fixed(class_: type, arguments: Sequence[object], name: str) -> Shape:
    shapes = [_shape(argument) for argument in arguments]
    encoders, decoders, length = [shape.encode for shape in shapes], [shape.decode for shape in shapes], len(shapes)
    make = cast(Callable[[Iterable[object]], object], getattr(class_, "_make", class_))

    def write(value: object) -> Json:
        if not isinstance(value, class_) or len(cast(tuple[object, ...], value)) != length:
            raise _misfit(f"{name} of {length}", value)
        return [part(item) for part, item in zip(encoders, cast(tuple[object, ...], value), strict=True)]

    def read(given: object) -> object:
        if given.__class__ is not list or len(cast(list[object], given)) != length:
            raise _misfit(f"{name}: an array of {length}", given)
        return make([part(item) for part, item in zip(decoders, cast(list[object], given), strict=True)])

    return Shape(write, read, frozenset({"array"}), (class_,))


def _sequence(class_: type, argument: object) -> Shape:
    item = _shape(argument)

    def write(value: object) -> Json:
        if not isinstance(value, class_):
            raise _misfit(f"a {class_.__name__}", value)
        one = item.encode
        return [one(member) for member in cast(Iterable[object], value)]

    def read(given: object) -> object:
        if given.__class__ is not list:
            raise _misfit("an array", given)
        one = item.decode
        return class_([one(member) for member in cast(list[object], given)])

    return Shape(write, read, frozenset({"array"}), (class_,))


def _unordered(class_: type, argument: object) -> Shape:
    item = _shape(argument)

    def write(value: object) -> Json:
        if not isinstance(value, (frozenset, set)):
            raise _misfit(f"a {class_.__name__}", value)
        return sorted((item.encode(member) for member in value), key=_to_text)  # a set's own order changes between runs

    def read(given: object) -> object:
        if given.__class__ is not list:
            raise _misfit("an array", given)
        return class_([item.decode(member) for member in cast(list[object], given)])

    return Shape(write, read, frozenset({"array"}), (class_,))


def _mapping(key_type: object, value_type: object) -> Shape:
    key, content = _shape(key_type), _shape(value_type)
    has_text_keys = key.kinds == {"text"}

    def write(value: object) -> Json:
        if not isinstance(value, Mapping):
            raise _misfit("a mapping", value)
        name, one = key.encode, content.encode
        if has_text_keys:
            return {cast(str, name(each)): one(held) for each, held in value.items()}
        return [[name(each), one(held)] for each, held in value.items()]

    def read(given: object) -> object:
        name, one = key.decode, content.decode
        if has_text_keys:
            if given.__class__ is not dict:
                raise _misfit("an object", given)
            return {name(each): one(held) for each, held in cast(dict[str, object], given).items()}
        if given.__class__ is not list:
            raise _misfit("an array of pairs", given)
        found = {}
        for pair in cast(list[object], given):
            if pair.__class__ is not list or len(cast(list[object], pair)) != 2:
                raise _misfit("a pair", pair)
            each, held = cast(list[object], pair)
            found[name(each)] = one(held)
        return found

    return Shape(write, read, frozenset({"object" if has_text_keys else "array"}), (dict, types.MappingProxyType))


# --- dataclasses ----------------------------------------------------------------------------------------------------------
class _Fields:
    """The fields of one dataclass, looked at when a first value passes: so a class may hold itself."""

    def __init__(self, class_: type) -> None:
        self.class_ = class_
        fields = [field for field in dataclasses.fields(class_) if field.init]
        self.names = tuple(field.name for field in fields)
        if TAG in self.names:
            raise UnsupportedType(f"{class_.__name__}: a field named {TAG!r} would hide the class name")
        hints = typing.get_type_hints(class_)
        self.shapes = tuple(_shape(hints[name]) for name in self.names)
        self.encoders = tuple(shape.encode for shape in self.shapes)
        self.decoders = tuple(shape.decode for shape in self.shapes)
        self.readers = tuple(zip(self.names, self.decoders, strict=True))
        self.defaults: dict[str, Callable[[], object]] = {}
        for field in fields:
            if field.default_factory is not _MISSING:
                self.defaults[field.name] = field.default_factory
            elif field.default is not _MISSING:
                self.defaults[field.name] = functools.partial(_same, field.default)
        if len(self.names) == 1:
            only = operator.attrgetter(self.names[0])
            self.values: Callable[[object], tuple[object, ...]] = lambda value: (only(value),)
        else:
            self.values = operator.attrgetter(*self.names) if self.names else lambda value: ()

    def write_onto(self, target: dict[str, Json], value: object) -> dict[str, Json]:
        if value.__class__ is not self.class_:
            raise _misfit(self.class_.__name__, value)
        for name, one, held in zip(self.names, self.encoders, self.values(value), strict=True):
            try:
                target[name] = one(held)
            except CodecError as error:
                raise _at(self.class_, name, error) from error
        return target

    def read(self, given: object) -> object:
        if given.__class__ is not dict:
            raise _misfit(f"{self.class_.__name__}: an object", given)
        content = cast(dict[str, object], given)
        extra = 0
        if TAG in content:
            extra = 1
            if content[TAG] != self.class_.__name__:
                raise _misfit(f"{self.class_.__name__!r} as the tag", content[TAG])
        held = {}
        for name, one in self.readers:
            if name in content:
                try:
                    held[name] = one(content[name])
                except CodecError as error:
                    raise _at(self.class_, name, error) from error
            elif name not in self.defaults:
                raise CodecError(f"{self.class_.__name__}.{name} is missing")
        if len(held) + extra != len(content):
            unknown = sorted(set(content) - set(self.names) - {TAG})
            raise CodecError(f"{self.class_.__name__} has no field {unknown[0]!r}")
        try:
            return self.class_(**held)
        except (ValueError, TypeError) as error:
            raise CodecError(f"{self.class_.__name__}: {error}") from error


def _same(value: object) -> object:
    return value


def _at(class_: type, name: str, error: CodecError) -> CodecError:
    return CodecError(f"{class_.__name__}.{name}: {error}")


_fields = functools.cache(_Fields)


def _object(class_: type) -> Shape:
    def write(value: object) -> Json:
        return _fields(class_).write_onto({}, value)

    def read(given: object) -> object:
        return _fields(class_).read(given)

    return Shape(write, read, frozenset({"object"}), (class_,))


@functools.cache
def _tagged(class_: object) -> Encode:
    fields = _fields(cast(type, class_))
    name = fields.class_.__name__

    def write(value: object) -> Json:
        return fields.write_onto({TAG: name}, value)

    return write


# --- unions ---------------------------------------------------------------------------------------------------------------
def _union(members: Collection[object]) -> Shape:
    flat = list(dict.fromkeys(members))
    tagged = [member for member in flat if isinstance(member, type) and dataclasses.is_dataclass(member)]
    plain = [_shape(member) for member in flat if member not in tagged]
    if len(tagged) == 1 and len(flat) == 2 and len(plain) == 1 and plain[0].kinds == {"null"}:
        plain, tagged = [*plain, _shape(tagged[0])], []  # `X | None` says by itself what it is

    by_kind: dict[str, Decode] = {}
    by_class: dict[type, Encode] = {}
    for shape in plain:
        for kind in shape.kinds:
            if kind in by_kind or (kind == "object" and tagged):
                raise UnsupportedType(f"{' | '.join(map(str, flat))}: two members are both a JSON {kind}")
            by_kind[kind] = shape.decode
        by_class.update(dict.fromkeys(shape.classes, shape.encode))
    by_tag = {member.__name__: member for member in tagged}
    if len(by_tag) != len(tagged):
        raise UnsupportedType(f"{' | '.join(map(str, flat))}: two members have the same name")
    expected = " or ".join([*sorted(by_kind), *by_tag]) if len(by_tag) < 5 else "a known tag"

    def write(value: object) -> Json:
        class_ = value.__class__
        writer = by_class.get(class_)
        if writer is None:
            if by_tag.get(class_.__name__) is class_:
                writer = by_class[class_] = _tagged(cast(object, class_))
            else:
                writer = next((each for known, each in by_class.items() if isinstance(value, known)), None)
                if writer is None:
                    raise _misfit(expected, value)
        return writer(value)

    def read_tagged(given: object) -> object:
        tag = cast(dict[str, object], given).get(TAG)
        member = by_tag.get(tag) if isinstance(tag, str) else None
        if member is None:
            raise _misfit(expected, given)
        return _fields(member).read(given)

    if tagged:
        by_kind["object"] = read_tagged

    def read(given: object) -> object:
        reader = by_kind.get(_KINDS.get(given.__class__, ""))
        if reader is None:
            raise _misfit(expected, given)
        return reader(given)

    return Shape(write, read, frozenset(by_kind), (*by_class, *tagged))


_KINDS: Mapping[type, str] = {
    str: "text",
    int: "number",
    float: "number",
    bool: "truth",
    type(None): "null",
    list: "array",
    dict: "object",
}
