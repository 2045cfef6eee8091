"""Two conferences with a number for centers made of chance, and a number outside that leads into the first."""

from dataclasses import replace

from ccserver.core.ids import FlowId, NodeId, RoomId
from ccserver.core.settings import ConferenceNode, ConferenceSettings, DidSettings, Flow, Settings
from ccserver.sim.full_sample import MAY_CALL

ROOM_DID = "977"
ROOMS = {
    RoomId("monday"): ConferenceSettings(
        number="700", has_pin=True, has_moderator_pin=True, max_members=3, class_of_service=MAY_CALL
    ),
    RoomId("open"): ConferenceSettings(number="701", record=True),
}


def with_rooms(given: Settings) -> Settings:
    flow = Flow(start=NodeId("in"), nodes={NodeId("in"): ConferenceNode(conference=RoomId("monday"))})
    return replace(
        given,
        conferences=ROOMS,
        flows={**given.flows, FlowId("room"): flow},
        dids={**given.dids, ROOM_DID: DidSettings(flow=FlowId("room"), language=given.default_language)},
        content_hash=given.content_hash + "-rooms",
    )
