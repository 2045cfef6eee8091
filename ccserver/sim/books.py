"""What the center told in one run, kept by an outsider: to see whether it adds up."""

from collections import Counter, defaultdict
from hashlib import sha256

from ccserver.core.codec import dump
from ccserver.core.commands import Command, Reply, Store, StoreAudit
from ccserver.core.ids import AgentId, CommandId, InteractionId, QueueId, RequestId
from ccserver.core.records import (
    EndedBy,
    FaultRecord,
    InteractionRecord,
    OfferOutcome,
    OfferRecord,
    Outcome,
    Record,
    RecordingRecord,
    RepairRecord,
    SegmentKind,
    SegmentRecord,
    VisitOutcome,
    VisitRecord,
)


class Books:
    """Every command goes in by `enter`; `digest` covers all of them, in order, with their ids."""

    def __init__(self, *, keeps_records: bool = False) -> None:
        self._hash = sha256()
        self.commands = 0
        self.kinds: Counter[str] = Counter()
        self.interactions: dict[InteractionId, InteractionRecord] = {}
        self.outcomes: Counter[Outcome] = Counter()
        self.offers: Counter[OfferOutcome] = Counter()
        self.visits: defaultdict[QueueId, Counter[VisitOutcome]] = defaultdict(Counter)
        self.within_service_level: Counter[QueueId] = Counter()
        self.repairs: Counter[str] = Counter()
        self.faults: list[FaultRecord] = []
        self.recordings = 0
        self.longest_wrap_up_s: defaultdict[QueueId, float] = defaultdict(float)
        self.talks: Counter[tuple[InteractionId, AgentId]] = Counter()
        self.wrap_ups: Counter[tuple[InteractionId, AgentId]] = Counter()
        """How many stretches each agent had of each interaction."""
        self.lost_lines: Counter[tuple[InteractionId, AgentId]] = Counter()
        """Talks that the agent's line ended: they are not wrapped up."""
        self.replies: dict[RequestId, Reply] = {}
        self.problems: list[str] = []
        self.records: list[Record] = []
        self._keeps_records = keeps_records

    def enter(self, command_id: CommandId, command: Command) -> None:
        line = dump(command)
        self._hash.update(b"%d.%d " % command_id)
        self._hash.update(line)
        self._hash.update(b"\n")
        self.commands += 1
        self.kinds[type(command).__name__] += 1
        if isinstance(command, Store | StoreAudit):
            self._keep(command.record)
        elif isinstance(command, Reply):
            if command.request in self.replies:
                self.problems.append(f"request {command.request} was answered twice")
            self.replies[command.request] = command

    def digest(self) -> str:
        return self._hash.hexdigest()

    def _keep(self, record: Record) -> None:
        if self._keeps_records:
            self.records.append(record)
        match record:
            case InteractionRecord():
                if record.interaction in self.interactions:
                    self.problems.append(f"interaction {record.interaction} was told twice")
                self.interactions[record.interaction] = record
                self.outcomes[record.outcome] += 1
            case VisitRecord():
                self.visits[record.queue][record.outcome] += 1
                self.within_service_level[record.queue] += record.is_within_service_level
            case OfferRecord():
                self.offers[record.outcome] += 1
            case SegmentRecord(kind=SegmentKind.TALK, agent=str() as agent):
                self.talks[record.interaction, AgentId(agent)] += 1
                self.lost_lines[record.interaction, AgentId(agent)] += record.detail == EndedBy.AGENT_LOST.value
            case SegmentRecord(kind=SegmentKind.WRAP_UP, agent=str() as agent, queue=str() as name):
                queue = QueueId(name)
                self.longest_wrap_up_s[queue] = max(self.longest_wrap_up_s[queue], record.duration_s)
                self.wrap_ups[record.interaction, AgentId(agent)] += 1
            case RecordingRecord():
                self.recordings += 1
            case RepairRecord():
                self.repairs[record.kind.value] += 1
            case FaultRecord():
                self.faults.append(record)
