"""What a disk allows with no server in front of it: fio in the place of server and load generator."""

import json
import shutil
import sys
import time

from compare.machine import busy_seconds
from compare.measure import RANGE_BYTES, Run, output
from compare.servers import pinned


class Disk:
    """The disk under a file, as fio reads and writes it on the server's core, with O_DIRECT."""

    name = "fio"
    luns = {"direct"}

    def __init__(self, path, core, realtime, seconds, warm_up):
        self.path, self.seconds, self.warm_up = path, seconds, warm_up
        self.prefix = pinned(core, realtime)

    @staticmethod
    def problem():
        """Why there are no figures of it; None if there are."""
        return None if shutil.which("fio") else "fio is not installed (package fio)"

    def run(self, number, cell, series):
        """One run; None, with a word on standard error, when it failed."""
        command = [
            *self.prefix, "fio", "--name=disk", f"--filename={self.path}", "--direct=1", "--ioengine=libaio",
            f"--iodepth={cell.depth}", f"--bs={cell.length}", f"--rw={cell.operation}", f"--size={RANGE_BYTES}",
            "--time_based", f"--runtime={self.seconds * 1000:.0f}ms", f"--ramp_time={self.warm_up * 1000:.0f}ms",
            "--output-format=json"]
        began, busy = time.monotonic(), busy_seconds()
        said = output(command, series, self.seconds + self.warm_up)
        elapsed = time.monotonic() - began
        if said is None:
            return None
        job = json.loads(said)["jobs"][0]
        side = job["write" if cell.operation.endswith("write") else "read"]
        if side["iops"] <= 0:
            print(f"  {series.name}: nothing was done", file=sys.stderr)
            return None
        cpu = job["usr_cpu"] + job["sys_cpu"]
        latency = side["clat_ns"]["percentile"]
        return Run(
            round=number, cell=cell.name, series=series.name, rate=side["iops"], p50=latency["50.000000"] / 1000,
            p99=latency["99.000000"] / 1000, client_cpu=0.0, server_cpu=cpu, server_us=cpu * 1e4 / side["iops"],
            others_cpu=(busy_seconds() - busy) / elapsed * 100 - cpu)

    def stop(self):
        """Nothing of it runs between the runs."""
