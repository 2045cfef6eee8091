"""The idle clock: since when an agent has had nothing to do. The longest idle is offered first.

The end of a served interaction (of its wrap-up, if it has one) always starts it anew. What else does is the site's to say, in
`agent_rules.idle_clock`:

| `IdleReset`   | happens                                                               | if it does not start the clock anew      |
|---------------|-----------------------------------------------------------------------|------------------------------------------|
| LOG_IN        | at log-in; a move to another phone is none                            | the idle time of the last log-in goes on |
| READY         | back from not ready                                                   | a break counts as idle time              |
| MISSED        | an offer was not answered, or was rejected                            | the agent stays first in line            |
| MANUAL_CALL   | the end of the agent's own call to an outside number                  | such calls are the agent's own affair    |
| INTERNAL_CALL | the end of the agent's own call to a colleague                        | the same                                 |
| CONSULT       | the end of a talk in which a colleague asked for help                 | helping costs no place in the line       |

A busy phone, a phone that cannot be reached, an offer that was withdrawn and a pause of the link never touch it.
"""

from ccserver.core.change import replace
from ccserver.core.settings import IdleReset, NumberKind, Settings
from ccserver.core.state import CONSULT, Agent, Work


def after(agent: Agent, what: IdleReset, settings: Settings, now_s: float) -> Agent:
    """The agent after `what`; `now_s` is monotonic."""
    return replace(agent, idle_since_s=now_s) if what in settings.agent_rules.idle_clock else agent


def after_work(agent: Agent, work: Work, settings: Settings, now_s: float) -> Agent:
    """The agent after a talk, once it is wrapped up."""
    if work.kind == CONSULT:
        return after(agent, IdleReset.CONSULT, settings, now_s)
    return replace(agent, idle_since_s=now_s)


def after_own_call(agent: Agent, kind: NumberKind, settings: Settings, now_s: float) -> Agent:
    what = IdleReset.INTERNAL_CALL if kind is NumberKind.INTERNAL else IdleReset.MANUAL_CALL
    return after(agent, what, settings, now_s)
