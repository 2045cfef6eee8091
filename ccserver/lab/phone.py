"""Many real SIP phones in one process, told what to do by JSON lines.  Run as `python -m ccserver.lab.phone`.

Standard input: one command per line, `{"do": NAME, "seq": NUMBER, ...}`.  Standard output: one event per line,
`{"event": NAME, "at": SECONDS, ...}`, `at` on the machine's monotonic clock (the same for all processes).  Every
command is answered by `{"event": "done", "seq": N}` or `{"event": "failed", "seq": N, "why": TEXT}`.

Any command may carry `"at": SECONDS` (do it then; one in the past at once) or `"after_ms": N`.  `when` arms a reaction
inside this process, without a round trip to the driver:
`{"do": "when", "event": {"event": "incoming", "phone": "1001"}, "then": {"do": "hangup", "phone": "x", "after_ms": 40}}`

A phone is opened with `{"do": "open", "phone": NAME, ...}`; see `_Phone.__init__` for its fields.  A call of a phone is
its newest one, or the one with `"call": ID`.

With `PJSUA_LOG=FILE` in the environment the library's own log goes there.

pjsua2 has no types: `Any` begins and ends in this file.  The driver is `ccserver.lab.phones`.
"""

import contextlib
import gc
import heapq
import itertools
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import pjsua2 as pj

_HEADERS = ("from", "to", "alert-info", "call-info", "p-asserted-identity", "diversion", "user-agent", "session-expires")
_MAX_LINE = 65536
_SAMPLE_RATE = 8000
_GOODBYE_S = 1.0
"""So long a registrar and those who were called are waited for at the end."""


def _say(event: str, **fields: object) -> None:
    fields = {"event": event, "at": round(time.monotonic(), 5), **fields}
    os.write(_desk.events, (json.dumps(fields) + "\n").encode())
    _desk.react(fields)


def _call_parameter(code: int = 0) -> Any:
    parameter = pj.CallOpParam()
    parameter.statusCode = code
    return parameter


def _without_events(sdp: str) -> str:
    """The same offer of a phone that knows no RFC 4733."""
    lines = sdp.splitlines()
    events = {line.split(":")[1].split()[0] for line in lines if line.startswith("a=rtpmap:") and "telephone-event/" in line}
    kept = [line for line in lines if not any(line.startswith((f"a=rtpmap:{each} ", f"a=fmtp:{each} ")) for each in events)]
    media = [
        " ".join(word for word in line.split() if word not in events) if line.startswith("m=audio") else line for line in kept
    ]
    return "\r\n".join([*media, ""])


def _refusal(code: int, forward_to: str) -> Any:
    parameter = _call_parameter(code)
    if forward_to:
        header = pj.SipHeader()
        header.hName, header.hValue = "Contact", f"<sip:{forward_to}>"
        parameter.txOption.headers.append(header)
    return parameter


class _Call(pj.Call):  # type: ignore[misc]
    def __init__(self, phone: "_Phone", call_id: int = pj.PJSUA_INVALID_ID) -> None:
        super().__init__(phone, call_id)
        self.phone = phone
        self.tone: Any = None
        self.keys: Any = None
        self.player: Any = None
        self.audio: Any = None
        self.recorder: Any = None
        self.has_media = False

    def onCallState(self, _: Any) -> None:
        info = self.getInfo()
        state = {
            pj.PJSIP_INV_STATE_EARLY: "early",
            pj.PJSIP_INV_STATE_CONFIRMED: "up",
            pj.PJSIP_INV_STATE_DISCONNECTED: "ended",
        }.get(info.state)
        if state == "ended":
            self.phone.calls.pop(info.id, None)
            self.stop_media()
        if state is not None:
            _say(
                state,
                phone=self.phone.name,
                call=info.id,
                code=info.lastStatusCode,
                reason=info.lastReason,
                sip_call_id=info.callIdString,
                duration_ms=info.connectDuration.sec * 1000 + info.connectDuration.msec,
            )
        if state == "ended":
            _desk.bury(self)

    def onCallMediaState(self, _: Any) -> None:
        info = self.getInfo()  # kept in a name: the list of media is freed with it
        for index, media in enumerate(info.media):
            audible = media.status in (pj.PJSUA_CALL_MEDIA_ACTIVE, pj.PJSUA_CALL_MEDIA_REMOTE_HOLD)
            if media.type == pj.PJMEDIA_TYPE_AUDIO and audible:
                self._start_media(self.getAudioMedia(index))
                _say("media", phone=self.phone.name, call=self.getId(), held=media.status != pj.PJSUA_CALL_MEDIA_ACTIVE)

    def onCallTransferStatus(self, status: Any) -> None:
        _say("transfer", phone=self.phone.name, code=status.statusCode, final=bool(status.finalNotify))

    def onCallSdpCreated(self, created: Any) -> None:
        if not self.phone.offers_events:
            created.sdp.wholeSdp = _without_events(created.sdp.wholeSdp)

    def _start_media(self, audio: Any) -> None:
        self.audio = audio
        for source in (self.keys, self.player):
            if source is not None:
                source.startTransmit(audio)
        if self.tone is None and self.phone.tone_hz:
            self.tone = pj.ToneGenerator()
            self.tone.createToneGenerator(_SAMPLE_RATE, 1)
            self._play(self.phone.tone_hz)
        if self.tone is not None:
            self.tone.startTransmit(audio)
        if self.recorder is None and self.phone.record:
            self.recorder = pj.AudioMediaRecorder()
            path = self.phone.record.replace("%", str(next(self.phone.recordings)))
            self.recorder.createRecorder(path)
            _say("recording", phone=self.phone.name, call=self.getId(), path=path)
        if self.recorder is not None:
            audio.startTransmit(self.recorder)

    def _play(self, tone_hz: int) -> None:
        tone = pj.ToneDesc()
        tone.freq1, tone.freq2, tone.on_msec, tone.off_msec, tone.volume = tone_hz, 0, 1000, 0, 8000
        tones = pj.ToneDescVector()
        tones.append(tone)
        self.tone.play(tones, True)

    def set_tone(self, tone_hz: int) -> None:
        if self.tone is not None:
            self.tone.stop()
            if tone_hz:
                self._play(tone_hz)

    def type_tones(self, digits: str, tone_ms: int, pause_ms: int) -> None:
        """The keys as the pairs of tones that old telephones send. A voice beside them would hide them: it ends here."""
        self.set_tone(0)
        if self.keys is None:
            self.keys = pj.ToneGenerator()
            self.keys.createToneGenerator(_SAMPLE_RATE, 1)
            self.keys.startTransmit(self.audio)
        typed = pj.ToneDigitVector()
        for digit in digits:
            key = pj.ToneDigit()
            key.digit, key.on_msec, key.off_msec = digit, tone_ms, pause_ms
            typed.append(key)
        self.keys.playDigits(typed, False)

    def play(self, path: str) -> None:
        """A wav file, once, in place of the voice and of the file before."""
        self.set_tone(0)
        self.player = pj.AudioMediaPlayer()
        self.player.createPlayer(path, pj.PJMEDIA_FILE_NO_LOOP)
        self.player.startTransmit(self.audio)

    def stop_media(self) -> None:
        # The recorder writes its wav header when it is destroyed, and only then.
        self.tone = None
        self.keys = None
        self.player = None
        self.recorder = None


class _Phone(pj.Account):  # type: ignore[misc]
    """Fields of `open`: user, password, registrar ("127.0.0.1:5060"), register (bool), display, from_uri,
    local (own address), tone_hz, record (wav path, `%` = number of the recording), answer_after_ms (null: by command),
    answer_code (a final code instead of answering), forward_to (the Contact of a 302), ring_code (180, or 0 for silence),
    offers_events (false: the phone knows no RFC 4733)."""

    def __init__(self, order: dict[str, Any]) -> None:
        super().__init__()
        self.name: str = order["phone"]
        self.calls: dict[int, _Call] = {}
        self.recordings = itertools.count(1)
        self.user: str = order.get("user", self.name)
        self.server: str = order.get("registrar", "127.0.0.1:5060")
        self.tone_hz: int = order.get("tone_hz", 0)
        self.record: str = order.get("record", "")
        self.answer_after_ms: float | None = order.get("answer_after_ms")
        self.answer_code: int = order.get("answer_code", 200)
        self.ring_code: int = order.get("ring_code", 180)
        self.forward_to: str = order.get("forward_to", "")
        self.offers_events: bool = order.get("offers_events", True)
        local = order.get("local", "127.0.0.4")
        config = pj.AccountConfig()
        display = order.get("display", "")
        uri = order.get("from_uri") or f"sip:{self.user}@{self.server}"
        config.idUri = f'"{display}" <{uri}>' if display else uri
        config.sipConfig.transportId = _desk.transport(local, int(order.get("local_port", 0)))
        config.mediaConfig.transportConfig.boundAddress = local
        config.mediaConfig.transportConfig.publicAddress = local
        config.mediaConfig.transportConfig.port = 0
        # Else an answer with two codecs makes the phone send an UPDATE at once, as few desk phones do.
        config.mediaConfig.lockCodecEnabled = False
        if order.get("password"):
            config.sipConfig.authCreds.append(pj.AuthCredInfo("digest", "*", self.user, 0, order["password"]))
        if order.get("register", True):
            config.regConfig.registrarUri = f"sip:{self.server}"
            config.regConfig.timeoutSec = int(order.get("expires_s", 120))
            config.regConfig.retryIntervalSec = 1
            config.regConfig.firstRetryIntervalSec = 1
        self.create(config)

    @property
    def is_registered(self) -> bool:
        return bool(self.getInfo().regIsActive)

    def onRegState(self, state: Any) -> None:
        said = "registered" if state.code == 200 and self.is_registered else "unregistered"
        _say(said, phone=self.name, code=state.code)

    def onIncomingCall(self, incoming: Any) -> None:
        call = _Call(self, incoming.callId)
        self.calls[incoming.callId] = call
        headers: dict[str, str] = {}
        for line in incoming.rdata.wholeMsg.split("\r\n\r\n")[0].splitlines()[1:]:
            name, _, value = line.partition(":")
            if name.lower() in _HEADERS or name.lower().startswith("x-"):
                headers[name.lower()] = value.strip()
        busy = self.answer_code >= 300
        if not busy and self.ring_code:
            call.answer(_call_parameter(self.ring_code))
        _say("incoming", phone=self.name, call=incoming.callId, headers=headers)
        if busy:
            call.hangup(_refusal(self.answer_code, self.forward_to))
        elif self.answer_after_ms is not None:
            order = {"do": "answer", "phone": self.name, "call": incoming.callId, "after_ms": self.answer_after_ms}
            _desk.take(order)

    def call_of(self, order: dict[str, Any]) -> _Call:
        wanted = order.get("call")
        number = wanted if wanted is not None else max(self.calls, default=-1)
        if number not in self.calls:
            raise LookupError(f"{self.name} has no such call")
        return self.calls[number]


class _Desk:
    """All phones of this process, and the commands that are due later."""

    def __init__(self) -> None:
        self.phones: dict[str, _Phone] = {}
        self._transports: dict[tuple[str, int], int] = {}
        self._due: list[tuple[float, int, dict[str, Any]]] = []
        self._order = itertools.count()
        self._reactions: list[tuple[dict[str, Any], dict[str, Any]]] = []
        self._dead: list[_Call] = []
        self.is_open = True
        self.events = 1
        self.endpoint = pj.Endpoint()
        self._commands: dict[str, Callable[[dict[str, Any]], None]] = {
            "open": self._open,
            "close": self._close,
            "set": self._set,
            "register": lambda order: self._phone(order).setRegistration(True),
            "unregister": lambda order: self._phone(order).setRegistration(False),
            "call": self._call,
            "answer": lambda order: self._active(order).answer(_call_parameter(order.get("code", 200))),
            "hangup": lambda order: self._active(order).hangup(_call_parameter(order.get("code", 0))),
            "hold": lambda order: self._active(order).setHold(_call_parameter()),
            "unhold": self._unhold,
            "dtmf": self._dtmf,
            "play": lambda order: self._active(order).play(str(order["path"])),
            "tone": lambda order: self._active(order).set_tone(int(order["tone_hz"])),
            "transfer": lambda order: self._active(order).xfer(self._uri(order), _call_parameter()),
            "transfer_to": self._transfer_to,
            "when": lambda order: self._reactions.append((order["event"], order["then"])),
            "die": lambda order: os._exit(9),
            "quit": self._quit,
        }

    def start(self) -> None:
        # The library tells its beginnings on standard output, before its log level can be set: events get a descriptor
        # of their own.
        self.events = os.dup(1)
        log = os.environ.get("PJSUA_LOG", os.devnull)
        os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 1)
        config = pj.EpConfig()
        config.uaConfig.threadCnt = 0
        config.uaConfig.mainThreadOnly = True
        config.uaConfig.maxCalls = 256
        config.logConfig.level = config.logConfig.consoleLevel = 4 if "PJSUA_LOG" in os.environ else 0
        config.medConfig.noVad = True
        config.medConfig.clockRate = config.medConfig.sndClockRate = _SAMPLE_RATE
        config.medConfig.maxMediaPorts = 1024
        config.medConfig.ecTailLen = 0
        self.endpoint.libCreate()
        self.endpoint.libInit(config)
        self.endpoint.libStart()
        self.endpoint.audDevManager().setNullDev()
        for codec in self.endpoint.codecEnum2():
            self.endpoint.codecSetPriority(codec.codecId, 255 if codec.codecId.startswith("PCMA/") else 0)
        self.endpoint.codecSetPriority("PCMU/8000", 128)

    def close(self) -> None:
        """End every call and every registration, and the library as soon as they are over: by itself it always waits a second."""
        for phone in self.phones.values():
            for call in phone.calls.values():
                call.stop_media()
        self.endpoint.hangupAllCalls()
        for phone in self.phones.values():
            if phone.is_registered:
                phone.setRegistration(False)
        last = time.monotonic() + _GOODBYE_S
        while time.monotonic() < last and any(phone.calls or phone.is_registered for phone in self.phones.values()):
            self.endpoint.libHandleEvents(10)
        self.endpoint.libDestroy(pj.PJSUA_DESTROY_NO_NETWORK)

    def transport(self, address: str, port: int) -> int:
        key = (address, port)
        if key not in self._transports:
            config = pj.TransportConfig()
            config.boundAddress = config.publicAddress = address
            config.port = port
            self._transports[key] = self.endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, config)
        return self._transports[key]

    def take(self, order: dict[str, Any]) -> None:
        """Do `order` now, or put it on the list when it names a time."""
        now = time.monotonic()
        due = float(order["at"]) if "at" in order else now + float(order.get("after_ms", 0)) / 1000
        if due > now or "after_ms" in order:
            # Also a delay of zero goes through the list: a callback of pjsua must not end the call it is about.
            heapq.heappush(self._due, (due, next(self._order), order))
        else:
            self._perform(order)

    def _perform(self, order: dict[str, Any]) -> None:
        try:
            self._commands[order["do"]](order)
        except pj.Error as error:
            self._fail(order, str(error.reason))
        except (LookupError, TypeError, ValueError) as error:
            self._fail(order, repr(error))
        else:
            if "seq" in order:
                _say("done", seq=order["seq"])

    @staticmethod
    def _fail(order: dict[str, Any], why: str) -> None:
        _say("failed", seq=order.get("seq", 0), do=order.get("do"), phone=order.get("phone"), why=why)

    def react(self, event: dict[str, Any]) -> None:
        for armed in list(self._reactions):
            pattern, order = armed
            if all(event.get(key) == value for key, value in pattern.items()):
                self._reactions.remove(armed)
                self.take({"after_ms": 0, **order})

    def bury(self, call: _Call) -> None:
        """Keep an ended call until the callback has returned, then let it go."""
        self._dead.append(call)

    def run_due(self) -> float:
        """Perform what is due; seconds until the next is."""
        while self._due and self._due[0][0] <= time.monotonic():
            self._perform(heapq.heappop(self._due)[2])
        if self._dead:
            self._dead.clear()
            gc.collect()
        return self._due[0][0] - time.monotonic() if self._due else 1.0

    def _phone(self, order: dict[str, Any]) -> Any:
        return self.phones[order["phone"]]

    def _active(self, order: dict[str, Any]) -> Any:
        return self.phones[order["phone"]].call_of(order)

    def _uri(self, order: dict[str, Any]) -> str:
        to = str(order["to"])
        return to if to.startswith("sip:") else f"sip:{to}@{self.phones[order['phone']].server}"

    def _open(self, order: dict[str, Any]) -> None:
        if order["phone"] in self.phones:
            raise ValueError(f"{order['phone']} is open already")
        self.phones[order["phone"]] = _Phone(order)

    def _close(self, order: dict[str, Any]) -> None:
        phone = self.phones.pop(order["phone"])
        for call in list(phone.calls.values()):
            call.hangup(_call_parameter())
        phone.shutdown()

    def _set(self, order: dict[str, Any]) -> None:
        phone = self.phones[order["phone"]]
        for name in ("tone_hz", "record", "answer_after_ms", "answer_code", "forward_to", "ring_code"):
            if name in order:
                setattr(phone, name, order[name])

    def _call(self, order: dict[str, Any]) -> None:
        phone = self.phones[order["phone"]]
        call = _Call(phone)
        parameter = pj.CallOpParam(True)
        for name, value in order.get("headers", {}).items():
            header = pj.SipHeader()
            header.hName, header.hValue = name, value
            parameter.txOption.headers.append(header)
        call.makeCall(self._uri(order), parameter)
        phone.calls[call.getId()] = call
        _say("calling", phone=phone.name, call=call.getId(), to=order["to"])

    def _unhold(self, order: dict[str, Any]) -> None:
        parameter = pj.CallOpParam(True)
        parameter.opt.flag = pj.PJSUA_CALL_UNHOLD
        self._active(order).reinvite(parameter)

    def _dtmf(self, order: dict[str, Any]) -> None:
        digits, duration_ms = str(order["digits"]), int(order.get("duration_ms", 100))
        if order.get("method") == "inband":
            self._active(order).type_tones(digits, duration_ms, int(order.get("pause_ms", 60)))
            return
        parameter = pj.CallSendDtmfParam()
        parameter.digits = digits
        by_info = order.get("method") == "info"
        parameter.method = pj.PJSUA_DTMF_METHOD_SIP_INFO if by_info else pj.PJSUA_DTMF_METHOD_RFC2833
        parameter.duration = duration_ms
        self._active(order).sendDtmf(parameter)

    def _transfer_to(self, order: dict[str, Any]) -> None:
        # The oldest call goes to whoever the newest one is with.
        calls = self._phone(order).calls
        calls[min(calls)].xferReplaces(calls[max(calls)], _call_parameter())

    def _quit(self, _: dict[str, Any]) -> None:
        self.is_open = False


_desk = _Desk()


def main() -> None:
    """Serve commands until `quit` or the end of standard input; then end every call and leave."""
    _desk.start()
    _say("ready")
    os.set_blocking(0, False)
    waiting = b""
    while _desk.is_open:
        # Short, because standard input is looked at only between two rounds.
        _desk.endpoint.libHandleEvents(max(0, min(2, int(_desk.run_due() * 1000))))
        try:
            got = os.read(0, _MAX_LINE)
        except BlockingIOError:
            continue
        if not got:
            break
        *lines, waiting = (waiting + got).split(b"\n")
        if len(waiting) > _MAX_LINE:
            sys.exit("a command is too long")
        for line in lines:
            _desk.take(json.loads(line))
    with contextlib.suppress(pj.Error):  # the process ends here; what cannot be ended in order ends with it
        _desk.close()
    os._exit(0)  # the interpreter's own end would run pjsua2's destructors a second time, after the library


if __name__ == "__main__":
    main()
