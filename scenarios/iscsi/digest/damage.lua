-- Digests that do not match (RFC 7143 §7.8, §13.1).

local function login(t, keys)
  keys = keys or {}
  keys.HeaderDigest, keys.DataDigest = "CRC32C", "CRC32C"
  local s = t:login { keys = keys }
  local agreed = s.parameters
  -- That a target does not agree to them the first case tells.
  if not t.simulated and (agreed.HeaderDigest ~= "CRC32C" or agreed.DataDigest ~= "CRC32C") then
    skip("the target does not agree to digests")
  end
  return s
end

--- The next PDU behind the login's.
local function receive(s, options)
  local came
  repeat came = s:receive(options) until not came or s.closed or came.opcode ~= "login response"
  return came
end

scenario {
  title = "Digests are agreed to in every combination, and kept",
  covers = { "ISCSI-DIG-001", "ISCSI-DIG-003", "ISCSI-DIG-005", "ISCSI-DIG-006" },
  matrix = { header = { "None", "CRC32C" }, data = { "None", "CRC32C" } },
  play = function(t, case)
    local s = t:login { keys = { HeaderDigest = case.header, DataDigest = case.data } }
    expect(s.parameters.HeaderDigest):equals(case.header)
    expect(s.parameters.DataDigest):equals(case.data)
    local data = random.bytes("data", 16 * s:capacity().block_size)
    expect(s:test_unit_ready()):good()
    expect(s:write { lba = 0, data = data }):good()
    expect(s:read { lba = 0, blocks = 16 }.data):equals(data)
    expect(s:ping { data = "12345" }.data):equals("12345")
  end,
}

-- CRC32C, bit by bit (RFC 7143 §13.1).
local function crc32c(bytes)
  local crc = 0xFFFFFFFF
  for place = 1, #bytes do
    crc = crc ~ bytes:byte(place)
    for _ = 1, 8 do crc = crc >> 1 ~ (crc & 1) * 0x82F63B78 end
  end
  return crc ~ 0xFFFFFFFF
end

scenario {
  title = "The pad bytes are part of what a data digest covers, whatever they hold",
  covers = { "ISCSI-DIG-002", "ISCSI-DIG-005" },
  matrix = { pad_byte = { 0, 0xFF } },
  play = function(t, case)
    local s = login(t)
    -- RFC 7143, Appendix A.4.
    expect(crc32c(string.rep("\0", 32))):equals(0x8A9136AA)
    expect(crc32c(string.rep("\xFF", 32))):equals(0x62A8AB43)
    local data = "12345"
    expect(s:ping { data = data, pad_byte = case.pad_byte }.data):equals(data)
    local whole, unpadded = crc32c(data .. string.rep(string.char(case.pad_byte), 3)), crc32c(data)
    s:send(pdu.nop_out { immediate = true, itt = 70, data = data }, {
      pad_byte = case.pad_byte, data_digest_flip = whole ~ unpadded,
    })
    local answer = receive(s, { within = "5s" })
    -- At error recovery level 0 a target may end the session.
    if s.closed and not t.simulated then return end
    expect(answer):pdu { opcode = "reject", reason = 2, rejected = { itt = 70 } }
    expect(s:test_unit_ready()):good()
  end,
}

scenario {
  title = "A header that is damaged has no answer, and nothing of it is carried out",
  covers = { "ISCSI-DIG-007", "ISCSI-DIG-008" },
  needs = { "dataloss" },
  matrix = { kind = { "scsi_command", "nop_out", "text", "logout", "task_management", "data_out" } },
  play = function(t, case)
    local s = login(t, { InitialR2T = "Yes", ImmediateData = case.kind == "data_out" and "No" or "Yes" })
    local other = t:login { isid = 9 }
    local old = random.bytes("old", s:capacity().block_size)
    expect(other:write { lba = 5, data = old }):good()
    local new = string.rep("x", #old)
    local write = {
      itt = 70, write = true, expected_data_transfer_length = #old, cdb = cdb.write10 { lba = 5, blocks = 1 },
    }
    local fields = { itt = 70 }
    if case.kind == "scsi_command" then
      fields = write
      if s.parameters.ImmediateData == "Yes" then fields.data = new end
    elseif case.kind == "task_management" then
      fields["function"] = 5
    elseif case.kind == "data_out" then
      s:send(pdu.scsi_command(write))
      local r2t = expect(s:receive { opcode = "r2t" }):pdu { itt = 70 }
      fields = { itt = 70, ttt = r2t.ttt, lun_raw = r2t.lun_raw, data = new }
    end
    s:send(pdu[case.kind](fields), { header_digest_flip = 1 })
    local answer = receive(s, { within = "1s" })
    if not s.closed then expect(answer):nothing() end
    -- Neither a reset nor a write.
    expect(other:test_unit_ready()):good()
    expect(other:read { lba = 5, blocks = 1 }.data):equals(old)
  end,
}

scenario {
  title = "Immediate data that are damaged count as not received, and their command can be sent again",
  covers = { "ISCSI-DIG-009", "ISCSI-DIG-015" },
  play = function(t)
    local s = login(t)
    if s.parameters.ImmediateData == "No" and not t.simulated then skip("the target does not agree to ImmediateData=Yes") end
    local data = random.bytes("data", s:capacity().block_size)
    local write = s:write { lba = 5, data = data, data_digest_flip = 1, async = true }
    local number = s.cmdsn - 1
    expect(s:receive { opcode = "reject" }):pdu {
      reason = 2, expcmdsn = number, rejected = { opcode = "scsi command", itt = write.itt, cmdsn = number },
    }
    sleep "100ms"
    -- At error recovery level 0 a target may leave it at that, and end the session (RFC 7143 §7.1.5). Ours goes on.
    if s.closed and not t.simulated then return end
    local behind = { s:test_unit_ready { async = true }, s:read { lba = 5, blocks = 1, async = true } }
    sleep "200ms"
    for _, task in ipairs(behind) do expect(task.ended):equals(false) end
    expect(s.expcmdsn):equals(number)
    write:retry()
    expect(write:wait()):good()
    for _, task in ipairs(behind) do expect(task:wait()):good() end
    expect(s.expcmdsn):equals(number + 3)
    expect(s:read { lba = 5, blocks = 1 }.data):equals(data)
  end,
}

scenario {
  title = "Of data that were asked for, or came unasked, one damaged PDU fails the write",
  covers = { "ISCSI-DIG-010", "ISCSI-DIG-012", "ISCSI-REJ-004", "ISCSI-REJ-007" },
  matrix = { initial_r2t = { "Yes", "No" }, index = { 0, 1, 3 } },
  play = function(t, case)
    local s = login(t, { InitialR2T = case.initial_r2t, ImmediateData = "No" })
    local burst = s.parameters.InitialR2T == "Yes" and 1 or 0
    local block = s:capacity().block_size
    local most = burst == 1 and s.parameters.MaxBurstLength or s.parameters.FirstBurstLength
    if most < 4 * block and not t.simulated then skip("the target takes too little at a time") end
    local old = random.bytes("old", 4 * block)
    expect(s:write { lba = 0, data = old }):good()
    local r = s:write {
      lba = 0, data = random.bytes("data", 4 * block), segment_length = block,
      data_out = { { burst = burst, index = case.index, data_digest_flip = 1 } },
    }
    -- At error recovery level 0 a target may end the session instead. Ours goes on, and has written nothing.
    if r.outcome == "completed" or t.simulated then expect(r):check_condition("ABORTED COMMAND", 0x4705) end
    if not s.closed then
      expect(s:receive { opcode = "reject" }):pdu {
        reason = 2, datasn = case.index, rejected = { opcode = "data-out", datasn = case.index },
      }
    end
    local found = t:login { isid = 9 }:read { lba = 0, blocks = 4 }.data
    if t.simulated then expect(found):equals(old) end
  end,
}

scenario {
  title = "A request whose data are damaged is rejected, and has no effect",
  covers = { "ISCSI-DIG-013", "ISCSI-DIG-014" },
  matrix = { kind = { "text", "nop_out" } },
  play = function(t, case)
    local s = login(t)
    s:send(pdu[case.kind] { immediate = true, itt = 70, data = "MaxRecvDataSegmentLength=512\0" }, { data_digest_flip = 1 })
    expect(s:receive { opcode = "reject" }):pdu { reason = 2, rejected = { itt = 70 } }
    local answer = s:receive { opcode = case.kind == "text" and "text response" or "nop-in", within = "100ms" }
    -- As above.
    if s.closed and not t.simulated then return end
    expect(answer):nothing()
    expect(s:test_unit_ready()):good()
    -- A target may always send less than it may. Ours does so when it has been told to.
    if not t.simulated then return end
    s:send(pdu.scsi_command {
      read = true, expected_data_transfer_length = 4096, cdb = cdb.read10 { lba = 0, blocks = 8 },
    })
    expect(#s:receive { opcode = "data-in" }.data):equals(4096)
  end,
}

scenario {
  title = "Digests that a discovery session has agreed on are kept",
  covers = { "ISCSI-DIG-021", "IOP-58" },
  matrix = { offer = { "CRC32C,None", "None,CRC32C" } },
  play = function(t, case)
    local s = t:login { type = "discovery", target = false, keys = { HeaderDigest = case.offer, DataDigest = case.offer } }
    for _, key in ipairs { "HeaderDigest", "DataDigest" } do
      expect(s.parameters[key]):one_of("CRC32C", "None")
      if t.simulated then expect(s.parameters[key]):equals(case.offer:match "^[^,]+") end
    end
    expect(s:text { text = { SendTargets = t.iqn } }.text.TargetName):equals(t.iqn)
    expect(s:logout {}):response(0)
    expect(s):closes {}
  end,
}
