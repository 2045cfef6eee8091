"""What the carrier says of a caller's number, out of the headers that it sets, or what Asterisk itself found: how surely the number is the
caller's (STIR/SHAKEN).

`P-Attestation-Indicator` is A, B or C. `verstat` is a parameter of the number in P-Asserted-Identity or From: TN-Validation-Passed,
TN-Validation-Failed or No-TN-Validation, some carriers with the level behind it (TN-Validation-Passed-A). A failed validation outweighs
whatever else is said; one that passed without a level is taken for C, the least that is signed. What is neither says nothing.

Where the carrier says nothing, Asterisk's own check of the signature counts (function STIR_SHAKEN). What it could not check for want of the
signer's certificate, or by a fault of its own, says nothing either; every other signature that does not hold is one that failed.
"""

import re

from ccserver.core.records import Attestation

MAX_CHARS = 512
_LEVELS = {"A": Attestation.FULL, "B": Attestation.PARTIAL, "C": Attestation.GATEWAY}
_INDICATOR = re.compile(r"\s*([ABC])\s*", re.IGNORECASE | re.ASCII)
_VERSTAT = re.compile(
    r";\s*verstat\s*=\s*\"?(TN-Validation-(Passed|Failed)(?:-([ABC]))?)\"?\s*(?=[;>@,?]|$)", re.IGNORECASE | re.ASCII
)

_PASSED = "success"
_NOT_CHECKED = frozenset(
    {
        "",
        "disabled",
        "not_set",
        "internal_error",
        "invalid_arguments",
        "missing_identity_hdr",
        "no_dest_tn",
        "cert_cache_invalid",
        "cert_retrieval_failure",
    }
)
"""What Asterisk says of a call that bears no signature, or whose signature it could not judge."""
_RESULT = re.compile(r"[a-z_]{1,60}")


def verified(result: str, level: str) -> Attestation:
    """Asterisk's own verdict, and the level that was signed. Never raises."""
    if result == _PASSED:
        signed = _INDICATOR.fullmatch(level) if len(level) <= MAX_CHARS else None
        return _LEVELS[signed[1].upper()] if signed is not None else Attestation.GATEWAY
    return Attestation.NONE if result in _NOT_CHECKED or not _RESULT.fullmatch(result) else Attestation.FAILED


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
