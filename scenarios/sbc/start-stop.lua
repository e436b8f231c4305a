-- On a real target the unit is what it is.
local function must_be_removable(s)
  if s:inquiry {}.data:byte(2) & 0x80 == 0 then skip("the medium is not removable") end
end

scenario {
  title = "A stopped unit is not ready until it is started",
  covers = { "SCSI-SSU-001", "SCSI-RS-002", "SCSI-INQ-012" },
  play = function(t)
    local s = t:login {}
    expect(s:start_stop_unit { start = 0 }):good()
    for _, command in ipairs { "test_unit_ready", "read", "synchronize_cache" } do
      expect(s[command](s, {}))
        :check_condition("NOT READY", "LOGICAL UNIT NOT READY, INITIALIZING COMMAND REQUIRED")
    end
    expect(s:inquiry {}):good()
    expect(s:start_stop_unit { start = 1 }):good()
    expect(s:test_unit_ready()):good()
  end,
}

scenario {
  title = "With a power condition START and LOEJ mean nothing",
  covers = { "SCSI-SSU-002" },
  needs = { "removable" },
  matrix = { condition = { 1, 2, 3, 7, 10, 11 } },
  play = function(t, case)
    local s = t:login {}
    must_be_removable(s)
    expect(s:start_stop_unit { power_condition = case.condition, load_eject = 1, start = 0 }):good()
    expect(s:test_unit_ready()):good()
  end,
}

scenario {
  title = "An ejected medium is not there, and loading it is told to the others",
  covers = { "SCSI-SSU-003", "SCSI-SSU-007", "SCSI-UA-015" },
  needs = { "removable", "2init" },
  play = function(t)
    local a = t:login { name = "iqn.2026-11.example:a" }
    must_be_removable(a)
    local b = t:login { name = "iqn.2026-11.example:b" }
    expect(a:start_stop_unit { load_eject = 1, start = 0 }):good()
    for _, command in ipairs { "test_unit_ready", "read", "write", "read_capacity10", "verify", "synchronize_cache" } do
      expect(b[command](b, {})):check_condition("NOT READY", "MEDIUM NOT PRESENT")
    end
    expect(b:inquiry {}):good()
    expect(a:start_stop_unit { load_eject = 1, start = 1 }):good()
    expect(b:test_unit_ready())
      :check_condition("UNIT ATTENTION", "NOT READY TO READY CHANGE, MEDIUM MAY HAVE CHANGED")
    expect(a:read { lba = 0, blocks = 1 }):good()
  end,
}

scenario {
  title = "PREVENT holds the medium for as long as any nexus has set it",
  covers = { "SCSI-SSU-004", "SCSI-SSU-005", "SCSI-SSU-006" },
  needs = { "removable", "2init" },
  matrix = { event = { "allow", "logout", "logical unit reset" } },
  play = function(t, case)
    local a = t:login { name = "iqn.2026-11.example:a" }
    must_be_removable(a)
    local b = t:login { name = "iqn.2026-11.example:b" }
    expect(a:prevent_allow_medium_removal { prevent = 1 }):good()
    expect(b:prevent_allow_medium_removal { prevent = 1 }):good()
    expect(a:prevent_allow_medium_removal { prevent = 0 }):good()
    expect(a:start_stop_unit { load_eject = 1, start = 0 })
      :check_condition("ILLEGAL REQUEST", "MEDIUM REMOVAL PREVENTED")
    if case.event == "allow" then
      expect(b:prevent_allow_medium_removal { prevent = 0 }):good()
    elseif case.event == "logout" then
      b:logout {}
    else
      expect(a:task_management { ["function"] = "logical unit reset" }):response(0)
      expect(a:test_unit_ready()):check_condition("UNIT ATTENTION")
    end
    expect(a:start_stop_unit { load_eject = 1, start = 0 }):good()
    expect(a:start_stop_unit { load_eject = 1, start = 1 }):good()
  end,
}
