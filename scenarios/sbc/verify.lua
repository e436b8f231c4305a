scenario {
  title = "VERIFY compares when it is told to, and says where the first difference is",
  covers = { "SCSI-VER-001", "SCSI-VER-002", "SCSI-VER-003" },
  needs = { "dataloss" },
  matrix = { cdb = { 10, 12, 16 }, blocks = { 1, 8, 600 } },
  play = function(t, case)
    local s = t:login {}
    local data = random.bytes("data", s:capacity().block_size * case.blocks)
    expect(s:write { lba = 20, data = data }):good()
    expect(s:verify { cdb = case.cdb, lba = 20, blocks = case.blocks }):good()
    expect(s:verify { cdb = case.cdb, lba = 20, blocks = case.blocks, data = data }):good()
    for _, place in ipairs { 1, 256, #data } do
      local wrong = data:sub(1, place - 1) .. string.char(data:byte(place) ~ 1) .. data:sub(place + 1)
      local r = s:verify { cdb = case.cdb, lba = 20, blocks = case.blocks, data = wrong }
      expect(r):check_condition("MISCOMPARE", "MISCOMPARE DURING VERIFY OPERATION")
      -- What is in INFORMATION is said of COMPARE AND WRITE only.
      if t.simulated then expect(r.sense.information):equals(place - 1) end
    end
  end,
}

scenario {
  title = "VERIFY holds one block against many",
  covers = { "SCSI-VER-004" },
  needs = { "dataloss" },
  play = function(t)
    local s = t:login {}
    local block = random.bytes("block", s:capacity().block_size)
    expect(s:write_same { lba = 100, blocks = 50, data = block }):good()
    local r = s:verify { lba = 100, blocks = 50, bytchk = 3, data = block }
    -- Reserved in SBC-2.
    if not t.simulated and r.status_name ~= "GOOD" then
      expect(r):check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
      skip("there is no BYTCHK 11b")
    end
    expect(r):good()
    expect(s:write { lba = 149, blocks = 1 }):good()
    expect(s:verify { lba = 100, blocks = 50, bytchk = 3, data = block }):check_condition("MISCOMPARE")
  end,
}

scenario {
  title = "Reserved values of BYTCHK are refused",
  covers = { "SCSI-VER-005", "SCSI-VER-010" },
  matrix = { cdb = { 10, 12, 16 } },
  play = function(t, case)
    local s = t:login {}
    expect(s:verify { cdb = case.cdb, lba = 0, blocks = 1, bytchk = 2 })
      :check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
    for bytchk = 2, 3 do
      expect(s:write_and_verify { cdb = case.cdb, lba = 0, blocks = 1, bytchk = bytchk })
        :check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
    end
  end,
}

scenario {
  title = "WRITE AND VERIFY writes what it verifies",
  covers = { "SCSI-VER-009" },
  needs = { "dataloss" },
  matrix = { cdb = { 10, 12, 16 }, bytchk = { 0, 1 } },
  play = function(t, case)
    local s = t:login {}
    local data = random.bytes("data", s:capacity().block_size * 9)
    expect(s:write_and_verify { cdb = case.cdb, lba = 33, data = data, bytchk = case.bytchk }):good()
    expect(s:read { lba = 33, blocks = 9 }.data):equals(data)
    local last = s:capacity().last_lba
    if case.cdb < 16 and last > 0xFFFFFFFF then return end
    expect(s:write_and_verify { cdb = case.cdb, lba = last, blocks = 2 })
      :check_condition("ILLEGAL REQUEST", "LOGICAL BLOCK ADDRESS OUT OF RANGE")
  end,
}
