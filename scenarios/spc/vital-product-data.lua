local function page(s, code, allocation)
  return s:inquiry { evpd = true, page_code = code, allocation_length = allocation or 65535 }
end

local function length(data) return (string.unpack(">I2", data, 3)) end

-- Most pages are optional: skips the case where one is not listed.
local function must_have(t, s, code)
  local is_listed = expect(page(s, 0)):good().data:find(string.char(code), 5, true)
  if not is_listed and not t.simulated then skip(string.format("there is no page %02Xh", code)) end
  expect(is_listed):holds(string.format("page %02Xh in the list of pages", code), "a list without it")
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
    expect(listed[0x00] and listed[0x83]):holds("pages 00h and 83h in the list of pages", list:sub(5))
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
  matrix = { page = { 0x00, 0x80, 0x83, 0x86, 0x87, 0x88, 0xB0, 0xB1, 0xB2 } },
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
    expect(name ~= nil):holds("a designator that names the logical unit", "none")
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
      local data = expect(characteristics):good().data
      expect(length(data)):equals(0x3C)
      -- MEDIUM ROTATION RATE: not reported, does not rotate, or turns a minute. 2h to 400h and FFFFh are reserved.
      local rate = string.unpack(">I2", data, 5)
      expect(rate < 2 or rate > 0x400 and rate < 0xFFFF):holds("a medium rotation rate that there is")
      -- NOMINAL FORM FACTOR.
      expect(data:byte(8) & 15):at_most(5)
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
    if r.status_name ~= "GOOD" and not t.simulated then skip("there is no Extended INQUIRY page") end
    expect(length(expect(r):good().data)):equals(0x3C)
    -- SIMPSUP, which whoever has CMDQUE has.
    if s:inquiry {}.data:byte(8) & 2 ~= 0 then expect(r.data:byte(6) & 1):equals(1) end
    if t.simulated then
      -- HEADSUP and ORDSUP as well; no protection, no checks of it; and of what may be, nothing else is said.
      expect(r.data:sub(5, 6)):equals("\0\7")
      expect(r.data:sub(8)):equals(string.rep("\0", 57))
    end
    if s:mode_sense { page_code = 8, dbd = 1 }.data:byte(7) & 4 ~= 0 then expect(r.data:byte(7) & 3):differs(0) end
  end,
}

scenario {
  title = "Every unit has names of its own, and keeps them when the target starts again",
  covers = { "SCSI-VPD-003", "SCSI-VPD-006", "SCSI-VPD-011", "SCSI-VPD-005", "IOP-44" },
  needs = { "simulation" },
  world = {
    target {
      portals = { "10.0.0.1:3260", "10.0.0.1:3261" },
      luns = { { size = "1MiB" }, { lun = 1, size = "1MiB" }, { lun = 2, size = "1MiB" } },
    },
    target { iqn = "iqn.2026-11.example:other", portals = { "10.0.0.1:3260" }, luns = { { size = "1MiB" } } },
  },
  play = function(t)
    -- The serial number, and the first eight characters of it behind the vendor's name, by which some hosts know a unit; NAA.
    local function names(s, lun)
      local serial = expect(s:inquiry { lun = lun, evpd = true, page_code = 0x80 }):good().data:sub(5)
      expect(serial):equals(serial:match "^[\x20-\x7E]+$")
      local data = expect(s:inquiry { lun = lun, evpd = true, page_code = 0x83 }):good().data
      local found, index = { serial }, 5
      while index < #data do
        local kind, count = data:byte(index + 1), data:byte(index + 3)
        local name = data:sub(index + 4, index + 3 + count)
        if kind == 0x01 then
          expect(name:sub(9)):equals(serial)
          found[#found + 1] = name:sub(9, 16)
        elseif kind == 0x03 then
          found[#found + 1] = name
        end
        index = index + 4 + count
      end
      expect(#found):equals(3)
      return found
    end
    local function all(portal)
      local found = {}
      local s = t:login { portal = portal }
      for lun = 0, 2 do found[lun + 1] = names(s, lun) end
      found[4] = names(t:login { target = "iqn.2026-11.example:other" }, 0)
      return found
    end
    local first = all(1)
    for unit = 1, 4 do
      for other = 1, unit - 1 do
        for place, name in ipairs(first[unit]) do expect(name):differs(first[other][place]) end
      end
    end
    local function same(found)
      for unit, list in ipairs(found) do
        for place, name in ipairs(list) do expect(name):equals(first[unit][place]) end
      end
    end
    same(all(2))
    t:kill()
    t:restart()
    same(all(1))
  end,
}

scenario {
  title = "Every target port is listed with its name, and the one that was come through is among them",
  covers = { "SCSI-VPD-014", "SCSI-VPD-008", "SCSI-VPD-009", "ISCSI-NAME-007" },
  play = function(t)
    local s = t:login {}
    must_have(t, s, 0x88)
    local data = expect(page(s, 0x88)):good().data
    local ports, index = {}, 5
    while index < #data do
      local number, transport = string.unpack(">xxI2xxI2", data, index)
      local count = string.unpack(">I2", data, index + 10 + transport)
      local list = data:sub(index + 12 + transport, index + 11 + transport + count)
      expect(#list):equals(count)
      expect(number):at_least(1)
      expect(ports[number]):equals(nil)
      ports[number] = list
      index = index + 12 + transport + count
    end
    expect(index):equals(#data + 1)
    -- This path's port by its number, as page 83h has it, and its group as REPORT TARGET PORT GROUPS does.
    local identification, own, group = expect(page(s, 0x83)):good().data, nil, nil
    index = 5
    while index < #identification do
      local kind, count = identification:byte(index + 1) & 0x3F, identification:byte(index + 3)
      if kind == 0x14 then own = string.unpack(">I2", identification, index + 6) end
      if kind == 0x15 then group = string.unpack(">I2", identification, index + 6) end
      index = index + 4 + count
    end
    if t.simulated then expect(own):differs(nil) end
    if own then
      expect(ports[own]):differs(nil)
      if t.simulated then expect(ports[own]):contains(t.iqn .. ",t,0x0001\0") end
    end
    if s:inquiry {}.data:byte(6) >> 4 & 3 == 0 then return end
    -- The designators of ports should only be there.
    if not t.simulated and not (own and group) then return end
    expect(group):differs(nil)
    local groups = expect(s:report_target_port_groups {}):good().data
    local is_found
    index = 5
    while index < #groups do
      local number, count = string.unpack(">xxI2xxxB", groups, index)
      for place = 0, count - 1 do
        if number == group and string.unpack(">I2", groups, index + 10 + 4 * place) == own then is_found = true end
      end
      index = index + 8 + 4 * count
    end
    expect(is_found):holds("the port is in its group")
  end,
}

scenario {
  title = "Mode pages are as widely shared as the Mode Page Policy page says",
  covers = { "SCSI-VPD-013" },
  needs = { "2init" },
  play = function(t)
    local a = t:login { name = "iqn.2026-11.example:a" }
    local b = t:login { name = "iqn.2026-11.example:b" }
    must_have(t, a, 0x87)
    local data = expect(page(a, 0x87)):good().data
    expect((#data - 4) % 4):equals(0)
    local policy
    for index = 5, #data, 4 do
      local code, sub, how = data:byte(index, index + 2)
      -- One descriptor may stand for all pages that have none of their own.
      if code & 0x3F == 0x0A and sub == 0 or code & 0x3F == 0x3F and not policy then policy = how & 3 end
    end
    if t.simulated then expect(policy):equals(0) end
    local function control(s) return expect(s:mode_sense { page_code = 0x0A, dbd = 1 }):good().data:sub(5) end
    local mask = a:mode_sense { page_code = 0x0A, dbd = 1, pc = 1 }
    local can_be = mask.status_name == "GOOD" and mask.data:byte(7) & 0x04 ~= 0
    if not can_be and not t.simulated then skip("D_SENSE cannot be changed") end
    local before = control(a)
    before = string.char(before:byte(1) & 0x7F) .. before:sub(2)
    local changed = before:sub(1, 2) .. string.char(before:byte(3) ~ 0x04) .. before:sub(4)
    expect(a:mode_select { data = "\0\0\0\0" .. changed }):good()
    b:test_unit_ready() -- takes the unit attention that it was changed
    local found = control(b)
    expect(a:mode_select { data = "\0\0\0\0" .. before }):good()
    -- Shared, by target port (there is one here), or each nexus has its own.
    expect(found:sub(2) == changed:sub(2)):equals(policy ~= 3)
  end,
}
