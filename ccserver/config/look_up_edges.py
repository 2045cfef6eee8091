"""What the edge of look-ups needs: how each is asked, and the databases that they read.

A parameter of the name `secret` takes digits that nobody may see, of a secret node: it comes beside the parameters that a flow computes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from ccserver.core.expressions import ValueType
from ccserver.core.settings import LookUpShape

SECRET = "secret"
RETRY_PAUSE_S = 0.25
"""Between two tries: what passes by itself mostly passes at once."""
ON_THE_WAY_S = 0.5
"""From the core to a thread and back, beside the tries."""


class HttpMethod(Enum):
    GET = "get"
    POST = "post"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerRules:
    """After `failures` in a row a look-up rests for `rest_s`: its callers leave by the failure exit at once."""

    failures: int = 5
    rest_s: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LookUpEdge:
    """What all kinds have. `timeout_s` is of one try."""

    parameters: Mapping[str, ValueType] = field(default_factory=dict)
    gives: Mapping[str, ValueType] = field(default_factory=dict)
    timeout_s: float = 3.0
    tries: int = 1
    breaker: BreakerRules = BreakerRules()

    @property
    def longest_s(self) -> float:
        """All tries and the pauses between them."""
        return self.tries * self.timeout_s + (self.tries - 1) * RETRY_PAUSE_S + ON_THE_WAY_S

    def shape(self) -> LookUpShape:
        return LookUpShape(parameters=self.parameters, gives=self.gives, longest_s=self.longest_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLookUp(LookUpEdge):
    """GET with the parameters in the query, or POST with a JSON object of them. `gives` are dotted paths into the JSON answer."""

    url: str
    method: HttpMethod = HttpMethod.GET
    token: str = field(default="", repr=False)
    """Sent as `Authorization: Bearer`; empty: none is."""
    headers: Mapping[str, str] = field(default_factory=dict)
    ca_file: Path | None = None
    """The certificates that sign the server's; None: those of the machine."""
    tries: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlLookUp(LookUpEdge):
    """One statement that reads; `gives` are columns of its first row. See `sql_text`."""

    sql: str
    database: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonLookUp(LookUpEdge):
    """`module.function` of the administrator's folder."""

    function: str


class RecordsQuestion(Enum):
    """What can be asked of ccserver's own records."""

    RETURNED_CALL = "returned_call"  # which call of ours is returned by somebody who calls


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordsLookUp(LookUpEdge):
    """A question to ccserver's own database. `campaigns`: their names; times are told as `timezone` has them."""

    records: RecordsQuestion
    parameters: Mapping[str, ValueType] = field(default_factory=lambda: {"number": ValueType.TEXT})
    gives: Mapping[str, ValueType] = field(
        default_factory=lambda: dict.fromkeys(("campaign", "campaign_name", "outcome", "agent", "date", "time"), ValueType.TEXT)
    )
    url: str = field(default="", repr=False)
    timezone: str = "UTC"
    campaigns: Mapping[str, str] = field(default_factory=dict)


AnyLookUp = HttpLookUp | SqlLookUp | PythonLookUp | RecordsLookUp


@dataclass(frozen=True, slots=True, kw_only=True)
class LookUpDatabase:
    """A database that look-ups read. `url` is SQLAlchemy's; it may hold a password."""

    url: str = field(repr=False)
