-- Data-out that break the rules: nobody is told GOOD for them, and others are served (RFC 7143 §7.9, §11.4.7.2, §11.7).

--- The write has failed, however that was told; the target serves.
local function failed(t, r)
  expect(r.outcome == "completed" and r.status == 0 and "GOOD" or "no GOOD"):equals("no GOOD")
  expect(t:login { isid = 9 }:test_unit_ready()):good()
end

scenario {
  title = "Unasked data that leave the first burst half empty are an incorrect amount",
  covers = { "ISCSI-DATA-006" },
  play = function(t)
    local s = t:login { keys = { InitialR2T = "No", ImmediateData = "No", FirstBurstLength = 4096 } }
    if s.parameters.InitialR2T == "Yes" then skip("the target does not agree to InitialR2T=No") end
    local r = s:write { lba = 0, data = random.bytes("data", 8192), unsolicited_length = 2048 }
    if r.outcome == "completed" then expect(r):check_condition("ABORTED COMMAND", 0x0C0D) end
    failed(t, r)
  end,
}

scenario {
  title = "A burst that is not what was asked for is never GOOD",
  covers = {
    "ISCSI-DATA-018", "ISCSI-DATA-019", "ISCSI-DATA-020", "ISCSI-DATA-022", "ISCSI-DATA-024", "ISCSI-REJ-005",
  },
  matrix = {
    edits = {
      { label = "one is missing", { burst = 1, index = 1, drop = true } },
      { label = "the first is missing", { burst = 1, index = 0, drop = true } },
      { label = "one comes twice", { burst = 1, index = 1, duplicate = true } },
      { label = "one comes last", { burst = 1, index = 1, move_to_end = true } },
      { label = "DataSN begins at 27", { burst = 1, index = 0, set = { datasn = 27 } } },
      { label = "DataSN leaps", { burst = 1, index = 2, set = { datasn = 0xFFFFFFFF } } },
      { label = "behind the end", { burst = 1, index = 1, set = { buffer_offset = 0x100000 } } },
      { label = "near 2^32", { burst = 1, index = 1, set = { buffer_offset = 0xFFFFFE00 } } },
      { label = "over one another", { burst = 1, index = 1, set = { buffer_offset = 0 } } },
      { label = "F too early", { burst = 1, index = 1, set = { final = 1 } }, { burst = 1, index = 2, drop = true },
        { burst = 1, index = 3, drop = true } },
    },
  },
  play = function(t, case)
    local s = t:login { keys = { InitialR2T = "Yes", ImmediateData = "No" } }
    local edits = {}
    for index, edit in ipairs(case.edits) do edits[index] = edit end
    local block = s:capacity().block_size
    local most, segment = s.parameters.MaxBurstLength, s.parameters.TargetMaxRecvDataSegmentLength
    if (most < 4 * block or segment < block) and not t.simulated then skip("the target takes too little at a time") end
    failed(t, s:write { lba = 0, data = random.bytes("data", 4 * block), segment_length = block, data_out = edits })
  end,
}

scenario {
  title = "Data for a transfer or a task that is not there are rejected or thrown away, and harm none that is",
  covers = { "ISCSI-DATA-025", "ISCSI-DATA-026" },
  matrix = { wrong = { "ttt", "itt" } },
  play = function(t, case)
    local s = t:login { keys = { InitialR2T = "Yes", ImmediateData = "No" } }
    local data = random.bytes("data", s:capacity().block_size)
    local write = s:write { lba = 5, data = data, hold_r2ts = true, async = true }
    local r2t = expect(s:receive { opcode = "r2t" }):pdu { itt = write.itt }
    s:send(pdu.data_out {
      itt = case.wrong == "itt" and 0x7A5A5A5A or write.itt, ttt = case.wrong == "ttt" and 0x7A5A5A5A or r2t.ttt,
      data = string.rep("x", #data),
    })
    local answer = s:receive { opcode = "reject", within = "500ms" }
    if s.closed then return end
    if answer then expect(answer):pdu { reason = { 4, 9 } } end
    write:answer_r2ts()
    expect(write:wait()):good()
    expect(s:read { lba = 5, blocks = 1 }.data):equals(data)
  end,
}

scenario {
  title = "Data that come behind the end of their task are rejected or thrown away",
  covers = { "ISCSI-DATA-028" },
  play = function(t)
    local s = t:login { keys = { InitialR2T = "Yes", ImmediateData = "No" } }
    local block = s:capacity().block_size
    local sent = s:send(pdu.scsi_command {
      write = true, expected_data_transfer_length = block, cdb = cdb.write10 { lba = 5, blocks = 1 },
    })
    local r2t = expect(s:receive { opcode = "r2t" }):pdu { itt = sent.itt }
    local fields = { itt = sent.itt, ttt = r2t.ttt, lun_raw = r2t.lun_raw, data = string.rep("1", block) }
    s:send(pdu.data_out(fields))
    expect(s:receive { opcode = "scsi response" }):pdu { itt = sent.itt, status = 0 }
    fields.data = string.rep("2", block)
    s:send(pdu.data_out(fields))
    local answer = s:receive { opcode = "scsi response", within = "500ms" }
    if s.closed then return end
    expect(answer):nothing()
    expect(s:read { lba = 5, blocks = 1 }.data):equals(string.rep("1", block))
  end,
}
