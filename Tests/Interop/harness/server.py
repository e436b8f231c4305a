"""Servers under test: simsan with either ring, and tgt to see that the cases ask nothing peculiar of ours."""

import dataclasses
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable

from .command import Failure, run, tail

TARGET = "iqn.2026-11.example:interop"
MIB = 1 << 20

NOBODY = 65534


@dataclasses.dataclass(frozen=True)
class Unit:
    """A logical unit of the served target."""

    lun: int
    size: int
    """In bytes."""
    kind: str
    """`memory`, `file` or `null`."""
    read_only: bool = False


UNITS = {
    "memory": Unit(0, 64 * MIB, "memory"),
    "file": Unit(1, 32 * MIB, "file"),
    "null": Unit(2, 256 * MIB, "null"),
    "read-only": Unit(3, 16 * MIB, "memory", read_only=True),
    "removable": Unit(4, 16 * MIB, "memory"),
    "small-blocks": Unit(5, 16 * MIB, "memory"),
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A target in a process of its own, on loopback, with the units of `UNITS`."""

    name: str

    ready_line = ""
    """What it says when it can be used; nothing, when it does not say."""

    def __init__(self) -> None:
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="simsan-interop-"))
        self.folder.chmod(0o755)
        self.port = free_port()
        self.process: subprocess.Popen | None = None
        self.log_path = self.folder / "log"
        self.image = self.folder / "file.img"
        with open(self.image, "wb") as image:
            image.truncate(UNITS["file"].size)
        if os.geteuid() == 0:
            os.chown(self.folder, NOBODY, NOBODY)
            os.chown(self.image, NOBODY, NOBODY)

    # What a case asks for.

    def url(self, unit: str = "memory", host: str = "127.0.0.1") -> str:
        return f"iscsi://{host}:{self.port}/{TARGET}/{self.lun(unit)}"

    def portal_url(self, host: str = "127.0.0.1") -> str:
        return f"iscsi://{host}:{self.port}"

    def lun(self, unit: str) -> int:
        return UNITS[unit].lun

    def log(self) -> str:
        return self.log_path.read_text("utf-8", "replace") if self.log_path.exists() else ""

    def resident_bytes(self) -> int:
        """The memory that the server's process holds now."""
        for line in pathlib.Path(f"/proc/{self.running().pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise Failure("the server's memory cannot be read")

    def is_listening(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        except OSError:
            return False

    def running(self) -> subprocess.Popen:
        if self.process is None or self.process.poll() is not None:
            status = self.process.returncode if self.process else "never started"
            raise Failure(f"the server is not running ({status})\n{tail(self.log(), 40)}")
        return self.process

    # Its life.

    def start(self) -> None:
        argv = self.argv()
        mark = len(self.log())
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=self.folder
            )
        # A killed server's listener may take connections for a moment more, so that alone is no proof.
        self.wait_until_listening(lambda: self.ready_line in self.log()[mark:])
        self.started()

    def wait_until_listening(self, is_ready: Callable[[], bool] = lambda: True) -> None:
        """Until it takes connections, and `is_ready` says so, too."""
        limit = time.monotonic() + 10
        while time.monotonic() < limit:
            self.running()
            if is_ready() and self.is_listening():
                return
            time.sleep(0.02)
        raise Failure(f"nothing listens on port {self.port}\n{tail(self.log(), 40)}")

    def started(self) -> None:
        """What is left to do once it listens."""

    def argv(self) -> list[str]:
        raise NotImplementedError

    def kill(self) -> None:
        """Ends it as a crash would: it has no time to do anything."""
        process = self.running()
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self.process = None

    def restart(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()
        self.start()

    def stop(self) -> int | None:
        """Asks it to end. Its status; None when it had to be killed."""
        if self.process is None:
            return None
        status = None
        if self.process.poll() is None:
            self.process.terminate()
            try:
                status = self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.kill()
        self.process = None
        return status

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Simsan(Server):
    """Ours, as an ordinary user: when the caller is root, as `nobody`."""

    ready_line = "ready\n"

    def __init__(self, program: pathlib.Path, ring: str) -> None:
        super().__init__()
        self.name = f"simsan {ring}"
        self.ring = ring
        # A copy, because the checkout may stand where `nobody` may not look.
        self.program = self.folder / "simsan"
        shutil.copy(program, self.program)
        self.program.chmod(0o755)
        self.world = self.folder / "world.lua"
        template = pathlib.Path(__file__).parent.parent / "world.lua"
        text = template.read_text()
        for key, value in {"PORT": str(self.port), "IMAGE": str(self.image), "TARGET": TARGET}.items():
            text = text.replace(f"${key}", value)
        self.world.write_text(text)
        self.world.chmod(0o644)

    def argv(self) -> list[str]:
        serve = [str(self.program), "serve", "--ring", self.ring, str(self.world)]
        if os.geteuid() != 0:
            return serve
        return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--", *serve]


class Tgt(Server):
    """The target of Debian's package tgt. It wants to be root, and keeps LUN 0 for itself."""

    name = "tgt"

    @property
    def control(self) -> str:
        """The number of its control socket, which has to be below 32768."""
        return str(self.port % 32767)

    def argv(self) -> list[str]:
        return ["tgtd", "-f", "-C", self.control, "--iscsi", f"portal=127.0.0.1:{self.port}"]

    def lun(self, unit: str) -> int:
        return UNITS[unit].lun + 1

    def administer(self, *words: str) -> None:
        run("tgtadm", "-C", self.control, "--lld", "iscsi", *words).ok()

    def started(self) -> None:
        self.administer("--op", "new", "--mode", "target", "--tid", "1", "-T", TARGET)
        for name, unit in UNITS.items():
            backing = self.image if unit.kind == "file" else self.folder / f"{name}.img"
            with open(backing, "ab") as image:
                image.truncate(unit.size)
            kind = "null" if unit.kind == "null" else "rdwr"
            lun = ["--mode", "logicalunit", "--tid", "1", "--lun", str(self.lun(name))]
            self.administer("--op", "new", *lun, "--bstype", kind, "-b", str(backing))
            if unit.kind == "memory":
                self.administer("--op", "update", *lun, "--params", "thin_provisioning=1")
            if name == "removable":
                self.administer("--op", "update", *lun, "--params", "removable=1")
            if unit.read_only:
                self.administer("--op", "update", *lun, "--params", "readonly=1")
        self.administer("--op", "bind", "--mode", "target", "--tid", "1", "-I", "ALL")

    def stop(self) -> int | None:
        if self.process is not None and self.process.poll() is None:
            self.kill()
        return None
