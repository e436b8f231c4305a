-- Residual counts (RFC 7143 §11.4.5): what a command transfers against what the initiator expects.

--- GOOD with that residual; of an overflow, the device server may refuse the command instead (SPC-4: 0E/03).
local function overflow(r, count)
  if r.status == 2 then return expect(r):check_condition("ILLEGAL REQUEST", 0x0E03) end
  expect(expect(r):good()):residual(-count)
end

--- Whether a write of less than was announced is refused so. Ours writes it.
local function is_refused(t, r)
  if r.status ~= 2 or t.simulated then return false end
  expect(r):check_condition("ILLEGAL REQUEST", 0x0E03)
  return true
end

-- Each command that writes blocks, in each length.
local commands = {
  "write 6", "write 10", "write 12", "write 16", "write_and_verify 10", "write_and_verify 12", "write_and_verify 16",
}

--- Its name, and the length of its CDB.
local function command(case)
  local name, length = case.command:match "^([%a_]+) (%d+)$"
  return name, tonumber(length)
end

scenario {
  title = "A read of fewer bytes than are expected underflows",
  covers = { "ISCSI-RESID-002", "ISCSI-RESID-013", "ISCSI-RESID-006", "ISCSI-RESID-011" },
  matrix = { cdb = { 6, 10, 12, 16 }, more = { 1, 512, 65536 } },
  play = function(t, case)
    local s = t:login {}
    local block = s:capacity().block_size
    local r = s:read { cdb = case.cdb, lba = 0, blocks = 2, expected = 2 * block + case.more }
    expect(expect(r):good()):residual(case.more)
    expect(#r.data):equals(2 * block)
  end,
}

scenario {
  title = "A read of more bytes than are expected overflows, and brings what was expected",
  covers = { "ISCSI-RESID-003", "ISCSI-RESID-006", "ISCSI-RESID-007", "ISCSI-RESID-011", "ISCSI-CMD-006" },
  matrix = { cdb = { 6, 10, 12, 16 }, fewer = { 1, 512, 1024 } },
  play = function(t, case)
    local s = t:login {}
    local length = 2 * s:capacity().block_size
    local fewer = math.min(case.fewer, length)
    local r = s:read { cdb = case.cdb, lba = 0, blocks = 2, expected = length - fewer, set = { read = 1 } }
    overflow(r, fewer)
    if r.status == 0 then expect(#r.data):equals(length - fewer) end
  end,
}

scenario {
  title = "A write of fewer bytes than are announced underflows, and writes no more",
  covers = { "ISCSI-RESID-004", "ISCSI-RESID-006" },
  matrix = { command = commands, immediate = { "Yes", "No" } },
  play = function(t, case)
    local name, length = command(case)
    local s = t:login { keys = { ImmediateData = case.immediate } }
    local block = s:capacity().block_size
    local before, data = random.bytes("before", 2 * block), random.bytes("data", 2 * block)
    expect(s:write { lba = 5, data = before }):good()
    local r = s[name](s, { cdb = length, lba = 5, blocks = 1, data = data })
    local written = is_refused(t, r) and "" or string.sub(data, 1, block)
    if written ~= "" then expect(expect(r):good()):residual(block) end
    expect(s:read { lba = 5, blocks = 2 }.data):equals(written .. string.sub(before, #written + 1))
  end,
}

scenario {
  title = "A write of more bytes than are announced overflows, and writes nothing that did not come",
  covers = { "ISCSI-RESID-005", "ISCSI-RESID-006", "ISCSI-RESID-016" },
  matrix = { command = commands, announced = { 0, 1 } },
  play = function(t, case)
    local name, length = command(case)
    local s = t:login {}
    local block = s:capacity().block_size
    local before = random.bytes("before", 2 * block)
    expect(s:write { lba = 5, data = before }):good()
    local r
    if case.announced == 0 then
      r = s:command { cdb = cdb[name .. length] { lba = 5, blocks = 2 }, set = { write = 1 } }
    else
      r = s[name](s, { cdb = length, lba = 5, blocks = 2, data = random.bytes("data", block) })
    end
    overflow(r, (2 - case.announced) * block)
    expect(string.sub(s:read { lba = 5, blocks = 2 }.data, block * case.announced + 1)):equals(
      string.sub(before, block * case.announced + 1))
  end,
}

scenario {
  title = "What an allocation length cuts off is no residual, what is expected beyond it is",
  covers = { "ISCSI-RESID-008", "ISCSI-RESID-014", "ISCSI-RESID-009" },
  play = function(t)
    local s = t:login {}
    expect(expect(s:inquiry { allocation_length = 36, expected = 36 }):good()):residual(0)
    expect(expect(s:inquiry { allocation_length = 36, expected = 255 }):good()):residual(219)
    expect(expect(s:report_luns { allocation_length = 16, expected = 16 }):good()):residual(0)
    local luns = s:report_luns { allocation_length = 4096, expected = 4096 }
    expect(expect(luns):good()):residual(4096 - #luns.data)
    local mode = s:mode_sense { cdb = 10, page_code = 0x3F, allocation_length = 4096, expected = 4096 }
    expect(expect(mode):good()):residual(4096 - #mode.data)
  end,
}

scenario {
  title = "Data for a command that has none go nowhere, and the residual says so",
  covers = { "ISCSI-CMD-003", "ISCSI-CMD-004", "ISCSI-CMD-018" },
  matrix = { wrong = { "a write that expects data", "a read with data", "a test with data" } },
  play = function(t, case)
    local s = t:login {}
    local block = s:capacity().block_size
    local before = random.bytes("before", block)
    expect(s:write { lba = 5, data = before }):good()
    local command = {
      ["a write that expects data"] = { cdb = cdb.write10 { lba = 5, blocks = 1 }, read = block },
      ["a read with data"] = { cdb = cdb.read10 { lba = 5, blocks = 1 }, data = string.rep("x", block) },
      ["a test with data"] = { cdb = cdb.test_unit_ready {}, data = string.rep("x", block) },
    }
    local r = s:command(command[case.wrong])
    if r.outcome == "completed" and r.status == 0 then expect(r):residual(block) end
    if s.closed then s = t:login { isid = 9 } end
    expect(s:read { lba = 5, blocks = 1 }.data):equals(before)
  end,
}

scenario {
  title = "A parameter list that does not come whole is not obeyed, and what is more than it is left",
  covers = { "ISCSI-RESID-015" },
  needs = { "thin", "dataloss" },
  matrix = { command = { "mode select", "unmap" }, bytes = { -16, -1, 16 } },
  play = function(t, case)
    local s = t:login {}
    local block = s:capacity().block_size
    local data = random.bytes("data", block)
    expect(s:write { lba = 0, data = data }):good()
    local before = expect(s:mode_sense { page_code = 0x0A, dbd = 1 }):good().data
    local list, request
    if case.command == "unmap" then
      if s:read_capacity16 {}.data:byte(15) & 0x80 == 0 then skip("the unit is fully provisioned") end
      list = string.pack(">I2I2I4I8I4I4", 22, 16, 0, 0, 1, 0)
      request = cdb.unmap { parameter_list_length = #list }
    else
      list = "\0\0\0\0" .. string.char(before:byte(5) & 0x7F) .. before:sub(6)
      request = cdb.mode_select6 { pf = 1, parameter_list_length = #list }
    end
    local sent = case.bytes < 0 and list:sub(1, case.bytes - 1) or list .. string.rep("\xFF", case.bytes)
    local r = s:command { cdb = request, data = sent }
    if case.bytes > 0 then
      -- A target may also refuse what is not as long as it should be.
      if t.simulated or r.status == 0 then expect(expect(r):good()):residual(16) end
    elseif r.status == 0 then
      expect(r):residual(#sent - #list)
    else
      expect(r):check_condition()
    end
    expect(s:mode_sense { page_code = 0x0A, dbd = 1 }.data):equals(before)
    local is_unmapped = case.bytes > 0 and case.command == "unmap"
    if not is_unmapped then expect(s:read { lba = 0, blocks = 1 }.data):equals(data) end
  end,
}

scenario {
  title = "A command that says it reads, and expects nothing, is carried out or refused",
  covers = { "ISCSI-PDU-021" },
  matrix = { direction = { "read", "write" } },
  play = function(t, case)
    local s = t:login {}
    local sent = s:send(pdu.scsi_command {
      [case.direction] = true, expected_data_transfer_length = 0, cdb = cdb.test_unit_ready {},
    })
    local answer = s:receive { opcode = "scsi response", within = "5s" }
    if s.closed and not t.simulated then return end
    if answer or t.simulated then
      expect(answer):pdu { itt = sent.itt, status = 0, underflow = false, overflow = false }
    else
      expect(s:receive { opcode = "reject" }):pdu { rejected = { itt = sent.itt } }
      s:set_cmdsn(sent.cmdsn)
    end
    expect(s:test_unit_ready()):good()
  end,
}

scenario {
  title = "An expected length without a direction is rejected, or nothing is transferred",
  covers = { "ISCSI-CMD-002", "ISCSI-CMD-001" },
  matrix = {
    fields = { { expected_data_transfer_length = 512 }, { read = true, final = false, expected_data_transfer_length = 512 } },
  },
  play = function(t, case)
    local s = t:login {}
    local fields = { itt = 70, cdb = cdb.test_unit_ready {} }
    for name, value in pairs(case.fields) do fields[name] = value end
    local sent = s:send(pdu.scsi_command(fields))
    local answer = s:receive { opcode = "reject", within = "1s" }
    if s.closed then return end
    if answer then
      expect(answer):pdu { reason = { 4, 9 }, expcmdsn = sent.cmdsn }
      expect(s:receive { opcode = "scsi response", within = "100ms" }):nothing()
      s:set_cmdsn(sent.cmdsn)
    else
      -- Without F and W only a Reject will do.
      if case.fields.final == false then expect(answer):pdu { opcode = "reject" } end
      expect(s:receive { opcode = "scsi response" }):pdu { itt = 70, underflow = true, residual_count = 512 }
    end
    expect(s:test_unit_ready()):good()
  end,
}
