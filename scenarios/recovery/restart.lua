-- The target goes and comes back, or stands still: what its initiators find.

scenario {
  title  = "A target that was started again knows no session of before, and serves who logs in",
  covers = { "ISCSI-TIME-015", "IOP-66" },
  needs  = { "simulation" },
  matrix = { how = { "kill", "crash" }, sessions = { 1, 16 } },
  play   = function(t, case)
    local sessions = {}
    for isid = 1, case.sessions do sessions[isid] = t:login { isid = isid } end
    local data = random.bytes("data", 4096)
    expect(sessions[1]:write { lba = 0, data = data, fua = true }):good()
    local old = { isid = sessions[1].isid, tsih = sessions[1].tsih, cid = sessions[1].cid, name = sessions[1].name }
    t[case.how](t)
    sleep "5s"
    t:restart()
    local c = t:connect { within = "60s" }
    c:send(pdu.login {
      csg = 1, nsg = 3, transit = true, isid = old.isid, tsih = old.tsih, cid = old.cid,
      text = { "InitiatorName=" .. old.name, "TargetName=" .. t.iqn },
    })
    expect(c:receive { opcode = "login response" }):pdu { status = 0x020A }
    for _, s in ipairs(sessions) do
      s:relogin { within = "60s", clear_unit_attention = false }
      expect(expect(s:test_unit_ready()):check_condition("UNIT ATTENTION").sense.asc):equals(0x29)
      expect(s:read { lba = 0, blocks = 8 }.data):equals(data)
    end
    expect(t:statistics().sessions):equals(case.sessions)
  end,
}

scenario {
  title  = "A target that has stood still for ten minutes goes on with the sessions that are there, and drops the others once",
  covers = { "ISCSI-TIME-012" },
  needs  = { "simulation" },
  play   = function(t)
    local s, gone = t:login { isid = 1 }, t:login { isid = 2 }
    local login = t:connect()
    t:pause()
    local read = s:read { lba = 0, blocks = 8, async = true }
    sleep "5min"
    gone:close { reset = true }
    sleep "5min"
    t:resume()
    expect(read:wait { within = "5s" }):good()
    expect(login):closes { within = "30s" }
    expect(s:write { lba = 0, blocks = 8 }):good()
    -- One ping at most was due.
    local pings = 0
    while s:receive { opcode = "nop-in", within = "1s" } do pings = pings + 1 end
    expect(pings):at_most(1)
    expect(t:statistics().sessions):equals(1)
    expect(s):stays_open { for_ = "5min" }
  end,
}

scenario {
  title  = "When the way to the target is cut, and the way back is not, both ends give up, and then the initiator comes back",
  covers = { "ISCSI-TIME-008" },
  needs  = { "simulation" },
  matrix = { from = { "initiator", "target" } },
  play   = function(t, case)
    local s = t:login {}
    expect(s:write { lba = 0, blocks = 8 }):good()
    local to = case.from == "initiator" and "target" or "initiator"
    local cut = fault.network.partition { between = { case.from, to }, one_way = true }
    local write = s:write { lba = 0, blocks = 8, async = true }
    for _ = 1, 600 do
      sleep "1s"
      if t:statistics().sessions == 0 then break end
    end
    expect(t:statistics().sessions):equals(0)
    expect(t:statistics().tasks):equals(0)
    cut:lift()
    expect(s):closes { within = "10min" }
    expect(write:wait()):lost()
    s:relogin {}
    expect(s:read { lba = 0, blocks = 8 }):good()
  end,
}

scenario {
  title  = "When the target's clock leaps by an hour, whoever is there is asked for a sign of life, and stays",
  covers = { "ISCSI-TIME-011" },
  needs  = { "simulation" },
  play   = function(t)
    local s = t:login { isid = 1 }
    local read = s:read { lba = 0, blocks = 8, async = true }
    fault.clock.jump { by = "1h" }
    expect(read:wait { within = "5s" }):good()
    expect(s:write { lba = 0, blocks = 8 }):good()
    expect(s):stays_open { for_ = "5min" }
    expect(t:login { isid = 2 }:read { lba = 0, blocks = 8 }):good()
    expect(t:statistics().sessions):equals(2)
  end,
}
