"""What an agent's phone shows of an interaction: the queue's template with its fields filled in."""

from ccserver.core.settings import QueueSettings
from ccserver.core.state import MESSAGE, Interaction


def shown_name(interaction: Interaction, config: QueueSettings, now_s: float) -> str:
    """`config.display` with its fields; one that is empty leaves no double space. `wait` is in whole minutes, for example 3 min.
    "Message:" stands before it where it is one.

    Only the fields' names are looked for: what a caller chose (name, number) is put in as it is and never read as a template.
    """
    visit = interaction.visit
    waited_s = now_s - visit.waiting_since_s if visit is not None else interaction.wait_s
    fields = {
        "queue": config.name,
        "number": interaction.caller_number or "",
        "name": interaction.caller_name,
        "vip": "VIP" if interaction.is_vip else "",
        "did": interaction.did,
        "wait": f"{int(waited_s // 60)} min",
        "call": str(interaction.id),
    }
    shown: list[str] = []
    for piece in config.display.split("{"):
        name, brace, rest = piece.partition("}")
        shown.append(fields[name] + rest if brace and name in fields else piece)
    kind = "Message:" if interaction.kind == MESSAGE else ""
    return " ".join(f"{kind} {''.join(shown)}".split())
