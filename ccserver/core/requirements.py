"""What is required of an agent: conditions on skills, held against what the agent can do."""

from collections.abc import Iterable, Mapping
from typing import assert_never

from ccserver.core.ids import SkillId
from ccserver.core.settings import EVERYBODY, AllOf, AnyOf, HasSkill, NoneOf, QueueSettings, Requirement


def is_met(requirement: Requirement, skills: Mapping[SkillId, int]) -> bool:
    """Whether somebody with these levels fulfils it. A level of 0 is the same as not having the skill."""
    match requirement:
        case HasSkill(skill=skill, level=level):
            return skills.get(skill, 0) >= max(level, 1)
        case AllOf(of=of):
            return all(is_met(part, skills) for part in of)
        case AnyOf(of=of):
            return any(is_met(part, skills) for part in of)
        case NoneOf(of=of):
            return not any(is_met(part, skills) for part in of)
        case _:
            assert_never(requirement)


def all_of(parts: Iterable[Requirement]) -> Requirement:
    """Their conjunction in one stable form: the same parts in any order, and twice, give the same value."""
    flat: set[Requirement] = set()
    for part in parts:
        flat.update(part.of if isinstance(part, AllOf) else (part,))
    if not flat:
        return EVERYBODY
    return AllOf(tuple(sorted(flat, key=repr))) if len(flat) > 1 else flat.pop()


def together(queue: QueueSettings, needs: Iterable[SkillId], own: Requirement) -> Requirement:
    """What a queue and an interaction require together."""
    return all_of([*map(HasSkill, queue.skills), queue.requires, *map(HasSkill, needs), own])


def at_stage(queue: QueueSettings, stage: int, needs: Iterable[SkillId], own: Requirement) -> Requirement:
    """What they require together once `stage` of the queue's relaxations have opened."""
    if stage <= 0 or not queue.relax:
        return together(queue, needs, own)
    relaxed = queue.relax[min(stage, len(queue.relax)) - 1]
    return all_of([relaxed.requires, *map(HasSkill, needs), own]) if relaxed.keeps_own else all_of([relaxed.requires])


def level(requirement: Requirement, skills: Mapping[SkillId, int]) -> int:
    """How good somebody is at what is required: the sum of the levels on the skills it names.

    The sum, not the lowest: who is excellent at one and good at another of two required skills is meant to be preferred to who is
    good at both. Of alternatives the best that is fulfilled counts; what is excluded counts nothing.
    """
    return sum(_counted(requirement, skills).values())


def _counted(requirement: Requirement, skills: Mapping[SkillId, int]) -> dict[SkillId, int]:
    match requirement:
        case HasSkill(skill=skill):
            return {skill: skills.get(skill, 0)}
        case AllOf(of=of):
            return {skill: has for part in of for skill, has in _counted(part, skills).items()}
        case AnyOf(of=of):
            met = [_counted(part, skills) for part in of if is_met(part, skills)]
            return max(met, key=lambda counted: sum(counted.values()), default={})
        case NoneOf():
            return {}
        case _:
            assert_never(requirement)


def skills_named(requirement: Requirement) -> frozenset[SkillId]:
    """Every skill that it speaks of, also those it excludes."""
    match requirement:
        case HasSkill(skill=skill):
            return frozenset({skill})
        case AllOf(of=of) | AnyOf(of=of) | NoneOf(of=of):
            return frozenset().union(*map(skills_named, of))
        case _:
            assert_never(requirement)


def words(requirement: Requirement) -> str:
    """A condition as people read it: `sales >= 50 and (spanish or french) and not legal`. Empty: everybody."""
    match requirement:
        case HasSkill(skill=skill, level=level):
            return skill if level <= 1 else f"{skill} >= {level}"
        case AllOf(of=of):
            return " and ".join(map(_in_brackets, of))
        case AnyOf(of=of):
            return " or ".join(map(_in_brackets, of))
        case NoneOf(of=of):
            return f"not ({' or '.join(map(words, of))})" if len(of) > 1 else f"not {''.join(map(_in_brackets, of))}"
        case _:
            assert_never(requirement)


def _in_brackets(requirement: Requirement) -> str:
    is_compound = isinstance(requirement, AllOf | AnyOf) and len(requirement.of) > 1
    return f"({words(requirement)})" if is_compound else words(requirement)


def missing(requirement: Requirement, skills: Mapping[SkillId, int]) -> tuple[str, ...]:
    """What keeps somebody with these levels from fulfilling it, each as a few words; nothing: it is met."""
    if is_met(requirement, skills):
        return ()
    match requirement:
        case HasSkill(skill=skill):
            has = skills.get(skill, 0)
            return (f"lacks {words(requirement)}" + (f" (has {has})" if has else ""),)
        case AllOf(of=of):
            return tuple(lack for part in of for lack in missing(part, skills))
        case AnyOf():
            return (f"has none of {words(requirement)}",)
        case NoneOf(of=of):
            return tuple(f"must not have {words(part)}" for part in of if is_met(part, skills))
        case _:
            assert_never(requirement)
