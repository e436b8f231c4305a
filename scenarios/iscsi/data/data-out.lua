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
