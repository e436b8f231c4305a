local function page(s, code, allocation)
  return s:inquiry { evpd = true, page_code = code, allocation_length = allocation or 65535 }
end

local function length(data) return (string.unpack(">I2", data, 3)) end

-- Most pages are optional: skips the case where one is not listed.
local function must_have(t, s, code)
  local is_listed = expect(page(s, 0)):good().data:find(string.char(code), 5, true)
  if not is_listed and not t.simulated then skip(string.format("there is no page %02Xh", code)) end
  expect(is_listed):holds("the page is listed")
end

scenario {
  title = "Every page that is listed can be read, and no other",
  covers = { "SCSI-VPD-001", "SCSI-VPD-002", "SCSI-VPD-024" },
  play = function(t)
    local s = t:login {}
    local list = expect(page(s, 0)):good().data
    local listed, last = {}, -1
    for index = 5, #list do
      local code = list:byte(index)
      expect(code):at_least(last + 1)
      listed[code], last = true, code
    end
    expect(listed[0x00] and listed[0x83]):holds("pages 00h and 83h are listed")
    for code = 0, 255 do
      local r = page(s, code)
      if listed[code] then
        local data = expect(r):good().data
        expect(data:byte(1)):equals(0)
        expect(data:byte(2)):equals(code)
        expect(length(data)):equals(#data - 4)
      else
        expect(r):check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
      end
    end
  end,
}

scenario {
  title = "A page that is cut off keeps its length field",
  covers = { "SCSI-VPD-025" },
  matrix = { page = { 0x00, 0x80, 0x83, 0xB0, 0xB1 } },
  play = function(t, case)
    local s = t:login {}
    must_have(t, s, case.page)
    local whole = expect(page(s, case.page)):good().data
    for allocation = 0, #whole + 3 do
      local r = expect(page(s, case.page, allocation)):good()
      expect(r.data):equals(whole:sub(1, allocation))
      expect(r.residual):equals(math.max(allocation - #whole, 0))
    end
  end,
}

scenario {
  title = "The unit has a name that is its own on every way to it",
  covers = { "SCSI-VPD-003", "SCSI-VPD-004", "SCSI-VPD-006", "SCSI-VPD-009", "SCSI-VPD-010" },
  play = function(t)
    local s = t:login {}
    local data = expect(page(s, 0x83)):good().data
    local index, name, port, device = 5, nil, nil, nil
    while index + 3 <= #data do
      local set, type, count = data:byte(index) & 15, data:byte(index + 1), data:byte(index + 3)
      local text = data:sub(index + 4, index + 3 + count)
      local association, kind = type >> 4 & 3, type & 15
      -- T10 vendor ID based, EUI-64 based, NAA, SCSI name string (SPC-4 §7.8.6.2.1). The first is for want of a better one, and
      -- ours has one.
      local is_name = kind == 1 and not t.simulated or kind == 2 or kind == 3 or kind == 8
      if association == 0 and is_name then name = text end
      if association == 0 and kind == 3 then
        expect(set):equals(1)
        expect(#text):equals(text:byte(1) >> 4 == 6 and 16 or 8)
      end
      if kind == 8 then expect(#text % 4):equals(0) end
      if association == 1 and kind == 8 then port = text end
      if association == 2 and kind == 8 then device = text end
      index = index + 4 + count
    end
    expect(index):equals(#data + 1)
    expect(name ~= nil):holds("a designator names the logical unit")
    -- These are optional, or should only be there.
    if port or t.simulated then expect(port or ""):contains(t.iqn .. ",t,0x") end
    if device or t.simulated then expect(device or ""):contains(t.iqn) end
    if t.simulated then expect(#page(s, 0x80).data):at_least(5) end
  end,
}

scenario {
  title = "Block Limits and provisioning agree with READ CAPACITY(16)",
  covers = { "SCSI-VPD-016", "SCSI-VPD-017", "SCSI-VPD-018", "SCSI-CAP-004" },
  needs = { "thin" },
  play = function(t)
    local s = t:login {}
    if s:read_capacity16 {}.data:byte(15) & 0x80 == 0 then skip("the unit is fully provisioned") end
    local limits = expect(page(s, 0xB0)):good().data
    expect(length(limits)):equals(0x3C)
    local maximum, optimal = string.unpack(">I4I4", limits, 9)
    if maximum > 0 then expect(optimal):at_most(maximum) end
    local provisioning = expect(page(s, 0xB2)):good().data
    -- LBPU: there is UNMAP.
    if provisioning:byte(6) & 0x80 ~= 0 or t.simulated then
      expect((string.unpack(">I4", limits, 21))):at_least(1)
      expect((string.unpack(">I4", limits, 25))):at_least(1)
    end
    local characteristics = page(s, 0xB1)
    if characteristics.status_name == "GOOD" or t.simulated then
      expect(length(expect(characteristics):good().data)):equals(0x3C)
    end
    -- With DP a provisioning group descriptor follows.
    if provisioning:byte(6) & 0x01 == 0 then expect(length(provisioning)):equals(4) end
    local capacity = expect(s:read_capacity16 {}):good().data
    expect(capacity:byte(15) & 0x80):equals(0x80)
    expect(capacity:byte(15) >> 6 & 1):equals(provisioning:byte(6) >> 2 & 1)
  end,
}

scenario {
  title = "The provisioning page says which commands give blocks back",
  covers = { "SCSI-VPD-018" },
  needs = { "thin", "dataloss" },
  play = function(t)
    local s = t:login {}
    local flags = page(s, 0xB2).data:byte(6)
    local zero = string.rep("\0", s:capacity().block_size)
    local results = {
      [0x80] = s:unmap { ranges = { { 0, 1 } } },
      [0x40] = s:write_same { cdb = 16, lba = 0, blocks = 1, data = zero, unmap = 1 },
      [0x20] = s:write_same { cdb = 10, lba = 0, blocks = 1, data = zero, unmap = 1 },
    }
    for bit, r in pairs(results) do expect(r.status_name == "GOOD"):equals(flags & bit ~= 0) end
  end,
}

scenario {
  title = "The Extended INQUIRY page tells of a write cache that is enabled",
  covers = { "SCSI-VPD-012" },
  play = function(t)
    local s = t:login {}
    local r = page(s, 0x86)
    if r.status_name ~= "GOOD" then skip("there is no Extended INQUIRY page") end
    if s:mode_sense { page_code = 8, dbd = 1 }.data:byte(7) & 4 ~= 0 then expect(r.data:byte(7) & 3):differs(0) end
  end,
}
