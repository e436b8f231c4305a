-- Whatever the unit answers, the next case finds it started, and its medium there: what is expected is looked at behind that.

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
    local refusals = { s:test_unit_ready(), s:read {}, s:synchronize_cache {} }
    local inquiry = s:inquiry {}
    expect(s:start_stop_unit { start = 1 }):good()
    for _, r in ipairs(refusals) do
      expect(r):check_condition("NOT READY", "LOGICAL UNIT NOT READY, INITIALIZING COMMAND REQUIRED")
    end
    expect(inquiry):good()
    expect(s:test_unit_ready()):good()
  end,
}

scenario {
  title = "A removable medium stays where it is when its unit is stopped, and is not to be reached until that is started",
  covers = { "SCSI-SSU-001", "SCSI-SSU-003" },
  needs = { "removable" },
  play = function(t)
    local s = t:login {}
    must_be_removable(s)
    expect(s:start_stop_unit { start = 0 }):good()
    local stopped, read = s:test_unit_ready(), s:read { lba = 0, blocks = 1 }
    expect(s:start_stop_unit { start = 1 }):good()
    local ready = s:test_unit_ready()
    for _, r in ipairs { stopped, read } do
      expect(r):check_condition("NOT READY", "LOGICAL UNIT NOT READY, INITIALIZING COMMAND REQUIRED")
    end
    expect(ready):good()
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
    local r = s:start_stop_unit { power_condition = case.condition, load_eject = 1, start = 0 }
    -- A target may know none of them; and FORCE_IDLE_0 and FORCE_STANDBY_0 are only for timers that are enabled.
    if r.status_name ~= "GOOD" and not t.simulated then
      expect(r):check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
    else
      expect(r):good()
    end
    expect(s:test_unit_ready()):good()
  end,
}

scenario {
  title = "ACTIVE, IDLE and STANDBY end a stop",
  covers = { "SCSI-SSU-002" },
  matrix = { condition = { "ACTIVE", "IDLE", "STANDBY" } },
  play = function(t, case)
    local s = t:login {}
    local number = ({ ACTIVE = 1, IDLE = 2, STANDBY = 3 })[case.condition]
    expect(s:start_stop_unit { start = 0 }):good()
    local r = s:start_stop_unit { power_condition = number }
    local ready, read = s:test_unit_ready(), s:read { lba = 0, blocks = 1 }
    expect(s:start_stop_unit { start = 1 }):good()
    if r.status_name ~= "GOOD" and not t.simulated then skip("the unit does not know the power condition") end
    for _, result in ipairs { r, ready, read } do expect(result):good() end
  end,
}

scenario {
  title = "What was written before a unit was stopped, or put into standby, is stable",
  covers = { "SCSI-SSU-002", "SCSI-DUR-001" },
  needs = { "simulation" },
  matrix = { how = { "stop", "standby" } },
  play = function(t, case)
    local s = t:login {}
    local data = {}
    for n = 1, 16 do
      data[n] = random.bytes("block", 4096)
      expect(s:write { lba = 8 * n, data = data[n] }):good()
    end
    expect(s:start_stop_unit { power_condition = case.how == "standby" and 3 or 0, start = 0 }):good()
    t:crash()
    t:restart()
    s:relogin {}
    for n = 1, 16 do expect(s:read { lba = 8 * n, blocks = 8 }.data):equals(data[n]) end
  end,
}

scenario {
  title = "An ejected medium is not there, and loading it is told to the others",
  covers = { "SCSI-SSU-003", "SCSI-SSU-007", "SCSI-UA-015" },
  needs = { "removable", "thin", "2init" },
  play = function(t)
    local a = t:login { name = "iqn.2026-11.example:a" }
    must_be_removable(a)
    local b = t:login { name = "iqn.2026-11.example:b" }
    expect(a:start_stop_unit { load_eject = 1, start = 0 }):good()
    local refusals = {}
    local block = string.rep("\0", 512)
    local commands = {
      test_unit_ready = {}, read = {}, write = {}, read_capacity10 = {}, read_capacity16 = {}, verify = {}, prefetch = {},
      synchronize_cache = {}, write_and_verify = {}, write_same = {}, orwrite = {}, get_lba_status = {},
      compare_and_write = { compare = block, write = block }, unmap = { ranges = { { 0, 1 } } },
    }
    for name, options in pairs(commands) do
      local r = b[name](b, options)
      -- Not all targets have all of them.
      if t.simulated or not r.sense or r.sense.asc ~= 0x20 then refusals[#refusals + 1] = r end
    end
    local inquiry = b:inquiry {}
    expect(a:start_stop_unit { load_eject = 1, start = 1 }):good()
    for _, r in ipairs(refusals) do
      expect(r):check_condition("NOT READY", t.simulated and "MEDIUM NOT PRESENT" or nil)
      -- MEDIUM NOT PRESENT, of which there are several: the tray is open, it can be loaded.
      expect(r.sense.asc):equals(0x3A)
    end
    expect(inquiry):good()
    expect(b:test_unit_ready())
      :check_condition("UNIT ATTENTION", "NOT READY TO READY CHANGE, MEDIUM MAY HAVE CHANGED")
    expect(a:read { lba = 0, blocks = 1 }):good()
  end,
}

scenario {
  title = "PREVENT holds the medium for as long as any nexus has set it",
  covers = { "SCSI-SSU-004", "SCSI-SSU-005", "SCSI-SSU-006" },
  needs = { "removable", "2init" },
  matrix = { event = { "allow", "logout", "connection loss", "logical unit reset", "target warm reset" } },
  play = function(t, case)
    local a = t:login { name = "iqn.2026-11.example:a" }
    must_be_removable(a)
    local b = t:login { name = "iqn.2026-11.example:b" }
    expect(a:prevent_allow_medium_removal { prevent = 1 }):good()
    expect(b:prevent_allow_medium_removal { prevent = 1 }):good()
    expect(a:prevent_allow_medium_removal { prevent = 0 }):good()
    local eject = a:start_stop_unit { load_eject = 1, start = 0 }
    if eject.status_name == "GOOD" then a:start_stop_unit { load_eject = 1, start = 1 } end
    expect(eject):check_condition("ILLEGAL REQUEST", "MEDIUM REMOVAL PREVENTED")
    if case.event == "allow" then
      expect(b:prevent_allow_medium_removal { prevent = 0 }):good()
    elseif case.event == "logout" then
      b:logout {}
    elseif case.event == "connection loss" then
      b:close { reset = true }
      sleep "1s"
    else
      local r = a:task_management { ["function"] = case.event }
      if r.response == 5 and case.event == "target warm reset" and not t.simulated then
        b:prevent_allow_medium_removal { prevent = 0 }
        skip("the target does not have the function")
      end
      expect(r):response(0)
      expect(a:test_unit_ready()):check_condition("UNIT ATTENTION")
    end
    expect(a:start_stop_unit { load_eject = 1, start = 0 }):good()
    expect(a:start_stop_unit { load_eject = 1, start = 1 }):good()
  end,
}

scenario {
  title = "A reset of the logical unit starts it",
  covers = { "SCSI-SSU-001", "ISCSI-TMF-012" },
  needs = { "reset" },
  play = function(t)
    local s = t:login {}
    expect(s:start_stop_unit { start = 0 }):good()
    local stopped = s:test_unit_ready()
    local reset = s:task_management { ["function"] = "logical unit reset" }
    local attention, ready = s:test_unit_ready(), s:test_unit_ready()
    expect(s:start_stop_unit { start = 1 }):good()
    expect(stopped):check_condition("NOT READY")
    expect(reset):response(0)
    expect(attention):check_condition("UNIT ATTENTION")
    expect(ready):good()
  end,
}

scenario {
  title = "IMMED and NO_FLUSH are taken: an answer may come early, and a stop need not flush",
  covers = { "SCSI-SSU-002" },
  matrix = { start = { 0, 1 }, immed = { 0, 1 }, no_flush = { 0, 1 } },
  play = function(t, case)
    local s = t:login {}
    if t.simulated and case.no_flush == 1 then fault.disk.flush_error { may_miss = true } end
    expect(s:write { lba = 0, blocks = 8 }):good()
    local r = s:start_stop_unit { start = case.start, immed = case.immed, no_flush = case.no_flush }
    -- What is stopped at once has stopped in a moment.
    if case.immed == 1 and not t.simulated then sleep "1s" end
    local ready = s:test_unit_ready()
    local back = s:start_stop_unit { start = 1 }
    if r.status_name ~= "GOOD" and not t.simulated then
      expect(r):check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
      return expect(ready):good()
    end
    expect(r):good()
    if case.start == 1 then
      expect(ready):good()
    elseif t.simulated then
      expect(ready):check_condition("NOT READY", "LOGICAL UNIT NOT READY, INITIALIZING COMMAND REQUIRED")
    end
    expect(back):good()
    expect(s:read { lba = 0, blocks = 8 }):good()
  end,
}
