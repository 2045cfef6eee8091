"""The keys of `look_ups` and `databases`: which outside systems flows may ask, how, and what they are given."""

import dataclasses
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar
from urllib.parse import quote, urlsplit

from ccserver.config.kinds import duration, whole
from ccserver.config.look_up_edges import (
    SECRET,
    AnyLookUp,
    BreakerRules,
    HttpLookUp,
    HttpMethod,
    LookUpDatabase,
    PythonLookUp,
    RecordsLookUp,
    RecordsQuestion,
    SqlLookUp,
)
from ccserver.config.positions import Node, PathInFile, Scalar, quoted
from ccserver.config.schema import (
    Choice,
    Field,
    FilePath,
    Group,
    Kind,
    MapOf,
    OneOf,
    Reader,
    Reference,
    Text,
    got,
    hinted,
    nearest,
)
from ccserver.config.sql_text import read_statement
from ccserver.core.expressions import ValueType
from ccserver.core.ids import LookUpId

V = TypeVar("V")

_IDENTIFIER = r"[A-Za-z_][A-Za-z0-9_]{0,39}"
_FUNCTION = r"[a-z_][a-z0-9_]{0,39}\.[a-z_][a-z0-9_]{0,39}"
# Ours to say: what else they said would be another request.
_OWN_HEADERS = frozenset({"authorization", "host", "content-length", "content-type", "transfer-encoding", "connection"})


# --- values between the file and the edges ----------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSection(HttpLookUp):
    """As written: the token is still the name of a file."""

    token_file: Path | None = None

    def edge(self, token: str) -> HttpLookUp:
        given = {each.name: getattr(self, each.name) for each in dataclasses.fields(HttpLookUp)}
        return HttpLookUp(**{**given, "token": token})


@dataclass(frozen=True, slots=True, kw_only=True)
class LookUpDatabaseSection:
    """As written: the password is still the name of a file."""

    url: str = field(repr=False)
    password_file: Path | None = None


LookUpSection = HttpSection | SqlLookUp | PythonLookUp | RecordsLookUp


class ReadSecret(Protocol):
    def read(self, path: tuple[str, ...], file: Path, *, is_word: bool = True, is_token: bool = False) -> str: ...


# --- the kinds ----------------------------------------------------------------------------------------------------------
class SqlKind:
    """One statement that reads; it may run over several lines."""

    expected = "a statement that selects, with :name for each parameter"

    def read(self, reader: Reader, node: Node, path: PathInFile) -> str | None:
        """The text as written; whether its names are the parameters is checked with the look-up."""
        if not isinstance(node, Scalar) or node.is_nothing():
            example = "for example select status from orders where number = :order"
            reader.tell(path, hinted(f"expected {self.expected}, got {got(node)}", example), node.mark)
            return None
        if len(node.text) > 4000 or "\0" in node.text:
            reader.tell(path, f"expected {self.expected}, of at most 4000 characters (make a view of it)", node.mark)
            return None
        try:
            read_statement(node.text)
        except ValueError as fault:
            reader.tell(path, f"expected {self.expected}, got {fault}", node.mark)
            return None
        return node.text.strip().rstrip(";").rstrip()


def _url(text: str) -> str:
    parts = urlsplit(text)  # raises ValueError for a bad port only when it is asked for
    if parts.port == 0 or not parts.hostname:
        raise ValueError("for example https://crm.example.com/customers")
    if "@" in parts.netloc:
        raise ValueError("no passwords here: name a file with token_file")
    if parts.fragment:
        raise ValueError("write it without #")
    return text


def _header(text: str) -> str:
    if text.lower() in _OWN_HEADERS:
        raise ValueError(
            "choose another: ccserver says it itself" + (", from token_file" if text.lower() == "authorization" else "")
        )
    return text


def _table(key: Kind[str], of: Kind[V], noun: str) -> MapOf[str, V]:
    return MapOf(key, of, noun, 50)


_type = Choice(ValueType, hint="text, number or truth")
_name = Text("a name of letters, digits and _", str, _IDENTIFIER, 40, "order")
_query_name = Text("a name of letters, digits, _ - .", str, r"[A-Za-z_][A-Za-z0-9_.-]{0,39}", 40, "number")
_path = Text("a name, or names joined by dots", str, r"[A-Za-z0-9_-]{1,60}(\.[A-Za-z0-9_-]{1,60}){0,9}", 200, "address.city")
_secret_file = FilePath("the path of a file that holds the secret")

breaker = Group(
    "a breaker",
    BreakerRules,
    [
        Field("failures", whole(1, 1000, "5"), "Failures in a row after which the look-up rests."),
        Field("rest_s", duration(1, 3600, "30"), "So long its callers leave by the failure exit at once; then one tries."),
    ],
)


def _common(parameter: Kind[str], given: Kind[str], timeout: str) -> list[Field]:
    return [
        Field("parameters", _table(parameter, _type, "parameters"), "What it is given, with its type: text, number or truth."),
        Field(
            "gives",
            _table(given, _type, "values"),
            "What it gives, with its type. Without it: only whether it found something.",
        ),
        Field("timeout_s", duration(0.1, 60, "2"), timeout),
        Field("breaker", breaker, "When it rests."),
    ]


_tries = Field("tries", whole(1, 5, "2"), "How often it is tried, where the failure may pass by itself.")


look_up: OneOf[LookUpSection] = OneOf(
    "a look-up",
    {
        "sql": Group(
            "a look-up by SQL",
            SqlLookUp,
            [
                Field(
                    "sql", SqlKind(), "The statement, with :name for each parameter. The first row counts; no row is missing."
                ),
                Field("database", Reference("a database", ("databases",), str), "Where it is read."),
                *_common(_name, _name, "How long one try may take; then the database is told to stop."),
                _tries,
            ],
        ),
        "http": Group(
            "a look-up by HTTP",
            lambda http, **rest: HttpSection(url=http, **rest),
            [
                Field(
                    "http",
                    Text(
                        "an address",
                        _url,
                        r"https?://[A-Za-z0-9.\[\]:-]{1,253}(/[!-~]*)?",
                        500,
                        hint="https://crm.example.com/customers",
                    ),
                    "The address. Without `method: post` the parameters are in its query. 404 and an empty answer are missing.",
                ),
                Field("method", Choice(HttpMethod), "How it is asked; with post the parameters are a JSON object."),
                Field("token_file", _secret_file, "A file with a token, sent as Authorization: Bearer. Without it none is."),
                Field(
                    "headers",
                    _table(
                        Text("a header", _header, r"[A-Za-z0-9-]{1,60}", 60, "X-Site"),
                        Text("a header's text", str, r"[ -~]{1,500}", 500),
                        "headers",
                    ),
                    "Headers that are sent as well; no secrets.",
                ),
                Field(
                    "ca_file",
                    FilePath("a file of certificates"),
                    "Who signs the server's certificate; without it, as the machine has it.",
                ),
                *_common(_query_name, _path, "How long one try may take, to the last byte of the answer."),
                _tries,
            ],
            like=HttpSection,
            wrong={"token": "secrets are never written here: name a file with token_file"},
        ),
        "python": Group(
            "a look-up by Python",
            lambda python, **rest: PythonLookUp(function=python, **rest),
            [
                Field(
                    "python",
                    Text(
                        "a function of scripts_dir",
                        str,
                        _FUNCTION,
                        81,
                        "risk.score",
                        hint="module.function, for example risk.score",
                    ),
                    "The function, as module.function of scripts_dir. It gets no call, only what is known of it; None is missing.",
                ),
                *_common(_name, _name, "How long it may take."),
            ],
            like=PythonLookUp,
        ),
        "records": Group(
            "a look-up in ccserver's own records",
            RecordsLookUp,
            [
                Field(
                    "records",
                    Choice(RecordsQuestion),
                    "returned_call: our newest call to a number (`number`) in the last 30 days. It gives `campaign` (empty: an agent's "
                    "own call), `campaign_name`, `outcome` (empty: not known), `agent`, `date` and `time`, all of them texts.",
                ),
                Field("timeout_s", duration(0.1, 60, "2"), "How long it may take."),
                Field("breaker", breaker, "When it rests."),
            ],
            like=RecordsLookUp,
        ),
    },
)

database = Group(
    "a database",
    LookUpDatabaseSection,
    [
        Field(
            "url",
            Text(
                "a database URL",
                str,
                r"sqlite:////[^?#]+|postgresql\+psycopg://[^\s]+",
                300,
                hint="sqlite:////srv/shop/shop.db or postgresql+psycopg://ccserver@dbhost/shop",
                is_secret=True,  # it may hold a password
            ),
            "The database. It is only ever read.",
        ),
        Field("password_file", _secret_file, "A file with its password. Without it, none is sent."),
    ],
    wrong={"password": "secrets are never written here: name a file with password_file"},
)


# --- what shows only when things are seen together ----------------------------------------------------------------------
def check_look_ups(
    look_ups: Mapping[LookUpId, LookUpSection], databases: Mapping[str, LookUpDatabaseSection], reader: Reader
) -> None:
    """Tell every problem of the two sections."""
    for name, section in look_ups.items():
        path: PathInFile = ("look_ups", name)
        if section.parameters.get(SECRET, ValueType.TEXT) is not ValueType.TEXT:
            reader.tell((*path, "parameters", SECRET), "expected the type text, got another (digits may begin with 0)")
        match section:
            case SqlLookUp():
                _check_names(section, path, reader)
            case HttpSection():
                _check_http(section, path, reader)
            case PythonLookUp():
                if SECRET in section.parameters:
                    message = "expected parameters without secret, got it (those digits go to sql, or to http with post)"
                    reader.tell((*path, "parameters", SECRET), message)
    for database_name, each in databases.items():
        path = ("databases", database_name)
        if ":" in each.url.partition("://")[2].partition("@")[0] and "@" in each.url:
            reader.tell((*path, "url"), "expected a URL without password, got one with it (put it into a file: password_file)")
        if each.password_file is not None and not each.url.startswith("postgresql"):
            reader.tell((*path, "password_file"), "expected it with a PostgreSQL URL only, got it with SQLite (remove it)")
    used = {section.database for section in look_ups.values() if isinstance(section, SqlLookUp)}
    for database_name in databases:
        if database_name not in used:
            reader.warn(("databases", database_name), "expected a database that a look-up reads, got one that none does")


def _check_names(section: SqlLookUp, path: PathInFile, reader: Reader) -> None:
    written = list(dict.fromkeys(read_statement(section.sql).names))
    if reader.has_problem((*path, "parameters")):
        return
    for name in written:
        if name not in section.parameters:
            near = nearest(name, section.parameters)
            hint = f"did you mean :{near}?" if near else f"add {name}: text to parameters"
            reader.tell((*path, "sql"), hinted(f"expected the parameters of the look-up, got :{name}", hint))
    for name in section.parameters:
        if name not in written:
            reader.tell(
                (*path, "parameters", name),
                f"expected a parameter that stands in the sql, got {quoted(name)} (write :{name} there)",
            )


def _check_http(section: HttpSection, path: PathInFile, reader: Reader) -> None:
    if SECRET in section.parameters and section.method is HttpMethod.GET:
        message = "expected method: post with a parameter secret, got get (an address is logged by many, a body by few)"
        reader.tell((*path, "parameters", SECRET), message)
    if (SECRET in section.parameters or section.token_file is not None) and section.url.startswith("http://"):
        host = urlsplit(section.url).hostname or ""
        if not (host.startswith("127.") or host in ("localhost", "::1")):
            reader.warn((*path, "http"), "expected https, got http (its token and secrets go over the network in the clear)")
    if section.ca_file is not None and section.ca_file.exists():
        try:
            ssl.create_default_context(cafile=str(section.ca_file))
        except (OSError, ssl.SSLError):
            found = f"got {quoted(section.ca_file)}"
            reader.tell((*path, "ca_file"), f"expected a file of certificates (PEM), {found} that is none, or cannot be read")
    elif section.ca_file is not None:
        reader.warn(
            (*path, "ca_file"), f"expected a file of certificates (PEM), got {quoted(section.ca_file)}: there is no such file"
        )


# --- what the edges obey ------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRecords:
    """What a look-up in ccserver's own records needs: its database, the site's time zone, the names of the campaigns."""

    url: str = field(repr=False)
    timezone: str
    campaigns: Mapping[str, str]


def look_up_edges(
    look_ups: Mapping[LookUpId, LookUpSection], secrets: ReadSecret, own: OwnRecords
) -> dict[LookUpId, AnyLookUp]:
    """With the tokens out of their files."""
    edges: dict[LookUpId, AnyLookUp] = {}
    for name, section in look_ups.items():
        if isinstance(section, RecordsLookUp):
            edges[name] = dataclasses.replace(section, url=own.url, timezone=own.timezone, campaigns=own.campaigns)
            continue
        if not isinstance(section, HttpSection):
            edges[name] = section
            continue
        token = ""
        if section.token_file is not None:
            path = ("look_ups", name, "token_file")
            token = secrets.read(path, section.token_file, is_word=False, is_token=True)
        edges[name] = section.edge(token)
    return edges


def look_up_databases(databases: Mapping[str, LookUpDatabaseSection], secrets: ReadSecret) -> dict[str, LookUpDatabase]:
    """With the passwords out of their files."""
    found = {}
    for name, section in databases.items():
        url = section.url
        if section.password_file is not None:
            url = with_password(url, secrets.read(("databases", name, "password_file"), section.password_file, is_word=False))
        found[name] = LookUpDatabase(url=url)
    return found


def with_password(url: str, password: str) -> str:
    """`scheme://user@place/…` with the password between user and place."""
    parts = urlsplit(url)
    user, _, place = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user}:{quote(password, safe='')}@{place}").geturl()
