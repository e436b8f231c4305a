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
  covers = { "SCSI-WRITE-009", "SCSI-ORW-006", "SCSI-ORW-010" },
  needs  = { "simulation" },
  -- All, or the blocks that were written; by who wrote, or by another.
  matrix = { cdb = { 10, 16 }, range = { 0, 128 }, by = { "the same", "another" } },
  play   = function(t, case)
    local s = t:login {}
    local other = t:login { name = "iqn.2026-11.example:other" }
    local data = random.bytes("data", 65536)
    expect(s:write { lba = 0, data = data }):good()
    local flusher = case.by == "another" and other or s
    expect(flusher:synchronize_cache { cdb = case.cdb, lba = 0, blocks = case.range }):good()
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
      expect(data):one_of(one, other)
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

-- Ranges of eight blocks: that all of them survive by chance does not happen.
local function each_range(play)
  for n = 1, 8 do play(8 * n, n) end
end

local function power_cut(t, s)
  t:crash()
  t:restart()
  s:relogin {}
end

scenario {
  title  = "What other commands have written with FUA, or verified, survives a power cut",
  covers = { "SCSI-WRITE-007", "SCSI-CAW-011", "SCSI-ORW-001", "SCSI-VER-009" },
  needs  = { "simulation" },
  matrix = { command = { "compare_and_write", "orwrite", "write_and_verify" } },
  play   = function(t, case)
    local s = t:login {}
    local zeroes, data = string.rep("\0", 4096), {}
    each_range(function(lba, n)
      data[n] = random.bytes("data", 4096)
      local r
      if case.command == "compare_and_write" then
        r = s:compare_and_write { lba = lba, compare = zeroes, write = data[n], fua = true }
      elseif case.command == "orwrite" then
        r = s:orwrite { lba = lba, data = data[n], fua = true }
      else
        r = s:write_and_verify { lba = lba, data = data[n] }
      end
      expect(r):good()
    end)
    power_cut(t, s)
    each_range(function(lba, n) expect(s:read { lba = lba, blocks = 8 }.data):equals(data[n]) end)
  end,
}

scenario {
  title  = "What a read with FUA has told is there after a power cut",
  covers = { "SCSI-READ-011" },
  needs  = { "simulation" },
  play   = function(t)
    local s = t:login {}
    each_range(function(lba) expect(s:write { lba = lba, blocks = 8 }):good() end)
    local told = s:read { lba = 8, blocks = 64, fua = true }.data
    power_cut(t, s)
    expect(s:read { lba = 8, blocks = 64 }.data):equals(told)
  end,
}

scenario {
  title  = "Stopping a unit makes what was written stable first",
  covers = { "SCSI-SSU-001" },
  needs  = { "simulation" },
  play   = function(t)
    local s = t:login {}
    local data = {}
    each_range(function(lba, n)
      data[n] = random.bytes("data", 4096)
      expect(s:write { lba = lba, data = data[n] }):good()
    end)
    expect(s:start_stop_unit { start = 0 }):good()
    power_cut(t, s)
    each_range(function(lba, n) expect(s:read { lba = lba, blocks = 8 }.data):equals(data[n]) end)
  end,
}

scenario {
  title  = "With a write-through cache blocks that were made zeroes are zeroes after a power cut",
  covers = { "SCSI-WRITE-008", "SCSI-WS-005" },
  needs  = { "simulation" },
  world  = { target { luns = { { size = "8MiB", cache = "write-through", thin = true } } } },
  matrix = { how = { "write_same", "write_same of zeroes", "write_same with unmap", "unmap" } },
  play   = function(t, case)
    local s = t:login {}
    local zero = string.rep("\0", 512)
    local block = case.how == "write_same" and string.rep("x", 512) or zero
    each_range(function(lba) expect(s:write { lba = lba, blocks = 8 }):good() end)
    each_range(function(lba)
      local r
      if case.how == "unmap" then
        r = s:unmap { ranges = { { lba, 8 } } }
      else
        r = s:write_same { cdb = 16, lba = lba, blocks = 8, data = block, unmap = case.how == "write_same with unmap" }
      end
      expect(r):good()
    end)
    power_cut(t, s)
    each_range(function(lba) expect(s:read { lba = lba, blocks = 8 }.data):equals(string.rep(block, 8)) end)
  end,
}

scenario {
  title  = "A block smaller than a physical one is written without its neighbours, also when the power goes",
  covers = { "SCSI-WRITE-015", "SCSI-WRITE-013" },
  needs  = { "simulation" },
  matrix = { fua = { true, false } },
  world  = {
    target { luns = { { size = "8MiB", block_size = 512, physical_block_size = 4096, disk = { atomic_unit = 512 } } } },
  },
  play   = function(t, case)
    local s = t:login {}
    local old = random.bytes("old", 65536)
    expect(s:write { lba = 0, data = old, fua = true }):good()
    local new = {}
    for lba = 1, 127, 8 do
      new[lba] = random.bytes("new", 512)
      expect(s:write { lba = lba, data = new[lba], fua = case.fua }):good()
    end
    power_cut(t, s)
    local found = s:read { lba = 0, blocks = 128 }.data
    for lba = 0, 127 do
      local block, before = found:sub(lba * 512 + 1, lba * 512 + 512), old:sub(lba * 512 + 1, lba * 512 + 512)
      if new[lba] and case.fua then
        expect(block):equals(new[lba])
      elseif new[lba] then
        expect(block):one_of(before, new[lba])
      else
        expect(block):equals(before)
      end
    end
  end,
}

scenario {
  title  = "COMPARE AND WRITE that the power cuts off has written, block by block, or not",
  covers = { "SCSI-CAW-014" },
  needs  = { "simulation" },
  matrix = { after = { "60us", "120us", "180us", "240us", "300us" }, fua = { true, false } },
  play   = function(t, case)
    local s = t:login {}
    local old, new = random.bytes("old", 8192), random.bytes("new", 8192)
    expect(s:write { lba = 16, data = old, fua = true }):good()
    s:compare_and_write { lba = 16, compare = old, write = new, fua = case.fua, async = true }
    sleep(case.after)
    power_cut(t, s)
    local found = s:read { lba = 16, blocks = 16 }.data
    for n = 0, 15 do
      local first, last = n * 512 + 1, n * 512 + 512
      expect(found:sub(first, last)):one_of(old:sub(first, last), new:sub(first, last))
    end
  end,
}

scenario {
  title  = "Blocks that were unmapped before the power went hold what they held, or zeroes, and no other is touched",
  covers = { "SCSI-UNMAP-016" },
  needs  = { "simulation" },
  matrix = { flush = { true, false } },
  world  = { target { luns = { { size = "8MiB", thin = true }, { lun = 1, size = "8MiB", thin = true } } } },
  play   = function(t, case)
    local s = t:login {}
    s:test_unit_ready { lun = 1 } -- takes the unit attention of a new nexus
    local data = {}
    for lun = 0, 1 do
      data[lun] = random.bytes("data", 131072)
      expect(s:write { lun = lun, lba = 0, data = data[lun], fua = true }):good()
    end
    for lba = 0, 255, 16 do expect(s:unmap { ranges = { { lba, 8 } } }):good() end
    if case.flush then expect(s:synchronize_cache()):good() end
    power_cut(t, s)
    s:test_unit_ready { lun = 1 }
    expect(s:read { lun = 1, lba = 0, blocks = 256 }.data):equals(data[1])
    local found, zeroes = s:read { lba = 0, blocks = 256 }.data, string.rep("\0", 512)
    for lba = 0, 255 do
      local first, last = lba * 512 + 1, lba * 512 + 512
      local block, old = found:sub(first, last), data[0]:sub(first, last)
      if lba % 16 >= 8 then
        expect(block):equals(old)
      elseif case.flush then
        expect(block):equals(zeroes)
      else
        expect(block):one_of(old, zeroes)
      end
    end
  end,
}
