-- Text that goes on in the next PDU: the C bit (RFC 7143 §6.2).

scenario {
  title = "C together with T is refused",
  covers = { "ISCSI-LOGIN-014" },
  play = function(t)
    local c = t:connect()
    c:send(pdu.login {
      csg = 1, nsg = 3, transit = true, continue = true,
      text = { InitiatorName = "iqn.2026-11.example:a", SessionType = "Normal", TargetName = t.iqn },
    })
    expect(c:receive {}):pdu { opcode = "login response", status = 0x0200 }
    expect(c):closes {}
  end,
}

scenario {
  title = "A request that goes on gets an empty answer, its last part the whole one",
  covers = { "ISCSI-LOGIN-015", "ISCSI-LOGIN-016", "ISCSI-LOGIN-032" },
  -- Also in front of "=" and behind it, and in front of the NUL and behind it.
  matrix = { cut = { 1, 7, 13, 14, 20, 30, 42, 43, 44, 51, 52, 53, 58, 59, 60, 64, 65, 66, 67, 68 } },
  play = function(t, case)
    local text = "InitiatorName=iqn.2026-11.example:initiator\0MaxBurstLength=131072\0TargetName=" .. t.iqn ..
      "\0SessionType=Normal\0"
    local c = t:connect()
    c:send(pdu.login { csg = 1, nsg = 3, continue = true, data = string.sub(text, 1, case.cut) })
    expect(c:receive {}):pdu { opcode = "login response", transit = false, status = 0, data = "" }
    c:send(pdu.login { csg = 1, nsg = 3, transit = true, data = string.sub(text, case.cut + 1) })
    local r = c:receive {}
    -- T may come later, when a target has keys of its own to agree on (RFC 7143 §6.3). Ours has none.
    expect(r):pdu { opcode = "login response", transit = t.simulated or nil, status = 0 }
    -- A target may take less. Ours takes as much.
    expect(tonumber(r.text.MaxBurstLength)):at_most(131072)
    if t.simulated then expect(r.text.MaxBurstLength):equals("131072") end
    for _, key in ipairs { "MaxBurstLength", "TargetPortalGroupTag" } do
      expect(select(2, r.data:gsub(key .. "=", ""))):equals(1)
    end
  end,
}

scenario {
  title = "A login in very many pieces is taken",
  covers = { "ISCSI-LOGIN-017", "ISCSI-NEG-028" },
  matrix = { segment_length = { 1, 8, 64, 128, 200 } },
  play = function(t, case)
    local keys = {}
    -- So many that they are more than the 8192 bytes that every target takes (RFC 7143 §6.2).
    for number = 1, case.segment_length > 64 and 40 or 0 do
      keys["X-com.example.k" .. number] = string.rep("v", 200)
    end
    local s = t:login { segment_length = case.segment_length, keys = keys }
    for key in pairs(keys) do expect(s.received[key]):equals("NotUnderstood") end
    expect(s:test_unit_ready()):good()
  end,
}

scenario {
  title = "Text without an end is refused",
  covers = { "ISCSI-LOGIN-018" },
  play = function(t)
    local c = t:connect()
    for _ = 1, 64 do
      c:send(pdu.login { csg = 1, nsg = 3, continue = true, data = string.rep("X", 8192) })
      local r = c:receive {}
      if c.closed then return end
      expect(r):pdu { opcode = "login response" }
      if r.status ~= 0 then
        -- Why it is refused is for a target to say. Ours says that it is too much.
        if t.simulated then expect(r.status):equals(0x0200) else expect(r.status):at_least(0x0200) end
        expect(c):closes {}
        return
      end
    end
    expect(false):holds("the end of a login of 512 KiB of text", "a login that goes on")
  end,
}

scenario {
  title = "C without any text is harmless",
  covers = { "ISCSI-LOGIN-019", "VUL-11" },
  play = function(t)
    local c = t:connect()
    for _ = 1, 3 do
      c:send(pdu.login { csg = 1, nsg = 3, continue = true })
      expect(c:receive {}):pdu { opcode = "login response", transit = false, status = 0, data = "" }
    end
    c:send(pdu.login {
      csg = 1, nsg = 3, transit = true, text = { InitiatorName = "iqn.2026-11.example:a", SessionType = "Normal", TargetName = t.iqn },
    })
    -- T may come later, as above.
    expect(c:receive {}):pdu { opcode = "login response", transit = t.simulated or nil, status = 0 }
  end,
}
