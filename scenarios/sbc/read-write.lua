-- A short CDB cannot name the end of a unit of 2 TiB or more.
local function must_reach(last, cdb)
  if cdb < 16 and last > 0xFFFFFFFF - 256 then skip("the unit is too large for the CDB") end
end

scenario {
  title = "What is written is read back, and its neighbours stay",
  covers = { "SCSI-READ-001", "SCSI-WRITE-001", "SCSI-WRITE-004", "SCSI-READ-007" },
  needs = { "dataloss" },
  matrix = { cdb = { 6, 10, 12, 16 }, blocks = { 1, 2, 7, 8, 64, 255, 256 } },
  play = function(t, case)
    local s = t:login {}
    local last, size = s:capacity().last_lba, s:capacity().block_size
    local where = { 0, 1001 }
    -- More than sixteen bits of the 21 that a short CDB has.
    if case.cdb == 6 and last > 0x1F000 then where[3] = 0x1EDCB end
    if case.cdb == 16 or case.cdb > 6 and last <= 0xFFFFFFFF then where[3] = last - case.blocks + 1 end
    for _, lba in ipairs(where) do
      if lba > 0 then expect(s:write { lba = lba - 1, blocks = 1 }):good() end
      if lba + case.blocks <= last then expect(s:write { lba = lba + case.blocks, blocks = 1 }):good() end
      local data = random.bytes("data", size * case.blocks)
      expect(s:write { cdb = case.cdb, lba = lba, blocks = case.blocks % 256 == 0 and case.cdb == 6 and 0 or case.blocks,
        data = data }):good()
      expect(s:read { lba = lba, blocks = case.blocks }.data):equals(data)
      local again = case.blocks % 256 == 0 and case.cdb == 6 and 0 or case.blocks
      expect(s:read { cdb = case.cdb, lba = lba, blocks = again, expected = #data }.data):equals(data)
      -- The durability model knows what the neighbours hold.
      if lba > 0 then expect(s:read { lba = lba - 1, blocks = case.blocks + 1 }):good() end
    end
  end,
}

scenario {
  title = "READ (6) has 21 bits for the block: above them is nothing to be set",
  covers = { "SCSI-READ-007" },
  needs = { "cfg" },
  world = { target { luns = { { null = true, size = "1GiB" } } } }, -- 2^21 blocks
  play = function(t)
    local s = t:login {}
    expect(s:read { cdb = 6, lba = 0x1FFFFF, blocks = 1 }):good()
    local r = expect(s:read { cdb = 6, lba = 0x1FFFFF, blocks = 2 })
      :check_condition("ILLEGAL REQUEST", "LOGICAL BLOCK ADDRESS OUT OF RANGE")
    expect(r.sense.information):equals(0x200000)
    for _, bit in ipairs { 0x20, 0x40, 0x80 } do
      expect(s:command { cdb = string.char(0x08, bit, 0, 0, 1, 0), read = 512 })
        :check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
    end
  end,
}

scenario {
  title = "READ (6) of no blocks reads 256",
  covers = { "SCSI-READ-006" },
  play = function(t)
    local s = t:login {}
    local length = 256 * s:capacity().block_size
    local r = expect(s:read { cdb = 6, lba = 0, blocks = 0, expected = length }):good()
    expect(#r.data):equals(length)
  end,
}

scenario {
  title = "Blocks beyond the end are refused, and the sense data name the first",
  covers = { "SCSI-READ-002", "SCSI-READ-003", "SCSI-READ-008", "SCSI-WRITE-002", "SCSI-VER-006", "SCSI-VER-009", "IOP-35" },
  matrix = { command = { "read", "write", "verify", "write_and_verify" }, cdb = { 10, 12, 16 } },
  play = function(t, case)
    local s = t:login {}
    local last = s:capacity().last_lba
    must_reach(last, case.cdb)
    local function refused(lba, blocks, first)
      local r = s[case.command](s, { cdb = case.cdb, lba = lba, blocks = blocks })
      expect(r):check_condition("ILLEGAL REQUEST", "LOGICAL BLOCK ADDRESS OUT OF RANGE")
      if r.sense.information then expect(r.sense.information):equals(first) end
      expect(r.data):equals("")
    end
    expect(s:write { lba = last, blocks = 1 }):good()
    refused(last + 1, 1, last + 1)
    refused(last, 2, last + 1)
    if last < 0x80000000 then refused(0x80000000, 1, 0x80000000) end
    if last < 0xFFFFFFFF then refused(0xFFFFFFFF, 1, 0xFFFFFFFF) end
    if case.cdb == 16 then
      for _, lba in ipairs { 1 << 63, -1, 1 << 55, 0x7FFFFFFFFFFFFF } do refused(lba, 2, lba) end
    end
    -- The durability model knows that it was not written again.
    expect(s:read { lba = last, blocks = 1 }):good()
  end,
}

scenario {
  title = "No blocks are no error, but they do not start beyond the medium",
  covers = { "SCSI-READ-004", "SCSI-READ-005", "SCSI-WRITE-003", "SCSI-VER-006" },
  matrix = { command = { "read", "write", "verify", "write_and_verify" }, cdb = { 10, 12, 16 } },
  play = function(t, case)
    local s = t:login {}
    local last = s:capacity().last_lba
    must_reach(last, case.cdb)
    expect(s[case.command](s, { cdb = case.cdb, lba = last, blocks = 0 })):good()
    -- At its end the standard can be read either way.
    for past = t.simulated and 1 or 2, 3 do
      expect(s[case.command](s, { cdb = case.cdb, lba = last + past, blocks = 0 }))
        :check_condition("ILLEGAL REQUEST", "LOGICAL BLOCK ADDRESS OUT OF RANGE")
    end
  end,
}

scenario {
  title = "A transfer above the maximum of the Block Limits page is refused",
  covers = { "SCSI-READ-009" },
  play = function(t)
    local s = t:login {}
    local limits = s:inquiry { evpd = true, page_code = 0xB0 }
    if limits.status_name ~= "GOOD" and not t.simulated then skip("there is no page B0h") end
    local maximum = string.unpack(">I4", expect(limits):good().data, 9)
    if maximum == 0 or maximum > s:capacity().last_lba then skip("there is no maximum below the capacity") end
    expect(s:read { cdb = 16, lba = 0, blocks = maximum + 1, expected = 512 })
      :check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
    for _, command in ipairs { "write", "write_and_verify", "orwrite", "verify" } do
      local options = { cdb = command ~= "orwrite" and 16 or nil, lba = 0, blocks = maximum + 1, data = string.rep("x", 512) }
      local r = s[command](s, options)
      -- It is a limit of all of them (SBC-4 §6.6.4), where they are there.
      if t.simulated or command == "write" then expect(r):check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB") end
    end
    expect(s:read { cdb = 16, lba = 0, blocks = maximum }):good()
  end,
}

scenario {
  title = "Protection information is refused where there is none",
  covers = { "SCSI-READ-012", "SCSI-WRITE-005", "SCSI-VER-007" },
  matrix = { cdb = { 10, 12, 16 } },
  play = function(t, case)
    local s = t:login {}
    -- PROTECT: with protection information it depends on how the unit is formatted.
    if not t.simulated and s:inquiry {}.data:byte(6) & 1 ~= 0 then skip("the unit has protection information") end
    for protect = 1, 7 do
      expect(s:read { cdb = case.cdb, lba = 0, blocks = 1, rdprotect = protect })
        :check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
      expect(s:write { cdb = case.cdb, lba = 0, blocks = 1, wrprotect = protect })
        :check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
      expect(s:verify { cdb = case.cdb, lba = 0, blocks = 1, vrprotect = protect })
        :check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
    end
  end,
}

scenario {
  title = "DPO and FUA are taken by reads and writes",
  covers = { "SCSI-READ-010", "SCSI-READ-011" },
  needs = { "dataloss" },
  matrix = { cdb = { 10, 12, 16 }, dpo = { 0, 1 }, fua = { 0, 1 } },
  play = function(t, case)
    local s = t:login {}
    -- DPOFUA.
    local has_bits = expect(s:mode_sense { page_code = 0x3F }):good().data:byte(3) & 0x10 ~= 0
    if not has_bits and not t.simulated then skip("the unit does not have DPO and FUA") end
    expect(has_bits):holds("DPOFUA")
    expect(s:write { cdb = case.cdb, lba = 9, blocks = 3, dpo = case.dpo, fua = case.fua }):good()
    expect(s:read { cdb = case.cdb, lba = 9, blocks = 3, dpo = case.dpo, fua = case.fua }):good()
  end,
}

scenario {
  title = "A read-only unit reads, and refuses everything that writes",
  covers = { "SCSI-WRITE-006", "SCSI-UNMAP-013" },
  needs = { "ro-lun", "thin" },
  play = function(t)
    local s = t:login {}
    if expect(s:mode_sense { page_code = 0x3F }):good().data:byte(3) & 0x80 == 0 then skip("the unit is not read-only") end
    expect(s:read { lba = 0, blocks = 1 }):good()
    -- WRITE PROTECTED, of which there are several: by hardware, by software, for good.
    local function refused(r)
      expect(r):check_condition("DATA PROTECT", t.simulated and "WRITE PROTECTED" or nil)
      expect(r.sense.asc):equals(0x27)
    end
    for _, cdb in ipairs { 6, 10, 12, 16 } do refused(s:write { cdb = cdb, lba = 0, blocks = 1 }) end
    for _, cdb in ipairs { 10, 12, 16 } do refused(s:write_and_verify { cdb = cdb, lba = 0, blocks = 1 }) end
    for _, cdb in ipairs { 10, 16 } do refused(s:write_same { cdb = cdb, lba = 0, blocks = 1 }) end
    refused(s:orwrite { lba = 0, blocks = 1 })
    refused(s:unmap { ranges = { { lba = 0, blocks = 1 } } })
    local block = string.rep("\0", s:capacity().block_size)
    refused(s:compare_and_write { lba = 0, compare = block, write = block })
  end,
}

-- The data of a read may be on their way for as long as its initiator likes. They may be sent from where the blocks lie, or
-- from a copy; another initiator must not notice, none of the blocks may be half of one write and half of another, and the
-- digest, which may have been computed before, has to fit what is sent.
scenario {
  title = "An initiator that takes no answers keeps no other from writing, and the blocks that it gets are whole",
  covers = { "SCSI-READ-001", "SCSI-WRITE-014" },
  needs = { "dataloss", "2init" },
  matrix = { change = { "write", "write_same", "compare_and_write" }, digest = { "None", "CRC32C" },
    memory = { true, false } },
  -- Small buffers, so that most of the data are still the target's to send.
  world = function(case)
    return {
      target { host = "server", luns = { { memory = case.memory or nil, size = "4MiB" } } },
      host { name = "server", send_buffer = "16KiB" },
      host { name = "a", receive_buffer = "16KiB" },
    }
  end,
  play = function(t, case)
    local reader = t:login { name = "iqn.2026-11.example:a", keys = { DataDigest = case.digest } }
    local writer = t:login { name = "iqn.2026-11.example:b" }
    local block = reader:capacity().block_size
    local old = string.rep("a", block)
    for lba = 0, 255, 64 do expect(writer:write { lba = lba, data = old:rep(64) }):good() end
    reader:stop_receiving()
    local reads = {}
    for number = 1, 2 do reads[number] = reader:read { lba = 0, blocks = 256, async = true } end
    sleep "100ms"
    local new = string.rep("b", block)
    local first, count = 180, 48
    if case.change == "write" then
      expect(writer:write { lba = first, data = new:rep(count), within = "2s" }):good()
    elseif case.change == "write_same" then
      expect(writer:write_same { lba = first, blocks = count, data = new, within = "2s" }):good()
    else
      count = 1
      expect(writer:compare_and_write { lba = first, compare = old, write = new, within = "2s" }):good()
    end
    local expected = old:rep(first) .. new:rep(count) .. old:rep(256 - first - count)
    expect(writer:read { lba = 0, blocks = 256, within = "2s" }.data):equals(expected)
    reader:resume_receiving()
    for _, read in ipairs(reads) do
      local data = expect(read:wait { within = "10s" }):good().data
      for at = 1, #data, block do
        local lba = (at - 1) // block
        local is_changed = lba >= first and lba < first + count
        local got = data:sub(at, at + block - 1)
        if got ~= old and not (is_changed and got == new) then
          expect(got):equals(old)
        end
      end
    end
    expect(reader:read { lba = 0, blocks = 256 }.data):equals(expected)
  end,
}
