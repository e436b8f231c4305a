-- Command numbering (RFC 7143 §4.2.2.1): what is carried out, in which order, and what is ignored.

--- An ORDERED WRITE of block 5 with its data, a block full of `byte`.
local function write(block, byte, fields)
  fields.write, fields.attribute = true, 2
  fields.expected_data_transfer_length = block
  fields.cdb = cdb.write10 { lba = 5, blocks = 1 }
  fields.data = string.rep(byte, block)
  return pdu.scsi_command(fields)
end

local function test_unit_ready(fields)
  fields.cdb = cdb.test_unit_ready {}
  return pdu.scsi_command(fields)
end

--- Receives as `s` does. Commands of one connection are sent in the order of their numbers (RFC 7143 §4.2.2.1), and who sends
--- them in another may be left. Ours waits for what is missing.
local function receive(t, s, options)
  local came = s:receive(options)
  if s.closed and not t.simulated then skip("the target ends a session whose commands come out of order") end
  return came
end

--- What was sent has no answer.
local function ignored(s)
  expect(s:receive { opcode = "scsi response", within = "1s" }):nothing()
  expect(s:receive { opcode = "reject", within = "10ms" }):nothing()
end

scenario {
  title = "Commands are carried out in the order of their numbers, however they come",
  covers = { "ISCSI-CMDSN-001", "ISCSI-CMDSN-002" },
  matrix = { order = { { 2, 1, 0 }, { 1, 2, 0 }, { 2, 0, 1 } } },
  play = function(t, case)
    local s = t:login {}
    local is_refused = s.parameters.ImmediateData == "No" and not t.simulated
    if is_refused then skip("the target does not agree to ImmediateData=Yes") end
    local block = s:capacity().block_size
    local first = s.cmdsn
    for _, place in ipairs(case.order) do
      s:send(write(block, tostring(place), { itt = 70 + place, cmdsn = first + place }))
    end
    for _ = 0, 2 do expect(receive(t, s, { opcode = "scsi response" })):pdu { status = 0 } end
    s:set_cmdsn(first + 3)
    expect(s:read { lba = 5, blocks = 1 }.data):equals(string.rep("2", block))
  end,
}

scenario {
  title = "A command behind a gap waits until the gap is filled",
  covers = { "ISCSI-CMDSN-002", "ISCSI-CMDSN-016", "ISCSI-MCS-002" },
  play = function(t)
    local s = t:login {}
    local first = s.cmdsn
    s:send(test_unit_ready { itt = 71, cmdsn = first + 1 })
    expect(receive(t, s, { opcode = "scsi response", within = "1s" })):nothing()
    expect(s:receive { opcode = "reject", within = "10ms" }):nothing()
    s:send(pdu.nop_out { immediate = true, itt = 9, cmdsn = first + 2 })
    expect(s:receive { opcode = "nop-in" }):pdu { itt = 9, expcmdsn = first }
    s:send(test_unit_ready { itt = 70, cmdsn = first })
    expect(s:receive { opcode = "scsi response" }):pdu { itt = 70, status = 0 }
    expect(s:receive { opcode = "scsi response" }):pdu { itt = 71, status = 0, expcmdsn = first + 2 }
  end,
}

scenario {
  title = "A command whose number is outside the window is ignored",
  covers = { "ISCSI-CMDSN-003", "ISCSI-CMDSN-004", "ISCSI-CMDSN-006", "IOP-47" },
  matrix = { where = { "above", "below", "far ahead", "far behind" } },
  play = function(t, case)
    local s = t:login {}
    local number = {
      above = s.maxcmdsn + 1, below = s.expcmdsn - 1, ["far ahead"] = s.expcmdsn + 0x7FFFFFFF,
      ["far behind"] = s.expcmdsn + 0x80000000,
    }
    s:send(test_unit_ready { itt = 70, cmdsn = number[case.where] % 0x100000000 })
    ignored(s)
    expect(s:test_unit_ready()):good()
    expect(s.expcmdsn):equals(s.cmdsn)
  end,
}

scenario {
  title = "A command that comes twice is carried out once",
  covers = { "ISCSI-CMDSN-005", "ISCSI-CMDSN-018" },
  play = function(t)
    local s = t:login {}
    local first = s.cmdsn
    for _ = 1, 2 do s:send(test_unit_ready { itt = 71, cmdsn = first + 1 }) end
    s:send(test_unit_ready { itt = 70, cmdsn = first })
    expect(receive(t, s, { opcode = "scsi response" })):pdu { itt = 70, status = 0 }
    expect(s:receive { opcode = "scsi response" }):pdu { itt = 71, status = 0 }
    s:send(test_unit_ready { itt = 71, cmdsn = first + 1 })
    ignored(s)
    s:set_cmdsn(first + 2)
    expect(s:test_unit_ready()):good()
  end,
}

scenario {
  title = "Numbers go on behind 2^32 - 1",
  covers = { "ISCSI-CMDSN-007" },
  play = function(t)
    local s = t:login { first_cmdsn = 0xFFFFFFF0 }
    local tasks = {}
    for number = 1, 40 do tasks[number] = s:test_unit_ready { async = true } end
    for number = 1, 40 do expect(tasks[number]:wait()):good() end
    expect(s.expcmdsn):equals(s.cmdsn)
    expect(s.cmdsn):at_most(64)
  end,
}

scenario {
  title = "An immediate command takes no number, and needs no window",
  covers = { "ISCSI-CMDSN-011", "ISCSI-CMDSN-012", "ISCSI-CMD-022" },
  matrix = { ahead = { 0, 5 } },
  play = function(t, case)
    local s = t:login {}
    local before = s.cmdsn
    local number = case.ahead == 0 and before or (s.maxcmdsn + case.ahead) % 0x100000000
    s:send(test_unit_ready { itt = 70, immediate = true, cmdsn = number })
    expect(s:receive { opcode = "scsi response" }):pdu { itt = 70, status = 0, expcmdsn = before }
    expect(s:test_unit_ready()):good()
    expect(s.expcmdsn):equals(before + 1)
  end,
}

scenario {
  title = "As many commands as the window lets in are all answered",
  covers = { "ISCSI-CMDSN-021", "ISCSI-CMDSN-008", "IOP-06" },
  play = function(t)
    local s = t:login {}
    local tasks = {}
    for number = 1, math.min((s.maxcmdsn - s.expcmdsn + 1) % 0x100000000, 1024) do
      tasks[number] = s:read { lba = number, blocks = 1, async = true }
    end
    for _, task in ipairs(tasks) do
      expect(task:wait().status_name):one_of("GOOD", "BUSY", "TASK SET FULL")
    end
  end,
}
