"""From the file to what the core and the edges obey: read, check, build. All of it or nothing."""

import hashlib
import json
import stat
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from pathlib import Path

from ccserver.config.checks import check_document
from ccserver.config.customers import Known, read_customers
from ccserver.config.dialing_build import Written, dialing_settings
from ccserver.config.dialing_checks import Beside, check_dialing
from ccserver.config.edges import ApiEdge, AsteriskEdge, DatabaseEdge, EdgeSettings, PromptLibrary, WebhookEdge
from ccserver.config.exits import all_queues
from ccserver.config.key_files import MasterKey, NoKey, read_key
from ccserver.config.look_up_sections import OwnRecords, look_up_databases, look_up_edges, with_password
from ccserver.config.people import AgentSection
from ccserver.config.positions import Mark, Node, Problem, Scalar, Table, Unreadable, file_name, merged, parse, quoted
from ccserver.config.privacy_section import privacy_edge
from ccserver.config.prompts import complete_library
from ccserver.config.recording_section import recording_edge
from ccserver.config.schema import Reader
from ccserver.config.sections import Document, top
from ccserver.config.speech_section import numbers_by, speech_edge
from ccserver.core.dialer.rules import Rules
from ccserver.core.dialer.settings import DialingSettings
from ccserver.core.ids import AgentId, PhoneId
from ccserver.core.settings import AgentSettings, CustomerSettings, OpeningHours, PhoneSettings, RecordingRules, Settings

_MAX_EXTENDS = 4
_MAX_SECRET_BYTES = 4096
_SECRET_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.~-")


class ConfigurationRejected(Exception):
    """The file has problems; nothing of it is used. Mend every line of `problems` and try again
    (`ccserver config check FILE` shows them without a running daemon)."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """A good configuration. `source` is the file as read; `files` are all that it was made of."""

    settings: Settings
    edges: EdgeSettings
    source: bytes
    files: tuple[Path, ...]
    warnings: tuple[Problem, ...]


def load(path: Path) -> Configuration:
    """The configuration in the file. Raises ConfigurationRejected with every problem in it, and for a file that cannot
    be read."""
    configuration, problems, _ = _examine(path, are_secrets_needed=True)
    if configuration is None:
        raise ConfigurationRejected(problems)
    return configuration


def check(path: Path) -> tuple[list[Problem], list[Problem]]:
    """(problems, warnings) of the file. A secret's file that cannot be read from here is only a warning, so that files can
    be checked on another machine and without the rights of the daemon."""
    _, problems, warnings = look_over(path)
    return problems, warnings


def look_over(path: Path) -> tuple[Configuration | None, list[Problem], list[Problem]]:
    """As `check`, with the configuration itself (None: there are problems), for tools that draw it or try it out. Where a secret could
    not be read it holds a stand-in: no edge is to be opened with it."""
    return _examine(path, are_secrets_needed=False)


def _examine(path: Path, *, are_secrets_needed: bool) -> tuple[Configuration | None, list[Problem], list[Problem]]:
    reader = Reader()
    try:
        tree, files, source = _read_tree(path, reader)
    except Unreadable as fault:
        return None, fault.problems, []
    document = top.read(reader, tree, ())
    if document is None:
        return None, _sorted(reader.problems), _sorted(reader.warnings)
    customers = _customers(document, reader)
    check_document(document, reader)
    dialing = _dialing(document, reader)
    secrets = _Secrets(reader, are_secrets_needed)
    edges = _edges(document, secrets)
    if reader.problems or edges is None:
        return None, _sorted(reader.problems), _sorted(reader.warnings)
    warnings = _sorted(reader.warnings)
    settings = _settings(document, customers, dialing)
    return (
        Configuration(settings=settings, edges=edges, source=source, files=files, warnings=tuple(warnings)),
        [],
        warnings,
    )


def _sorted(problems: list[Problem]) -> list[Problem]:
    return sorted(set(problems), key=lambda each: (each.file, each.line, each.column, each.path, each.message))


# --- files ------------------------------------------------------------------------------------------------------------
def _read_tree(path: Path, reader: Reader) -> tuple[Node, tuple[Path, ...], bytes]:
    """The tree of the file, laid over those it `extends`."""
    trees: list[Node] = []
    files: list[Path] = []
    first_source = b""
    at: Mark | None = None
    following: Path | None = path
    while following is not None:
        source = _read_file(following, at)
        first_source = first_source or source
        tree, twice = parse(source, file_name(following))
        reader.problems.extend(twice)
        files.append(following)
        following, at, tree = _extends(tree, following)
        trees.append(tree)
        if at is not None and (len(files) >= _MAX_EXTENDS or following in files):
            message = f"expected at most {_MAX_EXTENDS - 1} files that extend one another, without a circle"
            raise Unreadable([Problem(at.file, at.line, at.column, "extends", f"{message}, got more")])
    result = trees[-1]
    for above in reversed(trees[:-1]):
        result = merged(result, above)
    return result, tuple(files), first_source


def _extends(tree: Node, path: Path) -> tuple[Path | None, Mark | None, Node]:
    if not isinstance(tree, Table) or "extends" not in tree.entries:
        return None, None, tree
    mark, value = tree.entries["extends"]
    if not isinstance(value, Scalar) or value.is_nothing() or "\0" in value.text:
        raise Unreadable([Problem(mark.file, mark.line, mark.column, "extends", "expected the path of a file to start from")])
    rest = Table(tree.mark, {key: entry for key, entry in tree.entries.items() if key != "extends"})
    return path.parent / value.text, value.mark, rest


def _read_file(path: Path, at: Mark | None) -> bytes:
    try:
        if not path.is_file():
            raise FileNotFoundError(2, "there is no such file")
        with path.open("rb") as file:
            return file.read(4 * 1024 * 1024)
    except OSError as fault:
        place = at or Mark(file_name(path), 1, 1)
        message = f"expected a file that can be read, got {quoted(path)}: {fault.strerror}"
        raise Unreadable([Problem(place.file, place.line, place.column, "extends" if at else "", message)]) from None


class _Secrets:
    """Reads secrets out of their files; tells by path what is wrong with one, never what is in it."""

    def __init__(self, reader: Reader, are_needed: bool) -> None:
        self._reader = reader
        self._are_needed = are_needed

    def read(self, path: tuple[str, ...], file: Path, *, is_word: bool = True, is_token: bool = False) -> str:
        """The secret, or a stand-in after a problem or warning was told. `is_token`: as others make them, for a header of HTTP."""
        try:
            if not file.is_file():
                raise FileNotFoundError(2, "there is no such file")
            with file.open("rb") as opened:
                content = opened.read(_MAX_SECRET_BYTES + 1)
                mode = stat.S_IMODE(file.stat().st_mode)
        except OSError as fault:
            message = f"expected a file with a secret, got {quoted(file)}: {fault.strerror}"
            if self._are_needed:
                self._reader.tell(path, f"{message} (make one with: openssl rand -hex 16)")
            else:
                self._reader.warn(path, message)
            return "not-known-here"
        try:
            secret = content.decode().strip()
        except UnicodeDecodeError:
            secret = ""
        good = all(c in _SECRET_CHARACTERS for c in secret) if is_word else secret.isprintable()
        longest = 128
        if is_token:
            good, longest = secret.isascii() and secret.isprintable() and " " not in secret, _MAX_SECRET_BYTES
        if not good or not (8 if is_word else 1) <= len(secret) <= longest:
            accepted = "one line of 8 to 128 letters, digits, or _ . ~ -" if is_word else "one line of 1 to 128 characters"
            accepted = f"one word of at most {longest} characters" if is_token else accepted
            self._reader.tell(path, f"expected {accepted} in {quoted(file)}, got something else (not shown here)")
            return "not-known-here"
        if mode & 0o007:
            self._reader.warn(path, f"expected a file for ccserver only, got one that everybody may use (chmod 600 {file})")
        return secret

    def key(self, path: tuple[str, ...], file: Path) -> MasterKey | None:
        """The master key; None after a problem or warning was told."""
        try:
            return read_key(file)
        except NoKey as fault:
            tell = self._reader.tell if self._are_needed else self._reader.warn
            tell(path, f"expected a key file, got {fault}")
            return None


def _customers(document: Document, reader: Reader) -> Mapping[str, CustomerSettings]:
    if document.customers_file is None:
        return {}
    names = reader.names
    known = Known(document.country, frozenset(names.get(("agents",), ())), frozenset(names.get(("languages",), ())))
    return read_customers(document.customers_file, ("customers_file",), known, reader)


# --- values -----------------------------------------------------------------------------------------------------------
def _edges(document: Document, secrets: _Secrets) -> EdgeSettings | None:
    section = document.asterisk
    url = _database_url(document, secrets)
    if section is None:
        return None
    asterisk = AsteriskEdge(
        pbx=section.name,
        host=section.host,
        ami_port=section.ami_port,
        ami_user=section.ami_user,
        ami_secret=secrets.read(("asterisk", "ami_secret_file"), section.ami_secret_file),
        agi_host=section.agi_host,
        agi_port=section.agi_port,
        agi_secret=secrets.read(("asterisk", "agi_secret_file"), section.agi_secret_file),
        prompts_dir=section.prompts_dir,
        prompts_local_dir=section.prompts_local_dir,
        trunk_endpoint=section.trunk_endpoint,
        country=document.country,
        overflow_context=section.overflow_context,
    )
    return EdgeSettings(
        asterisk=asterisk,
        dialplan=document.dialplan,
        database=DatabaseEdge(url=url),
        recording=recording_edge(document.recording, secrets.key),
        privacy=privacy_edge(document.privacy, secrets.key),
        metrics=document.metrics,
        state_dir=document.state_dir,
        control_socket=document.control_socket,
        pin_hashes={agent: section.pin_hash for agent, section in document.agents.items() if section.pin_hash},
        room_pins={name: section.pins() for name, section in document.conferences.items()},
        prompts=library(document.prompts, document),
        voices={language: section.voice for language, section in document.languages.items()},
        speech=speech_edge(document.speech, lambda path, file: secrets.read(path, file, is_token=True)),
        numbers=numbers_by({language: section.numbers for language, section in document.languages.items()}),
        log_level=document.log.level.value,
        api=_api(document, secrets),
        look_ups=look_up_edges(
            document.look_ups,
            secrets,
            OwnRecords(
                url=url,
                timezone=document.timezone,
                campaigns={name: each.name for name, each in document.campaigns.items()},
            ),
        ),
        databases=look_up_databases(document.databases, secrets),
        scripts_dir=document.scripts_dir,
        webhooks=tuple(
            WebhookEdge(
                name=name,
                url=hook.url,
                secret=secrets.read(("webhooks", name, "secret_file"), hook.secret_file),
                kinds=hook.kinds,
                timeout_s=hook.timeout_s,
            )
            for name, hook in document.webhooks.items()
        ),
    )


def _api(document: Document, secrets: _Secrets) -> ApiEdge | None:
    section = document.api
    if section is None:
        return None
    token = secrets.read(("api", "token_file"), section.token_file)
    return ApiEdge(address=section.address, port=section.port, token=token)


def library(own: PromptLibrary, document: Document) -> PromptLibrary:
    """All prompts in all spoken languages."""
    return complete_library(own, tuple(document.languages))


def _database_url(document: Document, secrets: _Secrets) -> str:
    section = document.database
    url = section.url or f"sqlite:///{document.state_dir / 'ccserver.db'}"
    if section.password_file is None:
        return url
    return with_password(url, secrets.read(("database", "password_file"), section.password_file, is_word=False))


def _agent(section: AgentSection) -> AgentSettings:
    return AgentSettings(
        name=section.name,
        skills=dict(section.skills),
        language=section.language,
        team=section.team,
        is_supervisor=section.supervisor,
        role=section.role,
        class_of_service=section.class_of_service,
        shift=section.shift,
        min_rest_s=section.min_rest_s,
        share=section.share,
        record=section.record,
        capacity=section.capacity,
    )


def _dialing(document: Document, reader: Reader) -> DialingSettings | None:
    written = Written(
        country=document.country,
        dialing=document.dialing,
        campaigns=document.campaigns,
        trunks=document.trunks,
        caller_ids=document.caller_ids,
    )
    settings = dialing_settings(written, reader)
    if settings is not None:
        beside = Beside(dids=document.dids, queues=document.queues, dispositions=document.dispositions)
        check_dialing(settings, beside, reader)
    return settings


def _settings(document: Document, customers: Mapping[str, CustomerSettings], dialing: DialingSettings | None) -> Settings:
    offers = document.offers
    if offers is None:
        raise AssertionError("a document without offers was told as a problem")
    trunk = document.asterisk.trunk_endpoint if document.asterisk else ""
    values: dict[str, object] = {
        "pbx": document.asterisk.name if document.asterisk else "",
        "country": document.country,
        "default_language": document.default_language,
        "language_skills": {language: section.skill for language, section in document.languages.items()},
        "agents": {AgentId(agent): _agent(section) for agent, section in document.agents.items()},
        "phones": {
            PhoneId(section.dialled(number, trunk)): PhoneSettings(
                number=number, auto_answer=section.auto_answer, kind=section.kind
            )
            for numbers, section in document.phones.items()
            for number in numbers.each()
        },
        "queues": all_queues(document),
        "flows": document.flows,
        "look_ups": {name: section.shape() for name, section in document.look_ups.items()},
        "dids": document.dids,
        "hours": document.hours,
        "reasons": document.reasons,
        "dispositions": document.dispositions,
        "offers": offers,
        "features": document.features,
        "keys": document.keys,
        "agent_rules": document.agent_rules,
        "callers": document.callers,
        "customers": customers,
        "classes_of_service": document.classes_of_service,
        "priority_step_s": document.priority_step_s,
        "capacity": document.capacity,
        "combined_capacity": document.combined_capacity,
        "sendable_flows": document.sendable_flows,
        "recordable_prompts": document.recordable_prompts,
        "roles": document.roles,
        "supervision_notice": document.supervision.notice,
        "conferences": {name: section.settings() for name, section in document.conferences.items()},
        "dialing": dialing,
        "trunk": trunk,
        "timezone": document.timezone,
        "limits": document.limits,
        "recording": document.recording.rules if document.recording else RecordingRules(),
        "recording_dir": str(document.recording.asterisk_dir) if document.recording else "",
    }
    return Settings(content_hash=content_hash(values), **values)  # type: ignore[arg-type]


def content_hash(values: Mapping[str, object]) -> str:
    """The same for the same settings, whatever the order in the file and the day on which it is read; 64 hex digits."""
    return hashlib.sha256(json.dumps(_plain(values), sort_keys=True).encode()).hexdigest()


def _written(value: object, name: str) -> object:
    """A field of a record; of public holidays where they are, not their days, which the year of the reading decides."""
    given = getattr(value, name)
    if name == "holidays" and isinstance(value, OpeningHours | Rules):
        return sorted(value.holidays) if isinstance(value, Rules) else value.holidays_of
    return _plain(given)


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return {"": type(value).__name__, **{each.name: _written(value, each.name) for each in fields(value)}}
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    if isinstance(value, frozenset | set):
        return sorted(map(str, value))
    return value.value if isinstance(value, Enum) else value
