"""The telephone network of the lab: a second Asterisk, at the other end of the trunks `carrier` and `carrier2`.

    plan = carrier_plan(directory)
    with Asterisk(plan, asterisk_root) as network: ...

Who is called, and what they do, is in the last two digits of the number (`Callee`), so any number that passes for a real one will do.
A number that ends otherwise does not exist. What each callee hears and says is recorded, and each call told on AMI (UserEvent
CarrierCall). `SECOND_TRUNK` must be one of the PBX's trunks for calls to come over `carrier2`.
"""

from enum import Enum
from pathlib import Path

from ccserver.config.asterisk_files import AsteriskValues
from ccserver.lab import audio
from ccserver.lab.asterisk_etc import AsteriskPlan, SipAccount, Trunk

ADDRESS, SECOND_ADDRESS = "127.0.0.2", "127.0.0.22"
AMI_PORT = 5039
SECOND_TRUNK = Trunk(name="carrier2", address=SECOND_ADDRESS)
TRUNKS = {"carrier": ADDRESS, "carrier2": SECOND_ADDRESS}

HELLO_HZ, HELLO_MS = 1340, 600
"""How every human answers."""
PAUSE_MS = 2000
"""They listen for so long."""
HUMAN_HZ = 1460
"""What a human goes on with for as long as the call lasts."""
GREETING_HZ, GREETING_MS = 1580, 8000
BEEP_HZ, BEEP_MS = 2200, 500
"""Of a voicemail."""
RINGBACK_HZ, RINGBACK_MS = 1100, 1500
"""Early media: what the network plays before anybody has answered."""
LATE_MEDIA_S = 2.0
HANGS_UP_AFTER_S = 4.0
PHONES = tuple(str(number) for number in range(50, 58))
"""User names of the phones that can register here."""


class Callee(Enum):
    """The last two digits of a number, and who is there."""

    HUMAN = "10"  # answers after half a second, says hello
    SLOW_HUMAN = "11"  # answers after three
    LEAVES_AT_ONCE = "12"  # hangs up as soon as they have answered
    LEAVES_SOON = "13"  # says hello, and hangs up four seconds after the answer
    PRESSES_9 = "14"  # says hello, and presses 9 three seconds after the answer
    BUSY = "20"
    NO_ANSWER = "21"  # rings for ever
    DECLINES = "22"
    CONGESTION = "23"  # 503
    NO_SUCH_NUMBER = "24"
    OUT_OF_ORDER = "25"
    MACHINE = "30"  # a long greeting, a beep, and then it records
    SILENT = "31"  # answers and says nothing
    LATE_MEDIA = "32"  # a human whose first packet comes two seconds after the answer
    EARLY_MEDIA = "33"  # a tone of the network, then a human

    def number(self, prefix: str = "+349112345") -> str:
        """A number of theirs."""
        return f"{prefix}{self.value}"


_DIALPLAN = f"""
[globals](+)
DOWN_carrier = no
DOWN_carrier2 = no

[carrier]
exten => _[0-9+].,1,Set(LINE=carrier)
 same => n,ExecIf($["${{CHANNEL(pjsip,local_addr):0:{len(SECOND_ADDRESS)}}}"="{SECOND_ADDRESS}"]?Set(LINE=carrier2))
 same => n,Set(RECORD=RECORDINGS/${{FILTER(0-9,${{EXTEN}})}}-${{FILTER(0-9,${{CHANNEL(uniqueid)}})}})
 same => n,UserEvent(CarrierCall,Number: ${{EXTEN}},From: ${{CALLERID(num)}},Name: ${{CALLERID(name)}},Line: ${{LINE}},Record: ${{RECORD}})
 same => n,GotoIf($["${{DOWN_${{LINE}}}}"="yes"]?callee-{Callee.CONGESTION.value},1)
 same => n,GotoIf($["${{DIALPLAN_EXISTS(carrier,callee-${{EXTEN:-2}},1)}}"="0"]?callee-{Callee.NO_SUCH_NUMBER.value},1)
 same => n,Goto(callee-${{EXTEN:-2}},1)

exten => callee-{Callee.HUMAN.value},1,Gosub(carrier-answers,s,1(0.5))
 same => n,Goto(carrier-human,s,1)
exten => callee-{Callee.SLOW_HUMAN.value},1,Gosub(carrier-answers,s,1(3))
 same => n,Goto(carrier-human,s,1)
exten => callee-{Callee.LEAVES_AT_ONCE.value},1,Gosub(carrier-answers,s,1(0.5))
 same => n,Hangup(16)
exten => callee-{Callee.LEAVES_SOON.value},1,Gosub(carrier-answers,s,1(0.5))
 same => n,Set(TIMEOUT(absolute)={HANGS_UP_AFTER_S})
 same => n,Goto(carrier-human,s,1)
exten => callee-{Callee.PRESSES_9.value},1,Gosub(carrier-answers,s,1(0.5))
 same => n,Playback(SOUNDS/hello)
 same => n,Wait({3 - HELLO_MS / 1000})
 same => n,SendDTMF(9)
 same => n,Goto(carrier-human,s,voice)

exten => callee-{Callee.BUSY.value},1,Gosub(carrier-rings,s,1(0.2))
 same => n,Hangup(17)
exten => callee-{Callee.NO_ANSWER.value},1,Gosub(carrier-rings,s,1(3600))
exten => callee-{Callee.DECLINES.value},1,Gosub(carrier-rings,s,1(0.2))
 same => n,Hangup()
exten => callee-{Callee.CONGESTION.value},1,Hangup(34)
exten => callee-{Callee.NO_SUCH_NUMBER.value},1,Hangup(1)
exten => callee-{Callee.OUT_OF_ORDER.value},1,Hangup(27)

exten => callee-{Callee.MACHINE.value},1,Gosub(carrier-answers,s,1(0.5))
 same => n,Playback(SOUNDS/greeting)
 same => n,Wait(0.3)
 same => n,Playback(SOUNDS/beep)
 same => n,Goto(carrier-silence,s,1)
exten => callee-{Callee.SILENT.value},1,Gosub(carrier-answers,s,1(0.5))
 same => n,Goto(carrier-silence,s,1)
exten => callee-{Callee.LATE_MEDIA.value},1,Gosub(carrier-answers,s,1(0.5))
 same => n,Wait({LATE_MEDIA_S})
 same => n,Goto(carrier-human,s,1)
exten => callee-{Callee.EARLY_MEDIA.value},1,Progress()
 same => n,Playback(SOUNDS/ringback,noanswer)
 same => n,Gosub(carrier-answers,s,1(0))
 same => n,Goto(carrier-human,s,1)

{"".join(f"exten => callee-{phone},1,Goto(carrier-phone,{phone},1)" + chr(10) for phone in PHONES)}
[carrier-rings]
exten => s,1,Ringing()
 same => n,Wait(${{ARG1}})
 same => n,Return()

[carrier-answers]
exten => s,1,Gosub(carrier-rings,s,1(${{ARG1}}))
 same => n,MixMonitor(,r(${{RECORD}}-heard.wav)t(${{RECORD}}-said.wav))
 same => n,Answer(0,i)
 same => n,Return()

[carrier-human]
exten => s,1,Playback(SOUNDS/hello)
 same => n,Playback(SOUNDS/pause)
 same => n(voice),Playback(SOUNDS/human)
 same => n,Goto(voice)
exten => T,1,Hangup(16)

[carrier-silence]
exten => s,1,Playback(SOUNDS/silence)
 same => n,Goto(1)

; A registered phone: what it answers, and with which code, is its own.
[carrier-phone]
exten => _X.,1,MixMonitor(,r(${{RECORD}}-heard.wav)t(${{RECORD}}-said.wav))
 same => n,Dial(PJSIP/${{EXTEN}},120)
 same => n,Hangup(${{HANGUPCAUSE}})
"""


def carrier_plan(directory: Path, *, manager: str = "") -> AsteriskPlan:
    """The second Asterisk of one PBX at 127.0.0.1. `manager` is more of its manager.conf."""
    sounds, recordings = directory / "sounds", directory / "recordings"
    recordings.mkdir(parents=True, exist_ok=True)
    audio.write_tone(sounds / "hello.wav", HELLO_HZ, HELLO_MS)
    audio.write_tone(sounds / "human.wav", HUMAN_HZ, 10_000)
    audio.write_tone(sounds / "greeting.wav", GREETING_HZ, GREETING_MS)
    audio.write_tone(sounds / "beep.wav", BEEP_HZ, BEEP_MS)
    audio.write_tone(sounds / "ringback.wav", RINGBACK_HZ, RINGBACK_MS)
    audio.write_tone(sounds / "pause.wav", 0, PAUSE_MS)
    audio.write_tone(sounds / "silence.wav", 0, 10_000)
    return AsteriskPlan(
        directory=directory,
        # Its own copy of our dialplan is there, and nobody comes into it.
        values=AsteriskValues(ami_secret="carrier-ami-1", agi_secret="carrier-agi-1", ami_port=AMI_PORT),
        name="network",
        sip_address=ADDRESS,
        rtp_ports=(20000, 24998),
        accounts=tuple(SipAccount(number=phone, password=f"secret-{phone}") for phone in PHONES),
        trunk=Trunk(name="pbx", address="127.0.0.1", more=("context = carrier",)),
        extra={
            "extensions.conf": _DIALPLAN.replace("RECORDINGS/", f"{recordings}/").replace("SOUNDS/", f"{sounds}/"),
            "pjsip.conf": f"[udp2]\ntype = transport\nprotocol = udp\nbind = {SECOND_ADDRESS}:5060\n",
            "asterisk.conf": "transmit_silence = no\n",  # who has nothing to say sends nothing
            "manager.conf": manager,
        },
    )
