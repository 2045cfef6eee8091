"""Checks the digits of callers by a look-up: against a hash that it gives, or by giving it the digits themselves.

The digits come and go as a bytearray that their owner wipes. They are in no answer, no log line and no text of an error.
"""

from collections.abc import Callable

import structlog
from twisted.internet.defer import Deferred

from ccserver.agi.secrets import NOBODYS_HASH, SecretAnswer, check_pin
from ccserver.core.commands import SecretCheck
from ccserver.core.events import LookUpEnd
from ccserver.core.expressions import Value
from ccserver.core.ids import Language
from ccserver.lookups.answers import Answer, as_word
from ccserver.lookups.edge import LookUps

log = structlog.stdlib.get_logger(__name__)

NOT_CHECKED = SecretAnswer(is_ok=None)
WRONG = SecretAnswer(is_ok=False)


class SecretChecks:
    """`on_thread` does one slow comparison off the loop."""

    def __init__(self, look_ups: LookUps, on_thread: Callable[[Callable[[], bool]], "Deferred[bool]"]) -> None:
        self._look_ups = look_ups
        self._on_thread = on_thread

    def check(self, rule: SecretCheck, digits: bytearray, language: Language) -> "Deferred[SecretAnswer]":
        return Deferred.fromCoroutine(self._check(rule, digits, language))

    async def _check(self, rule: SecretCheck, digits: bytearray, language: Language) -> SecretAnswer:
        if not rule.hash_field:
            answer = await self._look_ups.ask(rule.look_up, rule.parameters, language, secret=digits)
            return _told(answer, rule, is_same=answer.end is LookUpEnd.FOUND)
        answer = await self._look_ups.ask(rule.look_up, rule.parameters, language)
        if answer.end is LookUpEnd.FAILED:
            return NOT_CHECKED
        # Where there is none, one is verified nevertheless: how long it takes must not tell which customers there are.
        stored = str(answer.values.get(rule.hash_field, "")) if answer.end is LookUpEnd.FOUND else NOBODYS_HASH
        try:
            is_same = await self._on_thread(lambda: check_pin(digits, stored))
        except ValueError:  # whose text may repeat a part of the hash
            log.error("secret_hash.unusable", look_up=rule.look_up, field=rule.hash_field, mend="ccserver agent hash-pin")
            return NOT_CHECKED
        return _told(answer, rule, is_same=is_same)


def _told(answer: Answer, rule: SecretCheck, *, is_same: bool) -> SecretAnswer:
    match answer.end:
        case LookUpEnd.FAILED:
            return NOT_CHECKED
        case LookUpEnd.MISSING:
            return WRONG
        case LookUpEnd.FOUND if not is_same:
            return WRONG
        case LookUpEnd.FOUND:
            token: Value = answer.values.get(rule.token_field, "") if rule.token_field else ""
            return SecretAnswer(is_ok=True, token=as_word(token))
