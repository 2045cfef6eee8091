"""The matcher: which waiting interaction and which free agent belong together, and why."""

from ccserver.core.acd.candidates import Candidate, Wanted
from ccserver.core.acd.matcher import Match, Matcher
from ccserver.core.acd.roster import Roster, effective
from ccserver.core.acd.strategies import STRATEGIES
from ccserver.core.acd.urgency import ClassKey, Place, place, urgency

__all__ = [
    "STRATEGIES",
    "Candidate",
    "ClassKey",
    "Match",
    "Matcher",
    "Place",
    "Roster",
    "Wanted",
    "effective",
    "place",
    "urgency",
]
