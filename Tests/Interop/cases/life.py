"""How the server starts and ends, as an operator sees it."""

import os
import pathlib
import time

from harness.command import Failure, Skip
from harness.initiator import Connection
from harness.runner import Case
from harness.server import Server, Simsan


def says_which_ring_it_uses(server: Server) -> None:
    if not isinstance(server, Simsan):
        raise Skip("only ours chooses a ring")
    said = server.log()
    if server.ring not in said:
        raise Failure(f"expected to read {server.ring!r} in:\n{said}")


def runs_as_an_ordinary_user(server: Server) -> None:
    if not isinstance(server, Simsan):
        raise Skip("tgt wants to be root")
    user = os.stat(f"/proc/{server.running().pid}").st_uid
    if user == 0:
        raise Failure("it runs as root")


def ends_when_asked(server: Server) -> None:
    if not isinstance(server, Simsan):
        raise Skip("tgt does not end while it has targets")
    with Connection(server).login() as connection:
        start = time.monotonic()
        status = server.stop()
        if status is None or time.monotonic() - start > 5:
            raise Failure(f"SIGTERM did not end it within 5 s\n{server.log()}")
        if status != 0:
            raise Failure(f"it ended with status {status}\n{server.log()}")
        if not connection.is_closed(2):
            raise Failure("the connection stayed open")
    server.start()


def holds_no_more_files_after_connections_end(server: Server) -> None:
    def files() -> int:
        return len(list(pathlib.Path(f"/proc/{server.running().pid}/fd").iterdir()))

    before = files()
    for isid in range(50):
        with Connection(server).login(isid=isid) as connection:
            connection.test_unit_ready(server.lun("memory"))
    limit = time.monotonic() + 5
    while files() > before and time.monotonic() < limit:
        time.sleep(0.05)
    if files() > before:
        raise Failure(f"{before} open files before, {files()} after 50 sessions have ended")


def cases() -> list[Case]:
    return [
        Case(f"life/{play.__name__.replace('_', '-')}", play)
        for play in (
            says_which_ring_it_uses,
            runs_as_an_ordinary_user,
            holds_no_more_files_after_connections_end,
            ends_when_asked,
        )
    ]
