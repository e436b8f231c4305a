-- A short CDB cannot name the end of a unit of 2 TiB or more.
local function must_reach(last, cdb)
  if cdb < 16 and last > 0xFFFFFFFF - 256 then skip("the unit is too large for the CDB") end
end

scenario {
  title = "ORWRITE sets bits and clears none",
  covers = { "SCSI-ORW-001", "SCSI-ORW-002" },
  needs = { "dataloss" },
  play = function(t)
    local s = t:login {}
    local last, size = s:capacity().last_lba, s:capacity().block_size
    expect(s:write { lba = 2, data = string.rep("\x0F\xA0", size) }):good()
    expect(s:orwrite { lba = 2, data = string.rep("\x30\x05", size) }):good()
    expect(s:read { lba = 2, blocks = 2 }.data):equals(string.rep("\x3F\xA5", size))
    expect(s:orwrite { lba = 0, blocks = 0 }):good()
    -- At the end of the medium the standard can be read either way.
    expect(s:orwrite { lba = last + (t.simulated and 1 or 2), blocks = 0 })
      :check_condition("ILLEGAL REQUEST", "LOGICAL BLOCK ADDRESS OUT OF RANGE")
    for _, range in ipairs { { last + 1, 1 }, { last, 2 } } do
      expect(s:orwrite { lba = range[1], blocks = range[2] })
        :check_condition("ILLEGAL REQUEST", "LOGICAL BLOCK ADDRESS OUT OF RANGE")
    end
    expect(s:orwrite { lba = 0, blocks = 1, wrprotect = 1 }):check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
  end,
}

scenario {
  title = "All bits that two initiators set with ORWRITE are set in the end",
  covers = { "SCSI-ORW-003" },
  needs = { "dataloss", "2init" },
  play = function(t)
    local setup = t:login {}
    local size = setup:capacity().block_size
    expect(setup:write { lba = 8, data = string.rep("\0", size) }):good()
    local function set(name, bits)
      return function()
        local s = t:login { name = "iqn.2026-11.example:" .. name }
        for _, bit in ipairs(bits) do
          expect(s:orwrite { lba = 8, data = string.rep(string.char(1 << bit), size) }):good()
        end
      end
    end
    together(set("even", { 0, 2, 4, 6 }), set("odd", { 1, 3, 5, 7 }))
    expect(setup:read { lba = 8, blocks = 1 }.data):equals(string.rep("\xFF", size))
  end,
}

-- Behind a header digest they lie at an address that is no multiple of eight.
scenario {
  title = "ORWRITE takes data that have come with the command",
  covers = { "SCSI-ORW-001" },
  needs = { "dataloss" },
  matrix = { memory = { true, false }, digest = { "None", "CRC32C" } },
  world = function(case) return { target { luns = { { size = "1MiB", memory = case.memory or nil } } } } end,
  play = function(t, case)
    local s = t:login { keys = { ImmediateData = "Yes", HeaderDigest = case.digest } }
    expect(s:write { lba = 2, data = string.rep("\x0F\xA0", 256) }):good()
    expect(s:orwrite { lba = 2, data = string.rep("\x30\x05", 256) }):good()
    expect(s:read { lba = 2, blocks = 1 }.data):equals(string.rep("\x3F\xA5", 256))
  end,
}

scenario {
  title = "PRE-FETCH checks its range and promises nothing",
  covers = { "SCSI-ORW-004", "SCSI-ORW-005" },
  matrix = { cdb = { 10, 16 } },
  play = function(t, case)
    local s = t:login {}
    local last = s:capacity().last_lba
    must_reach(last, case.cdb)
    local function answered(options)
      local r = s:prefetch(options)
      if r.status_name ~= "CONDITION MET" then expect(r):good() end
    end
    for immed = 0, 1 do answered { cdb = case.cdb, lba = 0, blocks = 8, immed = immed } end
    answered { cdb = case.cdb, lba = 5, blocks = 0 }
    for _, range in ipairs { { last + 1, 1 }, { last, 2 } } do
      expect(s:prefetch { cdb = case.cdb, lba = range[1], blocks = range[2] })
        :check_condition("ILLEGAL REQUEST", "LOGICAL BLOCK ADDRESS OUT OF RANGE")
    end
  end,
}

scenario {
  title = "SYNCHRONIZE CACHE takes a range, or all from a block on",
  covers = { "SCSI-ORW-006", "SCSI-ORW-007", "SCSI-ORW-008" },
  matrix = { cdb = { 10, 16 } },
  play = function(t, case)
    local s = t:login {}
    local last = s:capacity().last_lba
    must_reach(last, case.cdb)
    expect(s:synchronize_cache { cdb = case.cdb }):good()
    expect(s:synchronize_cache { cdb = case.cdb, lba = last, blocks = 1 }):good()
    expect(s:synchronize_cache { cdb = case.cdb, lba = last + (t.simulated and 1 or 2) })
      :check_condition("ILLEGAL REQUEST", "LOGICAL BLOCK ADDRESS OUT OF RANGE")
    local r = s:synchronize_cache { cdb = case.cdb, immed = 1 }
    if r.status_name ~= "GOOD" then expect(r):check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB") end
  end,
}

-- The caching mode page, with WCE or without it, as MODE SELECT(6) has it.
local function caching(wce) return "\0\0\0\0\x08\x12" .. string.char(wce and 4 or 0) .. string.rep("\0", 17) end

-- Sixteen writes of 4 KiB; their data go into `data`.
local function write_all(s, data, options)
  local commands = {}
  for n = 1, 16 do
    data[n] = random.bytes("block", 4096)
    commands[n] = s:write { lba = 8 * n, data = data[n], async = options.async }
  end
  return commands
end

local function expect_all(s, data)
  for n = 1, 16 do expect(s:read { lba = 8 * n, blocks = 8 }.data):equals(data[n]) end
end

scenario {
  title = "A write that is answered after WCE was switched off is stable, whenever it began",
  covers = { "SCSI-WRITE-008", "SCSI-MODE-021" },
  needs = { "simulation" },
  play = function(t)
    local s = t:login {}
    fault.disk.slow { of = { "write" }, delay = "20ms" }
    local data = {}
    local commands = write_all(s, data, { async = true })
    sleep "1ms"
    expect(s:mode_select { data = caching(false) }):good()
    for _, command in ipairs(commands) do expect(command:wait()):good() end
    t:crash()
    t:restart()
    s:relogin {}
    expect_all(s, data)
  end,
}

scenario {
  title = "What was written with WCE to a unit that writes through is stable after a reset has cleared WCE",
  covers = { "SCSI-WRITE-008", "SCSI-MODE-031" },
  needs = { "simulation" },
  world = { target { luns = { { size = "8MiB", cache = "write-through" } } } },
  play = function(t)
    local s = t:login {}
    expect(s:mode_select { data = caching(true) }):good()
    local data = {}
    for _, result in ipairs(write_all(s, data, {})) do expect(result):good() end
    expect(s:task_management { ["function"] = "logical unit reset" }):response(0)
    s:test_unit_ready()
    expect(s:mode_sense { page_code = 8, dbd = 1 }.data:byte(7) & 4):equals(0)
    t:crash()
    t:restart()
    s:relogin {}
    expect_all(s, data)
  end,
}
