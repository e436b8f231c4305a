-- RFC 7143 §4.2.4: the login phase comes first, and once.

scenario {
  title = "A connection that does not begin with a login is closed without an answer",
  covers = { "ISCSI-LOGIN-001" },
  matrix = { kind = { "nop_out", "scsi_command", "text", "logout", "task_management", "data_out" } },
  play = function(t, case)
    local c = t:connect()
    c:send(pdu[case.kind] {})
    expect(c:receive {}):closed()
    expect(t:login {}:test_unit_ready()):good()
  end,
}

scenario {
  title = "Anything but a Login Request during the login ends it with status 020Bh",
  covers = { "ISCSI-LOGIN-002", "ISCSI-DISC-024", "IOP-05" },
  matrix = { kind = { "nop_out", "scsi_command", "text", "logout" }, session = { "Normal", "Discovery" } },
  play = function(t, case)
    local c = t:connect()
    c:send(pdu.login {
      csg = 1, nsg = 3,
      text = { InitiatorName = "iqn.2026-11.example:a", TargetName = t.iqn, SessionType = case.session },
    })
    expect(c:receive {}):pdu { opcode = "login response", status = 0, transit = false }
    c:send(pdu[case.kind] {})
    expect(c:receive {}):pdu { opcode = "login response", status = 0x020B }
    expect(c):closes {}
  end,
}

scenario {
  title = "A Login Request in the full-feature phase does not begin anew",
  covers = { "ISCSI-LOGIN-003" },
  play = function(t)
    local s = t:login {}
    s:send(pdu.login { csg = 1, nsg = 3, transit = true, text = { InitiatorName = s.name, TargetName = t.iqn } })
    local answer = s:receive { opcode = "reject" }
    if s.closed then return end
    expect(answer):pdu { reason = { 4, 9 } }
    expect(s:test_unit_ready()):good()
  end,
}

scenario {
  title = "Two Login Requests at once are answered one after the other",
  covers = { "ISCSI-LOGIN-049" },
  expects_violations = true, -- the initiator takes the first answer for one to its second request
  play = function(t)
    local c = t:connect()
    c:send(pdu.login {
      csg = 0, nsg = 1, transit = true,
      text = { InitiatorName = "iqn.2026-11.example:a", SessionType = "Normal", TargetName = t.iqn, AuthMethod = "None" },
    })
    c:send(pdu.login { csg = 1, nsg = 3, transit = true, text = { HeaderDigest = "None" } })
    expect(c:receive {}):pdu { opcode = "login response", csg = 0, nsg = 1 }
    local last = c:receive {}
    expect(last.opcode):equals("login response")
    -- RFC 7143 §6.2 forbids the initiator to do this: the second may also be refused.
    expect(last.status):one_of(0, 0x0200)
  end,
}
