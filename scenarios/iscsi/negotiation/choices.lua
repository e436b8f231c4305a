-- Booleans, lists and what may not be said (RFC 7143 §6.2).

local function offer(t, ...)
  local c = t:connect()
  c:send(pdu.login {
    csg = 1, nsg = 3, transit = true, text = { "InitiatorName=iqn.2026-11.example:a", "SessionType=Normal", "TargetName=" .. t.iqn, ... },
  })
  local r = c:receive { opcode = "login response" }
  -- A target may take one login after the other, and this one may not be at its end.
  c:close {}
  return r
end

scenario {
  title = "A boolean is Yes or No and nothing else",
  covers = { "ISCSI-NEG-014" },
  matrix = { key = { "ImmediateData", "InitialR2T" }, value = { "yes", "YES", "true", "1", "Y", "Yes,No" } },
  play = function(t, case)
    local r = offer(t, case.key .. "=" .. case.value)
    if r.status ~= 0 then
      expect(r):pdu { status = 0x0200 }
    elseif t.simulated then
      expect(r.text[case.key]):equals("Reject")
    else
      -- What is not admissible may also be answered with a value that is (RFC 7143 §6.2.2).
      expect(r.text[case.key]):one_of("Reject", "Yes", "No")
    end
  end,
}

scenario {
  title = "ImmediateData is agreed to only if both want it, InitialR2T if one does",
  covers = { "ISCSI-NEG-016", "ISCSI-KEY-003", "ISCSI-KEY-004" },
  needs = { "cfg" },
  matrix = { value = { "Yes", "No" }, target_says = { "Yes", "No" } },
  world = function(case)
    return { target { keys = { ImmediateData = case.target_says, InitialR2T = case.target_says } } }
  end,
  play = function(t, case)
    local s = t:login { keys = { ImmediateData = case.value, InitialR2T = case.value } }
    local both = case.value == "Yes" and case.target_says == "Yes"
    local one = case.value == "Yes" or case.target_says == "Yes"
    expect(s.parameters.ImmediateData):equals(both and "Yes" or "No")
    expect(s.parameters.InitialR2T):equals(one and "Yes" or "No")
    expect(s:write { lba = 0, blocks = 256 }):good()
  end,
}

scenario {
  title = "Of a list, the first value that the target has is chosen",
  covers = { "ISCSI-NEG-024", "ISCSI-DIG-018", "ISCSI-DIG-019" },
  matrix = {
    list = {
      { "None,CRC32C", "None" }, { "CRC32C,None", "CRC32C" }, { "Y-foo,None,CRC32C", "None" }, { "Y-foo,CRC32C", "CRC32C" },
    },
    key = { "HeaderDigest", "DataDigest" },
  },
  play = function(t, case)
    local list, chosen = table.unpack(case.list)
    -- It is the first that the target has and is allowed to use (RFC 7143 §6.2.1). Ours is allowed to use all.
    if chosen == "CRC32C" and not t.simulated then
      local alone = offer(t, case.key .. "=CRC32C")
      if not alone or not alone.text or alone.text[case.key] ~= "CRC32C" then skip("the target does not agree to digests") end
    end
    local r = offer(t, case.key .. "=" .. list)
    expect(r):pdu { status = 0 }
    expect(r.text[case.key]):equals(chosen)
  end,
}

scenario {
  title = "A digest that the target cannot compute is not agreed to, and None is not put in its place",
  covers = { "ISCSI-NEG-025", "IOP-58" },
  world = { target { keys = { crc32c = false } } },
  play = function(t)
    local r = offer(t, "HeaderDigest=CRC32C")
    if r.status == 0 then
      expect(r.text.HeaderDigest):equals("Reject")
    else
      expect(r):pdu { status = 0x0200 }
    end
    expect(offer(t, "HeaderDigest=CRC32C,None").text.HeaderDigest):equals("None")
  end,
}

scenario {
  title = "A list with empty places is rejected, or its first value that the target has is chosen",
  covers = { "ISCSI-NEG-026" },
  matrix = { list = { "None,", ",None", "None,,CRC32C,", "Y-foo,,None" }, key = { "HeaderDigest", "DataDigest" } },
  play = function(t, case)
    local r = offer(t, case.key .. "=" .. case.list)
    if r.status ~= 0 then return expect(r):pdu { status = 0x0200 } end
    expect(r.text[case.key]):one_of("None", "Reject")
  end,
}

scenario {
  title = "A list of values that nobody knows is rejected",
  covers = { "ISCSI-NEG-024", "ISCSI-DIG-020" },
  matrix = { value = { "Y-foo", "SHA256", "crc32c", "CRC32C ", "none" } },
  play = function(t, case)
    local r = offer(t, "DataDigest=" .. case.value)
    if r.status == 0 then
      expect(r.text.DataDigest):equals("Reject")
    else
      expect(r):pdu { status = 0x0200 }
    end
  end,
}

scenario {
  title = "The words of an answer may not be proposed",
  covers = { "ISCSI-NEG-017" },
  matrix = { pair = { "MaxBurstLength=Reject", "HeaderDigest=NotUnderstood", "ErrorRecoveryLevel=Irrelevant" } },
  play = function(t, case)
    expect(offer(t, case.pair)):pdu { status = 0x0200 }
  end,
}

scenario {
  title = "A key of the standard is never answered NotUnderstood",
  covers = { "ISCSI-NEG-016" },
  matrix = {
    pair = {
      "HeaderDigest=None", "DataDigest=None", "MaxConnections=1", "InitialR2T=Yes", "ImmediateData=Yes",
      "MaxBurstLength=262144", "FirstBurstLength=65536", "DefaultTime2Wait=2", "DefaultTime2Retain=0",
      "MaxOutstandingR2T=1", "DataPDUInOrder=Yes", "DataSequenceInOrder=Yes", "ErrorRecoveryLevel=0",
      "iSCSIProtocolLevel=1", "TaskReporting=RFC3720",
    },
  },
  play = function(t, case)
    local key, value = string.match(case.pair, "^([^=]+)=(.*)")
    local r = offer(t, case.pair)
    expect(r):pdu { status = 0 }
    -- Where one Yes is enough, Yes needs no answer (RFC 7143 §6.2.2). Ours gives one.
    local is_settled = value == "Yes" and key ~= "ImmediateData"
    if t.simulated or not is_settled then expect(r.text[key]):differs(nil) end
    expect(r.text[key]):differs("NotUnderstood")
  end,
}

scenario {
  title = "What is declared gets no answer",
  covers = { "ISCSI-NEG-019", "ISCSI-NEG-018" },
  matrix = {
    pair = {
      "InitiatorAlias=a", "InitiatorAlias=" .. string.rep("a", 255), "MaxRecvDataSegmentLength=65532",
      "X#NodeArchitecture=simsan",
    },
  },
  play = function(t, case)
    local key, value = string.match(case.pair, "^([^=]+)=(.*)")
    local r = offer(t, case.pair)
    expect(r):pdu { status = 0 }
    if key == "MaxRecvDataSegmentLength" then
      -- The target has a declaration of its own.
      expect(r.text[key]):differs(value)
    elseif r.text[key] == "NotUnderstood" and string.find(key, "^X#") and not t.simulated then
      skip("the target does not know the extension key")
    else
      expect(r.text[key]):equals(nil)
    end
    -- Nothing is answered that was not offered. A target may have offers of its own; ours has none.
    if t.simulated then
      expect(r.text.HeaderDigest):equals(nil)
      expect(r.text.ErrorRecoveryLevel):equals(nil)
    end
  end,
}

scenario {
  title = "Nothing of a negotiation that failed takes effect",
  covers = { "ISCSI-NEG-021" },
  play = function(t)
    local usual = t:login { isid = 9 }.parameters.MaxBurstLength
    if t.simulated then expect(usual):equals(262144) end
    expect(offer(t, "MaxBurstLength=512", "MaxBurstLength=1024")):pdu { status = 0x0200 }
    local s = t:login {}
    expect(s.parameters.MaxBurstLength):equals(usual)
    expect(s:write { lba = 0, blocks = 512 }):good()
  end,
}
