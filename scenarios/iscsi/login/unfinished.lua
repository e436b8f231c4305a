-- Logins that stop halfway: nothing of them stays, and nobody waits for them.

scenario {
  title = "A thousand logins that stop halfway leave nothing behind",
  covers = { "ISCSI-LOGIN-061" },
  matrix = { reset = { true, false } },
  play = function(t, case)
    for _ = 1, t.simulated and 1000 or 50 do
      local c = t:connect()
      c:send(pdu.login {
        csg = 0, nsg = 1, transit = true,
        text = { InitiatorName = "iqn.2026-11.example:a", SessionType = "Normal", TargetName = t.iqn, AuthMethod = "None" },
      })
      expect(c:receive {}):pdu { opcode = "login response", status = 0 }
      c:close { reset = case.reset }
    end
    expect(t:login {}:test_unit_ready()):good()
  end,
}

scenario {
  title = "A connection that does not log in is closed after a while, and holds up no other",
  covers = { "ISCSI-LOGIN-062" },
  needs = { "simulation" },
  matrix = { how = { "silent", "half a header", "half a text", "after the first stage" } },
  play = function(t, case)
    local c = t:connect()
    if case.how == "half a header" then c:send(pdu.login {}, { truncate_at = 24 }) end
    if case.how == "half a text" then c:send(pdu.login { data = string.rep("x", 100) }, { truncate_at = 99 }) end
    if case.how == "after the first stage" then
      c:send(pdu.login {
        csg = 0, nsg = 1, transit = true,
        text = { InitiatorName = "iqn.2026-11.example:a", SessionType = "Normal", TargetName = t.iqn, AuthMethod = "None" },
      })
    end
    local s = t:login { isid = 9 }
    expect(s:test_unit_ready()):good()
    expect(c):closes { within = "60s" }
    expect(s:test_unit_ready()):good()
  end,
}

scenario {
  title = "Many logins at the same instant are all served",
  covers = { "ISCSI-LOGIN-063", "IOP-04" },
  needs = { "simulation" },
  matrix = { count = { 16, 256 } },
  play = function(t, case)
    local actors = {}
    local served = 0
    for number = 1, case.count do
      actors[number] = spawn(function()
        local s = t:login { isid = number }
        expect(s:test_unit_ready()):good()
        served = served + 1
      end)
    end
    for number = 1, case.count do actors[number]:join() end
    expect(served):equals(case.count)
    expect(t:statistics().sessions):equals(case.count)
  end,
}
