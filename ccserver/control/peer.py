"""Who is at the other end of a Unix socket, as the kernel says it: not as the client claims."""

import pwd
import socket
import struct

UNKNOWN = "unknown"
_CREDENTIALS = struct.Struct("3i")


def peer_name(transport: object) -> str:
    """The account's name, or `uid 1234` for one without; UNKNOWN where there is no socket to ask."""
    handle = getattr(transport, "getHandle", None)
    connection = handle() if handle is not None else None
    if not isinstance(connection, socket.socket):
        return UNKNOWN
    try:
        given = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    except OSError:
        return UNKNOWN
    _, user, _ = _CREDENTIALS.unpack(given)
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"uid {user}"
