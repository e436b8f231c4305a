scenario {
  title = "COMPARE AND WRITE writes when all is as expected",
  covers = { "SCSI-CAW-001", "SCSI-CAW-011" },
  needs = { "dataloss" },
  matrix = { blocks = { 1, 8, "as many as may be" }, bits = { "none", "dpo", "fua" } },
  play = function(t, case)
    local s = t:login {}
    local blocks = case.blocks
    if blocks == "as many as may be" then
      local page = s:inquiry { evpd = true, page_code = 0xB0 }
      blocks = page.status_name == "GOOD" and page.data:byte(6) or 0
      if blocks == 0 and not t.simulated then skip("there is no COMPARE AND WRITE") end
      expect(blocks):at_least(1)
    end
    -- DPOFUA.
    local has_bits = s:mode_sense { page_code = 0x3F }.data:byte(3) & 0x10 ~= 0
    if case.bits ~= "none" and not has_bits and not t.simulated then skip("the unit does not have DPO and FUA") end
    local length = s:capacity().block_size * blocks
    local old, new = random.bytes("old", length), random.bytes("new", length)
    expect(s:write { lba = 7, data = old }):good()
    expect(s:compare_and_write {
      lba = 7, compare = old, write = new, dpo = case.bits == "dpo" or nil, fua = case.bits == "fua" or nil,
    }):good()
    expect(s:read { lba = 7, blocks = blocks }.data):equals(new)
    -- Protection information that is not there.
    if s:inquiry {}.data:byte(6) & 1 ~= 0 then return end
    expect(s:compare_and_write { lba = 7, compare = new, write = old, wrprotect = 1 })
      :check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
  end,
}

scenario {
  title = "COMPARE AND WRITE leaves all as it is when a byte differs, and says which",
  covers = { "SCSI-CAW-002", "SCSI-CAW-003" },
  needs = { "dataloss" },
  -- The first or the second byte of a block, or the last.
  matrix = { block = { 0, 1 }, byte = { 0, 1, -1 } },
  play = function(t, case)
    local s = t:login {}
    local size = s:capacity().block_size
    local place = case.block * size + case.byte % size
    local old = random.bytes("old", 2 * size)
    expect(s:write { lba = 7, data = old }):good()
    local wrong = old:sub(1, place) .. string.char(old:byte(place + 1) ~ 0x80) .. old:sub(place + 2)
    local r = s:compare_and_write { lba = 7, compare = wrong, write = random.bytes("new", 2 * size) }
    expect(r):check_condition("MISCOMPARE", "MISCOMPARE DURING VERIFY OPERATION")
    expect(r.sense.information):equals(place)
    expect(s:read { lba = 7, blocks = 2 }.data):equals(old)
  end,
}

scenario {
  title = "COMPARE AND WRITE refuses ranges and lengths that do not fit",
  covers = { "SCSI-CAW-004", "SCSI-CAW-005", "SCSI-CAW-006", "SCSI-CAW-007", "VUL-26" },
  play = function(t)
    local s = t:login {}
    local last, size = s:capacity().last_lba, s:capacity().block_size
    local page = s:inquiry { evpd = true, page_code = 0xB0 }
    local maximum = page.status_name == "GOOD" and page.data:byte(6) or 0
    if maximum == 0 and not t.simulated then skip("there is no COMPARE AND WRITE") end
    expect(maximum):at_least(1)
    local function blocks(count) return string.rep("\0", size * count) end
    expect(s:compare_and_write { lba = 0 }):good()
    expect(s:compare_and_write { lba = last + 1, compare = blocks(1), write = blocks(1) })
      :check_condition("ILLEGAL REQUEST", "LOGICAL BLOCK ADDRESS OUT OF RANGE")
    expect(s:compare_and_write { lba = last, compare = blocks(2), write = blocks(2) })
      :check_condition("ILLEGAL REQUEST", "LOGICAL BLOCK ADDRESS OUT OF RANGE")
    if maximum < 255 then
      expect(s:compare_and_write { lba = 0, compare = blocks(maximum + 1), write = blocks(maximum + 1) })
        :check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
    end
    local old = random.bytes("old", size)
    expect(s:write { lba = 0, data = old }):good()
    for _, count in ipairs { 0, 1, 3, 4 } do
      -- What there is of it would be equal, and then changed.
      expect(s:compare_and_write { lba = 0, blocks = 1, data = (old .. blocks(3)):sub(1, count * size) })
        :check_condition("ILLEGAL REQUEST")
    end
    expect(s:read { lba = 0, blocks = 1 }.data):equals(old)
  end,
}

scenario {
  title = "Of two initiators that take the same lock one wins each round",
  covers = { "SCSI-CAW-008", "SCSI-CAW-009" },
  needs = { "dataloss", "2init" },
  play = function(t)
    local setup = t:login {}
    local size = setup:capacity().block_size
    expect(setup:write { lba = 50, data = string.rep("\0", size) }):good()
    local wins = {}
    local function contend(name)
      return function()
        local s = t:login { name = "iqn.2026-11.example:" .. name }
        wins[name] = 0
        for round = 1, 25 do
          repeat
            local now_held = s:read { lba = 50, blocks = 1 }.data
            local count = string.unpack(">I4", now_held)
            local r = s:compare_and_write {
              lba = 50, compare = now_held, write = string.pack(">I4", count + 1) .. string.rep(name, size - 4),
            }
            local won = r.status_name == "GOOD"
            if not won then expect(r):check_condition("MISCOMPARE") end
          until won
          wins[name] = wins[name] + 1
          sleep "1ms"
        end
      end
    end
    together(contend("x"), contend("y"))
    expect(wins.x + wins.y):equals(50)
    expect((string.unpack(">I4", setup:read { lba = 50, blocks = 1 }.data))):equals(50)
  end,
}

scenario {
  title = "A lock is a lock on every way to the unit",
  covers = { "SCSI-CAW-010" },
  needs = { "simulation" },
  world = {
    target { portals = { "10.0.0.1:3260", "10.0.0.1:3261" }, luns = { { size = "1MiB" } } },
    host { name = "a" }, host { name = "b" },
  },
  play = function(t)
    local sessions = { t:login { host = "a", portal = 1, isid = 1 }, t:login { host = "b", portal = 2, isid = 2 } }
    local wins = { 0, 0 }
    local function contend(number)
      local s = sessions[number]
      for _ = 1, 50 do
        repeat
          local held = s:read { lba = 5, blocks = 1 }.data
          local count = string.unpack(">I4", held)
          local r = s:compare_and_write { lba = 5, compare = held, write = string.pack(">I4", count + 1) .. held:sub(5) }
          if r.status ~= 0 then expect(r):check_condition("MISCOMPARE") end
        until r.status == 0
        wins[number] = wins[number] + 1
      end
    end
    together(function() contend(1) end, function() contend(2) end)
    expect(wins[1] + wins[2]):equals(100)
    expect((string.unpack(">I4", sessions[1]:read { lba = 5, blocks = 1 }.data))):equals(100)
  end,
}
