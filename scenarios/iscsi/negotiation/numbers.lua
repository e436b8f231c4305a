-- Numerical keys (RFC 7143 §6.1, §6.2.2).

local function offer(t, key, value)
  local c = t:connect()
  c:send(pdu.login {
    csg = 1, nsg = 3, transit = true,
    text = { "InitiatorName=iqn.2026-11.example:a", "SessionType=Normal", "TargetName=" .. t.iqn, key .. "=" .. value },
  })
  local r = c:receive { opcode = "login response" }
  -- A target may take one login after the other, and this one may not be at its end.
  c:close {}
  return r
end

scenario {
  title = "Decimal and hexadecimal constants mean the same",
  covers = { "ISCSI-NEG-010" },
  matrix = { value = { "65536", "0x10000", "0X10000", "0x00010000" } },
  play = function(t, case)
    local function answer(value)
      local r = expect(offer(t, "MaxBurstLength", value)):pdu { status = 0 }
      -- It may be in any notation, too.
      return tonumber(r.text.MaxBurstLength)
    end
    -- A target may take less. Ours takes as much.
    local decimal = expect(answer "65536"):at_most(65536)
    if t.simulated then expect(decimal):equals(65536) end
    expect(answer(case.value)):equals(decimal)
  end,
}

--- A value that cannot be is answered with Reject, or with one that can (RFC 7143 §6.2.2), or ends the login. Ours takes none.
local function refused(t, r, key, least, most)
  if r.status ~= 0 then return expect(r):pdu { status = 0x0200 } end
  if r.text[key] == "Reject" then return end
  if t.simulated then expect(r.text[key]):equals("Reject") end
  expect(tonumber(r.text[key])):at_least(least)
  expect(tonumber(r.text[key])):at_most(most)
end

scenario {
  title = "What is no number is rejected or ends the login",
  covers = { "ISCSI-NEG-011", "ISCSI-NEG-023" },
  matrix = {
    value = {
      "+65536", "-1", " 65536", "65536 ", "6553g", "0x", "0xg", "512~65536", "1e5", "65536.0", "00", "0262144", "065536",
    },
  },
  play = function(t, case)
    local r = offer(t, "MaxBurstLength", case.value)
    refused(t, r, "MaxBurstLength", 512, 16777215)
    -- That is 0262144 as an octal number.
    if r.status == 0 then expect(tonumber(r.text.MaxBurstLength)):differs(91236) end
  end,
}

scenario {
  title = "A number that is too large for any variable never wraps",
  covers = { "ISCSI-NEG-012" },
  matrix = { value = { "4294967296", "4294967808", "18446744073709551616", "99999999999999999999999" } },
  play = function(t, case)
    local r = offer(t, "MaxBurstLength", case.value)
    -- 4294967808 is 512 more than 2^32.
    refused(t, r, "MaxBurstLength", 513, 16777215)
  end,
}

scenario {
  title = "A value outside the key's range is rejected, answered with one within it, or ends the login",
  covers = {
    "ISCSI-NEG-022", "ISCSI-KEY-001", "ISCSI-KEY-011", "ISCSI-KEY-013", "ISCSI-KEY-016", "ISCSI-KEY-017", "ISCSI-KEY-018",
    "ISCSI-KEY-023",
  },
  matrix = {
    offer = {
      { "MaxBurstLength", 511, 512, 16777215 }, { "MaxBurstLength", 16777216, 512, 16777215 },
      { "FirstBurstLength", 511, 512, 16777215 }, { "FirstBurstLength", 16777216, 512, 16777215 },
      { "MaxConnections", 0, 1, 65535 }, { "MaxConnections", 65536, 1, 65535 }, { "MaxOutstandingR2T", 0, 1, 65535 },
      { "MaxOutstandingR2T", 65536, 1, 65535 }, { "DefaultTime2Wait", 3601, 0, 3600 },
      { "DefaultTime2Retain", 3601, 0, 3600 }, { "ErrorRecoveryLevel", 3, 0, 2 },
    },
  },
  play = function(t, case)
    local key, value, least, most = table.unpack(case.offer)
    refused(t, offer(t, key, value), key, least, most)
  end,
}

scenario {
  title = "A data segment length outside its range is rejected or ends the login; one too long may be cut",
  covers = { "ISCSI-KEY-006", "ISCSI-KEY-007" },
  matrix = { value = { 0, 1, 511, 16777216 } },
  play = function(t, case)
    local r = offer(t, "MaxRecvDataSegmentLength", case.value)
    if r.status ~= 0 then
      expect(r):pdu { status = 0x0200 }
    elseif case.value < 512 then
      expect(r.text.MaxRecvDataSegmentLength):equals("Reject")
    end
  end,
}

scenario {
  title = "Values at the ends of their range are agreed to, and the result is within what was offered",
  covers = {
    "ISCSI-NEG-022", "ISCSI-NEG-016", "ISCSI-KEY-001", "ISCSI-KEY-011", "ISCSI-KEY-013", "ISCSI-KEY-017", "ISCSI-KEY-018",
    "ISCSI-KEY-023",
  },
  -- With the least that each can be.
  matrix = {
    offer = {
      { "MaxBurstLength", 512, 512 }, { "MaxBurstLength", 65536, 512 }, { "MaxBurstLength", 16777215, 512 },
      { "FirstBurstLength", 512, 512 }, { "FirstBurstLength", 65536, 512 }, { "FirstBurstLength", 16777215, 512 },
      { "MaxConnections", 1, 1 }, { "MaxConnections", 2, 1 }, { "MaxConnections", 65535, 1 },
      { "MaxOutstandingR2T", 1, 1 }, { "MaxOutstandingR2T", 8, 1 }, { "MaxOutstandingR2T", 65535, 1 },
      { "ErrorRecoveryLevel", 0, 0 }, { "ErrorRecoveryLevel", 1, 0 }, { "ErrorRecoveryLevel", 2, 0 },
      { "DefaultTime2Retain", 0, 0 }, { "DefaultTime2Retain", 60, 0 }, { "DefaultTime2Retain", 3600, 0 },
    },
  },
  play = function(t, case)
    local key, value, least = table.unpack(case.offer)
    local r = offer(t, key, value)
    expect(r):pdu { status = 0 }
    local agreed = tonumber(r.text[key])
    -- All of these are agreed on as the least of both.
    expect(agreed):at_most(value)
    expect(agreed):at_least(least)
  end,
}

scenario {
  title = "The larger of both waits before a new login is agreed to",
  covers = { "ISCSI-NEG-022", "ISCSI-KEY-016" },
  matrix = { seconds = { 0, 2, 5, 3600 } },
  play = function(t, case)
    local r = offer(t, "DefaultTime2Wait", case.seconds)
    expect(r):pdu { status = 0 }
    expect(tonumber(r.text.DefaultTime2Wait)):at_least(case.seconds)
    expect(tonumber(r.text.DefaultTime2Wait)):at_most(3600)
  end,
}

scenario {
  title = "A first burst that is longer than a burst is refused or cut",
  covers = { "ISCSI-NEG-021", "ISCSI-KEY-014" },
  matrix = {
    keys = {
      { label = "the burst first", "MaxBurstLength=4096", "FirstBurstLength=8192" },
      { label = "the first burst first", "FirstBurstLength=8192", "MaxBurstLength=4096" },
    },
  },
  play = function(t, case)
    local c = t:connect()
    c:send(pdu.login {
      csg = 1, nsg = 3, transit = true,
      text = {
        "InitiatorName=iqn.2026-11.example:a", "SessionType=Normal", "TargetName=" .. t.iqn, case.keys[1], case.keys[2],
      },
    })
    local r = c:receive {}
    if r.status == 0 then
      expect(tonumber(r.text.FirstBurstLength)):at_most(4096)
    else
      expect(r):pdu { status = 0x0200 }
    end
  end,
}

scenario {
  title = "iSCSIProtocolLevel is the lower one of both",
  covers = { "ISCSI-KEY-030" },
  matrix = { offer = { 0, 1, 2, 31 } },
  play = function(t, case)
    local s = t:login { keys = { iSCSIProtocolLevel = case.offer } }
    local level = s.parameters.iSCSIProtocolLevel
    if level then expect(tonumber(level)):at_most(case.offer) end
    expect(s:test_unit_ready()):good()
  end,
}

scenario {
  title = "There are no protocol levels above 31",
  covers = { "ISCSI-KEY-030", "ISCSI-7144-012" },
  play = function(t)
    local r = offer(t, "iSCSIProtocolLevel", 32)
    -- That a target does not know the key, another case tells.
    local is_unknown = r.status == 0 and r.text.iSCSIProtocolLevel == "NotUnderstood"
    if is_unknown and not t.simulated then skip("the target does not know the key") end
    refused(t, r, "iSCSIProtocolLevel", 0, 31)
  end,
}
