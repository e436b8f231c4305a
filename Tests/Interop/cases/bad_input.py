"""Bytes that no initiator sends: each answered or dropped, in bounded memory, while others go on being served."""

import random
import resource
import socket
import struct
import time

from harness.command import Failure, run
from harness.initiator import (
    COMMAND, LOGIN, LOGIN_RESPONSE, NAMES, NO_TAG, NOP_OUT, REJECT, TEXT, Connection, Witness, login_pdu, pdu,
)
from harness.runner import Case
from harness.server import MIB, Server

GROWTH_MAX = 64 * MIB
"""How much more memory the server may hold after a case than before it."""


class Bounded:
    """The server's memory stays bounded and another initiator goes on being served. Use as a context."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.witness = Witness(server)

    def __enter__(self) -> "Bounded":
        self.before = self.server.resident_bytes()
        self.witness.__enter__()
        return self

    def check(self) -> None:
        growth = self.server.resident_bytes() - self.before
        if growth > GROWTH_MAX:
            raise Failure(f"the server holds {growth // MIB} MiB more than before; allowed: {GROWTH_MAX // MIB} MiB")

    def __exit__(self, kind: object, *rest: object) -> None:
        self.witness.__exit__(kind, *rest)
        if kind is None:
            self.check()
            run("iscsi-inq", self.server.url()).ok().says("DIRECT_ACCESS")


def a_megabyte_of_random_bytes(server: Server) -> None:
    with Bounded(server):
        for seed in range(16):
            with Connection(server) as connection:
                connection.send_in_spite(random.Random(seed).randbytes(MIB))
                if seed % 2:
                    connection.end_stream()
                if not connection.is_closed(10):
                    raise Failure(f"the connection of seed {seed} is still open")


def a_login_cut_at_every_byte(server: Server) -> None:
    whole = login_pdu(NAMES)
    with Bounded(server):
        for cut in range(len(whole)):
            with Connection(server) as connection:
                connection.send(whole[:cut])
                connection.end_stream()
                if not connection.is_closed(5):
                    raise Failure(f"{cut} bytes of a login and the end of the stream: the connection is still open")
        for cut in range(0, len(whole), 7):
            with Connection(server) as connection:
                connection.send(whole[:cut])
                reset = struct.pack("ii", 1, 0)
                connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)


def a_login_byte_by_byte_is_served(server: Server) -> None:
    with Connection(server) as connection:
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in login_pdu(NAMES):
            connection.send(bytes([byte]))
        header, _ = connection.receive()
        if header[0] & 0x3F != LOGIN_RESPONSE or header[36:38] != bytes(2):
            raise Failure(f"expected a login that succeeds, got {header.hex(' ')}")


def every_opcode_before_login(server: Server) -> None:
    with Bounded(server):
        for opcode in range(64):
            for length, ahs in ((0, 0), (0xFFFFFF, 0), (0xFFFFFF, 255), (8192, 255)):
                with Connection(server) as connection:
                    connection.send(pdu(opcode, length=length, ahs=ahs, immediate=True))
                    connection.send_in_spite(bytes(1024))
                    connection.end_stream()
                    if not connection.is_closed(5):
                        raise Failure(f"opcode {opcode:#x}, length {length:#x}, AHS {ahs}: the connection stays open")


def absurd_lengths_after_login(server: Server) -> None:
    """The server rejects or closes; it must not wait for 16 MiB, nor make room for them."""
    with Bounded(server):
        for opcode in range(64):
            with Connection(server).login(isid=opcode) as connection:
                fields = struct.pack(">III", 0, connection.cmdsn, connection.statsn)
                connection.send(pdu(opcode, length=0xFFFFFF, ahs=255, itt=7, fields=fields, immediate=True))
                for _ in range(16):
                    if not connection.send_in_spite(bytes(MIB)):
                        break
                connection.send_in_spite(bytes(MIB))
                if not connection.is_closed(5):
                    raise Failure(f"opcode {opcode:#x} with 16 MiB of data: the connection is still open")


def random_pdus_after_login(server: Server) -> None:
    """Well-framed headers with random fields: any answer will do, but nobody else suffers."""
    with Bounded(server):
        for seed in range(60):
            draw = random.Random(seed)
            with Connection(server).login(isid=1000 + seed) as connection:
                for _ in range(50):
                    data = draw.randbytes(draw.choice((0, 0, 1, 4, 47, 512)))
                    opcode = draw.choice((0, 1, 2, 3, 4, 5, 6, 0x10, draw.randrange(64)))
                    sn = connection.cmdsn + draw.choice((0, 0, 0, 1, -1, 1 << 31))
                    fields = struct.pack(">III", draw.getrandbits(32), sn % (1 << 32), draw.getrandbits(32))
                    fields += draw.randbytes(16)
                    lun = bytes([0, server.lun("null")]) + bytes(6) if draw.randrange(2) else draw.randbytes(8)
                    flags, tag = draw.randrange(256), draw.getrandbits(32)
                    if not connection.send_in_spite(pdu(opcode, flags, data=data, lun=lun, itt=tag, fields=fields)):
                        break


def text_without_end_in_login(server: Server) -> None:
    with Bounded(server):
        for keys in (b"X" * 8000, b"X-com.example.a=" + b"1" * 7000 + b"\0", b"A=1\0" * 2000):
            with Connection(server) as connection:
                sent = 0
                continued = bytes([0x80]) + bytes(7)
                while sent < 64 * MIB:
                    fields = struct.pack(">III", 0, 1, 0)
                    data = pdu(LOGIN, 0x44, data=keys, lun=continued, itt=1, fields=fields, immediate=True)
                    if not connection.send_in_spite(data):
                        break
                    sent += len(data)
                    if connection.is_closed(0.001):
                        break
                    connection.socket.settimeout(10)
                if sent >= 64 * MIB:
                    raise Failure("the server took 64 MiB of login text")


def text_without_end_after_login(server: Server) -> None:
    """Text requests that are always continued: RFC 7143 §7.13 lets the target reject, reset or drop."""
    with Bounded(server):
        with Connection(server).login(isid=77) as connection:
            tag = NO_TAG
            try:
                for number in range(4096):
                    fields = struct.pack(">III", tag, connection.cmdsn, connection.statsn)
                    data = b"X-com.example.%d=" % number + b"1" * 8000 + b"\0"
                    connection.send(pdu(TEXT, 0x40, data=data[:8192], itt=9, fields=fields, immediate=True))
                    header, _ = connection.receive()
                    if header[0] & 0x3F == REJECT:
                        return
                    # The tag that continues the exchange: another would begin a new one.
                    tag = struct.unpack(">I", header[20:24])[0]
            except (EOFError, OSError):
                return
            raise Failure("4096 continued text requests (32 MiB) were all taken")


def commands_that_never_get_their_data(server: Server) -> None:
    """Writes whose data never comes, as many as the window allows, from many sessions."""
    with Bounded(server):
        connections = []
        for isid in range(32):
            connection = Connection(server).login(isid=2000 + isid)
            lun = bytes([0, server.lun("memory")]) + bytes(6)
            for tag in range(64):
                cdb = struct.pack(">BBIBHB", 0x2A, 0, 0, 0, 2048, 0)
                fields = struct.pack(">III", MIB, connection.cmdsn + tag, connection.statsn) + cdb.ljust(16, b"\0")
                if not connection.send_in_spite(pdu(COMMAND, 0xA0, lun=lun, itt=tag, fields=fields)):
                    break
            connections.append(connection)
        time.sleep(0.5)
        for connection in connections:
            connection.socket.close()


def an_initiator_that_never_reads(server: Server) -> None:
    """It asks for much and takes nothing: the answers must wait with it, not grow in the server."""
    with Bounded(server) as bounded:
        with Connection(server).login(isid=3000) as connection:
            lun = bytes([0, server.lun("null")]) + bytes(6)
            connection.socket.settimeout(1)
            for tag in range(1024):
                sn = connection.cmdsn + tag
                cdb = struct.pack(">BBIBHB", 0x28, 0, 0, 0, 512, 0)
                fields = struct.pack(">III", 512 * 512, sn, connection.statsn) + cdb.ljust(16, b"\0")
                ping = struct.pack(">III", NO_TAG, sn, connection.statsn)
                pdus = pdu(COMMAND, 0xC0, lun=lun, itt=tag, fields=fields)
                pdus += pdu(NOP_OUT, itt=5000 + tag, fields=ping, data=bytes(4096), immediate=True)
                if not connection.send_in_spite(pdus):
                    break
            time.sleep(1)
            bounded.check()


def thousands_of_connections_that_never_log_in(server: Server) -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200
    wanted = min(3000, most)
    held: list[socket.socket] = []
    with Bounded(server) as bounded:
        try:
            for number in range(wanted):
                try:
                    held.append(socket.create_connection(("127.0.0.1", server.port), timeout=2))
                except OSError:
                    break  # refused or not accepted: it has a bound, and keeps it
                if number % 3 == 1:
                    held[-1].send(login_pdu(NAMES)[: number % 100])
            time.sleep(1)
            bounded.check()
        finally:
            for connection in held:
                connection.close()
        if len(held) < 100:
            raise Failure(f"only {len(held)} connections were taken")
        time.sleep(0.5)


def sessions_beyond_any_use(server: Server) -> None:
    """Hundreds of sessions at once, all logged in: served, or refused as RFC 7143 §11.13.5 says; never ignored."""
    with Bounded(server):
        held: list[Connection] = []
        try:
            for isid in range(500):
                connection = Connection(server, seconds=5)
                held.append(connection)
                connection.send(login_pdu(NAMES, isid=4000 + isid))
                try:
                    header, _ = connection.receive()
                except (EOFError, OSError):
                    break
                if header[36] not in (0, 2, 3):
                    raise Failure(f"login {isid}: {header.hex(' ')}")
            if len(held) < 32:
                raise Failure(f"only {len(held)} sessions were taken")
        finally:
            for connection in held:
                connection.socket.close()
        time.sleep(0.3)


def cases() -> list[Case]:
    return [
        Case(f"bad-input/{play.__name__.replace('_', '-')}", play)
        for play in (
            a_megabyte_of_random_bytes,
            a_login_cut_at_every_byte,
            a_login_byte_by_byte_is_served,
            every_opcode_before_login,
            absurd_lengths_after_login,
            random_pdus_after_login,
            text_without_end_in_login,
            text_without_end_after_login,
            commands_that_never_get_their_data,
            an_initiator_that_never_reads,
            thousands_of_connections_that_never_log_in,
            sessions_beyond_any_use,
        )
    ]
