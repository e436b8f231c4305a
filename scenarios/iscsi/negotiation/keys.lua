-- Single keys (RFC 7143 §13).

local function offer(t, ...)
  local c = t:connect()
  c:send(pdu.login {
    csg = 1, nsg = 3, transit = true,
    text = { "InitiatorName=iqn.2026-11.example:a", "SessionType=Normal", "TargetName=" .. t.iqn, ... },
  })
  return c:receive { opcode = "login response" }
end

scenario {
  title = "Order is given up only if both give it up",
  covers = { "ISCSI-KEY-020", "ISCSI-KEY-021" },
  matrix = { key = { "DataPDUInOrder", "DataSequenceInOrder" }, value = { "Yes", "No" } },
  play = function(t, case)
    local r = offer(t, case.key .. "=" .. case.value)
    expect(r):pdu { status = 0 }
    if case.value == "No" then
      expect(r.text[case.key]):one_of("Yes", "No")
    elseif r.text[case.key] or t.simulated then
      -- One Yes is enough, and needs no answer (RFC 7143 §6.2.2).
      expect(r.text[case.key]):equals("Yes")
    end
  end,
}

scenario {
  title = "With recovery, and sequences in order, one R2T is outstanding",
  covers = { "ISCSI-KEY-022", "ISCSI-KEY-023" },
  play = function(t)
    local r = offer(t, "ErrorRecoveryLevel=2", "DataSequenceInOrder=Yes", "MaxOutstandingR2T=8")
    expect(r):pdu { status = 0 }
    if r.text.ErrorRecoveryLevel ~= "0" then expect(r.text.MaxOutstandingR2T):equals("1") end
  end,
}

scenario {
  title = "Keys that are obsolete are known, and rejected",
  covers = { "ISCSI-KEY-031", "ISCSI-KEY-032" },
  matrix = { pair = { "IFMarker=Yes", "IFMarker=No", "OFMarker=Yes", "OFMarker=No", "IFMarkInt=2048~8192", "OFMarkInt=2048" } },
  play = function(t, case)
    local key, value = string.match(case.pair, "^([^=]+)=(.*)")
    local r = offer(t, case.pair)
    expect(r):pdu { status = 0 }
    -- RFC 7143 §13.25 has a marker be rejected as far as possible, and No needs no answer.
    if value == "No" and not r.text[key] and not t.simulated then return end
    expect(r.text[key]):one_of("Reject", string.find(key, "Marker") and "No" or "Reject")
  end,
}

scenario {
  title = "TaskReporting is one of the values that were offered",
  covers = { "ISCSI-KEY-028" },
  matrix = { list = { "RFC3720", "ResponseFence,RFC3720", "FastAbort,ResponseFence,RFC3720" } },
  play = function(t, case)
    local r = offer(t, "TaskReporting=" .. case.list)
    expect(r):pdu { status = 0 }
    expect(case.list):contains(r.text.TaskReporting)
    -- The first that the target has. Ours has none but the last.
    if t.simulated then expect(r.text.TaskReporting):equals("RFC3720") end
  end,
}

scenario {
  title = "The first burst means nothing without unasked data, and is no error",
  covers = { "ISCSI-KEY-015" },
  play = function(t)
    local r = offer(t, "InitialR2T=Yes", "ImmediateData=No", "FirstBurstLength=8192")
    expect(r):pdu { status = 0 }
    if r.text.FirstBurstLength ~= "Irrelevant" then expect(tonumber(r.text.FirstBurstLength)):at_most(8192) end
  end,
}

scenario {
  title = "What means nothing in a discovery session is answered all the same",
  covers = { "ISCSI-NEG-020", "ISCSI-KEY-024", "ISCSI-KEY-029", "IOP-20" },
  matrix = {
    pair = {
      "MaxConnections=1", "InitialR2T=Yes", "ImmediateData=Yes", "MaxBurstLength=262144", "FirstBurstLength=65536",
      "MaxOutstandingR2T=1", "DataPDUInOrder=Yes", "DataSequenceInOrder=Yes", "TaskReporting=RFC3720", "ErrorRecoveryLevel=2",
    },
  },
  play = function(t, case)
    local key, value = string.match(case.pair, "^([^=]+)=(.*)")
    local c = t:connect()
    c:send(pdu.login {
      csg = 1, nsg = 3, transit = true, text = { "InitiatorName=iqn.2026-11.example:a", "SessionType=Discovery", case.pair },
    })
    local r = c:receive { opcode = "login response" }
    expect(r):pdu { status = 0 }
    -- Where one Yes is enough, Yes needs no answer (RFC 7143 §6.2.2). Ours gives one.
    local is_settled = value == "Yes" and key ~= "ImmediateData"
    if t.simulated or not is_settled then expect(r.text[key]):differs(nil) end
    -- RFC 7143 §7.4.1: no recovery in discovery sessions.
    if key == "ErrorRecoveryLevel" then expect(r.text[key]):equals("0") end
  end,
}

scenario {
  title = "Keys of the login are not negotiated anew in the full-feature phase",
  covers = { "ISCSI-KEY-035" },
  matrix = { pair = { "HeaderDigest=None", "MaxBurstLength=512", "SessionType=Normal", "InitiatorName=iqn.2026-11.example:b" } },
  play = function(t, case)
    local key = string.match(case.pair, "^[^=]+")
    local s = t:login {}
    local r = s:text { text = { case.pair } }
    if r.outcome == "text" then
      expect(r.text[key]):equals("Reject")
    elseif s.closed and not t.simulated then
      -- Who breaks a rule may be left (RFC 7143 §7.13). Ours rejects the request.
      s:relogin {}
    else
      expect(r):rejected()
    end
    expect(s:write { lba = 0, blocks = 64 }):good()
  end,
}

scenario {
  title = "X#NodeArchitecture tells what an initiator is made of, and changes nothing",
  covers = { "ISCSI-KEY-033" },
  matrix = { length = { 1, 255, 256 }, times = { 1, 2 } },
  play = function(t, case)
    local pair = "X#NodeArchitecture=" .. string.rep("a", case.length)
    local r = offer(t, pair, case.times == 2 and pair or nil)
    -- A value above 255 bytes, or a key that is said twice, may end the login (RFC 7143 §6.1, §6.3). With ours it does.
    local is_wrong = case.length > 255 or case.times > 1
    if is_wrong and (t.simulated or r.status ~= 0) then
      expect(r):pdu { status = 0x0200 }
    else
      expect(r):pdu { status = 0 }
      expect(r.text["X#NodeArchitecture"]):one_of(nil, "NotUnderstood")
    end
    expect(t:login { isid = 9 }:test_unit_ready()):good()
  end,
}

scenario {
  title = "What is agreed on does not depend on the order in which it is offered",
  covers = { "ISCSI-KEY-039" },
  play = function(t)
    local keys = {
      "HeaderDigest=CRC32C,None", "DataDigest=None", "MaxConnections=4", "InitialR2T=No", "ImmediateData=Yes",
      "MaxRecvDataSegmentLength=65536", "MaxBurstLength=131072", "FirstBurstLength=16384", "DefaultTime2Wait=3",
      "DefaultTime2Retain=40", "MaxOutstandingR2T=3", "DataPDUInOrder=Yes", "DataSequenceInOrder=Yes", "ErrorRecoveryLevel=0",
      "InitiatorAlias=a",
    }
    local first
    for _ = 1, t.simulated and 200 or 20 do
      for place = #keys, 2, -1 do
        local other = random.integer("order", 1, place)
        keys[place], keys[other] = keys[other], keys[place]
      end
      local c = t:connect()
      local text = { "InitiatorName=iqn.2026-11.example:a", "SessionType=Normal", "TargetName=" .. t.iqn }
      table.move(keys, 1, #keys, 4, text)
      c:send(pdu.login { csg = 1, nsg = 3, transit = true, text = text })
      local r = expect(c:receive { opcode = "login response" }):pdu { status = 0 }
      c:close {}
      local found = {}
      for key, value in pairs(r.text) do found[#found + 1] = key .. "=" .. value end
      table.sort(found)
      found = table.concat(found, " ")
      first = first or found
      expect(found):equals(first)
    end
  end,
}
