"""What sessions cost a server when nothing happens on them."""

import os
import pathlib
import socket
import struct
import time

INITIATOR = "iqn.2026-11.example:bench"


def _login(port, target, serial):
    """A session that has read one block."""
    text = f"InitiatorName={INITIATOR}\0TargetName={target}\0SessionType=Normal\0".encode()
    request = struct.pack(
        ">BBHB3s6sHIHHII16x", 0x43, 0x87, 0, 0, len(text).to_bytes(3, "big"),
        b"\x80\x12\x34" + serial.to_bytes(3, "big"), 0, 1, 0, 0, 1, 0)
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(request + text + bytes(-len(text) % 4))
    header = _receive(connection)
    if header[0] & 0x3F != 0x23 or header[36]:
        raise OSError("a login was refused")
    for number in (1, 2):
        # The first command may meet a unit attention.
        cdb = struct.pack(">BBIBHB", 0x28, 0, 0, 0, 1, 0)
        connection.sendall(struct.pack(">BBHI8xIIII16s", 0x01, 0xC1, 0, 0, number, 512, number, 0, cdb))
        _receive(connection)
    return connection


def _receive(connection):
    header = _exactly(connection, 48)
    _exactly(connection, (int.from_bytes(header[5:8], "big") + 3) // 4 * 4)
    return header


def _exactly(connection, count):
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            raise OSError("the target has closed a connection")
        data += piece
    return data


def _memory(pid):
    """Resident bytes."""
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _cpu(pid):
    """Seconds, of all threads."""
    words = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def cost(server, count, seconds=3):
    """Opens `count` sessions that do nothing. Returns bytes of server memory for each of them, and per cent of a core."""
    before = _memory(server.pid)
    connections = [_login(server.port, server.iqn, serial) for serial in range(count)]
    try:
        time.sleep(0.2)
        memory, start = _memory(server.pid), _cpu(server.pid)
        time.sleep(seconds)
        return (memory - before) / count, (_cpu(server.pid) - start) / seconds * 100
    finally:
        for connection in connections:
            connection.close()
