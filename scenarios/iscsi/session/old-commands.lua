-- Commands that the medium still works on when their session is over: what they may yet change is for nobody to see.

local simulated_disk = { target { luns = { { size = "4MiB" } } } }

-- A session with a write of block 5 that takes the medium two seconds.
local function begin_slow_write(t, data)
  local s = t:login { isid = 1 }
  fault.disk.slow { delay = "2s", of = { "write" }, times = 1 }
  s:write { lba = 5, data = data, async = true }
  sleep "10ms"
  return s
end

scenario {
  title = "A write of a session that is over does not come after those of the next session",
  covers = { "ISCSI-CLR-003", "IOP-39" },
  needs = { "simulation" },
  matrix = { over = { "reset", "logout" }, isid = { 1, 2 } },
  world = simulated_disk,
  play = function(t, case)
    local block = 512
    local old, new = string.rep("\x11", block), string.rep("\x22", block)
    local s = begin_slow_write(t, old)
    if case.over == "reset" then s:close { reset = true } else expect(s:logout {}):response(0) end
    local next = t:login { isid = case.isid }
    -- Another block is nobody's business.
    local start = now()
    expect(next:write { lba = 6, data = new }):good()
    expect(now() - start):at_most(1)
    expect(next:write { lba = 5, data = new }):good()
    sleep "5s"
    expect(next:read { lba = 5, blocks = 1 }.data):equals(new)
  end,
}

scenario {
  title = "A write of a connection that was replaced does not come after those of the new one",
  covers = { "ISCSI-SESS-006" },
  needs = { "simulation" },
  world = simulated_disk,
  play = function(t)
    local new = string.rep("\x22", 512)
    local s = begin_slow_write(t, string.rep("\x11", 512))
    local next = t:login { session = s, cid = s.cid }
    expect(s):closes { within = "1s" }
    expect(next.tsih):equals(s.tsih)
    next:test_unit_ready() -- takes the unit attention of the one that was cleared
    expect(next:write { lba = 5, data = new }):good()
    sleep "5s"
    expect(next:read { lba = 5, blocks = 1 }.data):equals(new)
  end,
}

scenario {
  title = "A reset of the logical unit waits for the commands of a session that is over",
  covers = { "ISCSI-TMF-012" },
  needs = { "simulation" },
  matrix = { ["function"] = { "logical unit reset", "clear task set", "target warm reset" } },
  world = simulated_disk,
  play = function(t, case)
    local other = t:login { isid = 2 }
    local s = begin_slow_write(t, string.rep("\x11", 512))
    s:close { reset = true }
    sleep "10ms"
    expect(other:task_management { ["function"] = case["function"] }):response(0)
    expect(now()):at_least(2)
  end,
}

scenario {
  title = "A task that is aborted twice is waited for twice",
  covers = { "ISCSI-TMF-027" },
  needs = { "simulation" },
  matrix = { second = { "abort task", "abort task set" } },
  world = simulated_disk,
  play = function(t, case)
    local s = t:login {}
    fault.disk.slow { delay = "2s", of = { "write" }, times = 1 }
    local write = s:write { lba = 5, data = string.rep("\x11", 512), async = true }
    sleep "10ms"
    together(
      function() expect(s:task_management { ["function"] = "abort task", task = write }):response(0) end,
      function()
        sleep "10ms"
        local second = { ["function"] = case.second }
        if case.second == "abort task" then second.task = write end
        expect(s:task_management(second)):response(0)
        expect(now()):at_least(2)
      end)
    expect(write:wait()):aborted()
  end,
}

scenario {
  title = "Of two logins that wait for the end of the same session the later one counts",
  covers = { "ISCSI-SESS-018" },
  needs = { "simulation" },
  world = simulated_disk,
  play = function(t)
    begin_slow_write(t, string.rep("\x11", 512))
    local first
    together(
      function() first = t:try_login { isid = 1 } end,
      function()
        sleep "100ms"
        local s = t:login { isid = 1 }
        expect(now()):at_least(2)
        expect(s:write { lba = 5, blocks = 1 }):good()
      end)
    expect(first.status):equals(nil)
    expect(t:statistics().sessions):equals(1)
  end,
}
