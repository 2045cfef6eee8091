"""Who may do what to whose talks: by the agent's role, and by the team of the other one. Pure."""

from collections.abc import Iterable

from ccserver.core.ids import AgentId, TeamId
from ccserver.core.settings import Reach, RoleSettings, Settings, WatchMode


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
    return _reaches(role, who.team, other.team)


def may_hear(settings: Settings, supervisor: AgentId, agent: AgentId) -> bool:
    """Whether `supervisor` may hear recordings of `agent`, who may have left since: then whoever is over all may. Nobody may their own."""
    who, other = settings.agents.get(supervisor), settings.agents.get(agent)
    if not may_hear_somebody(settings, supervisor) or who is None or supervisor == agent:
        return False
    role = settings.roles.get(who.role) if who.role is not None else None
    return who.is_supervisor or (role is not None and _reaches(role, who.team, other.team if other is not None else None))


def may_hear_somebody(settings: Settings, supervisor: AgentId) -> bool:
    who = settings.agents.get(supervisor)
    role = settings.roles.get(who.role) if who is not None and who.role is not None else None
    return who is not None and (who.is_supervisor or (role is not None and role.hears_recordings))


def may_hear_all(settings: Settings, supervisor: AgentId, agents: Iterable[AgentId]) -> bool:
    """Whether `supervisor` may hear a recording in which all these speak; what they said there themselves is in nobody's way."""
    return all(agent == supervisor or may_hear(settings, supervisor, agent) for agent in agents)


def _reaches(role: RoleSettings, own: TeamId | None, team: TeamId | None) -> bool:
    if role.teams:
        return team in role.teams
    return role.over is Reach.ALL or (own is not None and own == team)


def may_somebody(settings: Settings, supervisor: AgentId, mode: WatchMode) -> bool:
    """Whether there is anything like that that `supervisor` may do."""
    who = settings.agents.get(supervisor)
    role = settings.roles.get(who.role) if who is not None and who.role is not None else None
    return who is not None and (who.is_supervisor or (role is not None and mode in role.may))
