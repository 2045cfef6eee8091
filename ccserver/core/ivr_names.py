"""What every flow can name beside its own variables: the call, the time, the queues and the opening hours.

| name                          | type   |                                                                       |
|-------------------------------|--------|-----------------------------------------------------------------------|
| `caller.number`               | text   | E.164, or as given; empty: withheld                                   |
| `caller.name`                 | text   |                                                                       |
| `caller.is_withheld`          | truth  |                                                                       |
| `caller.is_vip`               | truth  |                                                                       |
| `caller.attestation`          | text   | `A`, `B`, `C`, `failed`; `none`: the carrier says nothing             |
| `call.did`                    | text   | the number that was called                                            |
| `call.language`               | text   |                                                                       |
| `call.number`                 | number | the interaction's                                                     |
| `call.customer`               | text   | the customer's name in the customers' file; empty: not known          |
| `now.hour`, `now.minute`      | number | in the site's time zone                                               |
| `now.weekday`                 | text   | `monday` …                                                            |
| `now.date`                    | text   | `2026-11-27`                                                          |
| `now.time`                    | text   | `14:05`                                                               |
| `queue.NAME.waiting`          | number | callers                                                               |
| `queue.NAME.staffed`          | number | agents logged in who could take a call of it                          |
| `queue.NAME.ready`            | number | those of them who are free now                                        |
| `queue.NAME.expected_wait_s`  | number | of a caller who came now; a day when nobody is there                  |
| `queue.NAME.is_open`          | truth  | its hours, and that nobody closed it                                  |
| `hours.NAME.is_open`          | truth  |                                                                       |
| `hours.NAME.is_holiday`       | truth  | today is a public holiday                                             |
"""

from collections.abc import Collection, Mapping

from ccserver.core.expressions import ValueType
from ccserver.core.ids import HoursId, QueueId

NOBODY_THERE_S = 86_400.0
"""The expected wait where nobody is there to end it."""

_T, _N, _B = ValueType.TEXT, ValueType.NUMBER, ValueType.TRUTH
NAMES: Mapping[str, ValueType] = {
    "caller.number": _T,
    "caller.name": _T,
    "caller.is_withheld": _B,
    "caller.is_vip": _B,
    "caller.attestation": _T,
    "call.did": _T,
    "call.language": _T,
    "call.number": _N,
    "call.customer": _T,
    "now.hour": _N,
    "now.minute": _N,
    "now.weekday": _T,
    "now.date": _T,
    "now.time": _T,
}
OF_QUEUE: Mapping[str, ValueType] = {"waiting": _N, "staffed": _N, "ready": _N, "expected_wait_s": _N, "is_open": _B}
OF_HOURS: Mapping[str, ValueType] = {"is_open": _B, "is_holiday": _B}


def type_of_name(path: str, queues: Collection[QueueId], hours: Collection[HoursId]) -> ValueType | None:
    """The type of a dotted name; None where there is no such thing."""
    first, _, rest = path.partition(".")
    name, _, what = rest.rpartition(".")
    if first == "queue":
        return OF_QUEUE.get(what) if name in queues else None
    if first == "hours":
        return OF_HOURS.get(what) if name in hours else None
    return NAMES.get(path)
