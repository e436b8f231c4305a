scenario {
  title = "READ CAPACITY (10) and (16) agree, and the last block can be read",
  covers = { "SCSI-CAP-001", "SCSI-CAP-003", "IOP-33", "IOP-34" },
  play = function(t)
    local s = t:login {}
    local short = expect(s:read_capacity10 {}):good()
    local long = expect(s:read_capacity16 {}):good()
    expect(short.last_lba):equals(math.min(long.last_lba, 0xFFFFFFFF))
    expect(short.block_size):equals(long.block_size)
    for _, allocation in ipairs { 0, 8, 12, 16, 32, 96, 128, 65535 } do
      local r = expect(s:read_capacity16 { allocation_length = allocation }):good()
      expect(r.data):equals(long.data:sub(1, allocation))
    end
    expect(s:read { lba = long.last_lba, blocks = 1, cdb = 16 }):good()
  end,
}

scenario {
  title = "READ CAPACITY (10) with an LBA and no PMI, both obsolete, is refused or answered as ever",
  covers = { "SCSI-CAP-002" },
  play = function(t)
    local s = t:login {}
    local r = s:read_capacity10 { lba = 1 }
    if r.status_name == "GOOD" and not t.simulated then
      expect(r.data):equals(expect(s:read_capacity10 {}):good().data)
    else
      expect(r):check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
    end
  end,
}

scenario {
  title = "READ CAPACITY (16) of a unit that is not there",
  covers = { "SCSI-CAP-005" },
  play = function(t)
    expect(t:login {}:read_capacity16 { lun = 99 }):check_condition("ILLEGAL REQUEST", "LOGICAL UNIT NOT SUPPORTED")
  end,
}

scenario {
  title = "Capacities at the edges of 32 bits",
  covers = { "SCSI-CAP-007", "SCSI-CAP-001", "IOP-42" },
  needs = { "cfg" },
  -- One block, 2^32 and its neighbours, and the most that a world can have.
  matrix = { blocks = { 1, 0xFFFFFFFF, 0x100000000, 0x100000001, 0x200000000, (1 << 53) - 1 } },
  world = function(case) return { target { luns = { { lun = 0, null = true, size = case.blocks * 512 } } } } end,
  play = function(t, case)
    local s = t:login {}
    local last = s:capacity().last_lba
    expect(last):equals(case.blocks - 1)
    expect(s:read_capacity10 {}.last_lba):equals(math.min(last, 0xFFFFFFFF))
    expect(s:read { lba = last, blocks = 1, cdb = 16 }):good()
    expect(s:read { lba = last + 1, blocks = 1, cdb = 16 })
      :check_condition("ILLEGAL REQUEST", "LOGICAL BLOCK ADDRESS OUT OF RANGE")
  end,
}

scenario {
  title = "The size of a physical block is the same in READ CAPACITY(16) and the Block Limits page",
  covers = { "SCSI-CAP-004", "SCSI-VPD-016" },
  needs = { "cfg" },
  matrix = { block = { 512, 4096 }, physical = { 4096, 16384 } },
  world = function(case)
    return { target { luns = { { size = "1MiB", block_size = case.block, physical_block_size = case.physical } } } }
  end,
  play = function(t, case)
    local s = t:login {}
    expect(1 << (s:read_capacity16 {}.data:byte(14) & 15)):equals(case.physical // case.block)
    local granularity = string.unpack(">I2", s:inquiry { evpd = true, page_code = 0xB0 }.data, 7)
    expect(granularity):equals(case.physical // case.block)
  end,
}
