"""QEMU's iSCSI driver: what is written through it reads back, also after the server was killed."""

import random
import time

from harness.command import Failure, run, start_in_background
from harness.initiator import Connection
from harness.runner import Case
from harness.server import MIB, TARGET, UNITS, Server


def make_image(server: Server, unit: str, seed: int) -> str:
    """An image of the unit's size: runs of random bytes, of one byte, and holes."""
    path = server.folder / f"{unit}-{seed}.raw"
    draw = random.Random(seed)
    with open(path, "wb") as image:
        image.truncate(UNITS[unit].size)
        position = 0
        while position < UNITS[unit].size:
            length = min(draw.randrange(1, 300) * 4096, UNITS[unit].size - position)
            kind = draw.randrange(3)
            if kind:
                image.seek(position)
                image.write(draw.randbytes(length) if kind == 1 else bytes([draw.randrange(1, 256)]) * length)
            position += length
    return str(path)


def convert(image: str, url: str) -> None:
    run("qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", image, url, seconds=60).ok()


def compare(image: str, url: str) -> None:
    run("qemu-img", "compare", "-f", "raw", "-F", "raw", image, url, seconds=60).ok().says("identical")


def an_image_reads_back_identical(server: Server) -> None:
    for unit in ("memory", "file"):
        image = make_image(server, unit, seed=1)
        convert(image, server.url(unit))
        compare(image, server.url(unit))


def an_image_is_copied_from_one_unit_to_another(server: Server) -> None:
    image = make_image(server, "file", seed=2)
    convert(image, server.url("file"))
    copy = str(server.folder / "copy.raw")
    run("qemu-img", "convert", "-f", "raw", "-O", "raw", server.url("file"), copy, seconds=60).ok()
    run("cmp", image, copy).ok()
    run("cmp", image, str(server.image)).ok()


def an_image_outlives_a_killed_server(server: Server) -> None:
    image = make_image(server, "file", seed=3)
    convert(image, server.url("file"))
    server.kill()
    server.start()
    compare(image, server.url("file"))


def acknowledged_writes_outlive_a_server_killed_amid_others(server: Server) -> None:
    url = server.url("file")
    run("qemu-io", "-f", "raw", "-c", "write -P 0x11 0 8M", "-c", "write -P 0x44 8M 8M", "-c", "flush", url).ok()
    writes = [word for index in range(2000) for word in ("-c", f"write -P 0x22 {16 * MIB + index % 64 * 65536} 64k")]
    writer = start_in_background("qemu-io", "-f", "raw", *writes, url)
    try:
        time.sleep(0.3)
        server.kill()
    finally:
        writer.kill()
        writer.communicate()
    server.start()
    run("qemu-io", "-f", "raw", "-c", "read -P 0x11 0 8M", "-c", "read -P 0x44 8M 8M", url).ok()


def qemu_io_writes_zeroes_and_discards(server: Server) -> None:
    for unit in ("memory", "file"):
        commands = (
            "write -P 0x5a 1M 256k",  # whole
            "write -z 1088k 64k",  # zeroes within it
            "discard 1216k 64k",
            "write -P 0x77 1M 512",  # a single block at its start
            "flush",
            "read -P 0x77 1M 512",
            f"read -P 0x5a {MIB + 512} {64 * 1024 - 512}",
            "read -P 0 1088k 64k",
            "read -P 0x5a 1152k 64k",
        )
        words = [word for command in commands for word in ("-c", command)]
        result = run("qemu-io", "-f", "raw", "-d", "unmap", *words, server.url(unit)).ok()
        if "verification failed" in result.output or "error" in result.output.lower():
            raise Failure(f"expected every pattern to be read back\n{result}")


def digests_are_understood(server: Server) -> None:
    options = (
        f"driver=iscsi,transport=tcp,portal=127.0.0.1:{server.port},target={TARGET},lun={server.lun('memory')},"
        "header-digest="
    )
    for digest in ("crc32c", "crc32c-none", "none-crc32c", "none"):
        words = ("-c", "write -P 0x33 3M 1M", "-c", "read -P 0x33 3M 1M")
        run("qemu-io", *words, "--image-opts", options + digest).ok().says("read 1048576/1048576 bytes")


def two_initiators_write_at_once(server: Server) -> None:
    def script(pattern: int, base: int) -> list[str]:
        steps = [f"aio_write -P {pattern} {base + index * 65536} 64k" for index in range(64)]
        return [word for step in [*steps, "aio_flush"] for word in ("-c", step)]

    url = server.url("memory")
    writers = [
        start_in_background("qemu-io", "-f", "raw", *script(pattern, base), url)
        for pattern, base in ((0xA1, 0), (0xB2, 16 * MIB))
    ]
    for writer in writers:
        output, _ = writer.communicate(timeout=60)
        if writer.returncode != 0:
            raise Failure(f"status {writer.returncode}\n{output.decode()}")
    run("qemu-io", "-f", "raw", "-c", "read -P 0xa1 0 4M", "-c", "read -P 0xb2 16M 4M", url).ok()


def a_read_only_unit_refuses_writes(server: Server) -> None:
    result = run("qemu-io", "-f", "raw", "-c", "write -P 1 0 4k", server.url("read-only"))
    if result.status == 0:
        raise Failure(f"expected the write to be refused\n{result}")
    run("qemu-io", "-r", "-f", "raw", "-c", "read -P 0 0 4k", server.url("read-only")).ok()
    with Connection(server).login() as connection:
        connection.test_unit_ready(server.lun("read-only"))


def cases() -> list[Case]:
    return [
        Case(f"qemu/{play.__name__.replace('_', '-')}", play)
        for play in (
            an_image_reads_back_identical,
            an_image_is_copied_from_one_unit_to_another,
            an_image_outlives_a_killed_server,
            acknowledged_writes_outlive_a_server_killed_amid_others,
            qemu_io_writes_zeroes_and_discards,
            digests_are_understood,
            two_initiators_write_at_once,
            a_read_only_unit_refuses_writes,
        )
    ]
