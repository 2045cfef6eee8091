"""Work without a line beside calls: capacity by kind and combined, offers on the screen, wrap-up, and every way it can end."""

from dataclasses import replace

import pytest
from desk import Desk, a_queue

from ccserver.core import commands as c
from ccserver.core import events as ev
from ccserver.core.center import CallCenter
from ccserver.core.ids import AgentId, InteractionId, RequestId
from ccserver.core.invariants import check_index
from ccserver.core.records import (
    AgentStateRecord,
    EndedBy,
    InteractionRecord,
    NoticeKind,
    NoticeRecord,
    OfferOutcome,
    OfferRecord,
    Outcome,
    PhoneState,
    VisitOutcome,
    VisitRecord,
)
from ccserver.core.settings import EVERYBODY, Exit, ExitKind, HasSkill, QueueSettings, Requirement
from ccserver.core.state import CALLBACK, CONSULT, VOICE, Work, counted_as


class Screen(Desk):
    """A desk where agents take mail as well, in the queue `mail`."""

    def __init__(
        self, agents: int = 1, *, voice: int = 1, mail: int = 2, combined: int = 3, queue: QueueSettings | None = None
    ) -> None:
        super().__init__(agents, mail=queue or a_queue(skills=(), wrap_up_s=0.0))
        self.settings = replace(
            self.settings, content_hash="screen", capacity={"voice": voice, "mail": mail}, combined_capacity=combined
        )
        self.tell(ev.SettingsLoaded(settings=self.settings))

    def mail(self, requires: Requirement = EVERYBODY, priority: int | None = None) -> InteractionId:
        """One more message. Returns its number."""
        number = self.center.snapshot().clockwork.next_interaction
        self.ask(
            ev.WorkRequested(
                request=RequestId(7), kind="mail", queue="mail", subject="Invoice", requires=requires, priority=priority
            )
        )
        return InteractionId(number)

    def ask(self, event: ev.Event) -> c.Reply:
        self.tell(event)
        (reply,) = self.told(c.Reply)
        return reply

    def answers(self, number: InteractionId, agent: int = 1, *, takes: bool = True) -> c.Reply:
        return self.ask(ev.WorkAccepted(request=RequestId(8), agent=AgentId(f"10{agent}"), interaction=number, is_taken=takes))

    def finishes(self, number: InteractionId, agent: int = 1) -> c.Reply:
        return self.ask(ev.WorkFinished(request=RequestId(9), agent=AgentId(f"10{agent}"), interaction=number))

    def work(self, agent: int = 1) -> list[tuple[InteractionId, str]]:
        found: tuple[Work, ...] = self.center.snapshot().agents[AgentId(f"10{agent}")].work
        return [(w.interaction, w.phase.value) for w in found]


def test_it_is_offered_taken_and_finished_with_the_records_of_a_call() -> None:
    desk = Screen()
    number = desk.mail()
    assert desk.told(c.Reply)[0].text == f"work {number} waits in queue mail"
    assert desk.work() == [(number, "ringing")]
    notice = next(n for n in desk.kept(NoticeRecord) if n.kind is NoticeKind.RINGING)
    assert (notice.agent, notice.data["subject"]) == ("101", "Invoice")
    desk.wait(3.0)
    assert desk.answers(number).is_ok
    assert desk.work() == [(number, "talking")]
    desk.wait(60.0)
    assert desk.finishes(number).is_ok
    assert desk.work() == []
    (visit,) = desk.kept(VisitRecord)
    assert (visit.queue, visit.outcome, visit.wait_s) == ("mail", VisitOutcome.ANSWERED, 3.0)
    (offer,) = desk.kept(OfferRecord)
    assert (offer.agent, offer.leg, offer.outcome) == ("101", None, OfferOutcome.ANSWERED)
    (told,) = desk.kept(InteractionRecord)
    assert (told.kind, told.leg, told.outcome, told.ended_by, told.talk_s) == (
        "mail",
        None,
        Outcome.ANSWERED,
        EndedBy.AGENT,
        60.0,
    )
    assert desk.state(number) == "over"


def test_a_call_comes_beside_the_mail_and_each_kind_has_its_own_limit() -> None:
    desk = Screen(voice=1, mail=2, combined=3)
    first, second, third = desk.mail(), desk.mail(), desk.mail()
    assert desk.work() == [(first, "ringing"), (second, "ringing")]
    desk.call()
    offer = desk.ring()
    assert offer.agent == "101"
    desk.call()
    assert not desk.told(c.RingAgent)  # one call at once
    assert desk.state(third) == "waiting"
    desk.answers(first)
    desk.finishes(first)
    assert (third, "ringing") in desk.work()


def test_the_combined_limit_holds_whatever_the_kinds_allow() -> None:
    desk = Screen(voice=1, mail=5, combined=2)
    first, second = desk.mail(), desk.mail()
    waiting = desk.call()
    assert not desk.ever(c.RingAgent)
    desk.answers(first)
    desk.answers(second)
    desk.finishes(second)
    assert [offer.caller for offer in desk.told(c.RingAgent)] == [waiting]


def test_an_agents_own_capacity_goes_before_that_of_the_settings() -> None:
    desk = Screen(2)
    agents = {**desk.settings.agents}
    agents["101"] = replace(agents["101"], capacity={"voice": 1})
    desk.settings = replace(desk.settings, content_hash="own", agents=agents)
    desk.tell(ev.SettingsLoaded(settings=desk.settings))
    number = desk.mail()
    assert desk.work(1) == [] and desk.work(2) == [(number, "ringing")]


def test_consultations_and_callbacks_take_the_capacity_of_voice() -> None:
    assert [counted_as(kind) for kind in (VOICE, CONSULT, CALLBACK, "mail")] == [VOICE, VOICE, VOICE, "mail"]


def test_who_does_not_answer_in_time_misses_it_and_it_goes_to_the_next() -> None:
    desk = Screen(2)
    number = desk.mail()
    desk.wait(10.1)
    assert [(o.agent, o.outcome) for o in desk.kept(OfferRecord)] == [("101", OfferOutcome.MISSED)]
    assert desk.work(1) == [] and desk.work(2) == [(number, "ringing")]


def test_who_refuses_it_is_spared_and_after_so_many_not_ready() -> None:
    desk = Screen(1)
    number = desk.mail()
    assert desk.answers(number, takes=False).is_ok
    assert (desk.state(number), desk.work()) == ("waiting", [])
    desk.wait(10.1)
    assert desk.work() == [(number, "ringing")]
    desk.answers(number, takes=False)
    assert desk.shown(1).value == "not_ready"


def test_it_needs_the_skills_that_it_names() -> None:
    desk = Screen(1)
    number = desk.mail(requires=HasSkill("legal"))
    assert desk.state(number) == "waiting"
    assert desk.state(desk.mail(requires=HasSkill("sales", 50))) == "offered"


def test_a_busy_phone_and_an_unreachable_one_hinder_calls_and_not_mail() -> None:
    desk = Screen(1)
    desk.tell(ev.PhoneStateChanged(phone="PJSIP/1001", state=PhoneState.UNAVAILABLE))
    desk.call()
    assert not desk.ever(c.RingAgent)
    assert desk.state(desk.mail()) == "offered"


def test_it_is_wrapped_up_as_its_queue_says() -> None:
    desk = Screen(1, queue=a_queue(skills=(), wrap_up_s=20.0))
    number = desk.mail()
    desk.answers(number)
    desk.finishes(number)
    assert desk.work() == [(number, "wrap_up")]
    assert desk.state(number) == "gone"
    desk.wait(20.1)
    assert desk.work() == [] and desk.state(number) == "over"
    assert [r.state.value for r in desk.kept(AgentStateRecord) if r.agent == "101"][-1] == "wrap_up"


def test_closed_doors_and_long_waits_do_not_turn_it_away() -> None:
    gone = Exit(kind=ExitKind.HANG_UP)
    queue = a_queue(skills=("nobody",), hours="never", max_wait_s=5.0, on_max_wait=gone, on_unstaffed=gone)
    desk = Screen(1, queue=queue)
    number = desk.mail()
    desk.wait(3600.0)
    assert desk.state(number) == "waiting"


def test_what_is_forgotten_ends_after_the_longest_time() -> None:
    desk = Screen(1, queue=a_queue(skills=(), wrap_up_s=0.0, max_talk_s=600.0))
    number = desk.mail()
    desk.answers(number)
    desk.wait(600.1)
    assert desk.state(number) == "over"
    assert desk.kept(InteractionRecord)[0].ended_by is EndedBy.SYSTEM


@pytest.mark.parametrize("until", ["waiting", "offered", "talking"])
def test_it_can_be_cancelled_at_any_time(until: str) -> None:
    desk = Screen(1)
    number = desk.mail(requires=HasSkill("legal") if until == "waiting" else EVERYBODY)
    if until == "talking":
        desk.answers(number)
    assert desk.state(number) == until
    assert desk.ask(ev.HangUpRequested(request=RequestId(3), interaction=number)).is_ok
    assert desk.state(number) == "over" and desk.work() == []
    outcome = Outcome.ANSWERED if until == "talking" else Outcome.ABANDONED
    assert [r.outcome for r in desk.kept(InteractionRecord)] == [outcome]


def test_what_cannot_be_is_refused_with_a_reason() -> None:
    desk = Screen(1)
    number = desk.mail()
    request = ev.WorkRequested(request=RequestId(1), kind="mail", queue="mail", subject="", requires=EVERYBODY)
    for changed, text in (
        ({"kind": "voice"}, "kind 'voice' needs a line: it comes as a call"),
        ({"kind": "callback"}, "kind 'callback' needs a line: it comes as a call"),
        ({"kind": "fax"}, "no agent takes work of the kind 'fax': it is not in the capacity of the settings"),
        ({"queue": "post"}, "there is no queue post"),
    ):
        reply = desk.ask(replace(request, **changed))
        assert (reply.is_ok, reply.text) == (False, text)
    assert not desk.answers(number, agent=2).is_ok
    assert not desk.answers(InteractionId(99)).is_ok
    assert not desk.finishes(number).is_ok  # not taken yet
    caller = desk.call()
    voice = desk.center.snapshot().legs[caller].interaction
    assert voice is not None
    assert not desk.answers(voice).is_ok  # its phone rings: no screen answers it
    assert desk.state(voice) == "offered"


def test_it_outlives_a_restart_in_every_phase() -> None:
    desk = Screen(2, mail=1)
    taken, offered = desk.mail(), desk.mail()
    desk.answers(taken)
    waiting = desk.mail()
    desk.center = CallCenter.restore(desk.center.snapshot())
    desk.tell(ev.CenterStarted(incarnation=2, first_interaction=InteractionId(1)))
    desk.tell(ev.LinkUp(pbx="pbx", uptime_s=desk.now_s - 50.0))
    desk.observe()
    assert [desk.state(n) for n in (taken, offered, waiting)] == ["talking", "offered", "waiting"]
    desk.finishes(taken)
    assert desk.state(waiting) == "offered"
    assert check_index(desk.center.pairing.matcher, desk.center.snapshot(), desk.center.settings) == []


def test_a_fault_about_it_frees_the_agent() -> None:
    desk = Screen(1)
    number = desk.mail()
    desk.tell(ev.InteractionFaulted(interaction=number, reason="test"))
    assert desk.work() == [] and desk.state(number) == "over"
