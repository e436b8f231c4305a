#!/usr/bin/env python3
"""Initiators that nobody here wrote, against `simsan serve` on loopback.

    python3 Tests/Interop/run.py --program .build/release/simsan [--ring io_uring] [--ring epoll] [--only 'qemu/*']
    python3 Tests/Interop/run.py --peer tgt        the same cases on tgt, to see that they ask nothing peculiar

Every case stands by itself: it prints `ok`, or `FAIL` with the command, its output and what the server said.
"""

import argparse
import functools
import pathlib
import sys

from cases import bad_input, conformance_program, libiscsi_tools, life, qemu, scenarios
from harness.runner import Tally
from harness.server import Server, Simsan, Tgt


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=pathlib.Path, default=pathlib.Path(".build/release/simsan"))
    parser.add_argument("--ring", action="append", help="io_uring or epoll; may be given twice; default: both")
    parser.add_argument("--peer", choices=["tgt"], help="play them on somebody else's target instead")
    parser.add_argument("--only", default="*", help="a pattern of case names")
    options = parser.parse_args()
    if not options.peer and not options.program.is_file():
        parser.error(f"{options.program} does not exist: build it, or name another with --program")

    tally = Tally()
    rings = options.ring or ["io_uring", "epoll"]
    makers = [Tgt] if options.peer else [functools.partial(Simsan, options.program, ring) for ring in rings]
    for make in makers:
        server: Server = make()
        try:
            for module in (life, libiscsi_tools, qemu, bad_input, conformance_program):
                tally.play(server, module.cases(), options.only)
            tally.play(server, scenarios.cases(options.program), options.only)
        finally:
            server.remove()
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
