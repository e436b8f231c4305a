"""How the server starts and ends, as an operator sees it."""

import itertools
import json
import os
import pathlib
import re
import shlex
import signal
import socket
import struct
import sys
import time
import xml.etree.ElementTree

from cases.scenarios import SCENARIOS
from harness.command import Failure, Skip, run, start_in_background
from harness.initiator import COMMAND, NAMES, Connection, login_pdu, pdu
from harness.runner import Case
from harness.server import TARGET, Server, Simsan, free_port

# The benchmarks read the server's counters; here it is held to what they can read.
sys.path.append(str(SCENARIOS.parent / "Benchmarks"))
from compare.counters import ask  # noqa: E402


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


def counters(server: Server) -> dict[str, int]:
    """What the server says when it is asked for its counters, by their names."""
    found = ask(server.running().pid, server.log_path) or {}
    for row in ("commands", "steps", "system calls", "receives", "sends", "bytes copied", "allocations"):
        if row not in found:
            raise Failure(f"no count of {row} in:\n{server.log()}")
    return found


def tells_its_counters_when_asked(server: Server) -> None:
    if not isinstance(server, Simsan):
        raise Skip("tgt has no such counters")
    before = counters(server)["commands"]
    with Connection(server).login() as connection:
        for _ in range(3):
            connection.test_unit_ready(server.lun("memory"))
        after = counters(server)["commands"]
        if after != before + 3:
            raise Failure(f"three commands took the counter from {before} to {after}")
        if not re.search(r"^system calls .* a command: .* to wait", server.log(), re.MULTILINE):
            raise Failure(f"it does not say what system calls were for:\n{server.log()}")
        if connection.test_unit_ready(server.lun("memory")) != 0:
            raise Failure("it does not go on")


def says_who_comes_and_goes(server: Server) -> None:
    """Each on a line of its own, with the time; who is there now, when it is asked."""
    if not isinstance(server, Simsan):
        raise Skip("how ours is written")
    mark = len(server.log())

    def wait_for(pattern: str) -> None:
        limit = time.monotonic() + 5
        while not re.search(pattern, server.log()[mark:], re.MULTILINE):
            if time.monotonic() > limit:
                raise Failure(f"expected a line like {pattern!r} in:\n{server.log()[mark:]}")
            time.sleep(0.02)

    line, me = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  ", r"iqn\.2026-11\.example:raw \(127\.0\.0\.1:\d+\)"
    with Connection(server).login():
        wait_for(rf"{line}{me}: logged in to {re.escape(TARGET)} at 127\.0\.0\.1:{server.port}$")
        os.kill(server.running().pid, signal.SIGUSR1)
        wait_for(rf"^session  {me}  {re.escape(TARGET)} at 127\.0\.0\.1:{server.port}  0 tasks$")
    wait_for(rf"{line}{me}: connection to {re.escape(TARGET)} ended: it closed it$")
    with Connection(server) as connection:
        connection.send(login_pdu({**NAMES, "TargetName": "iqn.2026-11.example:nobody"}))
        wait_for(rf"{line}{me}: login to iqn\.2026-11\.example:nobody refused at .*: there is no such target here$")
    with Connection(server) as connection:
        connection.send(b"GET / HTTP/1.0\r\n\r\n")
        if not connection.is_closed(2):
            raise Failure("who speaks HTTP is waited for")
        wait_for(rf'{line}127\.0\.0\.1:\d+: connection ended: what it sent is no iSCSI login, but begins with "GET / HTTP/1.0"$')


def a_file_system_that_hangs_holds_up_its_own_target_only(server: Server) -> None:
    """Others are logged in to, it says what hangs, and takes the signal to end."""
    if not isinstance(server, Simsan):
        raise Skip("how ours is written")
    if os.geteuid() != 0:
        raise Skip("only root can have a file system hang")
    other = Simsan(server.program, server.ring)
    disk, folder = other.folder / "disk", other.folder / "mount"
    folder.mkdir()
    with open(disk, "wb") as file:
        file.truncate(64 << 20)
    run("mkfs.ext4", "-q", str(disk)).ok()
    if run("mount", "-o", "loop", str(disk), str(folder)).status != 0:
        other.remove()
        raise Skip("nothing can be mounted here")
    try:
        image = folder / "image"
        image.write_bytes(bytes(1 << 20))
        image.chmod(0o666)
        portals = f'portals = {{ "127.0.0.1:{other.port}" }}'
        other.world.write_text(
            f'target {{ iqn = "{TARGET}", {portals}, luns = {{ {{ file = "{image}" }} }}, shard = 0 }}\n'
            f'target {{ iqn = "{TARGET}-too", {portals}, luns = {{ {{ memory = true }} }}, shard = 1 }}\n')
        other.start()
        with Connection(other).login() as connection:
            connection.test_unit_ready(0)
            run("fsfreeze", "--freeze", str(folder)).ok()
            try:
                cdb = bytes([0x2A, 0, 0, 0, 0, 0, 0, 0, 1, 0]).ljust(16, b"\0")
                fields = struct.pack(">III", 512, connection.cmdsn, connection.statsn) + cdb
                connection.send(pdu(COMMAND, 0xA1, lun=bytes(8), itt=77, fields=fields, data=bytes(512)))
                time.sleep(0.3)
                with Connection(other, seconds=5).login(isid=1, TargetName=f"{TARGET}-too") as healthy:
                    for _ in range(3):
                        healthy.test_unit_ready(0)
                    mark = len(other.log())
                    os.kill(other.running().pid, signal.SIGUSR1)
                    time.sleep(0.5)
                    if "shard 0 has not answered" not in other.log()[mark:]:
                        raise Failure(f"it does not say what hangs:\n{other.log()[mark:]}")
                os.kill(other.running().pid, signal.SIGTERM)
                limit = time.monotonic() + 8
                while "\nstopped: " not in other.log():
                    if time.monotonic() > limit:
                        raise Failure(f"it does not take SIGTERM:\n{other.log()}")
                    time.sleep(0.05)
            finally:
                run("fsfreeze", "--unfreeze", str(folder))
        other.process.wait(timeout=20)
    finally:
        other.stop()
        run("umount", "--lazy", str(folder))
        other.remove()


def a_steady_load_allocates_nothing(server: Server) -> None:
    """Reads and writes, of a release build, on a ring of its own: what the tests of the rooms hold in debug builds."""
    if not isinstance(server, Simsan):
        raise Skip("only ours counts them")
    for unit, operation, size in itertools.product(("memory", "null", "file"), ("randread", "randwrite"), ("512", "64KiB")):
        load = start_in_background(
            str(server.program), "bench", "--ring", server.ring, "--time", "1s", "--warm-up", "0ms", "--sessions", "2",
            "--depth", "8", "--operation", operation, "--overwrite", "--size", size, server.url(unit))
        time.sleep(0.3)
        found = [counters(server)]
        for _ in range(3):
            time.sleep(0.15)
            found.append(counters(server))
        output, _ = load.communicate(timeout=20)
        windows = [tuple(after[name] - before[name] for name in ("commands", "allocations"))
                   for before, after in itertools.pairwise(found)]
        if load.returncode != 0 or min(commands for commands, _ in windows) < 50:
            raise Failure(f"{unit}, {operation}, {size}: {windows} commands\n{output.decode('utf-8', 'replace')}")
        # A queue may grow once more, to what it has never held before: that is not once a command.
        if min(allocations for _, allocations in windows) > 0:
            raise Failure(f"{unit}, {operation}, {size}: commands and allocations of three windows: {windows}")


def every_target_is_served_by_its_own_thread(server: Server) -> None:
    """At once, and with data of their own; a connection finds its thread by the name at login."""
    if not isinstance(server, Simsan):
        raise Skip("only ours has such threads")
    threads = list(pathlib.Path(f"/proc/{server.running().pid}/task").iterdir())
    if len(threads) < 2:
        raise Failure(f"expected a thread for each target, found {len(threads)}")
    too = server.url("memory").replace(TARGET, f"{TARGET}-too")
    bench = (str(server.program), "bench", "--ring", server.ring, "--time", "300ms", "--warm-up", "50ms", "--json", "-")
    load = ("--operation", "randmixed", "--overwrite", "--sessions", "3", "--depth", "4")
    result = run(*bench, *load, server.url("memory"), too, seconds=20).ok()
    said = json.loads(result.output)
    if said["targets"] != 2 or said["commands"] < 100 or said["failed_commands"] or said["lost_sessions"]:
        raise Failure(f"expected a hundred commands or more to two targets, and none that failed\n{result}")
    sizes = {run("iscsi-readcapacity16", url, seconds=20).ok().output for url in (server.url("memory"), too)}
    if len(sizes) != 2:
        raise Failure(f"expected units of two sizes, found {sizes}")


def a_load_is_measured(server: Server) -> None:
    if not isinstance(server, Simsan):
        raise Skip("the load comes with our server")
    bench = (str(server.program), "bench", "--ring", server.ring, "--time", "300ms", "--warm-up", "50ms", "--json", "-")
    for load in (
        ("--sessions", "4", "--depth", "8"),
        ("--digests", "both", "--size", "64KiB", "--operation", "seqmixed", "--overwrite"),
        ("--rate", "2000", "--operation", "randwrite", "--overwrite"),
    ):
        result = run(*bench, *load, server.url("memory"), seconds=20).ok()
        said = json.loads(result.output)
        if said["commands"] < 100 or said["failed_commands"] or said["lost_sessions"]:
            raise Failure(f"expected a hundred commands or more, and none that failed\n{result}")
    link, linked = server.folder / "link.json", server.folder / "linked.json"
    link.symlink_to(linked)
    run(*bench[:-1], str(link), server.url("memory"), seconds=20).ok()
    if not link.is_symlink() or json.loads(linked.read_text())["commands"] < 100:
        raise Failure("--json has put a file in the place of a symbolic link")
    link.unlink()
    refused = run(*bench, "--operation", "randwrite", server.url("memory"), seconds=20)
    if refused.status != 2:
        raise Failure(f"expected status 2 without --overwrite\n{refused}")
    refused.says("--overwrite")


def a_load_that_is_told_twice_ends_at_once(server: Server) -> None:
    """The first time it waits for the commands that are outstanding, which this target never answers."""
    if not isinstance(server, Simsan):
        raise Skip("the load comes with our server")
    other = Simsan(server.program, server.ring)
    try:
        command = [*other.argv(), "--fault", "read:hold"]
        other.argv = lambda: command
        other.start()
        load = start_in_background(str(server.program), "bench", "--warm-up", "0ms", "--time", "60s", other.url("file"))
        time.sleep(1.5)
        load.send_signal(signal.SIGINT)
        time.sleep(0.5)
        if load.poll() is not None:
            raise Failure(f"it has not waited: status {load.returncode}")
        load.send_signal(signal.SIGINT)
        if load.wait(timeout=5) != -signal.SIGINT:
            raise Failure(f"expected an end by SIGINT, found status {load.returncode}")
    finally:
        other.remove()


def says_what_it_has_done_when_told_to_end_twice(server: Server) -> None:
    if not isinstance(server, Simsan):
        raise Skip("tgt says nothing at its end")
    other = Simsan(server.program, server.ring)
    try:
        for turn in range(10):
            mark = len(other.log())
            other.start()
            process = other.running()
            process.send_signal(signal.SIGTERM)
            deadline = time.monotonic() + 10
            while process.poll() is None:
                if time.monotonic() > deadline:
                    raise Failure(f"turn {turn}: it has not ended\n{other.log()[mark:]}")
                process.send_signal(signal.SIGINT)
                time.sleep(0.0002)
            if "\nstopped: " not in other.log()[mark:]:
                raise Failure(f"turn {turn}: status {process.returncode}\n{other.log()[mark:]}")
    finally:
        other.remove()


def ends_with_its_terminal_unless_it_is_told_not_to(server: Server) -> None:
    """SIGHUP, with and without nohup, which has it ignored."""
    if not isinstance(server, Simsan):
        raise Skip("how ours ends")
    other = Simsan(server.program, server.ring)
    try:
        for trap, ends in (("trap - HUP", True), ("trap '' HUP", False)):
            # A shell cannot undo what it was started with.
            if ends and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
                continue
            mark = len(other.log())
            command = f'{trap}; exec "$@" >> {shlex.quote(str(other.log_path))}'
            other.process = start_in_background("sh", "-c", command, "sh", *other.argv())
            other.wait_until_listening(lambda: other.ready_line in other.log()[mark:])
            process = other.running()
            process.send_signal(signal.SIGHUP)
            if not ends:
                with Connection(other).login():
                    pass
                process.send_signal(signal.SIGTERM)
            process.communicate(timeout=10)
            said = other.log()[mark:]
            if process.returncode != 0 or f"\nstopped: {0 if ends else 1} login" not in said:
                raise Failure(f"{trap}: status {process.returncode}\n{said}")
    finally:
        other.remove()


def serves_on_when_its_output_is_lost(server: Server) -> None:
    """Who read it has gone, its disk is full, it was closed from the start: sessions know nothing of it."""
    if not isinstance(server, Simsan):
        raise Skip("how ours is written")
    other = Simsan(server.program, server.ring)
    try:
        for redirection in ("", "> /dev/full", ">&-"):
            other.process = start_in_background("sh", "-c", f'exec "$@" {redirection}', "sh", *other.argv())
            other.wait_until_listening()
            other.process.stdout.close()
            with Connection(other).login() as connection:
                # The first command is told of a unit attention.
                connection.test_unit_ready(other.lun("memory"))
                for _ in range(2):
                    os.kill(other.running().pid, signal.SIGUSR1)
                    time.sleep(0.05)
                    if connection.test_unit_ready(other.lun("memory")) != 0:
                        raise Failure(f"{redirection!r}: the unit is not ready")
            status = other.stop()
            if status != 0:
                raise Failure(f"{redirection!r}: it ended with status {status}")
    finally:
        other.remove()


def goes_wrong_as_it_is_told(server: Server) -> None:
    """A fault strikes the operations that its rule names, is counted, and does not keep the server from ending."""
    if not isinstance(server, Simsan):
        raise Skip("only ours misbehaves when it is asked to")
    other = Simsan(server.program, server.ring)
    rules = ("read:error,after=1,times=2", "send:cut,chance=1/2")
    scenario = other.folder / "faults.lua"
    scenario.write_text(
        'scenario { title = "reads", play = function(t)\n  local s = t:login {}\n  expect(s:read { lba = 0 }):good()\n'
        '  for _ = 1, 2 do expect(s:read { lba = 0 }):check_condition("MEDIUM ERROR") end\n'
        "  for _ = 1, 50 do expect(s:read { lba = 0, blocks = 16 }):good() end\nend }\n")
    try:
        faults = [word for rule in rules for word in ("--fault", rule)]
        other.process = start_in_background(*other.argv(), *faults)
        other.wait_until_listening()
        run(str(server.program), "run", "--against", other.url("file"), str(scenario)).ok()
        other.process.terminate()
        output, _ = other.process.communicate(timeout=10)
        said = output.decode("utf-8", "replace")
        struck = dict(re.findall(r"^fault (\S+): struck (\d+) times$", said, re.MULTILINE))
        if other.process.returncode != 0 or struck.get(rules[0]) != "2" or int(struck.get(rules[1], 0)) < 10:
            raise Failure(f"status {other.process.returncode}, struck {struck}\n{said}")
    finally:
        other.remove()


def other_commands_end_when_their_output_is_lost(server: Server) -> None:
    """With status 2: they say that a disk is full, and nothing to somebody who has stopped reading."""
    if not isinstance(server, Simsan):
        raise Skip("how ours is written")
    program = str(server.program)
    for command in (
        (program, "bench", "--ring", server.ring, "--time", "300ms", "--warm-up", "50ms", server.url("memory")),
        (program, "run", "--jobs", "1", str(SCENARIOS / "iscsi" / "login")),
        (program, "run", "--jobs", "2", str(SCENARIOS / "iscsi" / "login")),
        (program, "help"),
    ):
        full = run("sh", "-c", 'exec "$@" > /dev/full', "sh", *command)
        if full.status != 2:
            raise Failure(f"expected status 2\n{full}")
        full.says("cannot write to standard output: No space left on device")
        left = run("sh", "-c", '{ sleep 0.1; "$@"; echo status $? >&2; } | true', "sh", *command)
        if left.output != "status 2\n":
            raise Failure(f"expected status 2, and no more\n{left}")


def a_report_that_cannot_be_written_takes_nothing_with_it(server: Server) -> None:
    """What the run has found is said and in the other reports; the status is 2."""
    if not isinstance(server, Simsan):
        raise Skip("how ours is written")
    junit = server.folder / "run.xml"
    reports = ("--json", "/dev/null/run.json", "--junit", str(junit))
    result = run(str(server.program), "run", "--jobs", "1", *reports, str(SCENARIOS / "sbc" / "read-beyond-end.lua"))
    if result.status != 2:
        raise Failure(f"expected status 2\n{result}")
    result.says("/dev/null/run.json: cannot be written")
    result.says("9 passed, 0 failed, 0 skipped")
    if len(xml.etree.ElementTree.parse(junit).findall(".//testcase")) != 9:
        raise Failure(f"expected nine cases in\n{junit.read_text()}")
    junit.unlink()


def a_run_that_is_ended_leaves_no_process_behind(server: Server) -> None:
    """Ctrl-C reaches the run alone, SIGTERM too; those that play for it are in the middle of something long."""
    if not isinstance(server, Simsan):
        raise Skip("how ours is written")
    scenario = server.folder / "long.lua"
    scenario.write_text(
        'scenario { title = "long", matrix = { number = { 1, 2 } }, within = "1000h", play = function(t)\n'
        "  local s = t:login {}\n  for _ = 1, 10000000 do s:test_unit_ready {} end\nend }\n")
    numbers = [signal.SIGINT, signal.SIGTERM]
    # Who runs the cases under nohup has the signal ignored here, and in what is started.
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    for number in numbers:
        played = start_in_background(str(server.program), "run", "--jobs", "2", str(scenario))
        children = pathlib.Path(f"/proc/{played.pid}/task/{played.pid}/children")
        limit = time.monotonic() + 10
        while len(children.read_text().split()) < 2 and time.monotonic() < limit:
            time.sleep(0.02)
        workers = children.read_text().split()
        time.sleep(0.3)
        os.kill(played.pid, number)
        played.wait(timeout=10)
        left = [worker for worker in workers if pathlib.Path(f"/proc/{worker}").exists()]
        for worker in left:
            os.kill(int(worker), signal.SIGKILL)
        if len(workers) != 2 or left or played.returncode != -number:
            raise Failure(f"{number!r} ended it with {played.returncode}; of its processes {workers} these are left: {left}")
    scenario.unlink()


def a_run_that_is_ended_tells_what_it_has_found(server: Server) -> None:
    """In the simulation and on a real target: the cases before that which it was ended in, in all reports."""
    if not isinstance(server, Simsan):
        raise Skip("how ours is written")
    scenario, report = server.folder / "slow.lua", server.folder / "slow.json"
    scenario.write_text(
        'scenario { title = "short", play = function(t) expect(1):equals(2) end }\n'
        'scenario { title = "long", within = "1000h", play = function(t)\n'
        '  local s = t:login {}\n  repeat expect(s:test_unit_ready()):good() until false\nend }\n'
        'scenario { title = "never", play = function(t) end }\n')
    for place in (("--jobs", "1"), ("--against", server.url("memory"))):
        reports = ("--json", str(report), "--reports", str(server.folder / "reports"))
        played = start_in_background(str(server.program), "run", *place, *reports, str(scenario))
        time.sleep(1.5)
        os.kill(played.pid, signal.SIGINT)
        output, _ = played.communicate(timeout=10)
        said = output.decode("utf-8", "replace")
        if played.returncode != -signal.SIGINT or "0 passed, 1 failed, 2 skipped" not in said:
            raise Failure(f"{place}: status {played.returncode}\n{said}")
        reasons = [case.get("reason") for case in json.loads(report.read_text())["cases"]]
        if reasons != [None, "the run was ended before", "the run was ended before"]:
            raise Failure(f"{place}: {reasons}")
        report.unlink()
    scenario.unlink()


def a_run_has_the_descriptors_for_its_processes(server: Server) -> None:
    """As many as it may have, and not as many as it was given: usually 1024, and each process takes some."""
    if not isinstance(server, Simsan):
        raise Skip("how ours is written")
    played = (str(server.program), "run", "--jobs", "9", str(SCENARIOS / "sbc" / "read-beyond-end.lua"))
    run("sh", "-c", 'ulimit -Sn 24; exec "$@"', "sh", *played).ok().says("9 passed, 0 failed, 0 skipped")


def a_service_manager_is_told_when_it_is_ready(server: Server) -> None:
    """As systemd wants it of a unit of Type=notify."""
    if not isinstance(server, Simsan):
        raise Skip("how ours starts")
    other = Simsan(server.program, server.ring)
    path = other.folder / "notify"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(str(path))
            manager.settimeout(10)
            path.chmod(0o666)
            other.process = start_in_background(*other.argv(), environment={"NOTIFY_SOCKET": str(path)})
            if (said := manager.recv(100)) != b"READY=1" or not other.is_listening():
                raise Failure(f"expected READY=1 of a server that listens, found {said!r}")
            status = other.stop()
            if status != 0 or (said := manager.recv(100)) != b"STOPPING=1":
                raise Failure(f"expected STOPPING=1 and status 0, found {said!r} and {status}")
    finally:
        other.remove()


def a_file_that_is_served_is_nobody_elses(server: Server) -> None:
    """Two servers of one image would each know nothing of what the other writes, reserves and caches."""
    if not isinstance(server, Simsan):
        raise Skip("how ours opens files")
    program, portal = str(server.program), f"127.0.0.1:{free_port()}"
    second = run(program, "serve", "--portal", portal, str(server.world), seconds=20)
    if second.status != 2:
        raise Failure(f"expected status 2\n{second}")
    second.says(f"{server.image}: is in use")
    run(program, "serve", "--check", str(server.world)).ok()
    run("qemu-io", "-r", "-f", "raw", "-c", "read 0 512", str(server.image)).says("Failed to lock")


def a_mistake_is_told_at_start(server: Server) -> None:
    """Which file, which line, what was found and what was expected; status 2; nothing is served."""
    if not isinstance(server, Simsan):
        raise Skip("tgt has no world file")
    (server.folder / "empty.img").write_bytes(b"")
    (server.folder / "short.img").write_bytes(bytes(1000))
    mistakes = (
        ('target { luns = { { file = "nowhere.img" } } }', "nowhere.img"),
        ('target { luns = { { file = "empty.img" } } }', "empty.img"),
        ('target { luns = { { file = "short.img", size = "1MiB" } } }', "short.img"),
        ('target {\n  lunes = {},\n}', "mistaken.lua:2"),
        ('target {\n  luns = { { memory = true, size = "64 MiX" } },\n}', "mistaken.lua:2"),
        ("target {", "mistaken.lua:1"),
        ('target { iqn = "nonsense", luns = { { memory = true } } }', "nonsense"),
        ('target { luns = { { memory = true }, { lun = 0, null = true } } }', "0"),
        ("", "target"),
    )
    for text, told in mistakes:
        world = server.folder / "mistaken.lua"
        world.write_text(text)
        result = run(str(server.program), "serve", "--check", str(world), seconds=10)
        if result.status != 2:
            raise Failure(f"expected status 2 for {text!r}\n{result}")
        result.says(told)
    missing = run(str(server.program), "serve", str(server.folder / "no-world.lua"), seconds=10)
    if missing.status != 2:
        raise Failure(f"expected status 2\n{missing}")
    missing.says("no-world.lua")


def cases() -> list[Case]:
    return [
        Case(f"life/{play.__name__.replace('_', '-')}", play)
        for play in (
            says_which_ring_it_uses,
            runs_as_an_ordinary_user,
            serves_on_when_its_output_is_lost,
            other_commands_end_when_their_output_is_lost,
            a_report_that_cannot_be_written_takes_nothing_with_it,
            a_run_that_is_ended_leaves_no_process_behind,
            a_run_that_is_ended_tells_what_it_has_found,
            a_run_has_the_descriptors_for_its_processes,
            a_mistake_is_told_at_start,
            a_service_manager_is_told_when_it_is_ready,
            a_file_that_is_served_is_nobody_elses,
            a_load_is_measured,
            a_load_that_is_told_twice_ends_at_once,
            goes_wrong_as_it_is_told,
            every_target_is_served_by_its_own_thread,
            a_steady_load_allocates_nothing,
            says_who_comes_and_goes,
            a_file_system_that_hangs_holds_up_its_own_target_only,
            tells_its_counters_when_asked,
            holds_no_more_files_after_connections_end,
            says_what_it_has_done_when_told_to_end_twice,
            ends_with_its_terminal_unless_it_is_told_not_to,
            ends_when_asked,
        )
    ]
