-- Data-out: immediate, unsolicited and asked for (RFC 7143 §4.2.5.2, §11.3, §11.7, §11.8). The initiator watches the R2Ts.

--- Answers the R2Ts of writes that hold them, those of the last first, until all have ended, or for ten seconds.
local function answer_all(writes)
  for _ = 1, 1000 do
    local is_open = false
    for number = #writes, 1, -1 do
      if not writes[number].ended then
        writes[number]:answer_r2ts()
        is_open = true
      end
    end
    if not is_open then return end
    sleep "10ms"
  end
end

scenario {
  title = "A write arrives whole, whichever data come unasked",
  covers = {
    "ISCSI-DATA-001", "ISCSI-DATA-002", "ISCSI-DATA-003", "ISCSI-DATA-004", "ISCSI-DATA-009", "ISCSI-DATA-011",
    "ISCSI-DATA-014", "ISCSI-KEY-003", "ISCSI-KEY-004", "ISCSI-KEY-012", "ISCSI-RESID-001",
  },
  matrix = { initial_r2t = { "Yes", "No" }, immediate = { "Yes", "No" }, blocks = { 1, 17, 300 } },
  play = function(t, case)
    local s = t:login {
      keys = {
        InitialR2T = case.initial_r2t, ImmediateData = case.immediate, FirstBurstLength = 4096, MaxBurstLength = 16384,
        MaxOutstandingR2T = 4,
      },
    }
    local data = random.bytes("data", case.blocks * s:capacity().block_size)
    expect(expect(s:write { lba = 3, data = data }):good()):residual(0)
    expect(s:read { lba = 3, blocks = case.blocks }.data):equals(data)
  end,
}

scenario {
  title = "Unasked data need not be sent: what is missing is asked for",
  covers = { "ISCSI-DATA-005", "ISCSI-CMD-007", "ISCSI-KEY-038" },
  matrix = { immediate = { 0, 512, 4096 } },
  play = function(t, case)
    local s = t:login { keys = { InitialR2T = "No", ImmediateData = "Yes" } }
    -- A target may take fewer with the command, or none. Ours takes as many.
    local agreed = s.parameters
    local most = math.min(agreed.FirstBurstLength, agreed.TargetMaxRecvDataSegmentLength)
    if agreed.ImmediateData == "No" then most = 0 end
    if case.immediate > most and not t.simulated then skip("the target does not take so many immediate data") end
    local data = random.bytes("data", 64 * s:capacity().block_size)
    expect(s:write { lba = 3, data = data, immediate_length = case.immediate, unsolicited_length = case.immediate }):good()
    expect(s:read { lba = 3, blocks = #data // s:capacity().block_size }.data):equals(data)
  end,
}

scenario {
  title = "Unasked data may end early where all of them would fit into the first burst",
  covers = { "ISCSI-DATA-006", "ISCSI-CMD-008" },
  -- RFC 7143 §11.3.4 binds only who has more to send. Some targets refuse it all the same.
  needs = { "simulation" },
  matrix = { sent = { 512, 4608 } },
  play = function(t, case)
    local s = t:login { keys = { InitialR2T = "No", ImmediateData = "No" } }
    local data = random.bytes("data", 8192)
    expect(s:write { lba = 3, data = data, unsolicited_length = case.sent, segment_length = 512 }):good()
    expect(s:read { lba = 3, blocks = 16 }.data):equals(data)
  end,
}

scenario {
  title = "Zero bytes and odd numbers of them are data like others",
  covers = { "ISCSI-DATA-029", "ISCSI-DATA-030", "ISCSI-DATA-017" },
  matrix = { lengths = { { 0, 512 }, { 1, 510, 1 }, { 3, 0, 509, 0 }, { 511, 1, 0 } } },
  play = function(t, case)
    local s = t:login { keys = { InitialR2T = "Yes", ImmediateData = "No" } }
    local data = random.bytes("data", 512)
    if s:capacity().block_size ~= 512 then skip("the blocks are not of 512 bytes") end
    local sent = s:send(pdu.scsi_command {
      write = true, expected_data_transfer_length = 512, cdb = cdb.write10 { lba = 5, blocks = 1 },
    })
    local r2t = expect(s:receive { opcode = "r2t" }):pdu { itt = sent.itt }
    local offset = 0
    for number, length in ipairs(case.lengths) do
      s:send(pdu.data_out {
        itt = sent.itt, ttt = r2t.ttt, lun_raw = r2t.lun_raw, datasn = number - 1, buffer_offset = offset,
        data = string.sub(data, offset + 1, offset + length), final = number == #case.lengths,
      })
      offset = offset + length
    end
    expect(s:receive { opcode = "scsi response" }):pdu { itt = sent.itt, status = 0 }
    expect(s:read { lba = 5, blocks = 1 }.data):equals(data)
  end,
}

scenario {
  title = "Several R2Ts are answered in their order",
  covers = { "ISCSI-DATA-015", "ISCSI-KEY-019", "ISCSI-DATA-012" },
  play = function(t)
    local s = t:login {
      keys = {
        InitialR2T = "Yes", ImmediateData = "No", MaxBurstLength = 4096, FirstBurstLength = 4096, MaxOutstandingR2T = 4,
      },
    }
    local data = random.bytes("data", 65536)
    local write = s:write { lba = 0, data = data, hold_r2ts = true, async = true }
    local most = s.parameters.MaxOutstandingR2T
    local tags = {}
    for number = 1, most do
      local r2t = s:receive { opcode = "r2t", within = number > 1 and "1s" or nil }
      -- It is the most that a target may ask for at once. Ours asks for as much.
      if not r2t and number > 1 and not t.simulated then break end
      expect(r2t):pdu { opcode = "r2t" }
      expect(r2t.ttt):differs(0xFFFFFFFF)
      expect(tags[r2t.ttt]):equals(nil)
      tags[r2t.ttt] = true
    end
    expect(s:receive { opcode = "r2t", within = "100ms" }):nothing()
    answer_all { write }
    expect(write:wait()):good()
    expect(s:read { lba = 0, blocks = 65536 // s:capacity().block_size }.data):equals(data)
  end,
}

scenario {
  title = "R2Ts that are answered the other way round never mix up data",
  covers = { "ISCSI-DATA-016" },
  expects_violations = true,
  play = function(t)
    local s = t:login {
      keys = {
        InitialR2T = "Yes", ImmediateData = "No", MaxBurstLength = 4096, FirstBurstLength = 4096, MaxOutstandingR2T = 2,
      },
    }
    if s.parameters.MaxOutstandingR2T < 2 then skip("the target sends one R2T at a time") end
    local data = random.bytes("data", 8192)
    local write = s:write { lba = 0, data = data, hold_r2ts = true, async = true }
    sleep "100ms"
    write:answer_r2ts { reversed = true }
    -- A target may ask for them one by one all the same.
    answer_all { write }
    local r = write:wait()
    if r.outcome == "completed" and r.status == 0 then
      expect(s:read { lba = 0, blocks = 8192 // s:capacity().block_size }.data):equals(data)
    end
    expect(t:login { isid = 9 }:test_unit_ready()):good()
  end,
}

scenario {
  title = "The data of many writes come one among another",
  covers = { "ISCSI-DATA-039" },
  play = function(t)
    local s = t:login {
      keys = { InitialR2T = "Yes", ImmediateData = "No", MaxBurstLength = 1024, FirstBurstLength = 1024 },
    }
    local count = 8192 // s:capacity().block_size
    local data, writes = {}, {}
    for number = 1, 8 do
      data[number] = random.bytes("data", 8192)
      writes[number] = s:write { lba = number * count, data = data[number], hold_r2ts = true, async = true }
    end
    sleep "10ms"
    answer_all(writes)
    for number = 1, 8 do
      expect(writes[number]:wait()):good()
      expect(s:read { lba = number * count, blocks = count }.data):equals(data[number])
    end
  end,
}

scenario {
  title = "What is written is read, whatever was agreed on",
  covers = { "ISCSI-KEY-041" },
  needs = { "dataloss" },
  matrix = {
    initial_r2t = { "Yes", "No" }, immediate = { "Yes", "No" }, digest = { "None", "CRC32C" }, burst = { 512, 8192, 1048576 },
    segment = { 512, 262144 },
  },
  play = function(t, case)
    local s = t:login {
      keys = {
        InitialR2T = case.initial_r2t, ImmediateData = case.immediate, HeaderDigest = case.digest .. ",None",
        DataDigest = case.digest .. ",None", MaxBurstLength = case.burst, FirstBurstLength = math.min(case.burst, 65536),
        MaxRecvDataSegmentLength = case.segment, MaxOutstandingR2T = 3,
      },
    }
    local block = s:capacity().block_size
    for _, blocks in ipairs { 1, 9, 256 } do
      local data = random.bytes("data", blocks * block)
      expect(expect(s:write { lba = 3, data = data }):good()):residual(0)
      expect(s:read { lba = 3, blocks = blocks }.data):equals(data)
    end
  end,
}

scenario {
  title = "An R2T asks for a whole burst, though a data segment is shorter",
  covers = { "ISCSI-DATA-010", "IOP-25" },
  world = { target { keys = { MaxRecvDataSegmentLength = 8192 }, luns = { { size = "4MiB" } } } },
  play = function(t)
    local s = t:login { keys = { InitialR2T = "Yes", ImmediateData = "No", MaxBurstLength = 262144, MaxOutstandingR2T = 4 } }
    local write = s:write { lba = 0, blocks = 2048, hold_r2ts = true, async = true }
    for number = 0, 3 do
      expect(s:receive { opcode = "r2t" }):pdu {
        itt = write.itt, r2tsn = number, buffer_offset = number * 262144, desired_data_transfer_length = 262144,
      }
    end
    write:answer_r2ts()
    expect(write:wait()):good()
    expect(s:read { lba = 0, blocks = 2048 }):good()
  end,
}

scenario {
  title = "When the connection goes in the middle of a write, no block is written that has not come whole",
  covers = { "ISCSI-DATA-044" },
  needs = { "dataloss" },
  matrix = { sent = { 0, 1, 2, 3, 4, 5, 6, 7, 8 } },
  play = function(t, case)
    local s = t:login { isid = 1, keys = { InitialR2T = "Yes", ImmediateData = "No" } }
    local block = s:capacity().block_size
    local old, new = random.bytes("old", 8 * block), random.bytes("new", 8 * block)
    expect(s:write { lba = 16, data = old }):good()
    if s.parameters.MaxBurstLength < 8 * block and not t.simulated then skip("the target takes too little at a time") end
    local write = s:send(pdu.scsi_command {
      write = true, expected_data_transfer_length = 8 * block, cdb = cdb.write10 { lba = 16, blocks = 8 },
    })
    local r2t = expect(s:receive { opcode = "r2t" }):pdu { itt = write.itt }
    -- Each brings a block; of one more comes only a half.
    for n = 0, math.min(case.sent, 7) do
      local data = new:sub(n * block + 1, n * block + block)
      s:send(pdu.data_out {
        itt = write.itt, ttt = r2t.ttt, lun_raw = r2t.lun_raw, datasn = n, buffer_offset = n * block, final = n == 7, data = data,
      }, { truncate_at = n == case.sent and 48 + block // 2 or nil })
    end
    sleep "1ms"
    s:close { reset = true }
    local found = t:login { isid = 1 }:read { lba = 16, blocks = 8 }.data
    for n = 0, 7 do
      local first, last = n * block + 1, n * block + block
      local is_new = n < case.sent and found:sub(first, last) == new:sub(first, last)
      if not is_new then expect(found:sub(first, last)):equals(old:sub(first, last)) end
    end
    -- With all of them it is a write.
    if case.sent == 8 and t.simulated then expect(found):equals(new) end
  end,
}
