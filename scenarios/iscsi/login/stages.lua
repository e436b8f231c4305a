-- The stages of a login and the bits that lead through them (RFC 7143 §6.3, §11.12).
--
-- A target that has keys of its own to agree on answers a first T without T; ours has none.

local names = { InitiatorName = "iqn.2026-11.example:a", SessionType = "Normal" }

--- The text of a first request, in the stage `csg`.
local function first(t, keys, csg)
  local text = { TargetName = t.iqn, AuthMethod = csg == 0 and "None" or nil }
  for _, key in ipairs { "InitiatorName", "SessionType" } do text[key] = names[key] end
  for _, pair in ipairs(keys or {}) do text[pair[1]] = pair[2] end
  return text
end

scenario {
  title = "A login through both stages",
  covers = { "ISCSI-LOGIN-004", "ISCSI-LOGIN-011", "ISCSI-LOGIN-013", "ISCSI-LOGIN-031", "ISCSI-LOGIN-032" },
  play = function(t)
    local c = t:connect()
    c:send(pdu.login { csg = 0, nsg = 1, transit = true, text = first(t, { { "AuthMethod", "None" } }) })
    local r = c:receive {}
    expect(r):pdu { opcode = "login response", csg = 0, nsg = 1, transit = true, tsih = 0, status = 0 }
    expect(r.text.AuthMethod):equals("None")
    expect(r.text.TargetPortalGroupTag):differs(nil)
    c:send(pdu.login { csg = 1, nsg = 3, transit = true })
    r = expect(c:receive {}):pdu { opcode = "login response", csg = 1, status = 0 }
    expect(r.text.TargetPortalGroupTag):equals(nil)
    if r.transit or t.simulated then
      expect(r):pdu { nsg = 3, transit = true }
      expect(r.tsih):differs(0)
    end
  end,
}

scenario {
  title = "The security stage may be left out when nobody asks for it",
  covers = { "ISCSI-LOGIN-005", "ISCSI-LOGIN-032" },
  play = function(t)
    local c = t:connect()
    c:send(pdu.login { csg = 1, nsg = 3, transit = true, text = first(t) })
    local r = expect(c:receive {}):pdu { opcode = "login response", csg = 1, status = 0 }
    expect(r.text.TargetPortalGroupTag):differs(nil)
    if r.transit or t.simulated then
      expect(r):pdu { nsg = 3, transit = true }
      expect(r.tsih):differs(0)
    end
  end,
}

scenario {
  title = "From security straight to the full-feature phase, with the default of every key",
  covers = { "ISCSI-LOGIN-007" },
  play = function(t)
    local s = t:login { stages = { "security" } }
    expect(s.tsih):differs(0)
    -- A target that wants the operational stage all the same declares its segment length there.
    expect(s.parameters.TargetMaxRecvDataSegmentLength):equals(tonumber(s.received.MaxRecvDataSegmentLength) or 8192)
    expect(s.parameters.MaxBurstLength):equals(262144)
    expect(s:read { lba = 0, blocks = 64 }):good()
  end,
}

scenario {
  title = "Stages that do not exist, stand still or go backwards are refused",
  covers = { "ISCSI-LOGIN-009", "ISCSI-LOGIN-010", "ISCSI-LOGIN-043" },
  matrix = { stages = { { 2, 3 }, { 0, 2 }, { 1, 2 }, { 1, 0 }, { 1, 1 }, { 0, 0 }, { 3, 3 } } },
  play = function(t, case)
    local c = t:connect()
    c:send(pdu.login { csg = case.stages[1], nsg = case.stages[2], transit = true, text = first(t, {}, case.stages[1]) })
    expect(c:receive {}):pdu { opcode = "login response", status = 0x0200 }
    expect(c):closes {}
  end,
}

scenario {
  title = "A login that goes back to the security stage is refused",
  covers = { "ISCSI-LOGIN-008" },
  play = function(t)
    local c = t:connect()
    c:send(pdu.login { csg = 1, nsg = 3, text = first(t) })
    expect(c:receive {}):pdu { opcode = "login response", status = 0 }
    c:send(pdu.login { csg = 0, nsg = 1, transit = true })
    expect(c:receive {}):pdu { opcode = "login response", status = { 0x0200, 0x020B } }
    expect(c):closes {}
  end,
}

scenario {
  title = "Without T in the request there is none in the response",
  covers = { "ISCSI-LOGIN-012", "ISCSI-LOGIN-020" },
  play = function(t)
    local c = t:connect()
    c:send(pdu.login { csg = 1, nsg = 3, text = first(t, { { "MaxBurstLength", "65536" } }) })
    expect(c:receive {}):pdu { opcode = "login response", transit = false, tsih = 0, status = 0 }
    -- As many exchanges as there are keys, at least six.
    for _, key in ipairs { "MaxConnections", "ErrorRecoveryLevel", "MaxOutstandingR2T", "FirstBurstLength",
      "DefaultTime2Wait", "DefaultTime2Retain" } do
      c:send(pdu.login { csg = 1, nsg = 3, text = { [key] = key == "FirstBurstLength" and 65536 or 1 } })
      expect(c:receive {}):pdu { opcode = "login response", transit = false, status = 0 }
    end
    c:send(pdu.login { csg = 1, nsg = 3, transit = true })
    local last = expect(c:receive {}):pdu { opcode = "login response", status = 0 }
    if last.transit or t.simulated then expect(last):pdu { transit = true, nsg = 3 } end
  end,
}

scenario {
  title = "A target that answers T at once has nothing left to ask",
  covers = { "ISCSI-LOGIN-054", "ISCSI-LOGIN-055" },
  matrix = { transit_at_once = { true, false } },
  play = function(t, case)
    -- The initiator answers whatever it is offered, and goes on until it is in.
    local s = t:login { transit_at_once = case.transit_at_once }
    expect(s:test_unit_ready()):good()
  end,
}

scenario {
  title = "A stage is left by T in a request and its response, and not otherwise",
  covers = { "ISCSI-LOGIN-012", "ISCSI-LOGIN-013" },
  play = function(t)
    local c = t:connect()
    c:send(pdu.login { csg = 0, nsg = 1, text = first(t, { { "AuthMethod", "None" } }) })
    expect(c:receive {}):pdu { opcode = "login response", csg = 0, transit = false, status = 0 }
    c:send(pdu.login { csg = 1, nsg = 3, transit = true })
    expect(c:receive {}):pdu { opcode = "login response", status = { 0x0200, 0x020B } }
    expect(c):closes {}
  end,
}

scenario {
  title = "Keys of the wrong stage are rejected or end the login",
  covers = { "ISCSI-LOGIN-051", "ISCSI-LOGIN-052", "ISCSI-TEXT-014" },
  matrix = {
    wrong = {
      { stage = 1, key = "AuthMethod", value = "None" }, { stage = 0, key = "MaxBurstLength", value = "65536" },
      { stage = 0, key = "SendTargets", value = "All" }, { stage = 1, key = "SendTargets", value = "All" },
    },
  },
  play = function(t, case)
    local wrong = case.wrong
    local c = t:connect()
    local text = first(t, { { wrong.key, wrong.value } }, wrong.stage)
    c:send(pdu.login { csg = wrong.stage, nsg = 3, transit = true, text = text })
    local r = c:receive { opcode = "login response" }
    if r.status == 0 and not t.simulated then
      expect(r.text[wrong.key]):equals("Reject")
    else
      expect(r):pdu { status = 0x0200 }
      expect(c):closes {}
    end
  end,
}

scenario {
  title = "Keys of any stage are taken in the security stage",
  covers = { "ISCSI-LOGIN-053" },
  play = function(t)
    local c = t:connect()
    c:send(pdu.login {
      csg = 0, nsg = 1, transit = true, text = first(t, { { "InitiatorAlias", "the first" }, { "AuthMethod", "None" } }),
    })
    expect(c:receive {}):pdu { opcode = "login response", transit = true, nsg = 1, status = 0 }
  end,
}
