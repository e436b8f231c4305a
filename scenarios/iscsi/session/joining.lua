-- Logins to a session that is there already, or is not (RFC 7143 §6.3.1, §6.3.4).

local function request(s, t, fields)
  fields.csg, fields.nsg, fields.transit, fields.isid = 1, 3, true, s.isid
  fields.text = fields.text or {}
  fields.text.InitiatorName, fields.text.TargetName = s.name, t.iqn
  return pdu.login(fields)
end

scenario {
  title = "A login to a session that is not there is refused with 020Ah, and the one that is there goes on",
  covers = { "ISCSI-SESS-002", "ISCSI-SESS-003" },
  matrix = { isid = { "of the session", "another" } },
  play = function(t, case)
    local s = t:login { isid = 1 }
    local c = t:connect()
    local login = request(s, t, { tsih = s.tsih ~ 0x5555, cid = s.cid })
    if case.isid == "another" then login = request({ isid = s.isid + 1, name = s.name }, t, { tsih = s.tsih, cid = s.cid }) end
    c:send(login)
    expect(c:receive {}):pdu { opcode = "login response", status = 0x020A }
    expect(c):closes {}
    expect(s:test_unit_ready()):good()
  end,
}

scenario {
  title = "A second connection of a session that may have one is refused with 0206h",
  covers = { "ISCSI-SESS-004", "ISCSI-LOGIN-044" },
  play = function(t)
    local s = t:login {}
    expect(s.parameters.MaxConnections):equals(1)
    expect(t:try_login { session = s, cid = s.cid + 1 }):login_refused(0x0206)
    expect(s:test_unit_ready()):good()
  end,
}

scenario {
  title = "What is agreed on for a session is not negotiated anew by a connection that joins it",
  covers = { "ISCSI-SESS-006" },
  play = function(t)
    local s = t:login {}
    local c = t:connect()
    c:send(request(s, t, { tsih = s.tsih, cid = s.cid, text = { MaxBurstLength = 512 } }))
    local r = c:receive {}
    if r.status == 0 then return expect(r.text.MaxBurstLength):equals("Reject") end
    expect(c):closes {}
    -- Whether a login that is refused takes the old connection's place all the same is not said (RFC 7143 §6.3.4).
    if s.closed and not t.simulated then return end
    local write = s:write { lba = 0, blocks = 512 }
    if t.simulated or not s.closed then expect(write):good() end
  end,
}
