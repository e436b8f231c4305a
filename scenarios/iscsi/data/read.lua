-- Data-In (RFC 7143 §11.7). The initiator watches numbers, offsets, lengths and bits of all that comes.

scenario {
  title = "A read comes in segments and bursts as long as was agreed, each byte once and in order",
  covers = {
    "ISCSI-DATA-031", "ISCSI-DATA-032", "ISCSI-DATA-033", "ISCSI-DATA-034", "ISCSI-DATA-035", "ISCSI-DATA-037",
    "ISCSI-DATA-038", "ISCSI-KEY-005", "ISCSI-KEY-012", "ISCSI-STATSN-003", "ISCSI-CMD-015", "ISCSI-RESID-001",
  },
  matrix = { segment = { 512, 1000, 8192, 65536 }, burst = { 512, 65536 }, blocks = { 1, 3, 128 } },
  play = function(t, case)
    local s = t:login { keys = { MaxRecvDataSegmentLength = case.segment, MaxBurstLength = case.burst, FirstBurstLength = 512 } }
    local data = random.bytes("data", case.blocks * s:capacity().block_size)
    expect(s:write { lba = 9, data = data }):good()
    expect(expect(s:read { lba = 9, blocks = case.blocks }):good()):residual(0)
    expect(s:read { lba = 9, blocks = case.blocks }.data):equals(data)
  end,
}

scenario {
  title = "An initiator that declares no segment length gets 8192 bytes at most",
  covers = { "ISCSI-KEY-008", "ISCSI-KEY-010" },
  play = function(t)
    local s = t:login { keys = { MaxRecvDataSegmentLength = false } }
    expect(s:read { lba = 0, blocks = 65536 // s:capacity().block_size }):good()
    expect(s:report_luns()):good()
    expect(s:text { text = { SendTargets = "" } }.outcome):equals("text")
  end,
}

scenario {
  title = "The shortest of everything does",
  covers = { "ISCSI-KEY-040" },
  play = function(t)
    local s = t:login {
      keys = { MaxRecvDataSegmentLength = 512, MaxBurstLength = 512, FirstBurstLength = 512, MaxOutstandingR2T = 1 },
    }
    local data = random.bytes("data", 65536)
    expect(s:write { lba = 0, data = data, segment_length = 512 }):good()
    expect(s:read { lba = 0, blocks = 65536 // s:capacity().block_size }.data):equals(data)
  end,
}

scenario {
  title = "StatSN goes up by one with each response, and with nothing else",
  covers = { "ISCSI-STATSN-001", "ISCSI-STATSN-002", "ISCSI-STATSN-003", "ISCSI-STATSN-005", "ISCSI-CMDSN-019", "IOP-24" },
  play = function(t)
    local s = t:login {
      keys = {
        InitialR2T = "Yes", ImmediateData = "No", MaxBurstLength = 4096, FirstBurstLength = 4096,
        MaxRecvDataSegmentLength = 512,
      },
    }
    local before = s.expstatsn
    expect(s:write { lba = 0, blocks = 64 }):good()
    expect(s:read { lba = 0, blocks = 64 }):good()
    expect(s:ping { data = "x" }.outcome):equals("ping")
    expect(s:text {}.outcome):equals("text")
    s:task_management { ["function"] = "abort task set" }
    s:send(pdu.raw { opcode = 0x0F, immediate = true })
    expect(s:receive { opcode = "reject" }):pdu { statsn = (before + 5) % 0x100000000 }
    s:send(pdu.nop_out { immediate = true, itt = 9 })
    expect(s:receive { opcode = "nop-in" }):pdu { statsn = (before + 6) % 0x100000000 }
  end,
}

scenario {
  title = "An initiator that never acknowledges what it got is served all the same, and costs nothing more",
  covers = { "ISCSI-STATSN-008" },
  play = function(t)
    local s = t:login {}
    s:set_expstatsn(s.expstatsn)
    for _ = 1, 100 do expect(s:read { lba = 0, blocks = 1 }):good() end
    local before = t.simulated and t:statistics().buffer_bytes
    for _ = 1, t.simulated and 20000 or 1000 do
      local task = s:ping { data = "x", async = true }
      task:wait {}
      -- A target may end the session in the end. Ours keeps nothing of what it has sent.
      if s.closed and not t.simulated then return end
    end
    expect(s:read { lba = 0, blocks = 1 }):good()
    if t.simulated then expect(t:statistics().buffer_bytes):at_most(before + 65536) end
  end,
}

scenario {
  title = "An acknowledgement of what was never sent is ignored, or ends the connection",
  covers = { "ISCSI-STATSN-009" },
  matrix = { ahead = { 1, 1000, 0x7FFFFFFF, 0x80000000 } },
  play = function(t, case)
    local s = t:login {}
    s:set_expstatsn((s.expstatsn + case.ahead) % 0x100000000)
    local task = s:test_unit_ready { async = true }
    local r = task:wait {}
    if t.simulated or not s.closed then
      expect(r):good()
      expect(s:read { lba = 0, blocks = 8 }):good()
    end
    expect(t:login { isid = 9 }:test_unit_ready()):good()
  end,
}

scenario {
  title = "When the connection goes in the middle of a read, nothing of it stays",
  covers = { "ISCSI-DATA-045" },
  needs = { "simulation" },
  matrix = { taken = { 0, 1, 7, 60 } },
  -- Small buffers, so that most of the data are still the target's to send.
  world = {
    target { host = "server", luns = { { size = "4MiB" } } }, host { name = "server", send_buffer = "16KiB" },
    host { name = "a", receive_buffer = "16KiB" },
  },
  play = function(t, case)
    local other = t:login { isid = 9 }
    sleep "1s"
    local before = t:statistics().buffer_bytes
    local s = t:login { isid = 1, keys = { MaxRecvDataSegmentLength = 1024 } }
    for _ = 1, 4 do
      s:send(pdu.scsi_command {
        read = true, expected_data_transfer_length = 131072, cdb = cdb.read10 { lba = 0, blocks = 256 },
      })
    end
    for _ = 1, case.taken do expect(s:receive { opcode = "data-in" }):pdu { has_status = false } end
    s:close { reset = true }
    sleep "1s"
    expect(t:statistics().sessions):equals(1)
    expect(t:statistics().tasks):equals(0)
    expect(t:statistics().buffer_bytes - before):at_most(65536)
    expect(other:read { lba = 0, blocks = 256 }):good()
    expect(t:login { isid = 1 }:read { lba = 0, blocks = 256 }):good()
  end,
}

scenario {
  title = "An initiator that takes nothing is dropped after a while, and costs the others nothing until then",
  covers = { "ISCSI-DATA-046" },
  needs = { "simulation" },
  world = {
    target {
      luns = { { memory = true, size = "4MiB" } }, limits = { memory = "16MiB", ping_interval = "5s", ping_timeout = "5s" },
    },
    host { name = "a" }, host { name = "b" },
  },
  play = function(t)
    local deaf = t:login { host = "a", name = "iqn.2026-11.example:a" }
    local other = t:login { host = "b", name = "iqn.2026-11.example:b" }
    deaf:stop_receiving()
    for _ = 1, 64 do deaf:read { lba = 0, blocks = 2048, async = true } end
    sleep "1s"
    expect(t:statistics().buffer_bytes):at_most(8 << 20)
    expect(other:write { lba = 0, blocks = 2048, within = "1s" }):good()
    expect(other:read { lba = 0, blocks = 2048, within = "1s" }):good()
    sleep "30s"
    expect(t:statistics().sessions):equals(1)
    expect(t:statistics().tasks):equals(0)
    expect(other:test_unit_ready()):good()
  end,
}
