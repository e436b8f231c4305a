"""libiscsi's own tools: what they print must be what is served."""

import re
import socket

from harness.command import Failure, Skip, run
from harness.runner import Case
from harness.server import TARGET, UNITS, Server, Simsan


def iscsi_ls_shows_the_target_and_its_units(server: Server) -> None:
    listing = run("iscsi-ls", "-s", server.portal_url()).ok()
    listing.says(f"Target:{TARGET} Portal:127.0.0.1:{server.port}")
    units = listing.output.partition(f"Target:{TARGET} ")[2].partition("Target:")[0]
    for name, unit in UNITS.items():
        size = "" if unit.kind == "null" else f"Size:{unit.size >> 20}M"
        # The tool subtracts a block before it rounds down.
        sizes = (size, f"Size:{(unit.size >> 20) - 1}M")
        lines = [line for line in units.splitlines() if re.match(rf"Lun:{server.lun(name)}\s", line)]
        if not lines or "DIRECT_ACCESS" not in lines[0] or not any(text in lines[0] for text in sizes):
            raise Failure(f"expected unit {server.lun(name)} ({name}), a disk, {size}\n{listing}")


def iscsi_ls_works_over_ipv6(server: Server) -> None:
    if not isinstance(server, Simsan):
        raise Skip("tgt serves one portal here")
    if not socket.has_ipv6:
        raise Skip("no IPv6 here")
    run("iscsi-ls", server.portal_url("[::1]")).ok().says(f"Target:{TARGET}")
    run("iscsi-inq", server.url(host="[::1]")).ok().says("DIRECT_ACCESS")


def iscsi_inq_reads_the_pages_that_are_listed(server: Server) -> None:
    run("iscsi-inq", server.url()).ok().says("Peripheral Device Type:DIRECT_ACCESS", "CONNECTED", "CmdQue:1")
    pages = run("iscsi-inq", "-e", "1", "-c", "0", server.url()).ok()
    codes = re.findall(r"Page:0x([0-9a-f]{2})", pages.output)
    for wanted in ("00", "83", "b0", "b1", "b2"):
        if wanted not in codes:
            raise Failure(f"page {wanted}h is not listed\n{pages}")
    for code in sorted({"00", "80", "83", "b0", "b1", "b2"} & set(codes)):  # those that libiscsi can read
        run("iscsi-inq", "-e", "1", "-c", str(int(code, 16)), server.url()).ok()


def iscsi_readcapacity16_shows_the_size(server: Server) -> None:
    for name, unit in UNITS.items():
        if unit.kind == "null" and not isinstance(server, Simsan):
            continue  # tgt's null device has a size of its own
        run("iscsi-readcapacity16", server.url(name)).ok().says(f"Total size:{unit.size}\n")


def iscsi_swp_turns_write_protection_on_and_off(server: Server) -> None:
    run("iscsi-swp", "-s", "on", server.url()).ok()
    try:
        run("iscsi-swp", server.url()).ok().says("SWP:1")
    finally:
        run("iscsi-swp", "-s", "off", server.url()).ok()
    run("iscsi-swp", server.url()).ok().says("SWP:0")


def iscsi_perf_reads_without_an_error(server: Server) -> None:
    for unit, arguments in (("null", ["-m", "32", "-b", "8"]), ("memory", ["-r", "-m", "64", "-b", "256"])):
        result = run("iscsi-perf", "-n", "-t", "2", *arguments, server.url(unit)).ok().says("finished.")
        rates = [int(rate) for rate in re.findall(r"iops average (\d+)", result.output)]
        if not rates or rates[-1] < 100 or re.search(r"fail|error|reconnect", result.output, re.IGNORECASE):
            raise Failure(f"expected at least 100 commands a second and no error\n{result}")


def cases() -> list[Case]:
    return [
        Case(f"libiscsi/{play.__name__.replace('_', '-')}", play)
        for play in (
            iscsi_ls_shows_the_target_and_its_units,
            iscsi_ls_works_over_ipv6,
            iscsi_inq_reads_the_pages_that_are_listed,
            iscsi_readcapacity16_shows_the_size,
            iscsi_swp_turns_write_protection_on_and_off,
            iscsi_perf_reads_without_an_error,
        )
    ]
