-- On a real target the unit is what it is.
local function must_be_thin(s)
  if s:read_capacity16 {}.data:byte(15) & 0x80 == 0 then skip("the unit is fully provisioned") end
end

-- What a block may hold that was to be unmapped. For a target UNMAP is a hint (SBC-4 §4.7.3.4.2): it may leave the block as it
-- was; and only with LBPRZ does a block that is unmapped hold zeroes. Ours unmaps all.
local function expect_unmapped(t, s, block, old)
  local zeroes = string.rep("\0", #block)
  if t.simulated then return expect(block):equals(zeroes) end
  if s:read_capacity16 {}.data:byte(15) & 0x40 ~= 0 then expect(block):one_of(zeroes, old) end
end

scenario {
  title = "Unmapped blocks read as zeroes, and others as they were",
  covers = { "SCSI-UNMAP-001", "SCSI-UNMAP-002", "SCSI-UNMAP-008", "SCSI-UNMAP-014", "SCSI-READ-016" },
  needs = { "thin", "dataloss" },
  play = function(t)
    local s = t:login {}
    must_be_thin(s)
    local size = s:capacity().block_size
    local data = random.bytes("data", size * 300)
    expect(s:write { lba = 0, data = data }):good()
    expect(s:unmap { ranges = { { 200, 7 }, { 3, 2 }, { 4, 5 }, { 17, 0 }, { 64, 64 } } }):good()
    local read = s:read { lba = 0, blocks = 300 }.data
    for lba = 0, 299 do
      local is_unmapped = lba >= 3 and lba < 9 or lba >= 64 and lba < 128 or lba >= 200 and lba < 207
      local first, last = lba * size + 1, lba * size + size
      local block, old = read:sub(first, last), data:sub(first, last)
      if is_unmapped then expect_unmapped(t, s, block, old) else expect(block == old):holds("block " .. lba) end
    end
  end,
}

scenario {
  title = "The UNMAP parameter list is read to its last whole descriptor",
  covers = { "SCSI-UNMAP-003", "SCSI-UNMAP-004", "SCSI-UNMAP-005", "SCSI-UNMAP-006", "SCSI-UNMAP-007" },
  needs = { "thin", "dataloss" },
  play = function(t)
    local s = t:login {}
    must_be_thin(s)
    expect(s:unmap { data = "" }):good()
    for length = 1, 7 do
      expect(s:unmap { data = string.rep("\0", length) })
        :check_condition("ILLEGAL REQUEST", "PARAMETER LIST LENGTH ERROR")
    end
    expect(s:unmap { ranges = {} }):good()
    local size = s:capacity().block_size
    local data = random.bytes("data", 2 * size)
    local list = string.pack(">I2I2I4I8I4I4I8I4I4", 38, 31, 0, 0, 1, 0, 1, 1, 0)
    local cut = (string.pack(">I2I2I4I8I4I4I8I4I4", 38, 32, 0, 0, 1, 0, 1, 1, 0)):sub(1, 39)
    for _, parameters in ipairs { list, cut } do
      expect(s:write { lba = 0, data = data }):good()
      expect(s:unmap { data = parameters }):good()
      local read = s:read { lba = 0, blocks = 2 }.data
      expect_unmapped(t, s, read:sub(1, size), data:sub(1, size))
      expect(read:sub(size + 1)):equals(data:sub(size + 1))
    end
  end,
}

scenario {
  title = "UNMAP checks every descriptor before it obeys the first",
  covers = { "SCSI-UNMAP-009", "SCSI-UNMAP-010", "SCSI-UNMAP-011" },
  needs = { "thin", "dataloss" },
  play = function(t)
    local s = t:login {}
    must_be_thin(s)
    local last = s:capacity().last_lba
    local data = random.bytes("data", s:capacity().block_size)
    expect(s:write { lba = 0, data = data }):good()
    for _, range in ipairs { { last + 1, 1 }, { last, 2 }, { -1, 1 }, { -1, 0xFFFFFFFF } } do
      expect(s:unmap { ranges = { { 0, 1 }, range } })
        :check_condition("ILLEGAL REQUEST", "LOGICAL BLOCK ADDRESS OUT OF RANGE")
    end
    local count = string.unpack(">I4", expect(s:inquiry { evpd = true, page_code = 0xB0 }):good().data, 25)
    if count < 4000 then
      local ranges = {}
      for index = 1, count + 1 do ranges[index] = { 0, 1 } end
      expect(s:unmap { ranges = ranges }):check_condition("ILLEGAL REQUEST", "INVALID FIELD IN PARAMETER LIST")
    end
    -- Only a thin unit without ANC_SUP refuses ANCHOR.
    local provisioning = expect(s:inquiry { evpd = true, page_code = 0xB2 }):good().data
    if t.simulated or provisioning:byte(6) & 2 == 0 and provisioning:byte(7) & 7 == 2 then
      expect(s:unmap { ranges = { { 0, 1 } }, anchor = 1 }):check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
    end
    -- A target may obey the descriptors before the one that is wrong.
    if t.simulated then expect(s:read { lba = 0, blocks = 1 }.data):equals(data) end
  end,
}

scenario {
  title = "A fully provisioned unit does not know UNMAP",
  covers = { "SCSI-UNMAP-012" },
  play = function(t)
    local s = t:login {}
    if s:read_capacity16 {}.data:byte(15) & 0x80 ~= 0 then skip("the unit is thin provisioned") end
    expect(s:unmap { ranges = { { 0, 1 } } }):check_condition("ILLEGAL REQUEST", "INVALID COMMAND OPERATION CODE")
  end,
}

scenario {
  title = "GET LBA STATUS covers the range in ascending descriptors that meet",
  covers = { "SCSI-GLS-001", "SCSI-GLS-002", "SCSI-GLS-003", "SCSI-GLS-004" },
  needs = { "thin", "dataloss" },
  play = function(t)
    local s = t:login {}
    must_be_thin(s)
    local last = s:capacity().last_lba
    for lba = 4096, 6143, 256 do expect(s:write { lba = lba, blocks = 256 }):good() end
    expect(s:unmap { ranges = { { 4608, 512 } } }):good()
    for _, lba in ipairs { 0, 4100, 4700, last } do
      local data = expect(s:get_lba_status { lba = lba, allocation_length = 65536 }):good().data
      expect((string.unpack(">I4", data))):equals(#data - 4)
      local at = lba
      for index = 9, #data, 16 do
        local first, blocks, status = string.unpack(">I8I4B", data, index)
        expect(first):equals(at)
        expect(blocks):at_least(1)
        expect(status):one_of(0, 1, 2)
        -- What was written and not unmapped is mapped.
        if at >= 4096 and at < 4608 or at >= 5120 and at < 6144 then expect(status):equals(0) end
        -- For a target UNMAP is a hint. With ours it is done.
        if at >= 4608 and at < 5120 and t.simulated then
          expect(status):equals(1)
          expect(at + blocks):at_least(5120)
        end
        at = at + blocks
      end
      expect(at):at_most(last + 1)
    end
    expect(s:get_lba_status { lba = last + (t.simulated and 1 or 2) })
      :check_condition("ILLEGAL REQUEST", "LOGICAL BLOCK ADDRESS OUT OF RANGE")
  end,
}

scenario {
  title = "GET LBA STATUS is cut to its allocation length",
  covers = { "SCSI-GLS-005" },
  needs = { "thin" },
  matrix = { allocation = { 0, 7, 8, 23, 24 } },
  play = function(t, case)
    local s = t:login {}
    must_be_thin(s)
    expect(#expect(s:get_lba_status { lba = 0, allocation_length = case.allocation }):good().data)
      :equals(case.allocation)
  end,
}

scenario {
  title = "UNMAP of more blocks than the Block Limits page allows is refused",
  covers = { "SCSI-UNMAP-009" },
  needs = { "cfg" },
  world = { target { luns = { { null = true, thin = true, size = "2GiB" } } } },
  play = function(t)
    local s = t:login {}
    local most = string.unpack(">I4", s:inquiry { evpd = true, page_code = 0xB0 }.data, 21)
    expect(most):at_most(s:capacity().last_lba)
    expect(s:unmap { ranges = { { 0, most } } }):good()
    expect(s:unmap { ranges = { { 0, most + 1 } } }):check_condition("ILLEGAL REQUEST", "INVALID FIELD IN PARAMETER LIST")
    expect(s:unmap { ranges = { { 0, most }, { most, 1 } } })
      :check_condition("ILLEGAL REQUEST", "INVALID FIELD IN PARAMETER LIST")
  end,
}

scenario {
  title = "A block that is written and unmapped at once holds what was written, or is unmapped",
  covers = { "SCSI-UNMAP-015" },
  needs = { "thin", "dataloss", "2init" },
  play = function(t)
    local a = t:login { name = "iqn.2026-11.example:a" }
    must_be_thin(a)
    local b = t:login { name = "iqn.2026-11.example:b" }
    local size = a:capacity().block_size
    local old, new = random.bytes("old", 64 * size), random.bytes("new", 64 * size)
    for round = 0, 20 do
      expect(a:write { lba = 64, data = old }):good()
      local write = a:write { lba = 64, data = new, async = true }
      if t.simulated then sleep(round * 0.00001) end
      local unmap = b:unmap { ranges = { { 64, 64 } }, async = true }
      expect(write:wait()):good()
      expect(unmap:wait()):good()
      local found = a:read { lba = 64, blocks = 64 }.data
      for block = 0, 63 do
        local first, last = block * size + 1, block * size + size
        local is_new = found:sub(first, last) == new:sub(first, last)
        if not is_new then expect_unmapped(t, a, found:sub(first, last), new:sub(first, last)) end
      end
    end
  end,
}
