"""Codes that collide, phones that are not apart, people who cannot do what is asked of them."""

import itertools
from collections.abc import Callable, Iterable, Mapping

from ccserver.config.people import PhoneSection
from ccserver.config.positions import PathInFile, path_text, quoted
from ccserver.config.schema import Reader, hinted, nearest
from ccserver.config.sections import Document
from ccserver.core.settings import PhoneKind, Reach
from ccserver.core.state import ON_THE_LINE, VOICE


# --- codes ------------------------------------------------------------------------------------------------------------
def check_codes(document: Document, reader: Reader) -> None:
    """Codes and keys that could be taken for one another."""
    # Asterisk's dialplan takes everything after the *: *13 followed by a reason's code must not be another code.
    for section, noun in (("features", "a code"), ("keys", "a key")):
        values = getattr(document, section)
        _prefix_free(section, noun, {name: str(getattr(values, name)) for name in values.__slots__}, reader)
    for section, codes in (
        ("reasons", {name: each.code for name, each in document.reasons.items()}),
        ("dispositions", {name: each.code for name, each in document.dispositions.items()}),
        ("hours", {name: each.code for name, each in document.hours.items() if each.code is not None}),
    ):
        _unique(((section, name, "code"), code) for name, code in codes.items())(reader, "a code of its own")


def _prefix_free(section: str, noun: str, codes: Mapping[str, str], reader: Reader) -> None:
    clashes: dict[str, list[str]] = {}
    for (name, code), (other, taken) in itertools.combinations(codes.items(), 2):
        if code.startswith(taken) or taken.startswith(code):
            # The one that is written down is the one to mend.
            at, beside = (other, name) if (section, other) in reader.marks else (name, other)
            clashes.setdefault(at, []).append(f"{beside} {quoted(codes[beside])}")
    for at, others in clashes.items():
        message = f"expected {noun} that is not the beginning of another, nor begins with one, got {quoted(codes[at])}"
        reader.tell((section, at), hinted(f"{message} beside {', '.join(others)}", "choose another"))


def _unique(values: Iterable[tuple[PathInFile, str]]) -> Callable[[Reader, str], None]:
    def tell(reader: Reader, what: str) -> None:
        first: dict[str, PathInFile] = {}
        for path, value in values:
            if value in first:
                reader.tell(path, f"expected {what}, got {quoted(value)} (it is that of {path_text(first[value][:-1])})")
            first.setdefault(value, path)

    return tell


# --- phones ---------------------------------------------------------------------------------------------------------
def check_phones(document: Document, reader: Reader) -> None:
    """Each extension and each endpoint belongs to one phone."""
    trunk = document.asterisk.trunk_endpoint if document.asterisk is not None else ""
    numbers: dict[str, PathInFile] = {}
    endpoints: dict[str, PathInFile] = {}
    written = {name: name for name in reader.names.get(("phones",), [])}
    for span, phone in document.phones.items():
        last = str(int(span.first) + span.count - 1).zfill(len(span.first))
        name = next((n for n in (span.first, f"{span.first}-{last}", f"{span.first}-{span.first}") if n in written), span.first)
        path = ("phones", name)
        if not _is_whole(path, span.count, phone, reader):
            continue
        for number in span.each():
            if number in numbers:
                reader.tell(path, f"expected each phone once, got {number} again (it is in {path_text(numbers[number])})")
                break
            endpoint = phone.dialled(number, trunk)
            if endpoint in endpoints:
                other = path_text(endpoints[endpoint])
                key = "endpoint" if phone.outside_number is None else "outside_number"
                reader.tell((*path, key), f"expected an endpoint of its own, got {quoted(endpoint)} (it is that of {other})")
                break
            numbers[number] = endpoints[endpoint] = path


def _is_whole(path: PathInFile, count: int, phone: PhoneSection, reader: Reader) -> bool:
    """Whether the keys of a phone go together; what does not is told."""
    if phone.kind is PhoneKind.EXTERNAL:
        if phone.outside_number is None:
            reader.tell(
                path, hinted("expected an outside_number for an external phone, got none", "the number that is dialled")
            )
        elif count > 1:
            message = f"expected one extension for an external phone, got {count}"
            reader.tell(path, hinted(message, "write one phone for each outside_number"))
        for key in ("endpoint", "auto_answer"):
            if (*path, key) in reader.marks:
                reader.tell((*path, key), hinted("expected it for a phone of our own only, got an external one", "remove it"))
        return phone.outside_number is not None and count == 1
    if phone.outside_number is not None:
        reader.tell(
            (*path, "outside_number"),
            hinted("expected it with kind: external, got " + phone.kind.value, "write kind: external"),
        )
        return False
    if count > 1 and "{number}" not in phone.endpoint:
        message = f"expected an endpoint with {{number}} for {count} phones, got {quoted(phone.endpoint)}"
        reader.tell((*path, "endpoint"), hinted(message, "for example PJSIP/{number}"))
        return False
    return True


def check_numbers(document: Document, reader: Reader) -> None:
    """What agents type for a colleague or a queue means one of them; an agent's number may be that of a phone."""
    taken: dict[str, PathInFile] = {}
    for span in document.phones:
        for number in span.each():
            taken[number] = ("phones", number)
    for agent in document.agents:
        taken[agent] = ("agents", agent)
    for name, queue in document.queues.items():
        if queue.number is None:
            continue
        if queue.number in taken:
            path: PathInFile = ("queues", name, "number")
            other = path_text(taken[queue.number])
            reader.tell(path, f"expected a number of its own, got {quoted(queue.number)} (it is that of {other})")
        taken.setdefault(queue.number, ("queues", name))


# --- people -----------------------------------------------------------------------------------------------------------
def check_roles(document: Document, reader: Reader) -> None:
    """A role is over teams that somebody is in, and one over the own team is of somebody who has one."""
    teams = sorted({each.team for each in document.agents.values() if each.team is not None})
    for name, role in document.roles.items():
        for team in sorted(role.teams):
            if team in teams or reader.has_problem(("agents",)):
                continue
            near = nearest(team, teams)
            hint = f"did you mean {near}?" if near else "write `team` under an agent, or own_team, or all"
            reader.tell(("roles", name, "over"), hinted(f"expected the name of a team, got {quoted(team)}", hint))
    for agent, each in document.agents.items():
        held = document.roles.get(each.role) if each.role is not None else None
        if held is not None and not held.teams and held.over is Reach.OWN_TEAM and each.team is None:
            message = f"expected a team for the role {each.role}, which is over the own team, got none"
            reader.tell(("agents", agent, "role"), hinted(message, "write `team`, or `over` in the role"))


def check_people(document: Document, reader: Reader) -> None:
    """Log-in, languages, and how much one agent can take at once."""
    for agent, each in document.agents.items():
        path = ("agents", agent)
        if (*path, "pin_hash") not in reader.marks and not reader.has_problem(path):
            reader.warn(path, "expected a pin_hash, got none (without it this agent cannot log in by phone)")
        if each.capacity is not None:
            _capacity((*path, "capacity"), each.capacity, document.combined_capacity, reader)
    _capacity(("capacity",), document.capacity, document.combined_capacity, reader)
    for language, section in document.languages.items():
        has = any(section.skill in agent.skills for agent in document.agents.values())
        if section.skill is not None and document.agents and not has and not reader.has_problem(("agents",)):
            reader.warn(("languages", language, "skill"), f"expected an agent with the skill {section.skill}, got none")


def _capacity(path: PathInFile, capacity: Mapping[str, int], combined: int, reader: Reader) -> None:
    for kind, most in capacity.items():
        if kind in ON_THE_LINE and kind != VOICE:
            message = f"expected {VOICE} for all that is on the line, got {kind}"
            reader.tell((*path, kind), hinted(message, f"it shares the capacity of {VOICE}: remove it"))
        elif kind == VOICE and most > 1:
            reader.tell((*path, kind), f"expected at most 1 for {VOICE}, got {most} (an agent talks to one caller at a time)")
        elif most > combined:
            message = f"expected at most combined_capacity ({combined}), got {most}"
            reader.tell((*path, kind), hinted(message, f"write combined_capacity: {most}"))
    if path[0] == "capacity" and not capacity.get(VOICE):
        reader.warn(path, f"expected {VOICE}: 1, got none (agents take no calls)")
