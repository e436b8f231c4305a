-- Connections on which nobody logs in: only so many are kept, and they keep nobody out.

local world = { target { limits = { pending_logins = 4 } } }

scenario {
  title = "Of connections that do not log in the oldest go, and who logs in is served",
  covers = { "ISCSI-TIME-014", "ISCSI-LOGIN-063", "VUL-17" },
  needs = { "simulation" },
  world = world,
  play = function(t)
    local silent = {}
    for number = 1, 12 do
      silent[number] = t:connect()
      sleep "1ms"
    end
    sleep "10ms"
    for number = 1, 12 do expect(silent[number].closed):equals(number <= 8) end
    expect(t:login {}:test_unit_ready()):good()
  end,
}

scenario {
  title = "A login that was given up does not count among those that wait",
  covers = { "ISCSI-TIME-014", "ISCSI-LOGIN-061" },
  needs = { "simulation" },
  world = world,
  matrix = { reset = { true, false } },
  play = function(t, case)
    for _ = 1, 12 do
      local c = t:connect()
      c:close { reset = case.reset }
      sleep "1ms"
    end
    local waiting = {}
    for number = 1, 4 do waiting[number] = t:connect() end
    sleep "10ms"
    for number = 1, 4 do expect(waiting[number]):stays_open { for_ = "1ms" } end
  end,
}

scenario {
  title = "When there are as many connections as there may be, those that have not logged in or are over make room",
  covers = { "ISCSI-TIME-014", "ISCSI-LOGIN-063" },
  needs = { "simulation" },
  world = { target { limits = { connections = 4 } } },
  matrix = { what = { "silent", "refused" } },
  play = function(t, case)
    local first = t:login { isid = 1 }
    for _ = 1, 9 do
      local c = t:connect()
      c:automatic { close_on_end_of_stream = false }
      if case.what == "refused" then
        c:send(pdu.login {
          csg = 1, nsg = 3, transit = true,
          text = { InitiatorName = "iqn.2026-11.example:a", TargetName = "iqn.2026-11.example:none" },
        })
      end
      sleep "1ms"
    end
    local second = t:login { isid = 2, within = "1s" }
    expect(second:test_unit_ready()):good()
    expect(first:test_unit_ready()):good()
    -- Who has logged in makes room for nobody.
    t:login { isid = 3 }
    t:login { isid = 4 }
    expect(t:connect()):closes { within = "1s" }
    expect(t:statistics().sessions):equals(4)
  end,
}
