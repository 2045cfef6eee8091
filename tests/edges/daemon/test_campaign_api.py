"""Campaigns over HTTP, from the question to what the core and the database say."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fresh_store import fresh_store
from sqlalchemy import insert
from twisted.internet.defer import Deferred, execute

from ccserver.config import load
from ccserver.core import campaign_views, codec
from ccserver.core.center import CallCenter
from ccserver.core.commands import Reply, StoreAudit
from ccserver.core.commands import Store as Kept
from ccserver.core.events import AuditStored, CenterStarted, Event, LinkUp, PbxObserved, SettingsLoaded
from ccserver.core.ids import CampaignId, CommandId, InteractionId
from ccserver.core.moment import Moment
from ccserver.core.records import AuditRecord, PhoneState
from ccserver.core.settings import Settings
from ccserver.core.state import CenterState
from ccserver.daemon.campaign_api import AT_ONCE, CampaignApi
from ccserver.daemon.requests import Requests
from ccserver.store import lead_book
from ccserver.store.lead_phones import Phone
from ccserver.store.lead_rows import NewLead
from ccserver.store.lead_schema import attempts, leads
from ccserver.web.calls import Answer

EXAMPLE = Path(__file__).parents[3] / "ccserver" / "config" / "example.yaml"
MORE = """
database: {{url: "sqlite:///{folder}/history.db"}}
asterisk: {{ami_secret_file: {folder}/secret, agi_secret_file: {folder}/secret, prompts_dir: {folder}, prompts_local_dir: {folder}}}
recording: {{asterisk_dir: {folder}, local_dir: {folder}}}
state_dir: {folder}
control_socket: {folder}/control.sock
dialing: {{registers: {{robinson: 30}}, rules: {{max_abandon_percent: 1}}}}
trunks: {{first: {{endpoint: carrier, lines: 60, calls_per_second: 5}}}}
caller_ids: {{"+34910000001": {{answers_back: true}}}}
campaigns:
  winter:
    name: Winter offer
    mode: progressive
    queue: sales
    trunks: first
    caller_ids: "+34910000001"
    costs: {{agent_hour_minor: 1800, attempt_minor: 1}}
"""


class Desk:
    """The daemon as far as it is needed. Work for threads waits until `work_off`."""

    def __init__(self, folder: Path) -> None:
        secret, file = folder / "secret", folder / "ccserver.yaml"
        secret.write_text("a-secret-1\n")
        secret.chmod(0o600)
        file.write_text(f"extends: {EXAMPLE}\n" + MORE.format(folder=folder))
        self.center = CallCenter(load(file).settings)
        self.waiting: list[Callable[[], None]] = []
        self.audits: list[AuditRecord] = []
        self.requests: Any = None
        self.store = fresh_store(f"sqlite:///{folder}/history.db")
        self.requests = Requests(self, 1)
        self.api = CampaignApi(self.requests, self.store, self)
        phones = dict.fromkeys(self.settings.phones, PhoneState.IDLE)
        self.post(CenterStarted(incarnation=1, first_interaction=InteractionId(1)))
        self.post(SettingsLoaded(settings=self.settings))
        self.post(LinkUp(pbx="pbx", uptime_s=5.0))
        self.post(PbxObserved(pbx="pbx", asked_at_s=100.0, channels=(), phones=phones))

    @property
    def settings(self) -> Settings:
        return self.center.settings

    @property
    def prompts(self) -> tuple[str, ...]:
        return ()

    def post(self, event: Event) -> None:
        commands, seq = self.center.handle(event, self.now()), self.center.seq
        for place, command in enumerate(commands):
            if isinstance(command, Reply):
                self.requests.replied(command)
            elif isinstance(command, Kept) and isinstance(command.record, AuditRecord):
                self.audits.append(command.record)
            elif isinstance(command, StoreAudit):
                self.post(AuditStored(command=CommandId(seq, place)))

    def snapshot(self) -> CenterState:
        return self.center.snapshot()

    def now(self) -> Moment:
        return Moment(100.0, 1_796_000_000.0)

    def on_thread(self, work: Callable[[], Any]) -> "Deferred[Any]":
        later: Deferred[Any] = Deferred()
        self.waiting.append(lambda: execute(work).chainDeferred(later))
        return later

    def work_off(self) -> None:
        while self.waiting:
            self.waiting.pop(0)()

    def __getattr__(self, name: str) -> Any:
        """What only other requests need of the daemon."""
        return lambda *_: pytest.fail(f"nobody asks the daemon for {name} here")

    # --- questions ----------------------------------------------------------------------------------------------------
    def ask(self, do: str, **given: object) -> Answer:
        found: list[Answer] = []
        self.api.ask(do, given).addCallback(found.append)
        self.work_off()
        (answer,) = found
        json.dumps(dict(answer.told))
        return answer


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.store.close()


def test_campaigns_are_told_as_the_command_line_shows_them(desk: Desk) -> None:
    listed, one = desk.ask("campaigns"), desk.ask("campaign.show", campaign="winter")
    (view,) = codec.decode(tuple[campaign_views.CampaignView, ...], listed.told["campaigns"])
    assert (listed.code, view.id, view.run.value) == (200, "winter", "stopped")
    assert one.told["campaign"] == listed.told["campaigns"][0]  # type: ignore[index]


def test_acts_are_the_cores_and_go_on_record_with_whoever_asked(desk: Desk) -> None:
    assert desk.ask("campaign.start", campaign="winter", by="api, ana").code == 200
    assert desk.center.snapshot().campaigns[CampaignId("winter")].run.value == "running"
    assert [each.by for each in desk.audits] == ["api, ana"]
    refused = desk.ask("campaign.mode", campaign="winter", mode="banana", by="api")
    assert refused.code == 400 and "preview" in refused.text
    assert desk.ask("campaign.stop", campaign="winter", by="api").code == 200
    again = desk.ask("campaign.pause", campaign="winter", by="api")
    assert again.code == 409 and again.text


def test_why_nothing_is_dialled_is_told_with_what_to_do(desk: Desk) -> None:
    explained: Any = desk.ask("campaign.explain", campaign="winter").told["explained"]
    assert explained["text"] and all(each["text"] and each["mend"] for each in explained["obstacles"])


@pytest.mark.parametrize("do", ["show", "explain", "figures", "overdue", "start", "mode"])
def test_a_campaign_that_is_not_in_the_settings_is_not_found(desk: Desk, do: str) -> None:
    answer = desk.ask(f"campaign.{do}", campaign="summer", by="api", mode="preview")
    assert answer.code == 404 and "winter" in answer.text
    assert desk.ask(f"campaign.{do}", campaign="summ\x1ber", by="api", mode="preview").code == 400


def test_figures_are_of_the_period_that_was_asked_for(desk: Desk) -> None:
    now = datetime.fromtimestamp(desk.now().utc_s, UTC)
    with desk.store.engine.begin() as connection:
        for number, (outcome, days) in enumerate((("answered", 1), ("busy", 2), ("answered", 40))):
            at = now - timedelta(days=days)
            row = {
                "id": f"a{number}",
                "lead": number,
                "number": f"+3460000000{number}",
                "campaign": "winter",
                "purpose": "service",
            }
            row |= {"asked_by": "campaign", "caller_id": "+34910000001", "trunk": "first", "state": "settled", "stored_at": at}
            row |= {"ended_at": at, "outcome": outcome, "talk_s": 60.0, "wrap_up_s": 15.0}
            connection.execute(insert(attempts).values(row))
    figures: Any = desk.ask("campaign.figures", campaign="winter").told["figures"]
    assert (figures["placed"], figures["handled"], figures["attempts_per_contact"], figures["aht_s"]) == (2, 1, 2.0, 150.0)
    assert figures["costs"]["attempts_minor"] == 2.0 and figures["until"] == now.isoformat()
    older: Any = desk.ask("campaign.figures", campaign="winter", since=now - timedelta(days=50), until=now).told["figures"]
    assert older["placed"] == 3
    assert desk.ask("campaign.figures", campaign="winter", since=now, until=now).code == 400


def test_callbacks_that_are_overdue_are_told_the_oldest_promise_first(desk: Desk) -> None:
    now = datetime.fromtimestamp(desk.now().utc_s, UTC)
    with desk.store.engine.begin() as connection:
        of = lead_book.open_list(connection, "winter", (), "test")
        phones = [Phone(e164=f"+3460011122{each}", line_type="mobile", region="ES", time_zones=()) for each in range(2)]
        ids = lead_book.add(connection, of.id, [NewLead(phones=(phone,), name=f"N{phone.e164[-1]}") for phone in phones])
        for lead, hours in zip(ids, (1, 3), strict=True):
            due = {"callback_at": now - timedelta(hours=hours), "only_agent": "101"}
            connection.execute(leads.update().where(leads.c.id == lead).values(due))
    found: Any = desk.ask("campaign.overdue", campaign="winter").told["callbacks"]
    assert [(each["name"], each["only"]) for each in found] == [("N1", "101"), ("N0", "101")]


def test_a_database_that_is_away_is_told(desk: Desk) -> None:
    with desk.store.engine.begin() as connection:
        connection.exec_driver_sql("alter table attempts rename to elsewhere")
    assert desk.ask("campaign.figures", campaign="winter").code == 503
    assert desk.ask("campaign.show", campaign="winter").code == 200, "what is live needs no database"


def test_so_many_readings_are_answered_at_once_and_no_more(desk: Desk) -> None:
    answers: list[Answer] = []
    for _ in range(AT_ONCE + 1):
        desk.api.ask("campaign.figures", {"campaign": "winter"}).addCallback(answers.append)
    assert [each.code for each in answers] == [503] and len(desk.waiting) == AT_ONCE
    assert desk.ask("campaign.show", campaign="winter").code == 200
    assert [each.code for each in answers] == [503, 200, 200]
    assert desk.ask("campaign.figures", campaign="winter").code == 200
    with desk.store.engine.begin() as connection:
        connection.exec_driver_sql("alter table attempts rename to elsewhere")
    assert [desk.ask("campaign.figures", campaign="winter").code for _ in range(AT_ONCE + 1)] == [503] * (AT_ONCE + 1)
    assert desk.ask("campaign.overdue", campaign="winter").code == 200, "one that failed is over too"
