scenario {
  title = "Standard INQUIRY data describe a direct access block device",
  covers = { "SCSI-INQ-001", "SCSI-INQ-007", "SCSI-INQ-008", "SCSI-INQ-009" },
  play = function(t)
    local s = t:login {}
    local data = expect(s:inquiry {}):good().data
    expect(#data):at_least(36)
    expect(data:byte(1)):equals(0x00)
    expect(data:byte(4) & 0x0F):equals(2)
    expect(data:byte(5)):equals(#data - 5)
    for index = 9, 36 do expect(data:byte(index)):at_least(0x20) end
    local seen = {}
    for index = 59, math.min(#data - 1, 73), 2 do
      local code = string.unpack(">I2", data, index)
      if code ~= 0 then expect(seen[code] == nil):holds("version descriptors that differ", string.format("%04Xh again", code)) end
      seen[code] = true
    end
    -- A unit that has target port groups tells of them, and one that can copy for others says more of it in a page.
    local groups = s:report_target_port_groups {}
    if t.simulated then expect(data:byte(6) >> 4 & 3):equals(1) end
    if data:byte(6) >> 4 & 3 ~= 0 then expect(#expect(groups):good().data):at_least(8) end
    local copies = s:inquiry { evpd = true, page_code = 0x8F }
    if t.simulated then expect(data:byte(6) & 0x08):equals(0) end
    if data:byte(6) & 0x08 == 0 and t.simulated then expect(copies):check_condition("ILLEGAL REQUEST") end
    -- PROTECT, and what a unit that has protection information says of it.
    local has_protection = s:read_capacity16 {}.data:byte(13) & 1 ~= 0
    if data:byte(6) & 1 == 0 then expect(has_protection):equals(false) end
    -- With NORMACA off NACA is refused.
    if t.simulated then expect(data:byte(4) & 0x20):equals(0) end
    if data:byte(4) & 0x20 == 0 then
      expect(s:test_unit_ready { control = 4 }):check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
    end
  end,
}

scenario {
  title = "INQUIRY returns no more than the allocation length, and says the same whatever it is",
  covers = { "SCSI-INQ-002", "SCSI-INQ-003" },
  matrix = { allocation = { 0, 1, 4, 5, 35, 36, 255, 256, 65535 } },
  play = function(t, case)
    local s = t:login {}
    local whole = expect(s:inquiry { allocation_length = 65535 }):good().data
    local r = expect(s:inquiry { allocation_length = case.allocation }):good()
    expect(r.data):equals(whole:sub(1, case.allocation))
  end,
}

scenario {
  title = "INQUIRY refuses what it does not have",
  covers = { "SCSI-INQ-004", "SCSI-INQ-005", "SCSI-INQ-006" },
  play = function(t)
    local s = t:login {}
    local r = s:inquiry { page_code = 0x83 }
    expect(r):check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
    expect(s:inquiry { evpd = true, page_code = 0xFE }):check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
    -- CMDDT, which is obsolete: a target need not look at it.
    local obsolete = s:command { cdb = "\x12\x02\x00\x00\x24\x00", read = 36 }
    if obsolete.status_name == "GOOD" and not t.simulated then
      expect(obsolete.data):equals(expect(s:inquiry { allocation_length = 36 }):good().data)
    else
      expect(obsolete):check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
    end
  end,
}

scenario {
  title = "INQUIRY of a unit that is not there says so with good status",
  covers = { "SCSI-INQ-011", "IOP-65" },
  matrix = { lun = { 7, 255, 16383 } },
  play = function(t, case)
    local s = t:login {}
    for _, lun in ipairs(expect(s:report_luns {}):good().luns) do
      if lun == case.lun then skip("there is a unit of this number") end
    end
    local peripheral = expect(s:inquiry { lun = case.lun }):good().data:byte(1)
    -- Qualifier 011b has no device type; with 001b there could be a unit of that type.
    if t.simulated then expect(peripheral):equals(0x7F) end
    if peripheral ~= 0x7F then expect(peripheral >> 5):equals(1) end
  end,
}
