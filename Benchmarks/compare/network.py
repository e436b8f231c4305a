"""The network that figures are taken on: the loopback device of a network namespace, where nobody else's traffic is."""

import ctypes
import os
import pathlib
import subprocess

CLONE_NEWNET = 0x40000000  # unshare(2)
CONGESTION_CONTROL = pathlib.Path("/proc/sys/net/ipv4/tcp_congestion_control")


def move_into_own(control=None):
    """Moves this process, and those it starts from now on, into a network namespace of its own, where TCP is
    congestion-controlled as the machine's usual way is, or by `control`. Without the right to, it stays where it is, and a
    `control` that the machine does not use ends it. Returns what the network is, for the page.

    What the usual way is matters: BBR paces by timers what tgt and the load generator send.
    """
    usual = CONGESTION_CONTROL.read_text().strip()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        why = f"a namespace of its own: {os.strerror(ctypes.get_errno())}"
        if control not in (None, usual):
            raise SystemExit(f"Benchmarks/run: --congestion-control {control}: {why}")
        return f"the machine's own, TCP {usual} ({why})"
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    if control is not None:
        try:
            CONGESTION_CONTROL.write_text(control)
        except OSError as error:
            allowed = CONGESTION_CONTROL.with_name("tcp_allowed_congestion_control").read_text().split()
            choice = f"a network namespace may choose {' or '.join(allowed)}"
            raise SystemExit(f"Benchmarks/run: --congestion-control {control}: {error.strerror}; {choice}") from error
    used = CONGESTION_CONTROL.read_text().strip()
    remark = "the machine's usual one" if used == usual else f"the machine's usual one: {usual}"
    return f"loopback in a namespace of its own, TCP {used} ({remark})"
