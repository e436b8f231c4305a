"""What the figures were taken on, in words that name no machine."""

import contextlib
import datetime
import os
import pathlib
import platform
import re
import statistics
import subprocess
import time


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


HALT_POLLING = pathlib.Path("/sys/module/haltpoll/parameters/guest_halt_poll_ns")


def halt_polling_problem():
    """Why the halt polling of this machine cannot be set; None when it can."""
    if not HALT_POLLING.exists():
        return "this kernel has no halt polling of a guest (module haltpoll): it is no virtual machine on KVM"
    return None if os.access(HALT_POLLING, os.W_OK) else f"{HALT_POLLING} may be written by root only"


@contextlib.contextmanager
def halt_polling(nanoseconds):
    """Meanwhile a core that has nothing to do looks for work for up to so long before it gives itself back to the hypervisor,
    so that it can be woken without one. Of the whole machine, for all servers alike. Says what it is, for the page."""
    usual = HALT_POLLING.read_text().strip()
    HALT_POLLING.write_text(str(nanoseconds))
    try:
        yield f"for up to {nanoseconds // 1000} µs (the machine's default: {int(usual) / 1000:g})"
    finally:
        HALT_POLLING.write_text(usual)


def load():
    """The load average of the last minute."""
    return os.getloadavg()[0]


def busy_seconds():
    """The time that all cores have worked since the machine was started, for whomever."""
    with open("/proc/stat") as stat:
        # user, nice, system, idle, iowait, irq, softirq, steal
        times = [int(word) for word in stat.readline().split()[1:9]]
    return (sum(times) - times[3] - times[4]) / os.sysconf("SC_CLK_TCK")


def wake_cost(waker, sleeper, asleep, rounds=300):
    """What it costs to wake a process that has slept for so many microseconds on another core: the microseconds that it takes
    the waker, and those until the sleeper runs; medians. They differ tenfold from one virtual machine to the next, and every
    target and every initiator that sleeps makes the other one pay them."""
    wake, woken = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.sched_setaffinity(0, {sleeper})
            for _ in range(rounds):
                os.read(wake[0], 1)
                os.write(woken[1], time.monotonic_ns().to_bytes(8, "little"))
        finally:
            os._exit(0)
    # What is the child's alone ends with it: nobody waits for one that could not be pinned.
    os.close(wake[0])
    os.close(woken[1])
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {waker})
    taken, until = [], []
    try:
        for _ in range(rounds):
            begin = time.monotonic_ns() + asleep * 1000
            while time.monotonic_ns() < begin:
                pass
            start = time.monotonic_ns()
            os.write(wake[1], b"w")
            taken.append(time.monotonic_ns() - start)
            until.append(int.from_bytes(os.read(woken[0], 8), "little") - start)
    finally:
        os.sched_setaffinity(0, before)
        os.close(wake[1])
        os.close(woken[0])
        os.waitpid(child, 0)
    return statistics.median(taken) / 1000, statistics.median(until) / 1000
