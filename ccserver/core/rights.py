"""Who may do what to whose talks: by the agent's role, and by the team of the other one. Pure."""

from ccserver.core.ids import AgentId
from ccserver.core.settings import Reach, Settings, WatchMode


def may(settings: Settings, supervisor: AgentId, mode: WatchMode, agent: AgentId) -> bool:
    """Whether `supervisor` may do this to the talks of `agent`. Nobody may to their own."""
    who, other = settings.agents.get(supervisor), settings.agents.get(agent)
    if who is None or other is None or supervisor == agent:
        return False
    if who.is_supervisor:
        return True
    role = settings.roles.get(who.role) if who.role is not None else None
    if role is None or mode not in role.may:
        return False
    if role.teams:
        return other.team in role.teams
    return role.over is Reach.ALL or (who.team is not None and who.team == other.team)


def may_somebody(settings: Settings, supervisor: AgentId, mode: WatchMode) -> bool:
    """Whether there is anything like that that `supervisor` may do."""
    who = settings.agents.get(supervisor)
    role = settings.roles.get(who.role) if who is not None and who.role is not None else None
    return who is not None and (who.is_supervisor or (role is not None and mode in role.may))
