"""What the figures were taken on, in words that name no machine."""

import datetime
import os
import pathlib
import platform
import re
import subprocess


def _output(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()
    except OSError:
        return ""


def _distribution():
    for line in pathlib.Path("/etc/os-release").read_text().splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.split("=", 1)[1].strip('"')
    return "unknown"


def _file_system(folder):
    return _output("stat", "--file-system", "--format", "%T", str(folder)) or "unknown"


def describe(disk_folder, versions):
    """Pairs of a name and a text. `versions` adds those of the programs that were measured."""
    cpu = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / (1 << 30)
    hypervisor = _output("systemd-detect-virt", "--vm")
    processor = f"{os.cpu_count()} x {cpu.group(1).strip() if cpu else platform.machine()}"
    if hypervisor not in ("", "none"):
        processor += f" (virtual, {hypervisor})"
    dirty = "" if not _output("git", "status", "--porcelain", "--", "Sources", "Package.swift") else ", changed"
    return [
        ("date", datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")),
        ("processor", processor),
        ("memory", f"{memory:.0f} GiB"),
        ("system", f"{_distribution()}, Linux {platform.release().split('-')[0]}"),
        ("file system", _file_system(disk_folder)),
        ("simsan", _output("git", "rev-parse", "--short", "HEAD") + dirty),
        *versions,
    ]


def load():
    """The load average of the last minute."""
    return os.getloadavg()[0]
