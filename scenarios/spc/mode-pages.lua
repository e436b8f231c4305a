local function pages(data, first)
  local found, index = {}, first
  while index + 1 <= #data do
    local code, length = data:byte(index) & 0x3F, data:byte(index + 1)
    found[#found + 1] = { code = code, bytes = data:sub(index, index + 1 + length) }
    index = index + 2 + length
  end
  return found, index
end

-- One page in a MODE SENSE(6) answer without block descriptors.
local function page(s, code, pc)
  return expect(s:mode_sense { page_code = code, dbd = 1, pc = pc }):good().data:sub(5)
end

-- A page as MODE SELECT takes it: PS is reserved there.
local function settable(page) return string.char(page:byte(1) & 0x7F) .. page:sub(2) end

-- Skips the case where MODE SELECT may not change these bits of a page: it is for a target to say what can be changed.
local function must_be_changeable(t, s, code, index, bits)
  local can_be = page(s, code, 1):byte(index + 1) & bits == bits
  if not can_be and not t.simulated then skip("what is to be changed cannot be changed") end
  expect(can_be):holds("bits that can be changed")
end

scenario {
  title = "MODE SENSE of all pages is well formed, with either CDB",
  covers = { "SCSI-MODE-001", "SCSI-MODE-002", "SCSI-MODE-004", "SCSI-MODE-010", "SCSI-MODE-008" },
  -- (6) has no LLBAA.
  matrix = { cdb = { "6", "10", "10 with LLBAA" }, dbd = { 0, 1 } },
  play = function(t, case)
    local s = t:login {}
    local cdb = case.cdb == "6" and 6 or 10
    local llbaa = case.cdb == "10 with LLBAA" and 1 or nil
    local r = s:mode_sense {
      cdb = cdb, llbaa = llbaa, page_code = 0x3F, dbd = case.dbd, allocation_length = cdb == 10 and 65535 or 255,
    }
    if llbaa and r.status ~= 0 and not t.simulated then
      expect(r):check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
      skip("the unit has no long block descriptors")
    end
    local data = expect(r):good().data
    local header = cdb == 6 and 4 or 8
    local descriptor
    if cdb == 6 then
      expect(data:byte(1)):equals(#data - 1)
      descriptor = data:byte(4)
    else
      expect((string.unpack(">I2", data))):equals(#data - 2)
      descriptor = string.unpack(">I2", data, 7)
    end
    -- Block descriptors are optional (SBC-4 §6.5.2), and 0 in one says that the number of blocks is not reported.
    local is_long = cdb == 10 and data:byte(5) & 1 == 1
    if not llbaa then expect(is_long):equals(false) end
    if case.dbd == 1 then expect(descriptor):equals(0) else expect(descriptor):one_of(0, is_long and 16 or 8) end
    if t.simulated then expect(descriptor):equals(case.dbd == 1 and 0 or llbaa and 16 or 8) end
    if descriptor == 16 then
      local capacity = s:capacity()
      expect((string.unpack(">I8", data, header + 1))):equals(capacity.blocks)
      expect((string.unpack(">I4", data, header + 13))):equals(capacity.block_size)
    elseif descriptor > 0 then
      local capacity = s:capacity()
      local blocks = string.unpack(">I4", data, header + 1)
      if blocks ~= 0 or t.simulated then expect(blocks):equals(math.min(capacity.blocks, 0xFFFFFFFF)) end
      expect((string.unpack(">I3", data, header + 6))):equals(capacity.block_size)
    end
    -- Page 00h, which is the vendor's own and need not look like a page, comes last.
    local list, index = pages(data, header + descriptor + 1)
    local last = 0
    for _, page in ipairs(list) do
      if page.code == 0 then return end
      expect(page.code):at_least(last + 1)
      last = page.code
    end
    expect(index):equals(#data + 1)
    if t.simulated then expect(#list):at_least(2) end
  end,
}

scenario {
  title = "Every page has current, changeable and default values, and saved ones if there are any",
  covers = { "SCSI-MODE-003", "SCSI-MODE-005", "SCSI-MODE-006", "SCSI-MODE-030" },
  play = function(t)
    local s = t:login {}
    local all = pages(expect(s:mode_sense { page_code = 0x3F, dbd = 1 }):good().data, 5)
    for _, page in ipairs(all) do
      if page.code == 0 then break end
      for pc = 0, 2 do
        local r = expect(s:mode_sense { page_code = page.code, dbd = 1, pc = pc }):good()
        expect(#r.data):equals(4 + #page.bytes)
      end
      local saved = s:mode_sense { page_code = page.code, dbd = 1, pc = 3 }
      if saved.status_name == "GOOD" and not t.simulated then
        expect(#saved.data):equals(4 + #page.bytes)
      else
        expect(saved):check_condition("ILLEGAL REQUEST", "SAVING PARAMETERS NOT SUPPORTED")
      end
    end
    -- Pages of the transport (SPC-4 §7.5.16, §7.5.17) are iSCSI's, if there are any.
    for _, code in ipairs { 0x18, 0x19 } do
      local r = s:mode_sense { page_code = code, dbd = 1 }
      if r.status_name == "GOOD" and not t.simulated then
        expect(r.data:byte(4 + 3) & 15):equals(5)
      else
        expect(r):check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
      end
    end
    -- No standard has given these to a disk.
    expect(s:mode_sense { page_code = 0x1F }):check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
    expect(s:mode_sense { page_code = 0x0A, subpage_code = 0x55 })
      :check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
    for _, code in ipairs { 0x3F, 0x0A } do
      local r = s:mode_sense { cdb = 10, page_code = code, subpage_code = 0xFF, allocation_length = 65535 }
      -- A target may have no subpages, not even all of them.
      if r.status_name == "GOOD" or t.simulated then
        expect(r):good()
      else
        expect(r):check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
      end
    end
  end,
}

scenario {
  title = "D_SENSE chooses the format of sense data",
  covers = { "SCSI-RS-010", "SCSI-RS-014", "SCSI-MODE-026" },
  play = function(t)
    local s = t:login {}
    must_be_changeable(t, s, 0x0A, 2, 0x04)
    local control = page(s, 0x0A)
    local last = s:capacity().last_lba
    local results = {}
    for _, d_sense in ipairs { 0x04, 0 } do
      local changed = control:sub(1, 2) .. string.char(control:byte(3) & ~0x04 | d_sense) .. control:sub(4)
      results[#results + 1] = s:mode_select { data = "\0\0\0\0" .. settable(changed) }
      results[#results + 1] = s:read { lba = last, blocks = 2 }
    end
    -- The next case finds the page as it was.
    expect(s:mode_select { data = "\0\0\0\0" .. settable(control) }):good()
    for index, format in ipairs { 0x72, 0x70 } do
      expect(results[2 * index - 1]):good()
      local r = expect(results[2 * index]):check_condition("ILLEGAL REQUEST", "LOGICAL BLOCK ADDRESS OUT OF RANGE")
      expect(r.sense.raw:byte(1) & 0x7F):equals(format)
    end
  end,
}

scenario {
  title = "SWP stops writes and nothing else",
  covers = { "SCSI-MODE-009", "SCSI-MODE-024" },
  needs = { "dataloss" },
  play = function(t)
    local s = t:login {}
    must_be_changeable(t, s, 0x0A, 4, 0x08)
    local control = settable(page(s, 0x0A))
    local protected = control:sub(1, 4) .. string.char(control:byte(5) | 0x08) .. control:sub(6)
    expect(s:mode_select { data = "\0\0\0\0" .. protected }):good()
    local sense, write, read = s:mode_sense { page_code = 0x0A }, s:write { lba = 0, blocks = 1 }, s:read { lba = 0, blocks = 1 }
    -- The next case finds the unit writable.
    expect(s:mode_select { data = "\0\0\0\0" .. control }):good()
    expect(expect(sense):good().data:byte(3) & 0x80):equals(0x80)
    expect(write):check_condition("DATA PROTECT")
    expect(read):good()
    expect(s:write { lba = 0, blocks = 1 }):good()
  end,
}

scenario {
  title = "MODE SELECT is all or nothing",
  covers = { "SCSI-MODE-011", "SCSI-MODE-012", "SCSI-MODE-013", "SCSI-MODE-014", "SCSI-MODE-015", "SCSI-MODE-016",
    "SCSI-MODE-017", "SCSI-MODE-018" },
  matrix = { cdb = { 6, 10 } },
  play = function(t, case)
    local s = t:login {}
    must_be_changeable(t, s, 0x0A, 2, 0x04)
    local function control() return settable(page(s, 0x0A)) end
    -- The header, with so many bytes of block descriptors behind it.
    local function header(count) return string.rep("\0", case.cdb == 6 and 3 or 7) .. string.char(count or 0) end
    local function select(fields)
      fields.cdb = case.cdb
      return s:mode_select(fields)
    end
    local before = control()
    local wanted = before:sub(1, 2) .. string.char(before:byte(3) ~ 0x04) .. before:sub(4)
    local lists = {
      ["a page that is not there"] = wanted .. "\x1F\x00", ["a wrong page length"] = wanted .. "\x0A\x09" .. wanted:sub(3),
    }
    -- A good page, and then one that changes what cannot be changed.
    local fixed = ~page(s, 0x0A, 1):byte(4) & 0xF0
    if fixed ~= 0 then
      lists["a field that cannot be changed"] =
        wanted .. wanted:sub(1, 3) .. string.char(wanted:byte(4) ~ fixed) .. wanted:sub(5)
    end
    for what, data in pairs(lists) do
      local r = select { data = header() .. data }
      expect(r):check_condition("ILLEGAL REQUEST", "INVALID FIELD IN PARAMETER LIST")
      print(what, r.sense.field_byte)
    end
    local whole = header() .. wanted
    for length = 1, #whole - 1 do
      if length ~= #header() then
        expect(select { data = whole:sub(1, length) }):check_condition("ILLEGAL REQUEST", "PARAMETER LIST LENGTH ERROR")
      end
    end
    -- A block descriptor that is not there, or only in part.
    for length = #header(), #header() + 7 do
      expect(select { data = header(8) .. string.rep("\0", length - #header()) })
        :check_condition("ILLEGAL REQUEST", "PARAMETER LIST LENGTH ERROR")
    end
    -- A length that no disk can be formatted with: others might be taken, and the unit be of no use until it is formatted.
    local descriptor = header(8) .. string.pack(">I4I4", 0, 3)
    expect(select { data = descriptor }):check_condition("ILLEGAL REQUEST", "INVALID FIELD IN PARAMETER LIST")
    if s:mode_sense { page_code = 0x0A, dbd = 1, pc = 3 }.status_name ~= "GOOD" then
      expect(select { data = header() .. wanted, sp = 1 }):check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
    end
    expect(select { data = "" }):good()
    expect(select { data = header() }):good()
    expect(control()):equals(before)
    -- What is right is taken.
    expect(select { data = whole }):good()
    local taken = control()
    expect(select { data = header() .. before }):good()
    expect(taken):equals(wanted)
    expect(control()):equals(before)
  end,
}

scenario {
  title = "MODE SELECT changes the bits that can be changed, and no other",
  covers = { "SCSI-MODE-003", "SCSI-MODE-014", "SCSI-MODE-019", "SCSI-MODE-020", "SCSI-MODE-026", "SCSI-MODE-027" },
  needs = { "simulation" }, -- to try every bit of another's unit could leave it useless
  play = function(t)
    local s = t:login {}
    local all = pages(expect(s:mode_sense { page_code = 0x3F, dbd = 1 }):good().data, 5)
    local codes = {}
    for _, each in ipairs(all) do
      codes[each.code] = true
      local before, mask = settable(page(s, each.code)), page(s, each.code, 1)
      expect(#mask):equals(#before)
      for place = 3, #before do
        for bit = 0, 7 do
          local changed = before:sub(1, place - 1) .. string.char(before:byte(place) ~ 1 << bit) .. before:sub(place + 1)
          local r = s:mode_select { data = "\0\0\0\0" .. changed }
          if mask:byte(place) >> bit & 1 == 1 then
            expect(r):good()
            expect(settable(page(s, each.code))):equals(changed)
            expect(s:mode_select { data = "\0\0\0\0" .. before }):good()
          else
            expect(r):check_condition("ILLEGAL REQUEST", "INVALID FIELD IN PARAMETER LIST")
            expect(r.sense.field_byte):equals(4 + place - 1)
          end
          expect(settable(page(s, each.code))):equals(before)
        end
      end
    end
    for _, code in ipairs { 0x01, 0x02, 0x08, 0x0A, 0x1C } do expect(codes[code]):equals(true) end
  end,
}

scenario {
  title = "MODE SENSE returns no more than the allocation length, and the same lengths whatever it is",
  covers = { "SCSI-MODE-007" },
  matrix = { cdb = { 6, 10 } },
  play = function(t, case)
    local s = t:login {}
    local whole = expect(s:mode_sense { cdb = case.cdb, page_code = 0x3F, allocation_length = 255 }):good().data
    for _, allocation in ipairs { 0, 1, 3, 4, 5, 8, 12, 20, 254, 255 } do
      local r = expect(s:mode_sense { cdb = case.cdb, page_code = 0x3F, allocation_length = allocation }):good()
      expect(r.data):equals(whole:sub(1, allocation))
    end
  end,
}

scenario {
  title = "DPO and FUA are taken, and DPOFUA says so",
  covers = { "SCSI-MODE-009" },
  needs = { "simulation" },
  play = function(t)
    local s = t:login {}
    expect(s:mode_sense { page_code = 0x3F }.data:byte(3) & 0x10):equals(0x10)
    for _, bits in ipairs { { fua = 1 }, { dpo = 1 } } do
      expect(s:read { lba = 0, blocks = 1, fua = bits.fua, dpo = bits.dpo }):good()
    end
  end,
}
