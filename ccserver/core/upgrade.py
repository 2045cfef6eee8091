"""Reads a snapshot of this or an older format: older ones are brought up to date as JSON, one format after the other.

| from | what changed                                                                                                     |
|------|------------------------------------------------------------------------------------------------------------------|
| 1    | an interaction may have several offers and several agents who wrap it up; a visit's skills became a requirement  |
| 2    | what a queue records became a policy; a talk keeps since when its recording is paused                            |

Fields that only came in need nothing here: they have defaults. Inputs of the journal are never brought up to date: they are
replayed by the core that wrote them, or not at all.
"""

from collections.abc import Callable, Mapping

from ccserver.core.codec import CodecError, Json, decode, encode, parse
from ccserver.core.recording_policy import RecordingMode, RecordingPolicy
from ccserver.core.requirements import all_of
from ccserver.core.settings import HasSkill, Requirement
from ccserver.core.state import FORMAT, CenterState

Fields = dict[str, Json]


def read_state(line: bytes) -> CenterState:
    """The state that `dump` wrote, by this release or an older one.

    Raises CodecError for what is no snapshot, and ValueError for a format that this core does not know.
    """
    given = _fields(parse(line), "a snapshot")
    known = given.get("format")
    if type(known) is not int or not 1 <= known <= FORMAT:
        raise ValueError(f"snapshot format {known}; this core reads 1 to {FORMAT}")
    for step in range(known, FORMAT):
        try:
            given = {**_UPGRADES[step](given), "format": step + 1}
        except (KeyError, TypeError) as problem:
            raise CodecError(f"no snapshot of format {step}: {type(problem).__name__}: {problem}") from problem
    return decode(CenterState, given)


def _from_1(state: Fields) -> Fields:
    """The interactions are an array of pairs, since their numbers are no text."""
    pairs = [(number, _interaction_from_1(_fields(one, "an interaction"))) for number, one in _pairs(state["interactions"])]
    return {**state, "interactions": [[number, one] for number, one in pairs]}


def _interaction_from_1(given: Fields) -> Fields:
    old = dict(given)
    offer, wrapping, since, visit = (old.pop(name) for name in ("offer", "wrapping", "wrapping_since", "visit"))
    old["offers_made"] = old.pop("offers")
    old["offers"] = [] if offer is None else [offer]
    old["wrapping"] = [] if wrapping is None else [{"agent": wrapping, "queue": old["queue"], "since": since}]
    old["visit"] = None if visit is None else _visit_from_1(_fields(visit, "a visit"))
    return old


def _visit_from_1(given: Fields) -> Fields:
    old = dict(given)
    skills = old.pop("skills")
    if not isinstance(skills, list):
        raise CodecError("a visit's skills must be an array")
    required = decode(tuple[HasSkill, ...], [{"t": "HasSkill", "skill": skill} for skill in skills])
    old["requires"] = encode(all_of(required), Requirement)
    return old


def _from_2(state: Fields) -> Fields:
    """A recording that was paused goes on as paused, as of now."""
    moment = _fields(state["moment"], "a moment")
    versions = {
        name: _settings_from_2(_fields(one, "settings")) for name, one in _fields(state["versions"], "the settings").items()
    }
    pairs: list[Json] = [
        [number, _parts_from_2(_fields(one, "an interaction"), moment)] for number, one in _pairs(state["interactions"])
    ]
    return {**state, "versions": versions, "interactions": pairs}


def _settings_from_2(given: Fields) -> Json:
    queues: Fields = {}
    for name, one in _fields(given["queues"], "the queues").items():
        queue = _fields(one, "a queue")
        mode = RecordingMode.ALWAYS if queue.get("record", True) else RecordingMode.ON_DEMAND
        queues[name] = {**queue, "record": encode(RecordingPolicy(mode=mode), RecordingPolicy)}
    return {**given, "queues": queues}


def _parts_from_2(given: Fields, moment: Fields) -> Json:
    def part(talk: Json) -> Json:
        if not isinstance(talk, dict):
            return talk
        new = {name: value for name, value in talk.items() if name != "is_paused"}
        return {**new, "paused_since": moment} if talk.get("is_paused") else new

    others = given.get("others")
    return {
        **given,
        "talk": part(given.get("talk")),
        "others": [part(one) for one in others] if isinstance(others, list) else [],
    }


_UPGRADES: Mapping[int, Callable[[Fields], Fields]] = {1: _from_1, 2: _from_2}


def _fields(given: object, what: str) -> Fields:
    if not isinstance(given, dict):
        raise CodecError(f"{what} must be an object")
    return given


def _pairs(given: object) -> list[tuple[Json, Json]]:
    if not isinstance(given, list) or any(not isinstance(pair, list) or len(pair) != 2 for pair in given):
        raise CodecError("must be an array of pairs")
    return [(pair[0], pair[1]) for pair in given]
