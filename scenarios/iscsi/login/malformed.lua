-- Login Requests that are no login.

--- Refused, with a status that is for a target to choose, or without a word. Ours says that the initiator is wrong.
local function refused(t, c)
  local r = c:receive {}
  if not c.closed or t.simulated then
    local status = expect(r):pdu { opcode = "login response" }.status
    expect(status ~= 0):holds("a status that refuses the login", status)
    if t.simulated then expect(status):equals(0x0200) end
    expect(c):closes {}
  end
  expect(t:login { isid = 9 }:test_unit_ready()):good()
end

scenario {
  title = "A Login Request without the immediate bit is taken or refused, and others are served",
  covers = { "ISCSI-LOGIN-056" },
  play = function(t)
    local c = t:connect()
    c:send(pdu.login {
      immediate = false, csg = 1, nsg = 3, transit = true,
      text = { InitiatorName = "iqn.2026-11.example:a", SessionType = "Normal", TargetName = t.iqn },
    })
    local r = c:receive {}
    -- What is no Login Request may be rejected. Ours answers it as one.
    if t.simulated or r and not c.closed and r.opcode ~= "reject" then
      expect(r):pdu { opcode = "login response", status = { 0, 0x0200 } }
    end
    -- A target may take one login after the other, and this one may not be at its end.
    c:close {}
    expect(t:login { isid = 9 }:test_unit_ready()):good()
  end,
}

scenario {
  title = "Additional headers on a Login Request are refused",
  covers = { "ISCSI-LOGIN-057", "VUL-13" },
  matrix = { words = { 1, 2, 255 } },
  play = function(t, case)
    local c = t:connect()
    c:send(pdu.login {
      csg = 1, nsg = 3, transit = true, ahs = string.rep("\0\1\x3F\0", case.words),
      text = { InitiatorName = "iqn.2026-11.example:a", SessionType = "Normal", TargetName = t.iqn },
    })
    refused(t, c)
  end,
}

scenario {
  title = "A login with more data than any initiator may send is refused",
  covers = { "ISCSI-LOGIN-058", "VUL-03" },
  matrix = { length = { 8196, 65536 } },
  play = function(t, case)
    local c = t:connect()
    local text = "InitiatorName=iqn.2026-11.example:a\0SessionType=Normal\0TargetName=" .. t.iqn .. "\0"
    c:send(pdu.login {
      csg = 1, nsg = 3, transit = true, data = text .. string.rep("\0", case.length - #text),
    })
    refused(t, c)
  end,
}

scenario {
  title = "Text that does not end is refused",
  covers = { "ISCSI-LOGIN-059", "VUL-10" },
  play = function(t)
    local c = t:connect()
    c:send(pdu.login {
      csg = 1, nsg = 3, transit = true,
      data = "SessionType=Normal\0TargetName=" .. t.iqn .. "\0InitiatorName=iqn.2026-11.example:a",
    })
    refused(t, c)
  end,
}

scenario {
  title = "Nothing but zeroes is no name",
  covers = { "ISCSI-LOGIN-060" },
  matrix = { length = { 1, 4, 512, 8192 } },
  play = function(t, case)
    local c = t:connect()
    c:send(pdu.login { csg = 1, nsg = 3, transit = true, data = string.rep("\0", case.length) })
    refused(t, c)
  end,
}

scenario {
  title = "A key that is said twice is refused",
  covers = { "ISCSI-LOGIN-050", "IOP-72" },
  matrix = { apart = { true, false }, key = { "MaxBurstLength=65536", "HeaderDigest=None", "InitiatorAlias=a" } },
  play = function(t, case)
    local c = t:connect()
    local names = { "InitiatorName=iqn.2026-11.example:a", "TargetName=" .. t.iqn, "SessionType=Normal" }
    if case.apart then
      c:send(pdu.login { csg = 1, nsg = 3, text = { names[1], names[2], names[3], case.key } })
      expect(c:receive {}):pdu { opcode = "login response", status = 0 }
      c:send(pdu.login { csg = 1, nsg = 3, transit = true, text = { case.key } })
    else
      c:send(pdu.login { csg = 1, nsg = 3, transit = true, text = { names[1], names[2], names[3], case.key, case.key } })
    end
    expect(c:receive {}):pdu { opcode = "login response", status = 0x0200 }
    expect(c):closes {}
  end,
}
