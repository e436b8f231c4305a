"""A raw initiator: enough of RFC 7143 to log in and be served, and to send whatever bytes a case likes."""

import itertools
import random
import socket
import struct
import threading
import time

from .command import Failure
from .server import TARGET, Server

LOGIN, LOGIN_RESPONSE = 0x03, 0x23
TEXT, TEXT_RESPONSE = 0x04, 0x24
NOP_OUT, NOP_IN = 0x00, 0x20
COMMAND, RESPONSE = 0x01, 0x21
REJECT = 0x3F
NO_TAG = 0xFFFFFFFF


def pdu(
    opcode: int,
    flags: int = 0x80,
    *,
    data: bytes = b"",
    length: int | None = None,
    ahs: int = 0,
    lun: bytes = bytes(8),
    itt: int = NO_TAG,
    fields: bytes = b"",
    immediate: bool = False,
) -> bytes:
    """A PDU. `length` and `ahs` say something other than the truth when given; `fields` are bytes 20 to 47."""
    said = len(data) if length is None else length
    header = bytes([opcode | (0x40 if immediate else 0), flags, 0, 0, ahs]) + said.to_bytes(3, "big")
    header += lun + struct.pack(">I", itt) + fields.ljust(28, b"\0")
    return header + data + bytes(-len(data) % 4)


def login_pdu(text: dict[str, str], *, flags: int = 0x87, isid: int = 0, cmdsn: int = 1) -> bytes:
    """A login request; by default straight from operational negotiation to the full-feature phase."""
    data = b"".join(f"{key}={value}".encode() + b"\0" for key, value in text.items())
    lun = bytes([0x80]) + isid.to_bytes(5, "big") + bytes(2)
    return pdu(LOGIN, flags, data=data, lun=lun, itt=1, fields=struct.pack(">III", 0, cmdsn, 0), immediate=True)


NAMES = {"InitiatorName": "iqn.2026-11.example:raw", "SessionType": "Normal", "TargetName": TARGET}


class Connection:
    """One TCP connection to the server's portal."""

    tags = itertools.count(2)

    def __init__(self, server: Server, seconds: float = 10) -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=seconds)
        self.cmdsn = 1
        self.statsn = 0

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def send_in_spite(self, data: bytes) -> bool:
        """Sends while the server takes it. False once it has closed."""
        try:
            self.socket.sendall(data)
            return True
        except OSError:
            return False

    def end_stream(self) -> None:
        """Says that nothing more will come, unless the server has closed already."""
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def receive_exactly(self, count: int) -> bytes:
        parts = bytearray()
        while len(parts) < count:
            part = self.socket.recv(count - len(parts))
            if not part:
                raise EOFError("the server closed the connection")
            parts += part
        return bytes(parts)

    def receive(self) -> tuple[bytes, bytes]:
        """The header and the data of the next PDU."""
        header = self.receive_exactly(48)
        length = int.from_bytes(header[5:8], "big")
        data = self.receive_exactly(header[4] * 4 + length + -length % 4)
        if header[0] & 0x3F not in (NOP_IN, 0x31):
            self.statsn = struct.unpack(">I", header[24:28])[0] + 1
        return header, data[header[4] * 4 :][:length]

    def login(self, isid: int = 0, **keys: str) -> "Connection":
        self.send(login_pdu({**NAMES, **keys}, isid=isid))
        header, _ = self.receive()
        status = struct.unpack(">H", header[36:38])[0]
        if header[0] & 0x3F != LOGIN_RESPONSE or status != 0 or header[1] & 0x80 == 0:
            raise Failure(f"login was refused: {header.hex(' ')}")
        return self

    def test_unit_ready(self, lun: int) -> int:
        """Its SCSI status."""
        fields = struct.pack(">III", 0, self.cmdsn, self.statsn) + bytes(16)
        self.send(pdu(COMMAND, 0x80, lun=bytes([0, lun]) + bytes(6), itt=next(self.tags), fields=fields))
        self.cmdsn += 1
        header, _ = self.receive()
        if header[0] & 0x3F != RESPONSE:
            raise Failure(f"expected a SCSI Response, got {header.hex(' ')}")
        return header[3]

    def is_closed(self, seconds: float) -> bool:
        """Whether the server closes within `seconds`, whatever it says before."""
        limit = time.monotonic() + seconds
        while (left := limit - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                if not self.socket.recv(1 << 16):
                    return True
            except TimeoutError:
                return False
            except OSError:
                return True
        return False


class Witness:
    """Another initiator, that must go on being served while a case misbehaves. Use as a context."""

    def __init__(self, server: Server, gap_max: float = 2.0) -> None:
        self.server = server
        self.gap_max = gap_max
        self.served = 0
        self.longest = 0.0
        self.failure: str | None = None
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.go, daemon=True)

    def go(self) -> None:
        try:
            isid = random.Random(self.server.port).getrandbits(24)
            with Connection(self.server).login(isid=isid) as connection:
                while not self.ended.is_set():
                    start = time.monotonic()
                    connection.test_unit_ready(self.server.lun("memory"))
                    self.longest = max(self.longest, time.monotonic() - start)
                    self.served += 1
                    time.sleep(0.005)
        except (OSError, EOFError, Failure) as error:
            self.failure = f"{type(error).__name__}: {error}"

    def __enter__(self) -> "Witness":
        self.thread.start()
        limit = time.monotonic() + 5
        while self.served == 0 and self.failure is None and time.monotonic() < limit:
            time.sleep(0.01)
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        served, limit = self.served, time.monotonic() + self.gap_max
        while kind is None and self.served < served + 3 and self.failure is None and time.monotonic() < limit:
            time.sleep(0.01)
        afterwards = self.served - served
        self.ended.set()
        self.thread.join(timeout=15)
        if kind is not None:
            return
        if self.failure:
            raise Failure(f"the other initiator was not served any more, after {self.served} commands: {self.failure}")
        if afterwards < 3 or self.longest > self.gap_max:
            raise Failure(
                f"the other initiator had {served} answers, then {afterwards}; the slowest took {self.longest:.1f} s"
            )
