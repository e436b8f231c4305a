"""The servers that are compared: started on loopback, pinned to a core, stopped again."""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass

SIZE_MIB = 256
TGT_CONTROL_PORT = 9
TGT_THREADS = 16
BUSY_POLL = "50us"


class ServerError(Exception):
    """A server did not start; the text says what it wrote."""


def end_when_told():
    """Has SIGTERM end this program like an exception, so that its servers are stopped, and what it has changed is put back."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def pinned(core, realtime):
    """What stands before a command so that it runs on `core`, and with `realtime` before everything else there."""
    return (["chrt", "--fifo", "5"] if realtime else []) + ["taskset", "-c", str(core)]


@dataclass(frozen=True)
class Place:
    """Where a server runs."""

    port: int
    core: int | str  # or several, with commas between them
    realtime: bool
    folder: pathlib.Path  # of its log and its configuration

    @property
    def prefix(self):
        return pinned(self.core, self.realtime)


class Server:
    """A running server. `luns` are the numbers of its logical units, by backing."""

    def __init__(self, name, command, place, iqn, luns):
        self.name, self.port, self.iqn, self.luns = name, place.port, iqn, luns
        self.log = place.folder / f"{name}.log"
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen(
                [*place.prefix, *command], stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    @property
    def pid(self):
        return self.process.pid

    def url(self, backing):
        return f"iscsi://127.0.0.1:{self.port}/{self.iqn}/{self.luns[backing]}"

    def _wait(self, seconds=10):
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        text = pathlib.Path(self.log).read_text(errors="replace").strip()
        raise ServerError(f"{self.name} does not listen on port {self.port}: {text or 'it wrote nothing'}")

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Tgt(Server):
    """tgt (package tgt), with I/O threads as it is usually run; all of them on the one core."""

    def __init__(self, files, place):
        command = ["tgtd", "-f", "-C", str(TGT_CONTROL_PORT), "-t", str(TGT_THREADS),
                   "--iscsi", f"portal=127.0.0.1:{place.port}"]
        super().__init__("tgt", command, place, "iqn.2026-11.example:tgt", {})
        # The null device has no data, but it takes its size from a file.
        size = place.folder / "tgt-null.img"
        with open(size, "wb") as out:
            out.truncate(SIZE_MIB << 20)
        try:
            self._admin("--op", "new", "--mode", "target", "--tid", "1", "-T", self.iqn)
            for lun, (backing, path) in enumerate({"null": size, **files}.items(), start=1):
                kind = ["--bstype", "null" if backing == "null" else "rdwr", "-b", str(path)]
                if backing == "direct":
                    kind += ["--bsoflags", "direct"]
                self._admin("--op", "new", "--mode", "logicalunit", "--tid", "1", "--lun", str(lun), *kind)
                self.luns[backing] = lun
            self._admin("--op", "bind", "--mode", "target", "--tid", "1", "-I", "ALL")
        except BaseException:
            self.stop()
            raise

    def _admin(self, *words):
        command = ["tgtadm", "-C", str(TGT_CONTROL_PORT), "--lld", "iscsi", *words]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise ServerError(f"{' '.join(command)}: {done.stderr.strip()}")

    def stop(self):
        # It does not end at SIGTERM while it has a target.
        control = ["tgtadm", "-C", str(TGT_CONTROL_PORT), "--lld", "iscsi", "--op", "delete", "--mode"]
        subprocess.run([*control, "target", "--tid", "1", "--force"], capture_output=True)
        subprocess.run([*control, "system"], capture_output=True)
        super().stop()


def floor(program, ring, files, place):
    """The floor program (Benchmarks/floor); with io_uring it has a disk too."""
    command, luns = [str(program), "--ring", ring, "--port", str(place.port)], {"null": 0}
    if ring == "io_uring" and "direct" in files:
        command += ["--file", str(files["direct"])]
        luns["direct"] = 1
    return Server(f"floor-{ring}", command, place, "iqn.2026-11.example:floor", luns)


def simsan(program, ring, files, place, busy=False):
    """simsan serve, with a logical unit of each backing; `busy`: looks for work for a while before it sleeps."""
    name = f"simsan-{ring}" + ("-busy" if busy else "")
    units = {"null": "null = true", "memory": "memory = true"}
    for backing, path in files.items():
        units[backing] = f'file = "{path}"' + (", direct = true" if backing == "direct" else "")
    iqn = f"iqn.2026-11.example:{ring.replace('_', '-')}"
    lines = [f"    {{ {unit}, size = \"{SIZE_MIB}MiB\" }}," for unit in units.values()]
    world = place.folder / f"{name}.lua"
    world.write_text(
        "target {\n" f'  iqn = "{iqn}",\n' f'  portals = {{ "127.0.0.1:{place.port}" }},\n' "  luns = {\n"
        + "\n".join(lines) + "\n  },\n}\n")
    luns = {backing: lun for lun, backing in enumerate(units)}
    polling = ["--busy-poll", BUSY_POLL] if busy else []
    command = [str(program), "serve", "--ring", ring, *polling, str(world)]
    return Server(name, command, place, iqn, luns)


class Many(Server):
    """simsan serve with many targets of one null device each, behind one portal."""

    def __init__(self, program, ring, targets, place, shards=1, busy_poll=None):
        name = f"simsan-{ring}" + (", sleeping at once" if busy_poll == "0us" else "")
        prefix = f"iqn.2026-11.example:{ring.replace('_', '-')}"
        world = place.folder / f"{ring}-{place.port}.lua"
        world.write_text("".join(
            f'target {{ iqn = "{prefix}.{index}", portals = {{ "127.0.0.1:{place.port}" }},'
            f' luns = {{ {{ null = true, size = "{SIZE_MIB}MiB" }} }} }}\n' for index in range(targets)))
        polling = ["--busy-poll", busy_poll] if busy_poll else []
        command = [str(program), "serve", "--ring", ring, "--shards", str(shards), *polling, str(world)]
        super().__init__(name, command, place, prefix, {"null": 0})

    def target_url(self, index):
        return f"iscsi://127.0.0.1:{self.port}/{self.iqn}.{index}/0"


def backing_files(wanted, disk_folder, tag, files):
    """Makes the files of the wanted backings, written through, so that no block is a hole. Adds their paths to `files`.

    Of all servers that have the same files, one may be simsan: it has locked them.
    """
    places = {
        "shm": pathlib.Path("/dev/shm") / f"{tag}.img",
        "disk": disk_folder / f"{tag}-disk.img",
        "direct": disk_folder / f"{tag}-direct.img",
    }
    for backing in ("shm", "disk", "direct"):
        if backing in wanted:
            path = files[backing] = places[backing]
            with open(path, "wb") as out:
                for _ in range(SIZE_MIB):
                    out.write(os.urandom(4096) * 256)
                out.flush()
                os.fsync(out.fileno())


def has_tgt():
    """Why tgt cannot be measured; None when it can."""
    if not shutil.which("tgtd") or not shutil.which("tgtadm"):
        return "tgt is not installed (scripts/install bench)"
    if os.geteuid() != 0:
        return "tgt must be run as root"
    return None


def tgt_version():
    done = subprocess.run(["tgtd", "--version"], capture_output=True, text=True)
    found = re.search(r"[0-9]+(\.[0-9]+)+", done.stdout + done.stderr)
    return found.group(0) if found else "unknown"
