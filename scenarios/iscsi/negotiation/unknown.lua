-- Keys that the target does not know, and text that is no key (RFC 7143 §6.1, §6.2).

--- Logs in with `text` behind the names; the response.
local function offer(t, text)
  local c = t:connect()
  local all = "InitiatorName=iqn.2026-11.example:a\0SessionType=Normal\0TargetName=" .. t.iqn .. "\0" .. text
  c:send(pdu.login { csg = 1, nsg = 3, transit = true, data = all })
  return c:receive { opcode = "login response" }
end

scenario {
  title = "A key that the target does not know is answered NotUnderstood, and the login goes on",
  covers = { "ISCSI-NEG-015", "ISCSI-NEG-004", "ISCSI-KEY-027", "VUL-05" },
  matrix = { key = { "X-com.example.unknown", "X#NobodyKnows", "FooBar", "MaxBurstlength" } },
  play = function(t, case)
    local r = offer(t, case.key .. "=1\0")
    expect(r):pdu { status = 0 }
    expect(r.text[case.key]):equals("NotUnderstood")
  end,
}

scenario {
  title = "Each pair of an answer ends in one NUL, the last one too",
  covers = { "ISCSI-NEG-001" },
  play = function(t)
    local r = offer(t, "MaxBurstLength=65536\0X-com.example.unknown=1\0")
    expect(r):pdu { status = 0 }
    expect(r.data:sub(-1)):equals("\0")
    expect(r.data:find("\0\0", 1, true)):equals(nil)
    for pair in r.data:gmatch "[^\0]+" do expect(pair):contains("=") end
  end,
}

scenario {
  title = "The name of a key may have 63 bytes; a longer one is refused, and never cut",
  covers = { "ISCSI-NEG-002" },
  matrix = { length = { 63, 64, 200 } },
  expects_violations = true, -- an answer that names the key is no better text than the offer was
  play = function(t, case)
    local key = "X-com.example."
    key = key .. string.rep("k", case.length - #key)
    local r = offer(t, key .. "=1\0")
    if case.length > 63 and (t.simulated or r.status ~= 0) then return expect(r):pdu { status = 0x0200 } end
    expect(r):pdu { status = 0 }
    expect(r.text[key]):equals("NotUnderstood")
  end,
}

scenario {
  title = "What cannot be the name of a key is refused, and never taken for the key that it looks like",
  covers = { "ISCSI-NEG-003", "ISCSI-NEG-004" },
  matrix = { key = { "maxConnections", "1Key", "Key Name", "Key*" } },
  expects_violations = true, -- an answer that names the key is no better text than the offer was
  play = function(t, case)
    local r = offer(t, case.key .. "=1\0")
    if r.status == 0 and not t.simulated then
      expect(r.text[case.key]):equals("NotUnderstood")
      expect(r.text.MaxConnections):equals(nil)
    else
      expect(r):pdu { status = 0x0200 }
    end
  end,
}

scenario {
  title = "An unknown key with a value of 255 bytes is answered, a longer one is answered or refused",
  covers = { "ISCSI-NEG-005", "VUL-05" },
  matrix = { length = { 254, 255, 256, 4000 } },
  play = function(t, case)
    local r = offer(t, "X-com.example.key=" .. string.rep("v", case.length) .. "\0")
    if case.length <= 255 or r.status == 0 then
      expect(r):pdu { status = 0 }
      expect(r.text["X-com.example.key"]):equals("NotUnderstood")
    else
      expect(r):pdu { status = 0x0200 }
    end
  end,
}

scenario {
  title = "Text that is no pair of key and value is refused",
  covers = { "ISCSI-NEG-006", "ISCSI-NEG-008" },
  matrix = { text = { "HeaderDigest\0", "=CRC32C\0", "\0=\0", "HeaderDigest" } },
  play = function(t, case)
    expect(offer(t, case.text)):pdu { status = 0x0200 }
  end,
}

scenario {
  title = "An empty value is rejected or ends the login",
  covers = { "ISCSI-NEG-007", "ISCSI-NEG-026" },
  matrix = { text = { "HeaderDigest=\0", "MaxBurstLength=\0", "HeaderDigest=,\0" } },
  play = function(t, case)
    local r = offer(t, case.text)
    if r.status == 0 then
      expect(r.text.HeaderDigest or r.text.MaxBurstLength):equals("Reject")
    else
      expect(r):pdu { status = 0x0200 }
    end
  end,
}

scenario {
  title = "Blanks are not part of the grammar",
  covers = { "ISCSI-NEG-027" },
  expects_violations = true, -- as above
  play = function(t)
    local r = offer(t, "HeaderDigest = CRC32C\0")
    if r.status == 0 and not t.simulated then
      expect(r.text["HeaderDigest "]):equals("NotUnderstood")
      expect(r.text.HeaderDigest):equals(nil)
    else
      expect(r):pdu { status = 0x0200 }
    end
  end,
}

scenario {
  title = "Only the first equals sign divides",
  covers = { "ISCSI-NEG-009" },
  play = function(t)
    expect(offer(t, "InitiatorAlias=a=b=c\0")):pdu { status = 0 }
    local r = offer(t, "X-com.example.k=a=b\0X-com.example.l==\0")
    expect(r):pdu { status = 0 }
    for _, key in ipairs { "X-com.example.k", "X-com.example.l" } do expect(r.text[key]):equals("NotUnderstood") end
  end,
}

scenario {
  title = "The answer to very many unknown keys comes in as many PDUs as it needs",
  covers = { "ISCSI-NEG-028", "ISCSI-NEG-029" },
  matrix = { keys = { 100, 400 } },
  play = function(t, case)
    local keys = {}
    for number = 1, case.keys do keys["X-com.example.k" .. number] = "v" end
    local s = t:login { keys = keys }
    local answered = 0
    for number = 1, case.keys do
      if s.received["X-com.example.k" .. number] == "NotUnderstood" then answered = answered + 1 end
    end
    expect(answered):equals(case.keys)
    expect(s:test_unit_ready()):good()
  end,
}

scenario {
  title = "A request for the rest of a long answer has no text of its own; if it has, none of both is lost unnoticed",
  covers = { "ISCSI-NEG-030" },
  expects_violations = true, -- the answer is not told to its end
  play = function(t)
    local text = "InitiatorName=iqn.2026-11.example:a\0SessionType=Normal\0TargetName=" .. t.iqn .. "\0"
    for number = 1, 600 do text = text .. "A" .. number .. "=\0" end
    local c = t:connect()
    c:send(pdu.login { csg = 1, nsg = 3, data = text })
    local r = c:receive {}
    -- So many keys may be too many for a target.
    if not t.simulated and (c.closed or r.status ~= 0 or not r.continue) then return end
    expect(r):pdu { opcode = "login response", status = 0, continue = true, transit = false }
    c:send(pdu.login { csg = 1, nsg = 3, text = { "X-com.example.late=1" } })
    r = c:receive {}
    if t.simulated or not c.closed and r.status ~= 0 then
      expect(r):pdu { opcode = "login response", status = 0x0200 }
      expect(c):closes {}
    end
    c:close {}
    expect(t:login { isid = 9 }:test_unit_ready()):good()
  end,
}
