"""Plays cases one after the other and tells what came of them."""

import dataclasses
import fnmatch
import time
import traceback
from collections.abc import Callable, Iterable

from .command import Failure, Skip, tail
from .server import Server


@dataclasses.dataclass
class Case:
    name: str
    """`file/behaviour`."""
    play: Callable[[Server], None]


class Tally:
    def __init__(self) -> None:
        self.passed = 0
        self.failed: list[str] = []
        self.skipped = 0

    def play(self, server: Server, cases: Iterable[Case], only: str) -> None:
        """Plays the cases whose names match `only` on a server that is running before each of them."""
        for case in cases:
            if not fnmatch.fnmatch(case.name, only):
                continue
            name = f"{server.name}: {case.name}"
            start = time.monotonic()
            mark = len(server.log())
            try:
                if server.process is None or server.process.poll() is not None:
                    server.restart()
                case.play(server)
                server.running()
            except Skip as reason:
                self.skipped += 1
                print(f"skip {name}: {reason}", flush=True)
            except Exception as error:  # whatever it is, it belongs to this case
                self.failed.append(name)
                print(f"FAIL {name}", flush=True)
                said = str(error) if isinstance(error, Failure) else traceback.format_exc()
                log = tail(server.log()[mark:], 40) or "(nothing)"
                for line in (said + "\n--- the server said:\n" + log).splitlines():
                    print("  | " + line, flush=True)
                if not self.restart(server):
                    return
            else:
                self.passed += 1
                print(f"ok   {name} ({time.monotonic() - start:.1f} s)", flush=True)

    def restart(self, server: Server) -> bool:
        """A fresh server for the next case. False, and all is over for it, when it does not start."""
        try:
            server.restart()
            return True
        except Failure as error:
            self.failed.append(f"{server.name}: it does not start")
            print(f"FAIL {server.name} does not start, the other cases are not played:\n{error}", flush=True)
            return False

    def close(self) -> int:
        """Prints the totals. The status to exit with."""
        for name in self.failed:
            print(f"failed: {name}")
        print(f"{self.passed} passed, {len(self.failed)} failed, {self.skipped} skipped", flush=True)
        return 1 if self.failed or self.passed == 0 else 0
