-- The command window when it opens without an answer (RFC 7143 §11.4.11).

scenario {
  title = "An initiator whose tasks another has aborted is told that its window has opened",
  covers = { "ISCSI-CMDSN-010", "ISCSI-CMDSN-009" },
  needs = { "simulation" },
  matrix = { ["function"] = { "clear task set", "logical unit reset", "target warm reset" } },
  world = { target { luns = { { size = "4MiB", disk = { latency = "2s" } } }, limits = { command_window = 1 } } },
  play = function(t, case)
    local s = t:login { isid = 1 }
    local read = s:read { lba = 5, blocks = 1, async = true }
    sleep "10ms"
    expect(s.maxcmdsn):equals(s.cmdsn - 1)
    -- It waits on this side: the window is closed.
    local behind = s:test_unit_ready { async = true }
    local other = t:login { isid = 2 }
    expect(other:task_management { ["function"] = case["function"] }):response(0)
    expect(s:receive { opcode = "nop-in", within = "100ms" }):pdu { itt = 0xFFFFFFFF, ttt = 0xFFFFFFFF, data = "" }
    expect(behind:wait { within = "1s" }):check_condition("UNIT ATTENTION")
    read:abandon()
  end,
}
