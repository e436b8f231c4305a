scenario {
  title = "ORWRITE sets bits and clears none",
  covers = { "SCSI-ORW-001", "SCSI-ORW-002" },
  needs = { "dataloss" },
  play = function(t)
    local s = t:login {}
    local last = s:capacity().last_lba
    expect(s:write { lba = 2, data = string.rep("\x0F\xA0", 512) }):good()
    expect(s:orwrite { lba = 2, data = string.rep("\x30\x05", 512) }):good()
    expect(s:read { lba = 2, blocks = 2 }.data):equals(string.rep("\x3F\xA5", 512))
    expect(s:orwrite { lba = 0, blocks = 0 }):good()
    expect(s:orwrite { lba = last + 1, blocks = 0 })
      :check_condition("ILLEGAL REQUEST", "LOGICAL BLOCK ADDRESS OUT OF RANGE")
    expect(s:orwrite { lba = 0, blocks = 1, wrprotect = 1 }):check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
  end,
}

scenario {
  title = "All bits that two initiators set with ORWRITE are set in the end",
  covers = { "SCSI-ORW-003" },
  needs = { "dataloss", "2init" },
  play = function(t)
    local setup = t:login {}
    expect(setup:write { lba = 8, data = string.rep("\0", 512) }):good()
    local function set(name, bits)
      return function()
        local s = t:login { name = "iqn.2026-11.example:" .. name }
        for _, bit in ipairs(bits) do
          expect(s:orwrite { lba = 8, data = string.rep(string.char(1 << bit), 512) }):good()
        end
      end
    end
    together(set("even", { 0, 2, 4, 6 }), set("odd", { 1, 3, 5, 7 }))
    expect(setup:read { lba = 8, blocks = 1 }.data):equals(string.rep("\xFF", 512))
  end,
}

scenario {
  title = "PRE-FETCH checks its range and promises nothing",
  covers = { "SCSI-ORW-004", "SCSI-ORW-005" },
  matrix = { cdb = { 10, 16 } },
  play = function(t, case)
    local s = t:login {}
    local last = s:capacity().last_lba
    for immed = 0, 1 do
      expect(s:prefetch { cdb = case.cdb, lba = 0, blocks = 8, immed = immed }.status_name)
        :one_of("GOOD", "CONDITION MET")
    end
    expect(s:prefetch { cdb = case.cdb, lba = 5, blocks = 0 }.status_name):one_of("GOOD", "CONDITION MET")
    expect(s:prefetch { cdb = case.cdb, lba = last, blocks = 2 })
      :check_condition("ILLEGAL REQUEST", "LOGICAL BLOCK ADDRESS OUT OF RANGE")
  end,
}

scenario {
  title = "SYNCHRONIZE CACHE takes a range, or all from a block on",
  covers = { "SCSI-ORW-006", "SCSI-ORW-007", "SCSI-ORW-008" },
  matrix = { cdb = { 10, 16 } },
  play = function(t, case)
    local s = t:login {}
    local last = s:capacity().last_lba
    expect(s:synchronize_cache { cdb = case.cdb }):good()
    expect(s:synchronize_cache { cdb = case.cdb, lba = last, blocks = 1 }):good()
    expect(s:synchronize_cache { cdb = case.cdb, lba = last + 1 })
      :check_condition("ILLEGAL REQUEST", "LOGICAL BLOCK ADDRESS OUT OF RANGE")
    local r = s:synchronize_cache { cdb = case.cdb, immed = 1 }
    if r.status_name ~= "GOOD" then expect(r):check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB") end
  end,
}
