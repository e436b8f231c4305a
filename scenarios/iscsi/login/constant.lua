-- What may not change within a login (RFC 7143 §6.3, §11.12.5 to §11.12.8).

scenario {
  title = "A login whose identity changes is refused, or keeps the one that it began with",
  covers = { "ISCSI-LOGIN-021", "ISCSI-LOGIN-022", "ISCSI-LOGIN-023", "ISCSI-LOGIN-024" },
  matrix = { field = { "itt", "tsih", "cid", "isid" } },
  play = function(t, case)
    local r = t:try_login { requests = { [2] = { set = { [case.field] = 0x77 } } }, clear_unit_attention = false }
    -- A target may not look at the TSIH and CID of a later request. Ours does.
    if r.successful and (case.field == "tsih" or case.field == "cid") and not t.simulated then
      expect(r.tsih):differs(0x77)
    else
      -- Or close without a word.
      if r.status or t.simulated then expect(r):login_refused(0x0200) end
      expect(r.connection):closes {}
    end
    expect(t:login {}:test_unit_ready()):good()
  end,
}

scenario {
  title = "Versions: what does not contain 0 is refused with 0205h",
  covers = { "ISCSI-LOGIN-025", "ISCSI-LOGIN-026", "ISCSI-LOGIN-027" },
  matrix = { versions = { { 0, 0 }, { 0, 5 }, { 0, 255 }, { 1, 1 }, { 1, 255 }, { 2, 0 } } },
  play = function(t, case)
    local least, most = table.unpack(case.versions)
    local c = t:connect()
    c:send(pdu.login {
      csg = 1, nsg = 3, transit = true, version_min = least, version_max = most,
      text = { InitiatorName = "iqn.2026-11.example:a", SessionType = "Normal", TargetName = t.iqn },
    })
    local r = expect(c:receive {}):pdu { opcode = "login response" }
    -- The only version that there is, in every answer (RFC 7143 §11.13.1, §11.13.2).
    if least == 0 or t.simulated then expect(r):pdu { version_active = 0, version_max = 0 } end
    if least == 0 then return expect(r):pdu { status = 0 } end
    -- A least version above the greatest may be called an error of its own.
    expect(r.status):one_of(0x0205, least > most and not t.simulated and 0x0200 or 0x0205)
    expect(c):closes {}
  end,
}

scenario {
  title = "The first command has the CmdSN of the login",
  covers = { "ISCSI-LOGIN-028", "ISCSI-LOGIN-029" },
  matrix = { first = { 0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF } },
  play = function(t, case)
    local s = t:login { first_cmdsn = case.first, clear_unit_attention = false }
    expect(s.expcmdsn):equals(case.first)
    for number = 0, 3 do
      expect(s:ping { data = "x" }.cmdsn):equals((case.first + number) % 0x100000000)
    end
  end,
}

scenario {
  title = "StatSN counts every response from the first one on",
  covers = { "ISCSI-LOGIN-030" },
  play = function(t)
    local c = t:connect()
    c:send(pdu.login {
      csg = 0, nsg = 1, transit = true,
      text = { InitiatorName = "iqn.2026-11.example:a", SessionType = "Normal", TargetName = t.iqn, AuthMethod = "None" },
    })
    local first = expect(c:receive {}):pdu { opcode = "login response", status = 0 }
    c:send(pdu.login { csg = 1, nsg = 3 })
    expect(c:receive {}):pdu { statsn = (first.statsn + 1) % 0x100000000 }
    c:send(pdu.login { csg = 1, nsg = 3, transit = true })
    local last = expect(c:receive {}):pdu { statsn = (first.statsn + 2) % 0x100000000 }
    -- A target may have keys of its own to agree on first (RFC 7143 §6.3). Ours has none.
    if not last.transit and not t.simulated then return end
    expect(last):pdu { transit = true }
    c:send(pdu.nop_out { itt = 9, immediate = true })
    expect(c:receive {}):pdu { opcode = "nop-in", statsn = (first.statsn + 3) % 0x100000000 }
  end,
}
