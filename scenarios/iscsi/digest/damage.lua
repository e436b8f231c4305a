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

scenario {
  title = "A header that is damaged has no answer, and nothing of it is carried out",
  covers = { "ISCSI-DIG-007", "ISCSI-DIG-008" },
  matrix = { kind = { "scsi_command", "nop_out", "text", "logout", "task_management" } },
  play = function(t, case)
    local s = login(t)
    local fields = { itt = 70 }
    if case.kind == "scsi_command" then fields.cdb = cdb.test_unit_ready {} end
    if case.kind == "task_management" then fields["function"] = 5 end
    s:send(pdu[case.kind](fields), { header_digest_flip = 1 })
    local answers = {
      "scsi response", "nop-in", "text response", "logout response", "task management response", "reject",
    }
    for _, opcode in ipairs(answers) do
      local answer = s:receive { opcode = opcode, within = "200ms" }
      if s.closed then break end
      expect(answer):nothing()
    end
    expect(t:login { isid = 9 }:test_unit_ready()):good()
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
    expect(s:receive { opcode = "reject" }):pdu { reason = 2, expcmdsn = number }
    sleep "100ms"
    -- At error recovery level 0 a target may leave it at that, and end the session (RFC 7143 §7.1.5). Ours goes on.
    if s.closed and not t.simulated then return end
    local behind = s:test_unit_ready { async = true }
    sleep "200ms"
    expect(behind.ended):equals(false)
    write:retry()
    expect(write:wait()):good()
    expect(behind:wait()):good()
    expect(s:read { lba = 5, blocks = 1 }.data):equals(data)
  end,
}

scenario {
  title = "Of data that were asked for, or came unasked, one damaged PDU fails the write",
  covers = { "ISCSI-DIG-010", "ISCSI-DIG-012", "ISCSI-REJ-007" },
  matrix = { initial_r2t = { "Yes", "No" }, index = { 0, 1, 3 } },
  play = function(t, case)
    local s = login(t, { InitialR2T = case.initial_r2t, ImmediateData = "No" })
    local burst = s.parameters.InitialR2T == "Yes" and 1 or 0
    local block = s:capacity().block_size
    local most = burst == 1 and s.parameters.MaxBurstLength or s.parameters.FirstBurstLength
    if most < 4 * block and not t.simulated then skip("the target takes too little at a time") end
    local r = s:write {
      lba = 0, data = random.bytes("data", 4 * block), segment_length = block,
      data_out = { { burst = burst, index = case.index, data_digest_flip = 1 } },
    }
    if r.outcome == "completed" then expect(r):check_condition("ABORTED COMMAND", 0x4705) end
    if not s.closed then expect(s:receive { opcode = "reject" }):pdu { reason = 2 } end
    expect(t:login { isid = 9 }:test_unit_ready()):good()
  end,
}

scenario {
  title = "A request whose data are damaged is rejected, and has no effect",
  covers = { "ISCSI-DIG-013", "ISCSI-DIG-014" },
  matrix = { kind = { "text", "nop_out" } },
  play = function(t, case)
    local s = login(t)
    s:send(pdu[case.kind] { immediate = true, itt = 70, data = "SendTargets=\0" }, { data_digest_flip = 1 })
    expect(s:receive { opcode = "reject" }):pdu { reason = 2 }
    local answer = s:receive { opcode = case.kind == "text" and "text response" or "nop-in", within = "100ms" }
    -- As above.
    if s.closed and not t.simulated then return end
    expect(answer):nothing()
    expect(s:test_unit_ready()):good()
  end,
}
