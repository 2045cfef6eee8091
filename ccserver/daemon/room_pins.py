"""The PINs of conferences that were created live, as hashes: in a file of the daemon's own, never in what the core knows or writes."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path

import structlog

from ccserver.archive.files import write
from ccserver.core.ids import RoomId

FILE = "room-pins.json"

log = structlog.stdlib.get_logger(__name__)


class RoomPins:
    """Kept through restarts, as the rooms are."""

    def __init__(self, state_dir: Path) -> None:
        self._file = state_dir / FILE
        self._rooms = self._read()

    def of(self, room: RoomId) -> Mapping[str, str] | None:
        """By grade; None for a room that was not created live."""
        return self._rooms.get(room)

    def keep(self, room: RoomId, pins: Mapping[str, str], live: Collection[RoomId]) -> None:
        """Before the room is created. Those of rooms that are not `live` any more are forgotten. Raises OSError."""
        kept = {name: known for name, known in self._rooms.items() if name in live} | {room: dict(pins)}
        write(self._file, iter([json.dumps(kept).encode()]))
        self._file.chmod(0o600)
        self._rooms = kept

    def _read(self) -> dict[RoomId, Mapping[str, str]]:
        try:
            given = json.loads(self._file.read_bytes())
            return {RoomId(str(room)): {str(g): str(pin) for g, pin in pins.items()} for room, pins in given.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, AttributeError) as error:
            log.error("room_pins.unreadable", path=str(self._file), reason=str(error), mend="create the conferences anew")
            return {}
