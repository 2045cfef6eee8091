"""What no single value can know: names that must exist, codes that collide, queues that send callers in circles.

Each check stands alone and works on what could be read, so that one run tells everything.
"""

import itertools
import wave
from collections.abc import Callable, Iterable
from pathlib import Path

from ccserver.config.circles import circles
from ccserver.config.flow_checks import check_flows
from ccserver.config.positions import PathInFile, path_text, quoted
from ccserver.config.prompts import SYSTEM_LANGUAGES, SYSTEM_PROMPTS
from ccserver.config.schema import Reader, hinted, nearest
from ccserver.config.sections import Document
from ccserver.core.ids import PromptId, QueueId
from ccserver.core.settings import Exit, ExitKind, QueueSettings

EXITS = ("on_full", "on_max_wait", "on_closed", "on_unstaffed")
_MAX_SOCKET_PATH = 100  # Linux takes 107 bytes


def check_document(document: Document, reader: Reader) -> None:
    """Tell the reader every problem and warning that shows only when things are seen together."""
    for each in _CHECKS:
        each(document, reader)


def exits(queue: QueueSettings) -> Iterable[tuple[str, Exit]]:
    """The ways out of a queue, by key."""
    for key in EXITS:
        way: Exit | None = getattr(queue, key)
        if way is not None:
            yield key, way


# --- names ------------------------------------------------------------------------------------------------------------
def _references(document: Document, reader: Reader) -> None:
    for use in reader.uses:
        known = list(reader.names.get(use.table, []))
        if use.table == ("prompts",):
            known += SYSTEM_PROMPTS
        if use.name in known:
            continue
        near = nearest(use.name, known)
        place = path_text(use.table)
        hint = f"did you mean {near}?" if near else f"define it under {place}" if known else f"there is none under {place} yet"
        reader.tell(use.path, hinted(f"expected the name of {use.noun}, got {quoted(use.name)}", hint), use.mark)


# --- codes and numbers ------------------------------------------------------------------------------------------------
def _codes(document: Document, reader: Reader) -> None:
    features = {name: str(getattr(document.features, name)) for name in document.features.__slots__}
    clashes: dict[str, list[str]] = {}
    for (name, code), (other, taken) in itertools.combinations(features.items(), 2):
        # Asterisk's dialplan takes everything after the *: *13 followed by a reason's code must not be another code.
        if code.startswith(taken) or taken.startswith(code):
            # The one that is written down is the one to mend.
            at, beside = (other, name) if ("features", other) in reader.marks else (name, other)
            clashes.setdefault(at, []).append(f"{beside} {quoted(features[beside])}")
    for at, others in clashes.items():
        message = f"expected a code that is not the beginning of another, nor begins with one, got {quoted(features[at])}"
        reader.tell(("features", at), hinted(f"{message} beside {', '.join(others)}", "choose another"))
    for section, codes in (
        ("reasons", {name: each.code for name, each in document.reasons.items()}),
        ("dispositions", {name: each.code for name, each in document.dispositions.items()}),
    ):
        _unique(((section, name, "code"), code) for name, code in codes.items())(reader, "a code of its own")


def _phones(document: Document, reader: Reader) -> None:
    numbers: dict[str, PathInFile] = {}
    endpoints: dict[str, PathInFile] = {}
    written = {name: name for name in reader.names.get(("phones",), [])}
    for span, phone in document.phones.items():
        last = str(int(span.first) + span.count - 1).zfill(len(span.first))
        name = next((n for n in (span.first, f"{span.first}-{last}", f"{span.first}-{span.first}") if n in written), span.first)
        path = ("phones", name)
        if span.count > 1 and "{number}" not in phone.endpoint:
            message = f"expected an endpoint with {{number}} for {span.count} phones, got {quoted(phone.endpoint)}"
            reader.tell((*path, "endpoint"), hinted(message, "for example PJSIP/{number}"))
            continue
        for number in span.each():
            if number in numbers:
                reader.tell(path, f"expected each phone once, got {number} again (it is in {path_text(numbers[number])})")
                break
            endpoint = phone.endpoint.replace("{number}", number)
            if endpoint in endpoints:
                other = path_text(endpoints[endpoint])
                reader.tell(
                    (*path, "endpoint"), f"expected an endpoint of its own, got {quoted(endpoint)} (it is that of {other})"
                )
                break
            numbers[number] = endpoints[endpoint] = path


def _unique(values: Iterable[tuple[PathInFile, str]]) -> Callable[[Reader, str], None]:
    def tell(reader: Reader, what: str) -> None:
        first: dict[str, PathInFile] = {}
        for path, value in values:
            if value in first:
                reader.tell(path, f"expected {what}, got {quoted(value)} (it is that of {path_text(first[value][:-1])})")
            first.setdefault(value, path)

    return tell


# --- queues -----------------------------------------------------------------------------------------------------------
def _queue_circles(document: Document, reader: Reader) -> None:
    onward = {
        name: [QueueId(way.target) for _, way in exits(queue) if way.kind is ExitKind.QUEUE]
        for name, queue in document.queues.items()
    }
    told: set[frozenset[QueueId]] = set()
    for circle in circles(onward):
        if frozenset(circle) in told:
            continue
        told.add(frozenset(circle))
        last = document.queues[circle[-1]]
        key = next(key for key, way in exits(last) if way.kind is ExitKind.QUEUE and way.target == circle[0])
        shown = " -> ".join([*circle, circle[0]])
        message = f"expected queues that do not send callers in circles, got {shown}"
        reader.tell(("queues", circle[-1], key), hinted(message, "let one of them end in an extension, a node or hang_up"))


def _queue_sense(document: Document, reader: Reader) -> None:
    has_skills = [frozenset(agent.skills) for agent in document.agents.values()]
    for name, queue in document.queues.items():
        path = ("queues", name)
        for key, limit in (("on_full", "max_waiting"), ("on_max_wait", "max_wait_s"), ("on_closed", "hours")):
            if (*path, key) in reader.marks and getattr(queue, limit) is None:
                reader.warn((*path, key), f"expected a {limit} beside it, got none (without it {key} never happens)")
        if not queue.skills and path in reader.marks and ("queues", name, "skills") in reader.marks:
            reader.warn((*path, "skills"), "expected a skill, got none (every agent gets these calls)")
        wanted = frozenset(queue.skills)
        is_known = wanted <= document.skills.keys() and not reader.has_problem(("agents",))
        if document.agents and is_known and not any(wanted <= skills for skills in has_skills):
            shown = " and ".join(sorted(wanted))
            reader.warn(path, f"expected an agent with the skills {shown}, got none (callers would wait for nobody)")
        if queue.short_abandon_s > queue.service_level_s:
            message = f"expected at most service_level_s ({queue.service_level_s:g}), got {queue.short_abandon_s:g}"
            reader.tell((*path, "short_abandon_s"), hinted(message, "a short wait is shorter than one in time"))


# --- prompts ----------------------------------------------------------------------------------------------------------
def _prompts(document: Document, reader: Reader) -> None:
    spoken = tuple(document.languages)
    used = {use.name for use in reader.uses if use.table == ("prompts",)}
    for prompt, sources in document.prompts.items():
        written = reader.names.get(("prompts", prompt), [])
        have = {*written, *(SYSTEM_LANGUAGES if prompt in SYSTEM_PROMPTS else ())}
        missing = [each for each in spoken if not _is_spoken(each, have)]
        if missing:
            found = ", ".join(written) or "none"
            message = f"expected a text or a recorded file in {', '.join(missing)}, got only {found}"
            reader.tell(("prompts", prompt), hinted(message, f"add {missing[0]}: …"))
        for language, source in sources.items():
            where = ("prompts", prompt, language)
            if not _is_spoken(language, spoken) and language not in {each.split("_")[0] for each in spoken}:
                near = nearest(language, spoken)
                hint = f"did you mean {near}?" if near else "define it under languages"
                reader.tell(where, hinted(f"expected a language that is spoken here, got {quoted(language)}", hint))
            if source.file is not None:
                found = wav_fault(source.file)
                if found:
                    reader.tell((*where, "file"), f"expected a WAV file of 8 kHz, mono, 16 bit, got {found}")
        if prompt.startswith("cc-") and prompt not in SYSTEM_PROMPTS:
            near = nearest(prompt, SYSTEM_PROMPTS)
            hint = f"did you mean {near}?" if near else "choose another name"
            reader.tell(
                ("prompts", prompt), hinted(f"expected a name that does not begin with cc-, got {quoted(prompt)}", hint)
            )
        elif prompt not in used and prompt not in SYSTEM_PROMPTS:
            reader.warn(("prompts", prompt), "expected a prompt that is used somewhere, got one that never is said")
    for language in spoken:
        if _is_spoken(language, SYSTEM_LANGUAGES):
            continue
        lacking = [name for name in SYSTEM_PROMPTS if language not in document.prompts.get(PromptId(name), {})]
        if lacking:
            message = f"expected texts of the system's prompts in {language}, got none for {', '.join(lacking)}"
            reader.tell(
                ("languages", language), hinted(message, f"add them under prompts; built in are {', '.join(SYSTEM_LANGUAGES)}")
            )


def _is_spoken(language: str, among: Iterable[str]) -> bool:
    """Whether texts in `among` serve the language: `en_GB` is spoken by `en` too."""
    return language in among or language.split("_", maxsplit=1)[0] in among


def wav_fault(file: Path) -> str:
    """What is wrong with a recorded prompt, "" when nothing is."""
    mend = f"sox IN -r 8000 -c 1 -b 16 {file.name}"
    try:
        if not file.is_file():
            return f"no file at {quoted(file)} (is the path right? it starts at the folder of this file)"
        with wave.open(str(file), "rb") as opened:
            found = (opened.getframerate(), opened.getnchannels(), opened.getsampwidth() * 8)
    except (wave.Error, EOFError):
        return f"no WAV file (make one with: {mend})"
    except (OSError, ValueError) as fault:
        return f"a file that cannot be read: {getattr(fault, 'strerror', None) or 'bad name'}"
    if found != (8000, 1, 16):
        return f"{found[0]} Hz, {found[1]} channels, {found[2]} bit (make one with: {mend})"
    return ""


# --- the machine and the rest -----------------------------------------------------------------------------------------
def _machine(document: Document, reader: Reader) -> None:
    section = document.asterisk
    if section is not None:
        taken = {section.agi_port: "asterisk.agi_port"}
        if section.host in ("127.0.0.1", "::1", "localhost"):
            if section.ami_port == section.agi_port:
                _port_taken(reader, ("asterisk", "agi_port"), section.agi_port, "asterisk.ami_port")
            taken.setdefault(section.ami_port, "asterisk.ami_port")
        if document.metrics.port in taken:
            _port_taken(reader, ("metrics", "port"), document.metrics.port, taken[document.metrics.port])
        taken.setdefault(document.metrics.port, "metrics.port")
        if document.api is not None and document.api.port in taken:
            _port_taken(reader, ("api", "port"), document.api.port, taken[document.api.port])
        if not _is_loopback(section.agi_host):
            reader.warn(
                ("asterisk", "agi_host"), "expected a loopback address, got another (everybody who reaches it can try words)"
            )
    if not _is_loopback(document.metrics.address):
        reader.warn(("metrics", "address"), "expected a loopback address, got another (everybody who reaches it can read)")
    if document.api is not None and not _is_loopback(document.api.address):
        message = "expected a loopback address, got another (tokens and numbers go over it in the clear: put TLS in front)"
        reader.warn(("api", "address"), message)
    if len(str(document.control_socket)) > _MAX_SOCKET_PATH:
        length = len(str(document.control_socket))
        message = f"expected a path of at most {_MAX_SOCKET_PATH} characters, got {length}"
        reader.tell(("control_socket",), hinted(message, "the system takes no longer one for a socket"))
    if ":" in document.database.url.partition("://")[2].partition("@")[0] and "@" in document.database.url:
        reader.tell(("database", "url"), "expected a URL without password, got one with it (put it into a file: password_file)")
    if document.database.password_file is not None and not document.database.url.startswith("postgresql"):
        reader.tell(("database", "password_file"), "expected it with a PostgreSQL URL only, got it with SQLite (remove it)")


def _port_taken(reader: Reader, path: PathInFile, port: int, other: str) -> None:
    reader.tell(path, f"expected a port of its own, got {port} (it is that of {other})")


def _is_loopback(address: str) -> bool:
    return address.startswith("127.") or address == "::1"


def _people(document: Document, reader: Reader) -> None:
    for agent in document.agents:
        path = ("agents", agent)
        if (*path, "pin_hash") not in reader.marks and not reader.has_problem(path):
            reader.warn(path, "expected a pin_hash, got none (without it this agent cannot log in by phone)")
    for language, section in document.languages.items():
        has = any(section.skill in agent.skills for agent in document.agents.values())
        if section.skill is not None and document.agents and not has and not reader.has_problem(("agents",)):
            reader.warn(("languages", language, "skill"), f"expected an agent with the skill {section.skill}, got none")
    if not document.dids and not reader.has_problem(("dids",)):
        reader.warn((), "expected a number under dids, got none (no call will be taken)")


_CHECKS: tuple[Callable[[Document, Reader], None], ...] = (
    _references,
    _codes,
    _phones,
    _queue_circles,
    _queue_sense,
    check_flows,
    _prompts,
    _machine,
    _people,
)
