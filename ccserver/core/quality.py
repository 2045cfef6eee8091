"""How good a telephone line was: an estimate of the mean opinion score (MOS) from what RTCP counts.

The E-model of ITU-T G.107 (2015) with its default values, where the default rating is 93.2, as far as loss and delay are known:

- effective equipment impairment, G.107 equation 7-29 with losses at random (BurstR = 1), and codecs by ITU-T G.113 Appendix I;
- impairment by delay in the short form of Cole and Rosenbluth, "Voice over IP performance monitoring", ACM SIGCOMM Computer Communication
  Review 31(2), 2001: the one-way delay is half of the round trip, one packet, and a jitter buffer of twice the jitter;
- from the rating to MOS by G.107 Annex B.

An estimate of the transport, not of what was said: an echo or a loud room is not in it. Wideband codecs are judged like G.711.
"""

from ccserver.core.events import LegMeasured
from ccserver.core.ids import InteractionId
from ccserver.core.records import LegSide, QualityRecord, Stream
from ccserver.core.state import Leg, Role
from ccserver.core.step import Step

DEFAULT_RATING = 93.2
PACKET_MS = 20.0
DELAY_FELT_MS = 177.3
"""A longer one-way delay is felt in the conversation."""
IMPAIRMENT: dict[str, tuple[float, float]] = {"g729": (11.0, 19.0), "g723": (15.0, 16.1)}
"""By codec: impairment without loss (Ie), and robustness against it (Bpl)."""
G711 = (0.0, 25.1)
"""With concealment of losses, as telephones do it."""
MOS_WORST, MOS_BEST = 1.0, 4.5

SIDES = {
    Role.CALLER: LegSide.CUSTOMER,
    Role.AGENT: LegSide.AGENT,
    Role.HEADSET: LegSide.AGENT,
    Role.GUEST: LegSide.GUEST,
}


class Quality:
    """Keeps what was measured with the interaction."""

    def __init__(self, step: Step) -> None:
        self._step = step

    def measured(self, event: LegMeasured) -> None:
        """Of a leg that is known; its end is told next."""
        leg = self._step.legs.get(event.leg)
        side = None if leg is None else SIDES.get(leg.role)
        if leg is None or side is None:
            return
        self._step.about = leg.interaction
        directions = [event.received] if event.sent is None else [event.received, event.sent]
        self._step.store(
            QualityRecord(
                interaction=self._interaction(leg),
                leg=leg.id,
                side=side,
                agent=leg.agent if side is LegSide.AGENT else None,
                codec=event.codec,
                received=event.received,
                sent=event.sent,
                rtt_ms=event.rtt_ms,
                mos=min(mos(each, event.codec, event.rtt_ms or 0.0) for each in directions),
                at_utc_s=self._step.now.utc_s,
            )
        )

    @staticmethod
    def _interaction(leg: Leg) -> InteractionId | None:
        return None if leg.role is Role.HEADSET else leg.interaction


def loss_ratio(stream: Stream) -> float:
    """0 to 1."""
    expected = stream.packets + stream.lost
    return min(1.0, max(0.0, stream.lost / expected)) if expected > 0 else 0.0


def mos(stream: Stream, codec: str, rtt_ms: float) -> float:
    """1.0 (bad) to 4.5 (excellent)."""
    without_loss, robustness = IMPAIRMENT.get(codec, G711)
    loss_percent = 100.0 * loss_ratio(stream)
    equipment = without_loss + (95.0 - without_loss) * loss_percent / (loss_percent + robustness)
    delay_ms = rtt_ms / 2.0 + PACKET_MS + 2.0 * stream.jitter_ms
    delay = 0.024 * delay_ms + 0.11 * max(0.0, delay_ms - DELAY_FELT_MS)
    rating = min(100.0, max(0.0, DEFAULT_RATING - equipment - delay))
    score = 1.0 + 0.035 * rating + rating * (rating - 60.0) * (100.0 - rating) * 7e-6
    return min(MOS_BEST, max(MOS_WORST, score))
