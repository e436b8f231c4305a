"""What is measured: the cells, and the series of servers that each cell compares."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """One load: an operation, its length in bytes, and how many of them are outstanding."""

    operation: str  # randread, randwrite, seqread, seqwrite
    length: int
    depth: int
    # Multiples of tgt's null device that simsan's null device has to reach (issue 3); None where none is set.
    goal: float | None = None
    # The same with busy polling.
    busy_goal: float | None = None

    @property
    def name(self):
        size = f"{self.length // 1024} KiB" if self.length >= 1024 else f"{self.length} B"
        word = {"rand": "random", "seq": "sequential"}[self.operation.removesuffix("read").removesuffix("write")]
        verb = "write" if self.operation.endswith("write") else "read"
        return f"{size} {word} {verb}, depth {self.depth}"


@dataclass(frozen=True)
class Series:
    """One logical unit of one server."""

    server: str  # tgt, fio, floor-epoll, floor-io_uring, simsan-epoll, simsan-io_uring, simsan-epoll-busy, simsan-io_uring-busy
    backing: str  # null, memory, shm, disk, direct

    @property
    def name(self):
        server, _, ring = self.server.partition("-")
        ring = ring.replace("-busy", ", busy polling")
        backing = {
            "null": "null", "memory": "memory", "shm": "file in shm", "disk": "file", "direct": "file, O_DIRECT",
        }[self.backing]
        if server == "floor" and self.backing == "null":
            return f"floor, {ring}"
        return f"{server} {backing}" + (f", {ring}" if ring else "")


RINGS = ("io_uring", "epoll")

# The null device of tgt is what every cell is compared to.
REFERENCE = Series("tgt", "null")

LOADS = (
    Cell("randread", 512, 32, goal=11),
    Cell("randread", 4096, 1, goal=1, busy_goal=3),
    Cell("randread", 4096, 32, goal=8),
    Cell("randread", 4096, 128, goal=8),
    Cell("randwrite", 4096, 32, goal=9),
    Cell("seqread", 65536, 8, goal=3.3),
    Cell("seqread", 262144, 8, goal=3.5),
    Cell("seqwrite", 262144, 8, goal=7),
)
# The part of the goal that the memory device has to reach.
MEMORY_PART = 0.85
# The part of the floor's commands a second that simsan has to reach.
FLOOR_PART = 0.85

LOAD_SERIES = (
    REFERENCE,
    *(Series(f"floor-{ring}", "null") for ring in RINGS),
    *(Series(f"simsan-{ring}", backing) for backing in ("null", "memory") for ring in RINGS),
    *(Series(f"simsan-{ring}-busy", "null") for ring in RINGS),
)


def _series(cell):
    """Busy polling is for little outstanding: elsewhere the rings look on by themselves."""
    return tuple(one for one in LOAD_SERIES if cell.depth == 1 or not one.server.endswith("-busy"))

# Files: each backing of simsan is compared to the same backing of tgt.
FILES = (Cell("randread", 4096, 32, goal=4), Cell("randwrite", 4096, 32, goal=4))
FILE_BACKINGS = ("shm", "disk", "direct")
# What the disk allows, with no server in front of it; and a server that makes the same system calls, without a target in it.
DISK = Series("fio", "direct")
FLOOR_DISK = Series("floor-io_uring", "direct")
FILE_SERIES = (
    *(Series(server, backing) for backing in FILE_BACKINGS for server in ("tgt", *(f"simsan-{ring}" for ring in RINGS))),
    FLOOR_DISK,
    DISK,
)

QUICK_LOADS = tuple(LOADS[index] for index in (0, 1, 2, 4, 6, 7))


def plan(quick, wanted):
    """The pairs of a cell and its series, in the order in which they are measured.

    `wanted` is a function of the text "cell / series" that says whether it is to be measured.
    """
    pairs = [(cell, _series(cell)) for cell in (QUICK_LOADS if quick else LOADS)]
    if not quick:
        pairs += [(cell, FILE_SERIES) for cell in FILES]
    result = []
    for cell, series in pairs:
        chosen = tuple(one for one in series if wanted(f"{cell.name} / {one.name}"))
        if chosen:
            result.append((cell, chosen))
    return result
