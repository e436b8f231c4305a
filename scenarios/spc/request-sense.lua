-- A target need not have sense data in descriptor format: it refuses DESC then, and one of SPC-3 may overlook it (SPC-4 §6.39).
-- Ours has them.
local function must_have_format(t, s, desc)
  if desc == 0 or t.simulated then return end
  local r = s:request_sense { desc = 1 }
  local has_none = r.status_name == "GOOD" and r.data:byte(1) & 0x7F == 0x70
  if r.status_name ~= "GOOD" then
    expect(r):check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
    has_none = true
  end
  if has_none then skip("the unit has no sense data in descriptor format") end
end

scenario {
  title = "REQUEST SENSE has nothing to say, in either format and any length",
  covers = { "SCSI-RS-003", "SCSI-RS-005", "SCSI-RS-006" },
  matrix = { desc = { 0, 1 } },
  play = function(t, case)
    local s = t:login {}
    must_have_format(t, s, case.desc)
    local whole = expect(s:request_sense { desc = case.desc }):good().data
    expect(whole:byte(1)):equals(case.desc == 1 and 0x72 or 0x70)
    expect(whole:byte(case.desc == 1 and 2 or 3) & 15):equals(0)
    for _, allocation in ipairs { 0, 1, 7, 17, 18, 252 } do
      local r = expect(s:request_sense { desc = case.desc, allocation_length = allocation }):good()
      expect(r.data):equals(whole:sub(1, allocation))
    end
  end,
}

scenario {
  title = "REQUEST SENSE returns a unit attention and clears it",
  covers = { "SCSI-RS-004", "SCSI-UA-001" },
  play = function(t)
    local s = t:login { clear_unit_attention = false }
    local data = expect(s:request_sense {}):good().data
    expect(data:byte(3) & 15):equals(6)
    expect(data:byte(13)):equals(0x29)
    expect(s:test_unit_ready()):good()
  end,
}

scenario {
  title = "REQUEST SENSE of a unit that is not there says so in its data",
  covers = { "SCSI-RS-007" },
  play = function(t)
    local s = t:login {}
    local data = expect(s:request_sense { lun = 99 }):good().data
    expect(data:byte(3) & 15):equals(5)
    expect(data:byte(13)):equals(0x25)
  end,
}

scenario {
  title = "Sense data point at the byte that is wrong",
  covers = { "SCSI-RS-009", "SCSI-RS-012" },
  play = function(t)
    local s = t:login {}
    -- PROTECT: with protection information it may be right.
    if not t.simulated and s:inquiry {}.data:byte(6) & 1 ~= 0 then skip("the unit has protection information") end
    local r = s:read { lba = 0, blocks = 1, rdprotect = 1 }
    expect(r):check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
    if not r.sense.field_byte and not t.simulated then skip("the sense data have no field pointer") end
    expect(r.sense.field_byte):equals(1)
    expect(r.sense.field_in_cdb):equals(true)
  end,
}

-- SPC-4 §6.39: "with any allocation length".
scenario {
  title = "REQUEST SENSE clears a unit attention, however little it returns",
  covers = { "SCSI-RS-004" },
  matrix = { desc = { 0, 1 }, allocation = { 0, 1, 3, 13, 18 } },
  play = function(t, case)
    must_have_format(t, t:login { isid = 9 }, case.desc)
    local s = t:login { clear_unit_attention = false }
    expect(s:request_sense { desc = case.desc, allocation_length = case.allocation }):good()
    expect(s:test_unit_ready()):good()
  end,
}

scenario {
  title = "Sense data come with CHECK CONDITION, and their length in front of them",
  covers = { "ISCSI-CMD-012", "ISCSI-CMD-013", "SCSI-RS-009" },
  play = function(t)
    local s = t:login {}
    local commands = {
      { cdb = cdb.read16 { lba = -1, blocks = 1 }, read = true, expected_data_transfer_length = 512 },
      { cdb = cdb.inquiry { page_code = 0x83, allocation_length = 36 }, read = true, expected_data_transfer_length = 36 },
      { cdb = cdb.test_unit_ready {}, lun = 16383 },
    }
    for _, command in ipairs(commands) do
      local sent = s:send(pdu.scsi_command(command))
      local r = expect(s:receive { opcode = "scsi response" }):pdu { itt = sent.itt, response = 0, status = 2 }
      local length = string.unpack(">I2", r.data)
      expect(length):at_least(8)
      expect(length):at_most(#r.data - 2)
      -- ADDITIONAL SENSE LENGTH, in either format.
      expect(r.data:byte(2 + 8)):at_most(length - 8)
      if t.simulated then expect(r.data:byte(2 + 8)):equals(length - 8) end
    end
    expect(s:test_unit_ready()):good()
  end,
}

scenario {
  title = "A block number that does not fit into fixed format is not cut, but left out",
  covers = { "SCSI-RS-011" },
  needs = { "cfg" },
  world = { target { luns = { { null = true, size = "4TiB" } } } },
  play = function(t)
    local s = t:login {}
    local last = s:capacity().last_lba
    local r = expect(s:read { cdb = 16, lba = last, blocks = 2 })
      :check_condition("ILLEGAL REQUEST", "LOGICAL BLOCK ADDRESS OUT OF RANGE")
    expect(r.sense.raw:byte(1)):equals(0x70) -- without VALID
    expect(r.sense.information):equals(nil)
    -- With D_SENSE there is room for it.
    local control = expect(s:mode_sense { page_code = 0x0A, dbd = 1 }):good().data:sub(5)
    local changed = control:sub(1, 2) .. string.char(control:byte(3) | 0x04) .. control:sub(4)
    expect(s:mode_select { data = "\0\0\0\0" .. changed }):good()
    r = expect(s:read { cdb = 16, lba = last, blocks = 2 })
      :check_condition("ILLEGAL REQUEST", "LOGICAL BLOCK ADDRESS OUT OF RANGE")
    expect(r.sense.raw:byte(1)):equals(0x72)
    expect(r.sense.information):equals(last + 1)
  end,
}
