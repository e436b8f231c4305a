local world = { target { luns = { { lun = 0 }, { lun = 3, size = "1MiB" }, { lun = 300, size = "1MiB" } } } }

scenario {
  title = "REPORT LUNS lists every unit in the form that reaches it",
  covers = { "SCSI-RLUN-001", "SCSI-RLUN-009", "SCSI-RLUN-010" },
  world = world,
  play = function(t)
    local s = t:login {}
    for _, select in ipairs { 0, 2 } do
      local data = expect(s:report_luns { select_report = select }):good().data
      expect(data):equals(string.pack(">I4I4I8I8I8", 24, 0, 0, 3 << 48, 0x412C << 48))
    end
    expect(expect(s:report_luns { select_report = 1 }):good().data):equals(string.rep("\0", 8))
    for _, lun in ipairs { 0, 3, 300 } do s:test_unit_ready { lun = lun } end
    for _, lun in ipairs { 0, 3, 300 } do expect(s:test_unit_ready { lun = lun }):good() end
  end,
}

scenario {
  title = "The list length does not depend on the allocation length",
  covers = { "SCSI-RLUN-003", "SCSI-RLUN-004" },
  world = world,
  matrix = { allocation = { 0, 1, 8, 15, 16, 31 } },
  play = function(t, case)
    local s = t:login {}
    local data = expect(s:report_luns { allocation_length = case.allocation }):good().data
    expect(#data):equals(case.allocation)
    if #data >= 4 then expect((string.unpack(">I4", data))):equals(24) end
  end,
}

scenario {
  title = "REPORT LUNS is answered where there is no unit, and refuses a reserved SELECT REPORT",
  covers = { "SCSI-RLUN-002", "SCSI-RLUN-005" },
  world = { target { luns = { { lun = 3 } } } },
  play = function(t)
    local s = t:login { lun = 3 }
    expect(expect(s:report_luns { lun = 0 }):good().data):equals(string.pack(">I4I4I8", 8, 0, 3 << 48))
    for select = 3, 255 do
      expect(s:report_luns { select_report = select }):check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
    end
  end,
}

scenario {
  title = "A target of one unit lists one, in sixteen bytes",
  covers = { "SCSI-RLUN-013", "IOP-65" },
  world = { target { luns = { { size = "1MiB" } } } },
  play = function(t)
    local data = expect(t:login {}:report_luns {}):good().data
    expect(data):equals(string.pack(">I4I4I8", 8, 0, 0))
  end,
}

scenario {
  title = "At a LUN of another form than is listed there is nothing, nor at those of well known units",
  covers = { "SCSI-RLUN-011", "SCSI-RLUN-012" },
  needs = { "simulation" }, -- a target may have units that it numbers so
  matrix = {
    lun = {
      0x0000000000000001, 0x0001000000000000, 0x0000000100000000, 0x0100000000000000, 0x4000000000000001, 0x4000400000000000,
      0x8000000000000000, 0xC000000000000000, 0xC101000000000000, 0xC102000000000000, 0xC103000000000000, -1,
    },
  },
  world = { target { luns = { { size = "1MiB" } } } },
  play = function(t, case)
    local s = t:login {}
    local function at(options)
      options.lun_raw = case.lun
      return options
    end
    expect(s:test_unit_ready(at {})):check_condition("ILLEGAL REQUEST", "LOGICAL UNIT NOT SUPPORTED")
    expect(s:read(at { lba = 0, blocks = 1 })):check_condition("ILLEGAL REQUEST", "LOGICAL UNIT NOT SUPPORTED")
    expect(expect(s:inquiry(at {})):good().data:byte(1)):equals(0x7F)
    expect(expect(s:report_luns(at {})):good().luns[1]):equals(0)
    expect(expect(s:request_sense(at {})):good().data:byte(13)):equals(0x25)
    expect(s:test_unit_ready()):good()
  end,
}
