"""The live board of `ccserver top` and of the demo: an Overview as lines of text. Pure; the caller owns the terminal."""

from ccserver.cli.shared import safe, shown_time
from ccserver.core.campaign_views import CampaignView, TrunkView
from ccserver.core.dialer.campaign_state import ON_THE_WAY, AttemptStage, RunState
from ccserver.core.records import ShownState, VisitOutcome
from ccserver.core.views import AgentView, Overview, QueueView, WatchView

BAR_CHARACTERS = 20
BAR_FULL_S = 60.0
"""A waiting time that fills the bar."""
STATE_MARKS = {
    ShownState.LOGGED_OUT: " ",
    ShownState.READY: "o",
    ShownState.NOT_READY: "-",
    ShownState.UNREACHABLE: "!",
    ShownState.BACK_OFF: ".",
    ShownState.ON_OWN_CALL: "~",
    ShownState.RINGING: "*",
    ShownState.TALKING: "#",
    ShownState.ON_HOLD: "=",
    ShownState.WRAP_UP: "+",
}


def board(overview: Overview, *, width: int = 100, height: int | None = None, title: str = "ccserver") -> list[str]:
    """Lines of at most `width` characters; with `height`, at most so many, callers who wait longest first.

    Nothing that a caller sent can move the cursor: unprintable characters are replaced.
    """
    head = [_title(overview, title), ""]
    queues = ["QUEUE               waiting longest  talking ready/in  offered answered gone over  in time"]
    queues += [_queue(queue) for queue in overview.queues]
    agents = ["", "AGENT                        state           since  call"]
    agents += [_agent(agent) for agent in overview.agents if agent.state is not ShownState.LOGGED_OUT]
    away = sum(1 for agent in overview.agents if agent.state is ShownState.LOGGED_OUT)
    if away:
        agents.append(f"  and {away} logged out")
    agents += _watches(overview)
    agents += _campaigns(overview)
    waiting = _waiting(overview)
    fixed = len(head) + len(queues) + len(agents)
    if height is not None:
        room = max(0, height - fixed)
        if len(waiting) > room:
            hidden = len(waiting) - max(0, room - 1)
            waiting = [*waiting[: max(0, room - 1)], f"  … and {hidden} more lines"][:room]
    lines = [line[:width] for line in (*head, *queues, *waiting, *agents)]
    return lines if height is None else lines[:height]


def _title(overview: Overview, title: str) -> str:
    link = "linked to the PBX" if overview.is_linked and overview.is_observed else "NO LINK TO THE PBX"
    waiting = sum(len(queue.waiting) for queue in overview.queues)
    talking = sum(queue.talking for queue in overview.queues)
    trouble = f"   repairs {overview.repairs}, faults {overview.faults}" if overview.repairs or overview.faults else ""
    return f"{title}   {link}   {len(overview.calls)} live calls: {waiting} waiting, {talking} talking{trouble}"


def _queue(queue: QueueView) -> str:
    outcomes = queue.outcomes
    answered = outcomes.get(VisitOutcome.ANSWERED, 0)
    gone = outcomes.get(VisitOutcome.ABANDONED, 0) + outcomes.get(VisitOutcome.SHORT_ABANDONED, 0)
    over = outcomes.get(VisitOutcome.OVERFLOWED, 0)
    level = "-" if queue.service_level is None else f"{queue.service_level:.0%}"
    longest = shown_time(queue.longest_wait_s) if queue.waiting else "-"
    staffed = f"{queue.agents_ready}/{queue.agents_logged_in}"
    return (
        f"{safe(queue.name)[:19]:<19} {len(queue.waiting):>7} {longest:>7}  {queue.talking:>7} {staffed:>8}  "
        f"{queue.offered:>7} {answered:>8} {gone:>4} {over:>4} {level:>8}"
    )


def _waiting(overview: Overview) -> list[str]:
    everyone = [(one, queue) for queue in overview.queues for one in queue.waiting]
    if not everyone:
        return ["", "Nobody is waiting."]
    lines = ["", "WAITING  call   caller            queue                 for"]
    for one, queue in sorted(everyone, key=lambda pair: (-pair[0].wait_s, pair[0].number)):
        caller = safe(one.caller_number) if one.caller_number is not None else "withheld"
        bar = "█" * min(BAR_CHARACTERS, max(1, round(one.wait_s / BAR_FULL_S * BAR_CHARACTERS)))
        ringing = f" ringing at {safe(one.ringing)}" if one.ringing is not None else ""
        lines.append(
            f"  {one.position:>4}.  {one.number:<6} {caller[:16]:<16}  {safe(queue.name)[:20]:<20}  "
            f"{shown_time(one.wait_s):>5} {bar}{ringing}"
        )
    return lines


def _agent(agent: AgentView) -> str:
    state = agent.state.value.replace("_", " ")
    if agent.reason is not None:
        state = f"{state} ({safe(agent.reason)})"
    call = "" if agent.interaction is None else str(agent.interaction)
    return (
        f"{STATE_MARKS[agent.state]} {safe(agent.id):<5} {safe(agent.name)[:18]:<18}   {state[:18]:<18} "
        f"{shown_time(agent.since_s):>6}  {call}"
    ).rstrip()


def _campaigns(overview: Overview) -> list[str]:
    """Those that are not stopped, or have calls still; nothing when there are none. Beside them trunks that are taken for dead."""
    shown = [one for one in overview.campaigns if one.run is not RunState.STOPPED or any(one.calls.values())]
    dead = [_trunk(one) for one in overview.trunks if one.why]
    if not shown and not dead:
        return []
    head = "CAMPAIGN            state     mode         dialled people  idle/in  in use  today  abandoned"
    return ["", head, *map(_campaign, shown), *dead]


def _campaign(one: CampaignView) -> str:
    used = one.crew.utilisation
    on_the_way = sum(one.calls[stage] for stage in ON_THE_WAY)
    people = one.calls[AttemptStage.PERSON] + one.calls[AttemptStage.MESSAGE]
    state = one.run.value if one.is_open else "closed"
    return (
        f"{safe(one.name)[:19]:<19} {state:<9} {one.mode.value[:12]:<12} {on_the_way:>7} {people:>6} "
        f"{f'{one.crew.idle}/{one.crew.logged_in}':>8} {'-' if used is None else f'{used:.0%}':>7} {one.today.dials:>6} "
        f"{one.account.share:>10.2%}"
    )


def _trunk(one: TrunkView) -> str:
    return f"! trunk {safe(one.id)} is taken for dead for {shown_time(one.down_left_s)} more: {safe(one.why)}"


def _watches(overview: Overview) -> list[str]:
    """Who supervises whom; nothing when nobody does."""
    if not overview.watches:
        return []
    return [
        "",
        "SUPERVISES           phone            mode       hears                        since  call",
        *map(_watch, overview.watches),
    ]


def _watch(watch: WatchView) -> str:
    whom = f"agent {watch.agent}" if watch.agent is not None else f"next of {watch.queue}"
    call = "" if watch.interaction is None else str(watch.interaction)
    mode = watch.mode.value.replace("_", " ")
    return (
        f"{watch.id:>4}. {safe(watch.by)[:14]:<14} {safe(watch.phone)[:15]:<15}  {mode:<9}  {safe(whom)[:25]:<25}  "
        f"{shown_time(watch.since_s):>6}  {call}"
    ).rstrip()
