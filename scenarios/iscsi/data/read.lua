-- Data-In (RFC 7143 §11.7). The initiator watches numbers, offsets, lengths and bits of all that comes.

scenario {
  title = "A read comes in segments and bursts as long as was agreed, each byte once and in order",
  covers = {
    "ISCSI-DATA-031", "ISCSI-DATA-032", "ISCSI-DATA-033", "ISCSI-DATA-034", "ISCSI-DATA-035", "ISCSI-DATA-037",
    "ISCSI-DATA-038", "ISCSI-KEY-005", "ISCSI-KEY-012", "ISCSI-STATSN-003", "ISCSI-CMD-015",
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
  covers = { "ISCSI-STATSN-001", "ISCSI-STATSN-002", "ISCSI-STATSN-003", "ISCSI-STATSN-005", "ISCSI-CMDSN-019" },
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
