"""What the carrier says of a caller's number, out of the headers that it sets: how surely the number is the caller's (STIR/SHAKEN).

`P-Attestation-Indicator` is A, B or C. `verstat` is a parameter of the number in P-Asserted-Identity or From: TN-Validation-Passed,
TN-Validation-Failed or No-TN-Validation, some carriers with the level behind it (TN-Validation-Passed-A). A failed validation outweighs
whatever else is said; one that passed without a level is taken for C, the least that is signed. What is neither says nothing.
"""

import re

from ccserver.core.records import Attestation

MAX_CHARS = 512
_LEVELS = {"A": Attestation.FULL, "B": Attestation.PARTIAL, "C": Attestation.GATEWAY}
_INDICATOR = re.compile(r"\s*([ABC])\s*", re.IGNORECASE | re.ASCII)
_VERSTAT = re.compile(
    r";\s*verstat\s*=\s*\"?(TN-Validation-(Passed|Failed)(?:-([ABC]))?)\"?\s*(?=[;>@,?]|$)", re.IGNORECASE | re.ASCII
)


def attestation(indicator: str, *identities: str) -> Attestation:
    """`identities`: P-Asserted-Identity and From, as they came. Never raises."""
    level = _INDICATOR.fullmatch(indicator) if len(indicator) <= MAX_CHARS else None
    found = _LEVELS[level[1].upper()] if level is not None else Attestation.NONE
    for identity in identities:
        told = _VERSTAT.search(identity) if len(identity) <= MAX_CHARS else None
        if told is None:
            continue
        if told[2].lower() == "failed":
            return Attestation.FAILED
        if found is Attestation.NONE:
            found = _LEVELS[(told[3] or "C").upper()]
    return found
