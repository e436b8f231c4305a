-- Which session a login means (RFC 7143 §6.3.1, §6.3.4, §6.3.5): by initiator name, ISID, portal group, TSIH and CID.

scenario {
  title = "A login of the same initiator port ends the session that it had",
  covers = { "ISCSI-SESS-005", "ISCSI-SESS-001", "ISCSI-SESS-013", "SCSI-UA-003" },
  play = function(t)
    local first = t:login { isid = 1, keys = { InitialR2T = "Yes", ImmediateData = "No" } }
    local write = first:write { lba = 5, blocks = 1, hold_r2ts = true, async = true }
    sleep "10ms"
    local second = t:login { isid = 1, clear_unit_attention = false }
    expect(first):closes {}
    expect(write:wait()):lost()
    expect(second.tsih):differs(0)
    if t.simulated then expect(second.tsih):differs(first.tsih) end
    expect(expect(second:test_unit_ready()):check_condition("UNIT ATTENTION").sense.asc):equals(0x29)
    expect(second:test_unit_ready()):good()
  end,
}

scenario {
  title = "Another name with the same ISID is another initiator port",
  covers = { "ISCSI-SESS-009" },
  play = function(t)
    local first = t:login { isid = 1, name = "iqn.2026-11.example:a" }
    local second = t:login { isid = 1, name = "iqn.2026-11.example:b" }
    expect(first.tsih):differs(second.tsih)
    expect(first:test_unit_ready()):good()
    expect(second:test_unit_ready()):good()
  end,
}

scenario {
  title = "No two sessions have one TSIH, and none has 0",
  covers = { "ISCSI-SESS-010", "ISCSI-SESS-011" },
  -- ISIDs of every format: OUI, EN, and random.
  matrix = { isid = { 0x000000000000, 0x400000000000, 0x800000000000 } },
  play = function(t, case)
    local seen = {}
    for number = 1, 16 do
      local s = t:login { isid = case.isid + number }
      expect(s.tsih):differs(0)
      expect(seen[s.tsih]):equals(nil)
      seen[s.tsih] = true
    end
  end,
}

scenario {
  title = "Unnamed discovery sessions meet only on the same portal",
  covers = { "ISCSI-DISC-016", "ISCSI-DISC-017" },
  needs = { "simulation" },
  matrix = { portal = { 1, 2 } },
  world = { target { portals = { "10.0.0.1:3260", "10.0.0.1:3261" } } },
  play = function(t, case)
    local first = t:login { type = "discovery", target = false, isid = 7, portal = 1 }
    local second = t:login { type = "discovery", target = false, isid = 7, portal = case.portal }
    expect(second:text { text = { SendTargets = t.iqn } }.text.TargetName):equals(t.iqn)
    if case.portal == 1 then
      expect(first):closes {}
    else
      expect(first:text { text = { SendTargets = t.iqn } }.text.TargetName):equals(t.iqn)
    end
  end,
}

scenario {
  title = "A login that names a target is told its portal group, whatever it is a login for",
  covers = { "ISCSI-LOGIN-032", "ISCSI-KEY-037" },
  matrix = { login = { "new session", "connection again", "discovery" } },
  play = function(t, case)
    local fields = {
      csg = 1, nsg = 3, transit = true, text = { "InitiatorName=iqn.2026-11.example:a", "TargetName=" .. t.iqn },
    }
    if case.login == "new session" then table.insert(fields.text, "SessionType=Normal") end
    if case.login == "discovery" then table.insert(fields.text, "SessionType=Discovery") end
    if case.login == "connection again" then
      local s = t:login { name = "iqn.2026-11.example:a", cid = 1 }
      fields.isid, fields.tsih, fields.cid, fields.cmdsn = s.isid, s.tsih, 1, s.cmdsn
    end
    local c = t:connect()
    c:send(pdu.login(fields))
    local r = c:receive { opcode = "login response" }
    -- At error recovery levels 0 and 1 a target need not take a connection up again (RFC 7143 §6.3.4).
    if r.status ~= 0 and case.login == "connection again" then skip("connections are not taken up again") end
    -- T may come later, when a target has keys of its own to agree on (RFC 7143 §6.3). Ours has none.
    expect(r):pdu { status = 0, transit = t.simulated or nil }
    expect(tonumber(r.text.TargetPortalGroupTag)):at_most(65535)
    expect(select(2, r.data:gsub("TargetPortalGroupTag=", ""))):equals(1)
  end,
}

scenario {
  title = "A connection that is taken up again is told what has arrived, and nothing else",
  covers = { "ISCSI-SESS-006", "ISCSI-SESS-007", "ISCSI-CMDSN-002" },
  play = function(t)
    local s = t:login { cid = 1 }
    local first = s.cmdsn
    -- The number before it never comes.
    s:send(pdu.scsi_command { itt = 70, cmdsn = first + 1, cdb = cdb.test_unit_ready {} })
    local early = s:receive { opcode = "scsi response", within = "100ms" }
    -- Who sends out of order may be left (RFC 7143 §4.2.2.1). Ours waits.
    if s.closed and not t.simulated then skip("the target ends a session whose commands come out of order") end
    expect(early):nothing()
    local c = t:connect()
    local fields = { csg = 0, nsg = 1, transit = true, isid = s.isid, tsih = s.tsih, cid = 1, cmdsn = first + 2 }
    fields.text = { "InitiatorName=" .. s.name, "TargetName=" .. t.iqn, "AuthMethod=None" }
    c:send(pdu.login(fields))
    local r = c:receive { opcode = "login response" }
    if r.status == 0 then
      expect(r):pdu { expcmdsn = first }
      fields.csg, fields.nsg, fields.text = 1, 3, nil
      c:send(pdu.login(fields))
      r = c:receive { opcode = "login response" }
    end
    if r.status ~= 0 then skip("connections are not taken up again") end
    expect(r):pdu { expcmdsn = first, tsih = s.tsih }
    if not r.transit and not t.simulated then skip("the target has keys of its own to agree on") end
    for number = 0, 2 do
      c:send(pdu.scsi_command { itt = 80 + number, cmdsn = first + number, lun = s.lun, cdb = cdb.test_unit_ready {} })
      expect(c:receive { opcode = "scsi response" }):pdu { itt = 80 + number, status = 0 }
    end
  end,
}

scenario {
  title = "A discovery session that names its target takes the place of a session of the same initiator port",
  covers = { "ISCSI-DISC-019" },
  play = function(t)
    local normal = t:login { isid = 7 }
    local discovery = t:login { isid = 7, type = "discovery", target = t.iqn }
    expect(normal):closes {}
    expect(discovery:text { text = { SendTargets = t.iqn } }.text.TargetName):equals(t.iqn)
    expect(t:login { isid = 8 }:test_unit_ready()):good()
  end,
}
