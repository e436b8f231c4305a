-- Data-Out that is not what was announced or asked for (RFC 7143 §11.4.7.2, §11.7, §13.14): it is written nowhere.

-- A session whose block `lba` holds what it holds after a bad write, too; `play` is given the session and a block's length.
local function unchanged(t, lba, keys, play)
  local s = t:login { keys = keys }
  -- A target may want no data that it has not asked for, or fewer. Ours agrees to them.
  for _, key in ipairs { "InitialR2T", "ImmediateData", "FirstBurstLength" } do
    if keys[key] and s.parameters[key] ~= keys[key] and not t.simulated then
      skip("the target does not agree to " .. key .. "=" .. keys[key])
    end
  end
  local block = s:capacity().block_size
  local old = random.bytes("old", block)
  expect(s:write { lba = lba, data = old }):good()
  play(s, block)
  -- A connection may be closed behind a Reject.
  if not t.simulated then sleep "500ms" end
  if s.closed then s:relogin {} end
  expect(s:read { lba = lba, blocks = 1 }.data):equals(old)
end

-- A target may answer the command, reject a PDU of it, or close the connection; only say that all is well it may not.
local function refuses(s, itt, sense)
  local pdu
  repeat
    pdu = s:receive { within = "5s" }
    if s.closed then return end
  until not pdu or pdu.opcode == "reject" or pdu.itt == itt and pdu.opcode ~= "r2t"
  expect(pdu):pdu { opcode = { "reject", "scsi response" } }
  if pdu.opcode ~= "scsi response" then return end
  expect(pdu):pdu { status = 2 }
  if sense then expect(pdu):pdu { sense = sense } end
end

--- The next PDU behind the login's.
local function receive(s, options)
  local came
  repeat came = s:receive(options) until not came or s.closed or came.opcode ~= "login response"
  return came
end

-- Data that break a rule end their command, or the connection.
local function refused(r)
  if r.outcome == "completed" then
    expect(r):check_condition("ABORTED COMMAND")
  else
    expect(r.outcome):one_of("rejected", "connection lost")
  end
end

scenario {
  title = "Immediate data that were not agreed on are not written",
  covers = { "ISCSI-CMD-019" },
  needs = { "dataloss" },
  play = function(t)
    unchanged(t, 5, { ImmediateData = "No" }, function(s, block)
      local write = s:send(pdu.scsi_command {
        write = true, expected_data_transfer_length = block, cdb = cdb.write10 { lba = 5, blocks = 1 },
        data = string.rep("x", block),
      })
      refuses(s, write.itt, { key = "ABORTED COMMAND", asc = 0x0C, ascq = 0x0C })
    end)
  end,
}

scenario {
  title = "More immediate data than a first burst, or than the command announces, are not written",
  covers = { "ISCSI-CMD-020", "ISCSI-CMD-021" },
  needs = { "dataloss" },
  matrix = { than = { "a first burst", "announced" } },
  play = function(t, case)
    local is_burst = case.than == "a first burst"
    unchanged(t, 5, { ImmediateData = "Yes", FirstBurstLength = is_burst and 512 or 65536 }, function(s, block)
      local write = s:send(pdu.scsi_command {
        write = true, expected_data_transfer_length = is_burst and 2 * block or block,
        cdb = cdb.write10 { lba = 5, blocks = is_burst and 2 or 1 }, data = string.rep("x", 2 * block),
      })
      local is_told = t.simulated and { key = "ABORTED COMMAND", asc = 0x0C, ascq = 0x0D }
      refuses(s, write.itt, is_told or nil)
    end)
  end,
}

scenario {
  title = "Unsolicited data that were announced and not agreed on are waited for by nobody",
  covers = { "ISCSI-CMD-009" },
  needs = { "dataloss" },
  play = function(t)
    unchanged(t, 5, { InitialR2T = "Yes", ImmediateData = "No" }, function(s, block)
      local write = s:send(pdu.scsi_command {
        write = true, final = false, expected_data_transfer_length = block, cdb = cdb.write10 { lba = 5, blocks = 1 },
      })
      if t.simulated then
        return refuses(s, write.itt, { key = "ABORTED COMMAND", asc = 0x0C, ascq = 0x0C })
      end
      -- A target may overlook it, and ask for the data.
      local answer = receive(s, { within = "5s" })
      if s.closed then return end
      expect(answer):pdu { opcode = { "reject", "scsi response", "r2t" } }
      if answer.opcode == "r2t" then s:close { reset = true } end
    end)
  end,
}

scenario {
  title = "More unsolicited data than a first burst are not written",
  covers = { "ISCSI-DATA-007" },
  needs = { "dataloss" },
  play = function(t)
    unchanged(t, 5, { InitialR2T = "No", ImmediateData = "No", FirstBurstLength = 8192 }, function(s)
      local r = s:write {
        lba = 5, data = string.rep("x", 65536), immediate_length = 0, unsolicited_length = 16384, segment_length = 8192,
      }
      refused(r)
    end)
  end,
}

scenario {
  title = "Unsolicited data at another offset than the next are not written",
  covers = { "ISCSI-DATA-020" },
  needs = { "dataloss" },
  matrix = { offset = { 0, 4096, 12288 } },
  play = function(t, case)
    unchanged(t, 5, { InitialR2T = "No", ImmediateData = "No", FirstBurstLength = 16384 }, function(s)
      local r = s:write {
        lba = 5, data = string.rep("x", 16384), segment_length = 8192,
        data_out = { { burst = 0, index = 1, set = { buffer_offset = case.offset } } },
      }
      refused(r)
    end)
  end,
}

scenario {
  title = "Unsolicited data with a gap before the last of them are not written",
  covers = { "ISCSI-DATA-020" },
  needs = { "dataloss" },
  play = function(t)
    unchanged(t, 5, { InitialR2T = "No", ImmediateData = "No", FirstBurstLength = 16384 }, function(s, block)
      local write = s:send(pdu.scsi_command {
        write = true, final = false, expected_data_transfer_length = 16384,
        cdb = cdb.write10 { lba = 5, blocks = 16384 // block },
      })
      local function data(number, offset, length, final)
        s:send(pdu.data_out {
          itt = write.itt, ttt = 0xFFFFFFFF, lun = 0, datasn = number, buffer_offset = offset, final = final,
          data = string.rep("x", length),
        })
      end
      data(0, 0, 8192, false)
      data(1, 12288, 4096, true)
      refuses(s, write.itt)
    end)
  end,
}

scenario {
  title = "A write that cannot be done is answered when the last of its announced data has come",
  covers = { "ISCSI-CMD-014" },
  play = function(t)
    local s = t:login { keys = { InitialR2T = "No", ImmediateData = "No", FirstBurstLength = 65536 } }
    if s.parameters.InitialR2T == "Yes" and not t.simulated then skip("the target takes no unsolicited data") end
    local block, last = s:capacity().block_size, s:capacity().last_lba
    if last > 0xFFFFFFFE then skip("WRITE(10) reaches no block beyond the end") end
    local half = string.rep("x", 4 * block)
    local write = s:send(pdu.scsi_command {
      write = true, final = false, expected_data_transfer_length = 2 * #half, cdb = cdb.write10 { lba = last, blocks = 8 },
    })
    for number = 0, 1 do
      expect(s:receive { opcode = "scsi response", within = "1s" }):nothing()
      s:send(pdu.data_out {
        itt = write.itt, ttt = 0xFFFFFFFF, datasn = number, buffer_offset = number * #half, data = half, final = number == 1,
      })
    end
    expect(s:receive { opcode = "scsi response" }):pdu { itt = write.itt, status = 2 }
    expect(s:test_unit_ready()):good()
  end,
}

scenario {
  title = "A sequence of Data-Out that ends too early fails its command, and is not written",
  covers = { "ISCSI-DATA-024" },
  needs = { "dataloss" },
  play = function(t)
    unchanged(t, 5, { InitialR2T = "Yes", ImmediateData = "No" }, function(s, block)
      local write = s:send(pdu.scsi_command {
        write = true, expected_data_transfer_length = block, cdb = cdb.write10 { lba = 5, blocks = 1 },
      })
      local r2t = expect(s:receive { opcode = "r2t" }):pdu { itt = write.itt }
      s:send(pdu.data_out { itt = write.itt, ttt = r2t.ttt, lun_raw = r2t.lun_raw, data = string.rep("x", block // 2) })
      refuses(s, write.itt)
    end)
  end,
}

scenario {
  title = "Data that come unasked although an R2T has asked for them are not the data, and the write goes on",
  covers = { "ISCSI-DATA-008" },
  needs = { "dataloss" },
  play = function(t)
    local s = t:login { keys = { InitialR2T = "Yes", ImmediateData = "No" } }
    local block = s:capacity().block_size
    local data = random.bytes("data", block)
    local write = s:send(pdu.scsi_command {
      write = true, expected_data_transfer_length = block, cdb = cdb.write10 { lba = 5, blocks = 1 },
    })
    local r2t = expect(s:receive { opcode = "r2t" }):pdu { itt = write.itt }
    s:send(pdu.data_out { itt = write.itt, ttt = 0xFFFFFFFF, data = string.rep("x", block) })
    local answer = receive(s, { within = "500ms" })
    if s.closed then return end
    if answer or t.simulated then expect(answer):pdu { opcode = { "reject", t.simulated and "reject" or "scsi response" } } end
    if answer and answer.opcode == "scsi response" then return expect(answer):pdu { status = 2 } end
    s:send(pdu.data_out { itt = write.itt, ttt = r2t.ttt, lun_raw = r2t.lun_raw, data = data })
    answer = expect(s:receive { opcode = "scsi response" }):pdu { itt = write.itt }
    if t.simulated then expect(answer):pdu { status = 0 } end
    if answer.status == 0 then expect(s:read { lba = 5, blocks = 1 }.data):equals(data) end
  end,
}

scenario {
  title = "Data for a task that reads are rejected or thrown away, and the read goes on",
  covers = { "ISCSI-DATA-027" },
  matrix = { tag = { 0xFFFFFFFF, 0, 0x7A5A5A5A } },
  play = function(t, case)
    local s = t:login {}
    local block = s:capacity().block_size
    local old = random.bytes("old", block)
    expect(s:write { lba = 5, data = old }):good()
    if t.simulated then fault.disk.slow { delay = "100ms", of = { "read" }, times = 1 } end
    local read = s:send(pdu.scsi_command {
      read = true, expected_data_transfer_length = block, cdb = cdb.read10 { lba = 5, blocks = 1 },
    })
    s:send(pdu.data_out { itt = read.itt, ttt = case.tag, data = string.rep("x", block) })
    local data = s:receive { opcode = "data-in" }
    if s.closed and not t.simulated then return end
    expect(expect(data):pdu { itt = read.itt }.data):equals(old)
    local answer = s:receive { opcode = "reject", within = "500ms" }
    if s.closed and not t.simulated then return end
    if answer or t.simulated then expect(answer):pdu { reason = { 4, 9 } } end
    expect(s:test_unit_ready()):good()
  end,
}

scenario {
  title = "Without F behind the last of the data a write waits for it, and keeps no other waiting",
  covers = { "ISCSI-DATA-023", "ISCSI-DATA-029" },
  needs = { "dataloss" },
  play = function(t)
    local s = t:login { keys = { InitialR2T = "Yes", ImmediateData = "No" } }
    local block = s:capacity().block_size
    local data = random.bytes("data", block)
    local write = s:send(pdu.scsi_command {
      write = true, expected_data_transfer_length = block, cdb = cdb.write10 { lba = 5, blocks = 1 },
    })
    local r2t = expect(s:receive { opcode = "r2t" }):pdu { itt = write.itt }
    local fields = { itt = write.itt, ttt = r2t.ttt, lun_raw = r2t.lun_raw, data = data, final = false }
    s:send(pdu.data_out(fields))
    local answer = s:receive { opcode = "scsi response", within = "500ms" }
    if s.closed and not t.simulated then return end
    -- A target may find an error in it.
    if t.simulated then expect(answer):nothing() end
    expect(s:write { lba = 6, blocks = 1 }):good()
    expect(s:read { lba = 6, blocks = 1 }):good()
    if answer then return expect(answer):pdu { itt = write.itt } end
    fields.data, fields.final, fields.datasn, fields.buffer_offset = "", true, 1, block
    s:send(pdu.data_out(fields))
    answer = s:receive { opcode = "scsi response" }
    if s.closed and not t.simulated then return end
    expect(answer):pdu { itt = write.itt, status = t.simulated and 0 or nil }
    if answer.status == 0 then expect(s:read { lba = 5, blocks = 1 }.data):equals(data) end
  end,
}

scenario {
  title = "Unsolicited data of two writes that come the other way round are not mixed up",
  covers = { "ISCSI-DATA-040" },
  needs = { "dataloss" },
  play = function(t)
    local s = t:login { keys = { InitialR2T = "No", ImmediateData = "No" } }
    if s.parameters.InitialR2T == "Yes" and not t.simulated then skip("the target does not agree to InitialR2T=No") end
    local block = s:capacity().block_size
    local old = random.bytes("old", 2 * block)
    expect(s:write { lba = 5, data = old }):good()
    local writes = {}
    for n = 0, 1 do
      writes[n] = s:send(pdu.scsi_command {
        write = true, final = false, expected_data_transfer_length = block, cdb = cdb.write10 { lba = 5 + n, blocks = 1 },
      })
    end
    for n = 1, 0, -1 do s:send(pdu.data_out { itt = writes[n].itt, data = string.rep(tostring(n), block) }) end
    -- Unsolicited data come in the order of their commands (RFC 7143 §4.2.5.2); otherwise a target may end the session.
    for _ = 0, 1 do
      local answer = s:receive { opcode = "scsi response", within = "5s" }
      if t.simulated then expect(answer):pdu { status = 0 } end
    end
    local found = t:login { isid = 9 }:read { lba = 5, blocks = 2 }.data
    for n = 0, 1 do
      local new = string.rep(tostring(n), block)
      local first, last = n * block + 1, n * block + block
      expect(found:sub(first, last)):one_of(new, not t.simulated and old:sub(first, last) or new)
    end
  end,
}

scenario {
  title = "A write of more than a command may transfer is refused, and gets no memory",
  covers = { "ISCSI-DATA-041" },
  world = { target { luns = { { null = true, size = "8TiB" } } } },
  matrix = { length = { 16777216, 0x40000000, 0xFFFFFE00 } },
  play = function(t, case)
    local s = t:login {}
    local before = t:statistics().buffer_bytes
    for isid = 2, 9 do
      local other = t:login { isid = isid }
      local sent = other:send(pdu.scsi_command {
        write = true, expected_data_transfer_length = case.length, cdb = cdb.write16 { lba = 0, blocks = case.length // 512 },
        data = string.rep("x", 65536),
      })
      expect(receive(other, {})):pdu {
        opcode = "scsi response", itt = sent.itt, status = 2, sense = { key = "ILLEGAL REQUEST", asc = 0x24, ascq = 0 },
      }
    end
    expect(t:statistics().buffer_bytes - before):at_most(1 << 20)
    expect(s:test_unit_ready()):good()
  end,
}

scenario {
  title = "Whatever ends a write whose R2T is never answered, its memory is given back",
  covers = { "ISCSI-DATA-043" },
  needs = { "simulation" },
  matrix = { by = { "abort task", "logical unit reset", "logout", "reset" } },
  play = function(t, case)
    local other = t:login { isid = 9 }
    sleep "1s"
    local before = t:statistics().buffer_bytes
    local s = t:login { keys = { InitialR2T = "Yes", ImmediateData = "No" } }
    local write = s:write { lba = 0, blocks = 2048, hold_r2ts = true, async = true }
    sleep "10ms"
    expect(t:statistics().buffer_bytes - before):at_least(1 << 20)
    if case.by == "abort task" then
      expect(s:task_management { ["function"] = case.by, task = write }):response(0)
    elseif case.by == "logical unit reset" then
      expect(other:task_management { ["function"] = case.by }):response(0)
    elseif case.by == "logout" then
      expect(s:logout {}):response(0)
    else
      s:close { reset = true }
    end
    sleep "1s"
    expect(t:statistics().tasks):equals(0)
    expect(t:statistics().buffer_bytes - before):at_most(65536)
    if not s.closed then
      if not write.ended then write:abandon() end
      s:test_unit_ready() -- takes the unit attention of a reset
      expect(s:test_unit_ready()):good()
    end
  end,
}

scenario {
  title = "Data behind an additional header, which no Data-Out has, are not written",
  covers = { "ISCSI-PDU-012" },
  needs = { "simulation" }, -- a target need not look at it (RFC 7143 §7.10)
  matrix = { words = { 1, 255 }, length = { 512, 65536 }, digest = { "None", "CRC32C" } },
  play = function(t, case)
    local keys = { InitialR2T = "Yes", ImmediateData = "No", HeaderDigest = case.digest, DataDigest = case.digest }
    unchanged(t, 5, keys, function(s)
      local write = s:send(pdu.scsi_command {
        write = true, expected_data_transfer_length = case.length, cdb = cdb.write10 { lba = 5, blocks = case.length // 512 },
      })
      local r2t = expect(s:receive { opcode = "r2t" }):pdu { itt = write.itt }
      s:send(pdu.data_out {
        itt = write.itt, ttt = r2t.ttt, ahs = string.rep("\0\1\x3F\0", case.words), data = string.rep("x", case.length),
      })
      expect(receive(s, {})):pdu { opcode = "reject", reason = 9 }
      expect(s:receive {}):pdu { opcode = "scsi response", itt = write.itt, status = 2, sense = { key = "ABORTED COMMAND" } }
      expect(s:test_unit_ready()):good()
    end)
  end,
}

scenario {
  title = "Data that another session sends for a task are not its data",
  covers = { "ISCSI-DATA-025", "ISCSI-DATA-026" },
  needs = { "dataloss", "2init" },
  play = function(t)
    local keys = { InitialR2T = "Yes", ImmediateData = "No" }
    local a = t:login { name = "iqn.2026-11.example:a", keys = keys }
    local b = t:login { name = "iqn.2026-11.example:b", keys = keys }
    local block = a:capacity().block_size
    a:send(pdu.scsi_command {
      itt = 0x55, write = true, expected_data_transfer_length = block, cdb = cdb.write10 { lba = 5, blocks = 1 },
    })
    local r2t = expect(a:receive { opcode = "r2t" }):pdu { itt = 0x55 }
    b:send(pdu.data_out { itt = 0x55, ttt = r2t.ttt, lun_raw = r2t.lun_raw, data = string.rep("b", block) })
    expect(a:receive { opcode = "scsi response", within = "500ms" }):nothing()
    a:send(pdu.data_out { itt = 0x55, ttt = r2t.ttt, lun_raw = r2t.lun_raw, data = string.rep("a", block) })
    expect(a:receive { opcode = "scsi response" }):pdu { itt = 0x55, status = 0 }
    expect(a:read { lba = 5, blocks = 1 }.data):equals(string.rep("a", block))
  end,
}

local function read_with(fields)
  return function(t)
    local s = t:login {}
    fields.expected_data_transfer_length = s:capacity().block_size
    fields.cdb = cdb.read10 { lba = 0, blocks = 1 }
    refuses(s, s:send(pdu.scsi_command(fields)).itt)
    expect(t:login { isid = 9 }:test_unit_ready()):good()
  end
end

scenario {
  title = "A command that neither ends nor announces data is not carried out",
  covers = { "ISCSI-CMD-001" },
  play = read_with { read = true, final = false },
}

scenario {
  title = "A command with data both ways, and no length of those that it reads, is not carried out",
  covers = { "ISCSI-CMD-001" },
  needs = { "simulation" },
  play = read_with { read = true, write = true },
}
