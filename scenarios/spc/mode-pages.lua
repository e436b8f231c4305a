local function pages(data, first)
  local found, index = {}, first
  while index + 1 <= #data do
    local code, length = data:byte(index) & 0x3F, data:byte(index + 1)
    found[#found + 1] = { code = code, bytes = data:sub(index, index + 1 + length) }
    index = index + 2 + length
  end
  return found, index
end

scenario {
  title = "MODE SENSE of all pages is well formed, with either CDB",
  covers = { "SCSI-MODE-001", "SCSI-MODE-002", "SCSI-MODE-004", "SCSI-MODE-010" },
  matrix = { cdb = { 6, 10 }, dbd = { 0, 1 } },
  play = function(t, case)
    local s = t:login {}
    local data = expect(s:mode_sense { cdb = case.cdb, page_code = 0x3F, dbd = case.dbd }):good().data
    local header = case.cdb == 6 and 4 or 8
    local descriptor
    if case.cdb == 6 then
      expect(data:byte(1)):equals(#data - 1)
      descriptor = data:byte(4)
    else
      expect((string.unpack(">I2", data))):equals(#data - 2)
      descriptor = string.unpack(">I2", data, 7)
    end
    expect(descriptor):equals(case.dbd == 1 and 0 or 8)
    if descriptor > 0 then
      local capacity = s:capacity()
      expect((string.unpack(">I4", data, header + 1))):equals(capacity.blocks)
      expect((string.unpack(">I3", data, header + 6))):equals(capacity.block_size)
    end
    local list, index = pages(data, header + descriptor + 1)
    expect(index):equals(#data + 1)
    local last = 0
    for _, page in ipairs(list) do
      expect(page.code):at_least(last + 1)
      last = page.code
    end
    expect(#list):at_least(2)
  end,
}

scenario {
  title = "Every page has current, changeable and default values, and none is saved",
  covers = { "SCSI-MODE-003", "SCSI-MODE-005", "SCSI-MODE-006" },
  play = function(t)
    local s = t:login {}
    local all = pages(expect(s:mode_sense { page_code = 0x3F, dbd = 1 }):good().data, 5)
    for _, page in ipairs(all) do
      for pc = 0, 2 do
        local r = expect(s:mode_sense { page_code = page.code, dbd = 1, pc = pc }):good()
        expect(#r.data):equals(4 + #page.bytes)
      end
      expect(s:mode_sense { page_code = page.code, dbd = 1, pc = 3 })
        :check_condition("ILLEGAL REQUEST", "SAVING PARAMETERS NOT SUPPORTED")
    end
    expect(s:mode_sense { page_code = 0x3E }):check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
    expect(s:mode_sense { page_code = 0x0A, subpage_code = 0x55 })
      :check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
    expect(s:mode_sense { page_code = 0x3F, subpage_code = 0xFF }):good()
  end,
}

scenario {
  title = "D_SENSE chooses the format of sense data",
  covers = { "SCSI-RS-010", "SCSI-RS-014", "SCSI-MODE-026" },
  play = function(t)
    local s = t:login {}
    local control = expect(s:mode_sense { page_code = 0x0A, dbd = 1 }):good().data:sub(5)
    local descriptor = control:sub(1, 2) .. string.char(control:byte(3) | 0x04) .. control:sub(4)
    local last = s:capacity().last_lba
    expect(s:mode_select { data = "\0\0\0\0" .. descriptor }):good()
    local r = s:read { lba = last, blocks = 2 }
    expect(r):check_condition("ILLEGAL REQUEST", "LOGICAL BLOCK ADDRESS OUT OF RANGE")
    expect(r.sense.raw:byte(1)):equals(0x72)
    expect(s:mode_select { data = "\0\0\0\0" .. control }):good()
    expect(s:read { lba = last, blocks = 2 }.sense.raw:byte(1) & 0x7F):equals(0x70)
  end,
}

scenario {
  title = "SWP stops writes and nothing else",
  covers = { "SCSI-MODE-009", "SCSI-MODE-024" },
  needs = { "dataloss" },
  play = function(t)
    local s = t:login {}
    local control = expect(s:mode_sense { page_code = 0x0A, dbd = 1 }):good().data:sub(5)
    local protected = control:sub(1, 4) .. string.char(control:byte(5) | 0x08) .. control:sub(6)
    expect(s:mode_select { data = "\0\0\0\0" .. protected }):good()
    expect(s:mode_sense { page_code = 0x0A }.data:byte(3) & 0x80):equals(0x80)
    expect(s:write { lba = 0, blocks = 1 }):check_condition("DATA PROTECT")
    expect(s:read { lba = 0, blocks = 1 }):good()
    expect(s:mode_select { data = "\0\0\0\0" .. control }):good()
    expect(s:write { lba = 0, blocks = 1 }):good()
  end,
}

scenario {
  title = "MODE SELECT is all or nothing",
  covers = { "SCSI-MODE-011", "SCSI-MODE-012", "SCSI-MODE-013", "SCSI-MODE-014", "SCSI-MODE-015", "SCSI-MODE-016",
    "SCSI-MODE-017", "SCSI-MODE-018" },
  play = function(t)
    local s = t:login {}
    local function control() return s:mode_sense { page_code = 0x0A, dbd = 1 }.data:sub(5) end
    local before = control()
    local wanted = before:sub(1, 2) .. string.char(before:byte(3) ~ 0x04) .. before:sub(4)
    -- A good page, and then one that changes what cannot be changed.
    local bad = wanted:sub(1, 3) .. string.char(wanted:byte(4) ~ 0xF0) .. wanted:sub(5)
    local list = { ["a field that cannot be changed"] = wanted .. bad, ["a page that is not there"] = wanted .. "\x3E\x00",
      ["a wrong page length"] = wanted .. "\x0A\x09" .. wanted:sub(3), }
    for what, data in pairs(list) do
      local r = s:mode_select { data = "\0\0\0\0" .. data }
      expect(r):check_condition("ILLEGAL REQUEST", "INVALID FIELD IN PARAMETER LIST")
      print(what, r.sense.field_byte)
    end
    for length = 1, 3 + #wanted do
      if length ~= 4 then
        expect(s:mode_select { data = ("\0\0\0\0" .. wanted):sub(1, length) })
          :check_condition("ILLEGAL REQUEST", "PARAMETER LIST LENGTH ERROR")
      end
    end
    local descriptor = "\0\0\0\8" .. string.pack(">I4I4", 0, 1024)
    expect(s:mode_select { data = descriptor }):check_condition("ILLEGAL REQUEST", "INVALID FIELD IN PARAMETER LIST")
    expect(s:mode_select { data = "\0\0\0\0" .. wanted, sp = 1 })
      :check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
    expect(s:mode_select { data = "" }):good()
    expect(control()):equals(before)
  end,
}
