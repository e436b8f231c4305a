scenario {
  title = "Each new nexus meets one unit attention, which INQUIRY and REPORT LUNS neither report nor clear",
  covers = { "SCSI-UA-001", "SCSI-UA-004", "SCSI-UA-005", "SCSI-INQ-010", "SCSI-RLUN-006" },
  play = function(t)
    for _, name in ipairs { "iqn.2026-11.example:a", "iqn.2026-11.example:b" } do
      local s = t:login { name = name, clear_unit_attention = false }
      expect(s:inquiry {}):good()
      expect(s:report_luns {}):good()
      local r = s:test_unit_ready()
      expect(r):check_condition("UNIT ATTENTION")
      expect(r.sense.asc):equals(0x29)
      expect(s:test_unit_ready()):good()
    end
  end,
}

scenario {
  title = "A logical unit reset is told to every nexus, once",
  covers = { "SCSI-UA-002", "SCSI-UA-021" },
  needs = { "2init", "reset" },
  play = function(t)
    local a = t:login { name = "iqn.2026-11.example:a" }
    local b = t:login { name = "iqn.2026-11.example:b" }
    for _ = 1, 5 do
      expect(a:task_management { ["function"] = "logical unit reset" }):response(0)
    end
    for _, s in ipairs { a, b } do
      local r = s:test_unit_ready()
      expect(r):check_condition("UNIT ATTENTION")
      expect(r.sense.asc):equals(0x29)
      -- A target may tell of each of them.
      for _ = 2, t.simulated and 1 or 5 do
        if s:test_unit_ready().status_name == "GOOD" then break end
      end
      expect(s:test_unit_ready()):good()
    end
  end,
}

scenario {
  title = "A changed mode page is told to the others and not to who changed it",
  covers = { "SCSI-UA-007", "SCSI-MODE-021" },
  needs = { "2init" },
  play = function(t)
    local a = t:login { name = "iqn.2026-11.example:a" }
    local b = t:login { name = "iqn.2026-11.example:b" }
    local changeable = a:mode_sense { page_code = 0x08, dbd = 1, pc = 1 }
    local can_be = changeable.status_name == "GOOD" and changeable.data:byte(7) & 0x04 ~= 0
    if not can_be and not t.simulated then skip("WCE cannot be changed") end
    expect(can_be):holds("a write cache that can be switched", "one that cannot")
    local page = expect(a:mode_sense { page_code = 0x08, dbd = 1 }):good().data:sub(5)
    page = string.char(page:byte(1) & 0x7F) .. page:sub(2)
    local changed = page:sub(1, 2) .. string.char(page:byte(3) ~ 0x04) .. page:sub(4)
    expect(a:mode_select { data = "\0\0\0\0" .. changed }):good()
    local told, untold, new = b:test_unit_ready(), a:test_unit_ready(), b:mode_sense { page_code = 0x08, dbd = 1 }
    -- The next case finds the page as it was.
    expect(a:mode_select { data = "\0\0\0\0" .. page }):good()
    expect(told):check_condition("UNIT ATTENTION", "MODE PARAMETERS CHANGED")
    expect(untold):good()
    expect(expect(new):good().data:sub(6)):equals(changed:sub(2))
  end,
}

scenario {
  title = "Several unit attentions are told one by one, that of a reset first",
  covers = { "SCSI-UA-006" },
  needs = { "simulation", "removable" },
  play = function(t)
    local a = t:login { name = "iqn.2026-11.example:a" }
    local b = t:login { name = "iqn.2026-11.example:b" }
    expect(a:task_management { ["function"] = "logical unit reset" }):response(0)
    a:test_unit_ready()
    local page = expect(a:mode_sense { page_code = 0x08, dbd = 1 }):good().data:sub(5)
    expect(a:mode_select { data = "\0\0\0\0" .. page:sub(1, 2) .. string.char(page:byte(3) ~ 4) .. page:sub(4) }):good()
    expect(a:start_stop_unit { load_eject = 1, start = 0 }):good()
    expect(a:start_stop_unit { load_eject = 1, start = 1 }):good()
    expect(expect(b:test_unit_ready()):check_condition("UNIT ATTENTION").sense.asc):equals(0x29)
    expect(b:test_unit_ready()):check_condition("UNIT ATTENTION", "NOT READY TO READY CHANGE, MEDIUM MAY HAVE CHANGED")
    expect(b:test_unit_ready()):check_condition("UNIT ATTENTION", "MODE PARAMETERS CHANGED")
    expect(b:test_unit_ready()):good()
    expect(a:test_unit_ready()):good()
  end,
}
