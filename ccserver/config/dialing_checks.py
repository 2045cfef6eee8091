"""What no single key of outbound calls can know: campaigns that the rules do not allow, numbers that nobody answers, missing ways."""

from collections.abc import Mapping
from dataclasses import dataclass

from ccserver.config.positions import PathInFile, quoted
from ccserver.config.schema import Reader, hinted, nearest
from ccserver.core.dialer.presets import PRESETS
from ccserver.core.dialer.settings import AmdUse, CallerIdSettings, CampaignSettings, DialingSettings, Outcome
from ccserver.core.dialer.terms import UNBACKED, LineType, Mode, Purpose
from ccserver.core.ids import DispositionId, QueueId
from ccserver.core.settings import AnswerPolicy, DidSettings, DispositionMeaning, DispositionSettings, QueueSettings

_NO_FIELDS = frozenset({"number", "key", "time_zone", "priority", "consent", "consent_date", "consent_until"})
"""Columns of an imported file that are no fields of a lead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """Other sections that campaigns use."""

    dids: Mapping[str, DidSettings]
    queues: Mapping[QueueId, QueueSettings]
    dispositions: Mapping[DispositionId, DispositionSettings]


def check_dialing(settings: DialingSettings, beside: Beside, reader: Reader) -> None:
    """Tell the reader what is wrong with the campaigns and what they use."""
    dids = beside.dids
    for number, caller_id in settings.caller_ids.items():
        _caller_id(("caller_ids", number), number, caller_id, dids, reader)
    for name, campaign in settings.campaigns.items():
        path: PathInFile = ("campaigns", name)
        _mode(path, campaign, reader)
        _registers(path, campaign, reader)
        _ring_and_machines(path, campaign, reader)
        _abandoned(path, campaign, reader)
        _numbers(path, campaign, settings.caller_ids, reader)
        _ways(path, campaign, settings, reader)
        _leads(path, campaign, reader)
        _what_agents_enter(path, campaign, beside, reader)


# --- numbers of ours ------------------------------------------------------------------------------------------------------------
def _caller_id(
    path: PathInFile, number: str, caller_id: CallerIdSettings, dids: Mapping[str, DidSettings], reader: Reader
) -> None:
    if caller_id.line_type is LineType.UNKNOWN:
        reader.tell(path, hinted(f"expected a number that exists, got {quoted(number)}", "look at its digits"))
        return
    did = dids.get(number) or dids.get(number.removeprefix("+"))
    if did is None:
        near = nearest(number, [each for each in dids if each != "*"])
        hint = f"did you mean {near}?" if near else 'define it under dids: "*" does not say that it is ours'
        reader.tell(path, hinted(f"expected a number that can be called, got {quoted(number)}, which is not under dids", hint))
    elif caller_id.answers_back and did.answer is AnswerPolicy.NEVER:
        message = "expected a number that is answered, got one that is refused: answer: never"
        reader.tell((*path, "answers_back"), hinted(message, f"change dids.{number}.answer"))
    elif not caller_id.answers_back:
        reader.warn(path, "expected answers_back: true, got a number that is never shown")


# --- campaigns ------------------------------------------------------------------------------------------------------------------
def _mode(path: PathInFile, campaign: CampaignSettings, reader: Reader) -> None:
    rules, mode = campaign.rules, campaign.mode
    if mode not in rules.modes:
        allowed = ", ".join(each.value for each in Mode if each in rules.modes)
        why = "" if PRESETS[rules.preset].is_verified else " (they are not verified)"
        reader.tell(
            (*path, "mode"),
            hinted(f"expected a mode that the rules {rules.preset}{why} allow, got {mode.value}", f"one of {allowed}"),
        )
    if mode is Mode.CALLBACK_ONLY and campaign.purpose is not Purpose.REQUESTED:
        reader.tell(
            (*path, "mode"), hinted("expected purpose: requested with callback_only, got another", "write purpose: requested")
        )
    if mode is Mode.AGENTLESS:
        if campaign.flow is None:
            reader.tell((*path, "mode"), hinted("expected a flow with agentless, got none", "name it under flow"))
    elif campaign.queue is None:
        reader.tell((*path, "mode"), hinted(f"expected a queue with {mode.value}, got none", "name it under queue"))
    if mode not in UNBACKED and campaign.lines_per_agent != 1.0:
        message = f"expected lines_per_agent with power or predictive only, got it with {mode.value}"
        reader.tell((*path, "lines_per_agent"), hinted(message, "remove it"))


def _registers(path: PathInFile, campaign: CampaignSettings, reader: Reader) -> None:
    rules = campaign.rules
    if rules.needs_register and not rules.registers and campaign.purpose is Purpose.MARKETING:
        message = f"expected a public do-not-call register for marketing under the rules {rules.preset}, got none"
        reader.tell(path, hinted(message, "name those that bind you under dialing.registers, for example {national: 31}"))


def _ring_and_machines(path: PathInFile, campaign: CampaignSettings, reader: Reader) -> None:
    rules = campaign.rules
    if campaign.ring_s < rules.ring_min_s:
        message = f"expected at least {rules.ring_min_s:g} seconds (the rules {rules.preset}), got {campaign.ring_s:g}"
        reader.tell((*path, "ring_s"), message)
    if campaign.amd.use is not AmdUse.OFF and not rules.amd_allowed:
        message = f"expected amd: off under the rules {rules.preset}, got {campaign.amd.use.value}"
        reader.tell((*path, "amd"), hinted(message, "people who are taken for machines get silent calls"))
    if campaign.voicemail is not None and campaign.amd.use is not AmdUse.ON and campaign.mode is not Mode.AGENTLESS:
        message = f"expected amd: on with voicemail, or the mode agentless, got amd: {campaign.amd.use.value} and {campaign.mode.value}"
        reader.tell((*path, "voicemail"), hinted(message, "else nobody knows a machine by itself"))


def _abandoned(path: PathInFile, campaign: CampaignSettings, reader: Reader) -> None:
    rules = campaign.rules
    if campaign.mode in UNBACKED and rules.max_abandon > 0 and campaign.safe_harbour is None:
        message = f"expected a safe_harbour prompt with {campaign.mode.value}, got none"
        reader.tell((*path, "mode"), hinted(message, "who answers and finds no agent must hear who called"))
    if campaign.mode in UNBACKED and rules.max_abandon == 0:
        reader.warn(
            (*path, "mode"),
            f"expected progressive where no call may be abandoned, got {campaign.mode.value}, which dials no more",
        )
    again = campaign.retry.get(Outcome.ABANDONED)
    if again is not None and again.after_s < rules.abandon_hold_off_s:
        message = f"expected at least {rules.abandon_hold_off_s:g} seconds (the rules {rules.preset}), got {again.after_s:g}"
        reader.tell((*path, "retry", Outcome.ABANDONED.value, "after_s"), message)


def _numbers(path: PathInFile, campaign: CampaignSettings, caller_ids: Mapping[str, CallerIdSettings], reader: Reader) -> None:
    rules, usable = campaign.rules, 0
    for number in campaign.caller_ids:
        known = caller_ids.get(number)
        if known is None:
            continue  # told with the references
        if known.line_type not in rules.caller_id_types and known.line_type is not LineType.UNKNOWN:
            allowed = ", ".join(sorted(each.value for each in rules.caller_id_types))
            message = f"expected numbers that the rules {rules.preset} allow to show, got {number}, of the type {known.line_type.value}"
            reader.tell((*path, "caller_ids"), hinted(message, f"allowed are {allowed}"))
        usable += known.answers_back
    if not usable and not reader.has_problem((*path, "caller_ids")) and all(each in caller_ids for each in campaign.caller_ids):
        message = "expected a number with answers_back: true, got none"
        reader.tell((*path, "caller_ids"), hinted(message, "without one nobody can be called"))


def _ways(path: PathInFile, campaign: CampaignSettings, settings: DialingSettings, reader: Reader) -> None:
    known = [settings.trunks[each] for each in campaign.trunks if each in settings.trunks]
    if not campaign.trunks and not reader.has_problem((*path, "trunks")):
        reader.tell((*path, "trunks"), hinted("expected a trunk, got an empty list", "define them under trunks"))
    if known and campaign.lines > sum(each.lines for each in known):
        reader.warn(
            (*path, "lines"),
            f"expected at most the {sum(each.lines for each in known)} lines of the trunks, got {campaign.lines}",
        )
    per_second = sum(each.calls_per_second for each in known)
    if known and campaign.calls_per_second > per_second:
        message = f"expected at most the {per_second:g} calls a second of the trunks, got {campaign.calls_per_second:g}"
        reader.warn((*path, "calls_per_second"), message)


# --- leads, and what agents say of them -----------------------------------------------------------------------------------------
def _leads(path: PathInFile, campaign: CampaignSettings, reader: Reader) -> None:
    for key, names in (("lists", campaign.lists), ("whisper", campaign.whisper)):
        for place, name in enumerate(names):
            if name in names[:place]:
                reader.tell((*path, key), hinted(f"expected each name once, got {quoted(name)} again", "remove it"))
    for name in campaign.whisper:
        if name in _NO_FIELDS:
            message = f"expected name or a field of the lead, got {quoted(name)}, which is read for the center alone"
            reader.tell((*path, "whisper"), hinted(message, "import it a second time under another head"))


def _what_agents_enter(path: PathInFile, campaign: CampaignSettings, beside: Beside, reader: Reader) -> None:
    if campaign.mode is Mode.AGENTLESS:
        for key, given in (("dispositions", campaign.dispositions), ("retry_dispositions", campaign.retry_dispositions)):
            if given:
                message = f"expected no {key} with agentless, got some"
                reader.tell((*path, key), hinted(message, "nobody enters them: remove them"))
        return
    queue = beside.queues.get(campaign.queue) if campaign.queue is not None else None
    names = campaign.dispositions or (queue.dispositions if queue is not None else ())
    known = [beside.dispositions[each] for each in names if each in beside.dispositions]
    meant = {each.means for each in known}
    if campaign.amd.use is AmdUse.CONFIRM and not meant & {DispositionMeaning.MACHINE, DispositionMeaning.PERSON}:
        message = "expected a disposition that means machine, or person, with amd: confirm, got none"
        reader.tell((*path, "amd"), hinted(message, "an agent must be able to say it: set means under dispositions"))
    if known and DispositionMeaning.SUCCESS not in meant:
        reader.warn((*path, "dispositions"), "expected a disposition that means success, got none: conversion cannot be told")
    if Outcome.MACHINE in campaign.retry and campaign.amd.use is AmdUse.OFF and DispositionMeaning.MACHINE not in meant:
        message = "expected amd, or a disposition that means machine, got neither: nobody tells a machine from a person"
        reader.warn((*path, "retry", Outcome.MACHINE.value), message)
    for name in campaign.retry_dispositions:
        entered = beside.dispositions.get(name)
        if entered is not None and name not in names:
            message = f"expected a disposition that agents may enter here, got {quoted(name)}"
            reader.tell((*path, "retry_dispositions", name), hinted(message, "add it to dispositions"))
        elif entered is not None and entered.means not in (DispositionMeaning.NOTHING, DispositionMeaning.PERSON):
            message = (
                f"expected a disposition that means nothing, or person, got {quoted(name)}, which means {entered.means.value}"
            )
            reader.tell(
                (*path, "retry_dispositions", name),
                hinted(message, "that says already whether, and when, there is another try"),
            )
