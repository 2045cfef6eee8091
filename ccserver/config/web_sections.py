"""The keys of `api` and `webhooks`: what the center tells other systems."""

from dataclasses import dataclass
from pathlib import Path

from ccserver.config import kinds
from ccserver.config.kinds import duration
from ccserver.config.schema import Choice, Field, FilePath, Group, ListOf, Text
from ccserver.core.records import NoticeKind


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSection:
    """As written: the token is still the name of a file."""

    address: str = "127.0.0.1"
    port: int = 9319
    token_file: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSection:
    url: str
    secret_file: Path
    kinds: tuple[NoticeKind, ...] = ()
    timeout_s: float = 10.0


_secret_file = FilePath("the path of a file that holds the secret")

api = Group(
    "api",
    ApiSection,
    [
        Field("address", kinds.address, "Where the API listens: http://ADDRESS:PORT/v1."),
        Field("port", kinds.port, "Its port."),
        Field("token_file", _secret_file, "A file with the token that clients send (Authorization: Bearer)."),
    ],
    wrong={"token": "secrets are never written here: name a file with token_file"},
)

webhook = Group(
    "a webhook",
    WebhookSection,
    [
        Field(
            "url",
            Text("an address", str, r"https?://[A-Za-z0-9.\[\]:-]{1,253}(/[!-~]*)?", 500, hint="https://crm.example.com/calls"),
            "What happens is posted here, as JSON.",
        ),
        Field("secret_file", _secret_file, "A file with the secret that signs what is posted."),
        Field("kinds", ListOf(Choice(NoticeKind), 20), "What is posted; without it everything."),
        Field("timeout_s", duration(1, 60, "10"), "How long an answer may take."),
    ],
    wrong={"secret": "secrets are never written here: name a file with secret_file"},
)
