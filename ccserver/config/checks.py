"""What no single value can know: names that must exist, codes that collide, queues that send callers in circles.

Each check stands alone and works on what could be read, so that one run tells everything.
"""

import wave
from collections.abc import Callable, Iterable
from pathlib import Path

from ccserver.config.conference_section import check_conferences
from ccserver.config.flow_checks import check_flows
from ccserver.config.look_up_sections import check_look_ups
from ccserver.config.people_checks import check_codes, check_numbers, check_people, check_phones, check_roles
from ccserver.config.positions import MAX_PROBLEMS, PathInFile, path_text, quoted
from ccserver.config.prompts import SYSTEM_LANGUAGES, SYSTEM_PROMPTS, SYSTEM_TEXTS
from ccserver.config.queue_checks import check_queues
from ccserver.config.schema import Reader, hinted, nearest
from ccserver.config.script_checks import check_scripts
from ccserver.config.sections import Document
from ccserver.config.speech_section import check_speech
from ccserver.core.ids import PromptId

_MAX_SOCKET_PATH = 100  # Linux takes 107 bytes

NAMED_MAX = 12
"""So many of the system's prompts that lack a text are named."""


def check_document(document: Document, reader: Reader) -> None:
    """Tell the reader every problem and warning that shows only when things are seen together."""
    for each in _CHECKS:
        each(document, reader)


# --- names ------------------------------------------------------------------------------------------------------------
def _references(document: Document, reader: Reader) -> None:
    for use in reader.uses:
        known = list(reader.names.get(use.table, []))
        if use.table == ("prompts",):
            known += SYSTEM_PROMPTS
        if use.name in known:
            continue
        if len(reader.problems) >= MAX_PROBLEMS:
            return
        near = nearest(use.name, known)
        place = path_text(use.table)
        hint = f"did you mean {near}?" if near else f"define it under {place}" if known else f"there is none under {place} yet"
        reader.tell(use.path, hinted(f"expected the name of {use.noun}, got {quoted(use.name)}", hint), use.mark)


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
            reader.warn(
                ("prompts", prompt),
                "expected a prompt that is used somewhere, got one that only `ccserver queue close --say` could say",
            )
    for language in spoken:
        if _is_spoken(language, SYSTEM_LANGUAGES):
            continue
        lacking = [name for name in SYSTEM_TEXTS if language not in document.prompts.get(PromptId(name), {})]
        if lacking:
            named = [*lacking[:NAMED_MAX], *([f"{len(lacking) - NAMED_MAX} more"] if len(lacking) > NAMED_MAX else [])]
            message = f"expected texts of the system's prompts in {language}, got none for {', '.join(named)}"
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


def _look_ups(document: Document, reader: Reader) -> None:
    check_look_ups(document.look_ups, document.databases, reader)


def _numbers(document: Document, reader: Reader) -> None:
    if not document.dids and not reader.has_problem(("dids",)):
        reader.warn((), "expected a number under dids, got none (no call will be taken)")


def _conferences(document: Document, reader: Reader) -> None:
    check_conferences(document.conferences, has_recording=document.recording is not None, reader=reader)


_CHECKS: tuple[Callable[[Document, Reader], None], ...] = (
    _references,
    check_codes,
    check_phones,
    check_numbers,
    check_roles,
    check_queues,
    check_flows,
    _prompts,
    _look_ups,
    check_speech,
    check_scripts,
    _machine,
    check_people,
    _conferences,
    _numbers,
)
