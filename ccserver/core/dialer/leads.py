"""Leads as the core knows them: claimed from the database, with what the law's gate has to know of each of their numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ccserver.core.dialer.facts import FactSheet
from ccserver.core.ids import AgentId, Language, LeadId


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedLead:
    """A lead that nobody else dials until `until_utc_s`. `sheets`: one for each of its numbers that can be called, in the order in which
    they are tried; they say nothing yet of agent, room, caller-ID and trunk (`core.dialer.asking`)."""

    id: LeadId
    token: str
    """Of the claim."""
    until_utc_s: float
    list: str
    name: str
    sheets: tuple[FactSheet, ...]
    fields: Mapping[str, str] = field(default_factory=dict)
    """The custom ones, as they were imported."""
    language: Language | None = None
    outcomes: Mapping[str, int] = field(default_factory=dict)
    """How often each outcome came of attempts to it in this campaign, by `records.AttemptOutcome`'s word."""
    dispositions: Mapping[str, int] = field(default_factory=dict)
    """How often agents entered each disposition after attempts to it in this campaign."""
    only: AgentId | None = None
    """It is a callback that this agent promised."""
    callback_utc_s: float | None = None
    """It is a callback, promised for this time."""
    is_hot: bool = False
