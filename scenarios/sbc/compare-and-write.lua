scenario {
  title = "COMPARE AND WRITE writes when all is as expected",
  covers = { "SCSI-CAW-001" },
  needs = { "dataloss" },
  matrix = { blocks = { 1, 8 } },
  play = function(t, case)
    local s = t:login {}
    local old, new = random.bytes("old", 512 * case.blocks), random.bytes("new", 512 * case.blocks)
    expect(s:write { lba = 7, data = old }):good()
    expect(s:compare_and_write { lba = 7, compare = old, write = new }):good()
    expect(s:read { lba = 7, blocks = case.blocks }.data):equals(new)
  end,
}

scenario {
  title = "COMPARE AND WRITE leaves all as it is when a byte differs, and says which",
  covers = { "SCSI-CAW-002", "SCSI-CAW-003" },
  needs = { "dataloss" },
  matrix = { place = { 0, 1, 511, 512, 1023 } },
  play = function(t, case)
    local s = t:login {}
    local old = random.bytes("old", 1024)
    expect(s:write { lba = 7, data = old }):good()
    local wrong = old:sub(1, case.place) .. string.char(old:byte(case.place + 1) ~ 0x80) .. old:sub(case.place + 2)
    local r = s:compare_and_write { lba = 7, compare = wrong, write = random.bytes("new", 1024) }
    expect(r):check_condition("MISCOMPARE", "MISCOMPARE DURING VERIFY OPERATION")
    expect(r.sense.information):equals(case.place)
    expect(s:read { lba = 7, blocks = 2 }.data):equals(old)
  end,
}

scenario {
  title = "COMPARE AND WRITE refuses ranges and lengths that do not fit",
  covers = { "SCSI-CAW-004", "SCSI-CAW-005", "SCSI-CAW-006", "SCSI-CAW-007", "VUL-26" },
  play = function(t)
    local s = t:login {}
    local last = s:capacity().last_lba
    local page = s:inquiry { evpd = true, page_code = 0xB0 }
    local maximum = page.status_name == "GOOD" and page.data:byte(6) or 0
    if maximum == 0 and not t.simulated then skip("there is no COMPARE AND WRITE") end
    expect(maximum):at_least(1)
    local function blocks(count) return string.rep("\0", 512 * count) end
    expect(s:compare_and_write { lba = 0 }):good()
    expect(s:compare_and_write { lba = last + 1, compare = blocks(1), write = blocks(1) })
      :check_condition("ILLEGAL REQUEST", "LOGICAL BLOCK ADDRESS OUT OF RANGE")
    expect(s:compare_and_write { lba = last, compare = blocks(2), write = blocks(2) })
      :check_condition("ILLEGAL REQUEST", "LOGICAL BLOCK ADDRESS OUT OF RANGE")
    if maximum < 255 then
      expect(s:compare_and_write { lba = 0, compare = blocks(maximum + 1), write = blocks(maximum + 1) })
        :check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
    end
    for _, count in ipairs { 1, 3, 4 } do
      expect(s:compare_and_write { lba = 0, blocks = 1, data = blocks(count) }):check_condition("ILLEGAL REQUEST")
    end
    expect(s:read { lba = 0, blocks = 1 }):good()
  end,
}

scenario {
  title = "Of two initiators that take the same lock one wins each round",
  covers = { "SCSI-CAW-008", "SCSI-CAW-009" },
  needs = { "dataloss", "2init" },
  play = function(t)
    local setup = t:login {}
    expect(setup:write { lba = 50, data = string.rep("\0", 512) }):good()
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
              lba = 50, compare = now_held, write = string.pack(">I4", count + 1) .. string.rep(name, 508),
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
