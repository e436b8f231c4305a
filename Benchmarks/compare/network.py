"""The network that figures are taken on.

TCP is congestion-controlled by Reno, which every kernel has and every network namespace may choose. Where a machine's default
is BBR, that paces what an initiator writes by timers: on a virtual machine they cost it more than anything else it does, and
what is measured is then the load generator's kernel.
"""

import ctypes
import os
import pathlib
import subprocess

CONGESTION_CONTROL = "reno"
CLONE_NEWNET = 0x40000000  # unshare(2)
SETTING = pathlib.Path("/proc/sys/net/ipv4/tcp_congestion_control")


def move_into_own():
    """Moves this process, and those it starts from now on, into a network namespace of its own. Without the right to, it stays
    where it is. Returns what the network is, for the page."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        why = os.strerror(ctypes.get_errno())
        return f"the machine's own, TCP {SETTING.read_text().strip()} (a namespace of its own: {why})"
    usual = SETTING.read_text().strip()
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    SETTING.write_text(CONGESTION_CONTROL)
    return f"loopback in a namespace of its own, TCP {CONGESTION_CONTROL} (the machine's default: {usual})"
