"""What a disk allows with no server in front of it."""

import json
import shutil
import statistics
import subprocess

from compare.servers import SIZE_MIB, pinned


def limit(path, operation, core, rounds):
    """Commands a second of the disk itself under a file, by fio on the server's core, with O_DIRECT: 4 KiB,
    32 at a time. None without fio."""
    if not shutil.which("fio"):
        return None
    rates = []
    for _ in range(rounds):
        done = subprocess.run(
            [*pinned(core, False), "fio", "--name=disk", f"--filename={path}", "--direct=1", "--ioengine=libaio",
             "--iodepth=32", "--bs=4k", f"--rw={operation}", f"--size={SIZE_MIB}m", "--time_based",
             "--runtime=1", "--output-format=json"],
            capture_output=True, text=True, timeout=60)
        if done.returncode == 0:
            job = json.loads(done.stdout)["jobs"][0]
            rates.append(job["read"]["iops"] + job["write"]["iops"])
    return statistics.median(rates) if rates else None
