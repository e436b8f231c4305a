-- On a real target the unit is what it is.
local function must_be_thin(s)
  if s:read_capacity16 {}.data:byte(15) & 0x80 == 0 then skip("the unit is fully provisioned") end
end

scenario {
  title = "WRITE SAME repeats one block, and touches no neighbour",
  covers = { "SCSI-WS-001" },
  needs = { "dataloss" },
  matrix = { cdb = { 10, 16 }, blocks = { 1, 2, 255, 256, 1000 } },
  play = function(t, case)
    local s = t:login {}
    local size = s:capacity().block_size
    local block, before = random.bytes("block", size), random.bytes("before", size)
    expect(s:write { lba = 10, data = before }):good()
    expect(s:write { lba = 11 + case.blocks, data = before }):good()
    expect(s:write_same { cdb = case.cdb, lba = 11, blocks = case.blocks, data = block }):good()
    expect(s:read { lba = 10, blocks = case.blocks + 2 }.data):equals(before .. string.rep(block, case.blocks) .. before)
  end,
}

scenario {
  title = "WRITE SAME with UNMAP, or without data, leaves zeroes",
  covers = { "SCSI-WS-005", "SCSI-WS-011", "SCSI-WS-013" },
  needs = { "thin", "dataloss" },
  matrix = {
    how = {
      { label = "(10) with UNMAP", cdb = 10, unmap = 1 }, { label = "(10) of zeroes", cdb = 10 },
      { label = "(16) with UNMAP", cdb = 16, unmap = 1 }, { label = "(16) of zeroes", cdb = 16 },
      { label = "(16) without data", cdb = 16, ndob = 1 }, { label = "(16) without data, UNMAP", cdb = 16, ndob = 1, unmap = 1 },
    },
  },
  play = function(t, case)
    local s = t:login {}
    must_be_thin(s)
    local size = s:capacity().block_size
    expect(s:write { lba = 0, blocks = 64 }):good()
    expect(s:write_same {
      cdb = case.how.cdb, lba = 3, blocks = 50, unmap = case.how.unmap, ndob = case.how.ndob,
      data = not case.how.ndob and string.rep("\0", size) or nil,
    }):good()
    expect(s:read { lba = 3, blocks = 50 }.data):equals(string.rep("\0", size * 50))
    -- The durability model knows what is before and after.
    expect(s:read { lba = 0, blocks = 64 }):good()
  end,
}

scenario {
  title = "WRITE SAME with UNMAP writes data that are not zero",
  covers = { "SCSI-WS-006" },
  needs = { "thin", "dataloss" },
  play = function(t)
    local s = t:login {}
    must_be_thin(s)
    local block = random.bytes("block", s:capacity().block_size)
    expect(s:write_same { cdb = 16, lba = 5, blocks = 20, data = block, unmap = 1 }):good()
    expect(s:read { lba = 5, blocks = 20 }.data):equals(string.rep(block, 20))
  end,
}

scenario {
  title = "WRITE SAME refuses what it cannot do",
  covers = { "SCSI-WS-002", "SCSI-WS-003", "SCSI-WS-004", "SCSI-WS-007", "SCSI-WS-008", "SCSI-WS-009", "SCSI-WS-014" },
  matrix = { cdb = { 10, 16 } },
  play = function(t, case)
    local s = t:login {}
    local last = s:capacity().last_lba
    local page = s:inquiry { evpd = true, page_code = 0xB0 }
    -- Without the page WSNZ and the maximum are not said.
    local limits = page.status_name ~= "GOOD" and not t.simulated and string.rep("\0", 64) or expect(page):good().data
    local is_full = s:read_capacity16 {}.data:byte(15) & 0x80 == 0
    local function refused(options, additional)
      options.cdb = case.cdb
      expect(s:write_same(options)):check_condition("ILLEGAL REQUEST", additional or "INVALID FIELD IN CDB")
    end
    if limits:byte(5) & 1 == 1 then refused { lba = 0, blocks = 0 } end
    local maximum = string.unpack(">I8", limits, 37)
    if maximum > 0 and maximum < last and maximum < 65535 then refused { lba = 0, blocks = maximum + 1 } end
    -- A short CDB cannot name the end of a unit of 2 TiB or more.
    if case.cdb == 16 or last < 0xFFFFFFFF then
      refused({ lba = last + 1, blocks = 1 }, "LOGICAL BLOCK ADDRESS OUT OF RANGE")
      refused({ lba = last, blocks = 2 }, "LOGICAL BLOCK ADDRESS OUT OF RANGE")
    end
    -- A fully provisioned unit gives nothing back; it may also take no notice of what asks for it.
    if is_full and t.simulated then refused { lba = 0, blocks = 1, unmap = 1 } end
    if not is_full or t.simulated then refused { lba = 0, blocks = 1, anchor = 1 } end
    if t.simulated or s:inquiry {}.data:byte(6) & 1 == 0 then refused { lba = 0, blocks = 1, wrprotect = 1 } end
  end,
}

scenario {
  title = "WRITE SAME refuses to anchor where nothing can be anchored, and what is obsolete",
  covers = { "SCSI-WS-008", "SCSI-WS-009", "SCSI-WS-014" },
  needs = { "thin" },
  matrix = { cdb = { 10, 16 }, flags = { 0x10, 0x18, 0x02, 0x04, 0x06 } },
  play = function(t, case)
    local s = t:login {}
    must_be_thin(s)
    local size = s:capacity().block_size
    local old = random.bytes("old", size)
    expect(s:write { lba = 5, data = old }):good()
    local page = s:inquiry { evpd = true, page_code = 0xB2 }
    local can_anchor = page.status_name == "GOOD" and page.data:byte(6) & 2 ~= 0
    if case.flags == 0x18 and can_anchor and not t.simulated then skip("the unit can anchor blocks") end
    local layout = case.cdb == 10 and ">BBI4xI2x" or ">BBI8I4xx"
    local r = s:command {
      cdb = string.pack(layout, case.cdb == 10 and 0x41 or 0x93, case.flags, 5, 1), data = string.rep("\0", size),
    }
    -- PBDATA and LBDATA, which a target of another version of SBC may have or overlook.
    if case.flags & 0x10 == 0 and not t.simulated then return expect(t:login { isid = 9 }:test_unit_ready()):good() end
    expect(r):check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
    expect(s:read { lba = 5, blocks = 1 }.data):equals(old)
  end,
}

scenario {
  title = "WRITE SAME wants one block of data, neither more nor less",
  covers = { "SCSI-WS-012" },
  matrix = { of = { "nothing", "half a block", "all but a byte", "two blocks" } },
  play = function(t, case)
    local s = t:login {}
    local size = s:capacity().block_size
    local bytes = ({ nothing = 0, ["half a block"] = size // 2, ["all but a byte"] = size - 1, ["two blocks"] = 2 * size })[case.of]
    local r = s:write_same { lba = 0, blocks = 1, data = string.rep("x", bytes) }
    if t.simulated then
      expect(r):check_condition("ILLEGAL REQUEST")
    elseif bytes > size and r.status_name == "GOOD" then
      -- What is more than it wants may be left where it is, as of any other write (RFC 7143 §11.4.5.1).
      expect(r):residual(bytes - size)
    else
      expect(r):check_condition()
    end
    expect(s:read { lba = 0, blocks = 1 }):good()
  end,
}
