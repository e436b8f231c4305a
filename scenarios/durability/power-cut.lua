-- What a power cut may take, and what it may not. The durability model holds every read against what may be there.

scenario {
  title  = "A write with FUA survives a power cut",
  covers = { "SCSI-WRITE-007" },
  needs  = { "simulation" },
  matrix = { cdb = { 10, 12, 16 } },
  play   = function(t, case)
    local s = t:login {}
    local data = random.bytes("data", 4096)
    expect(s:write { lba = 100, data = data, fua = true, cdb = case.cdb }):good()
    t:crash()
    sleep "1s"
    t:restart()
    s:relogin {}
    expect(s:read { lba = 100, blocks = 8 }.data):equals(data)
  end,
}

scenario {
  title  = "What SYNCHRONIZE CACHE has covered survives a power cut",
  covers = { "SCSI-WRITE-009" },
  needs  = { "simulation" },
  matrix = { cdb = { 10, 16 } },
  play   = function(t, case)
    local s = t:login {}
    local data = random.bytes("data", 65536)
    expect(s:write { lba = 0, data = data }):good()
    expect(s:synchronize_cache { cdb = case.cdb }):good()
    t:crash()
    t:restart()
    s:relogin {}
    expect(s:read { lba = 0, blocks = 128 }.data):equals(data)
  end,
}

scenario {
  title  = "A write without FUA may be lost or torn in a power cut, and nothing else comes back",
  covers = { "SCSI-WRITE-009", "SCSI-WRITE-013" },
  needs  = { "simulation" },
  matrix = { round = { 1, 2, 3, 4 } },
  play   = function(t)
    local s = t:login {}
    for i = 0, 15 do expect(s:write { lba = 8 * i, blocks = 8 }):good() end
    expect(s:synchronize_cache()):good()
    for i = 0, 15 do expect(s:write { lba = 8 * i, blocks = 8 }):good() end
    t:crash()
    t:restart()
    s:relogin {}
    for i = 0, 15 do expect(s:read { lba = 8 * i, blocks = 8 }):good() end
  end,
}

scenario {
  title  = "A write that is torn in a power cut is there in whole atomic units, some of them and not all",
  covers = { "SCSI-WRITE-013" },
  needs  = { "simulation" },
  play   = function(t)
    local s = t:login {}
    local torn = fault.disk.torn { atomic_unit = 4096 }
    for i = 0, 15 do expect(s:write { lba = 16 * i, data = string.rep("A", 8192) }):good() end
    t:crash()
    t:restart()
    s:relogin {}
    for i = 0, 15 do
      local data = s:read { lba = 16 * i, blocks = 16 }.data
      local one, other = string.rep("A", 4096) .. string.rep("\0", 4096), string.rep("\0", 4096) .. string.rep("A", 4096)
      expect(data == one or data == other):holds("one of two units is there of write " .. i)
    end
    expect(torn:fired()):equals(16)
  end,
}

scenario {
  title  = "With a write-through cache every acknowledged write survives a power cut",
  covers = { "SCSI-WRITE-008" },
  world  = { target { luns = { { size = "8MiB", cache = "write-through" } } } },
  play   = function(t)
    local s = t:login {}
    local data = random.bytes("data", 8192)
    expect(s:write { lba = 7, data = data }):good()
    t:crash()
    t:restart()
    s:relogin {}
    expect(s:read { lba = 7, blocks = 16 }.data):equals(data)
  end,
}

scenario {
  title  = "When only the program dies, nothing that was acknowledged is lost",
  covers = { "SCSI-DUR-010" },
  needs  = { "simulation" },
  play   = function(t)
    local s = t:login {}
    local data = random.bytes("data", 32768)
    expect(s:write { lba = 64, data = data }):good()
    t:kill()
    expect(s):closes { within = "5s" }
    t:restart()
    s:relogin {}
    expect(s:read { lba = 64, blocks = 64 }.data):equals(data)
  end,
}

scenario {
  title  = "A workload goes on after a power cut in its middle",
  covers = { "SCSI-DUR-001" },
  world  = {
    target { luns = { { size = "4MiB", cache = "write-back" } } },
    link { between = { "a", "target" }, latency = "200us", bandwidth = "1Gbit/s" },
  },
  matrix = { after = { "1ms", "10ms", "37ms" } },
  play   = function(t, case)
    local s = t:login { host = "a" }
    local load = spawn(function()
      workload { on = s, ops = 2000, depth = 32, mix = { write = 60, read = 30, flush = 10 }, fua = 10 }
    end)
    sleep(case.after)
    t:crash()
    sleep "1s"
    t:restart()
    s:relogin { within = "60s" }
    load:join()
  end,
}
