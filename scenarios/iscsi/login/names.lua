-- Who logs in, and to whom (RFC 7143 §6.3, §11.13.5).

scenario {
  title = "A first request without the names that it needs is refused with 0207h",
  covers = { "ISCSI-LOGIN-033", "ISCSI-LOGIN-034", "ISCSI-LOGIN-035", "ISCSI-LOGIN-043" },
  matrix = { has = { "none", "InitiatorName", "TargetName" } },
  play = function(t, case)
    local names = { InitiatorName = "iqn.2026-11.example:a", TargetName = t.iqn }
    local c = t:connect()
    c:send(pdu.login { csg = 1, nsg = 3, text = { [case.has] = names[case.has] } })
    expect(c:receive {}):pdu { opcode = "login response", status = 0x0207 }
    expect(c):closes {}
    expect(c:receive {}):closed()
  end,
}

scenario {
  title = "A target that does not exist is not found",
  covers = { "ISCSI-LOGIN-036", "ISCSI-LOGIN-043" },
  matrix = { target = { "iqn.2026-11.example:nobody", "iqn.2026-11.example:targe", "nonsense", "iqn.2026-11.example:target2" } },
  play = function(t, case)
    local c = t:connect()
    c:send(pdu.login {
      csg = 1, nsg = 3, transit = true,
      text = { InitiatorName = "iqn.2026-11.example:a", TargetName = case.target, SessionType = "Normal" },
    })
    expect(c:receive {}):pdu { opcode = "login response", status = 0x0203 }
    expect(c):closes {}
  end,
}

scenario {
  title = "Only the initiators on a target's list may log in",
  covers = { "ISCSI-LOGIN-037" },
  matrix = { name = { "iqn.2026-11.example:friend", "iqn.2026-11.example:stranger", "iqn.2026-11.example:frien" } },
  world = { target { iqn = "iqn.2026-11.example:target", initiators = { "iqn.2026-11.example:friend" } } },
  play = function(t, case)
    local r = t:try_login { name = case.name }
    if case.name == "iqn.2026-11.example:friend" then
      expect(r):login_accepted()
    else
      expect(r):login_refused(0x0202)
    end
  end,
}

-- Everybody says it, so that other cases do, too: there are targets that refuse who does not.
scenario {
  title = "A login that says no session type is one to a normal session",
  covers = { "ISCSI-KEY-025" },
  play = function(t)
    local c = t:connect()
    c:send(pdu.login {
      csg = 1, nsg = 3, transit = true, text = { InitiatorName = "iqn.2026-11.example:a", TargetName = t.iqn },
    })
    local r = expect(c:receive {}):pdu { opcode = "login response", status = 0 }
    -- What is declared has no answer, nor has what is not said.
    expect(r.text.SessionType):equals(nil)
  end,
}

scenario {
  title = "A session type that does not exist is not supported",
  covers = { "ISCSI-LOGIN-048" },
  play = function(t)
    local c = t:connect()
    c:send(pdu.login {
      csg = 1, nsg = 3, transit = true,
      text = { InitiatorName = "iqn.2026-11.example:a", TargetName = t.iqn, SessionType = "Foo" },
    })
    expect(c:receive {}):pdu { opcode = "login response", status = { 0x0200, 0x0209 } }
    expect(c):closes {}
  end,
}

scenario {
  title = "Control characters and format directives in a name are only bytes",
  covers = { "ISCSI-NEG-032", "ISCSI-NEG-031", "VUL-01" },
  matrix = { alias = { "%s%n%x", "a\27[31mb", "new\nline", "\xC3\x28" } },
  play = function(t, case)
    local c = t:connect()
    c:send(pdu.login {
      csg = 1, nsg = 3, transit = true,
      text = {
        InitiatorName = "iqn.2026-11.example:a", SessionType = "Normal", TargetName = t.iqn, InitiatorAlias = case.alias,
      },
    })
    expect(c:receive {}):pdu { opcode = "login response", status = { 0, 0x0200 } }
    -- A target may take one login after the other, and this one may not be at its end.
    c:close {}
    expect(t:login { isid = 9 }:test_unit_ready()):good()
  end,
}

scenario {
  title = "An initiator name of 223 bytes is taken, a longer one refused",
  covers = { "ISCSI-NAME-001", "ISCSI-NAME-002", "VUL-24" },
  matrix = { length = { 223, 224, 255, 1000 } },
  play = function(t, case)
    local name = "iqn.2026-11.example:"
    local r = t:try_login { name = name .. string.rep("n", case.length - #name) }
    -- No initiator may be called longer (RFC 7143 §4.2.7.1); that a target has to count is not said. Ours does.
    if case.length == 223 or r.successful and not t.simulated then
      expect(r):login_accepted()
    else
      expect(r):login_refused(0x0200)
    end
  end,
}

scenario {
  title = "Nodes are known by their names however the letters are written",
  covers = { "ISCSI-NAME-003", "ISCSI-NAME-004" },
  matrix = {
    target = { "iqn.2026-11.example:Disk", "iqn.2026-11.example:disk", "eui.02004567A425678D", "naa.52004567ba64678d" },
    name = { "iqn.1991-05.com.microsoft:WIN-7", "iqn.1991-05.com.microsoft:win-7" },
  },
  world = function(case)
    return { target { iqn = case.target, initiators = { "iqn.1991-05.com.microsoft:Win-7" } } }
  end,
  play = function(t, case)
    local discovery = t:login { type = "discovery", target = false, name = case.name }
    local found = discovery:text { text = { SendTargets = "All" } }.text.TargetName
    expect(found):equals(case.target:lower())
    for isid, name in ipairs { found, case.target, case.target:upper() } do
      expect(t:try_login { target = name, name = case.name, isid = isid }):login_accepted()
    end
  end,
}

scenario {
  title = "What cannot be a name of a node is refused, as that of an initiator and as that of a target",
  covers = { "ISCSI-NAME-003", "ISCSI-NAME-005", "ISCSI-NAME-006", "IOP-32" },
  needs = { "simulation" }, -- that a target looks at the letters of a name is not said
  matrix = {
    name = {
      "iqn.2026-11.example:a b", "iqn.2026-11.example:../../etc", "iqn.2026-11.example:a_b", "iqn.2026-11.example:a,b",
      "iqn.2026-11.example:a\27b", "iqn.2026-11.example:\xC3\xA4", "iqn.2026-11.example:\xEF\xBC\x91", "iqn.2026-13.example:a",
      "iqn.2026-11..example", "iqn.2026-11.", "eui.02004567A425678", "eui.02004567A425678G", "naa.52004567BA64678", "foo.1",
      "iqn.",
    },
  },
  play = function(t, case)
    expect(t:try_login { name = case.name }):login_refused(0x0200)
    expect(t:try_login { target = case.name }):login_refused(0x0203)
    expect(t:login {}:test_unit_ready()):good()
  end,
}

-- 223 bytes.
local long = "iqn.2026-11.example:" .. string.rep("t", 203)

scenario {
  title = "A target's name as long as can be is told whole, wherever it is told",
  covers = { "ISCSI-NAME-001", "ISCSI-NAME-007" },
  world = { target { iqn = long } },
  play = function(t)
    local discovery = t:login { type = "discovery", target = false }
    expect(discovery:text { text = { SendTargets = "All" } }.text.TargetName):equals(long)
    local s = t:login {}
    for _, page in ipairs { 0x83, 0x88 } do
      local data = expect(s:inquiry { evpd = true, page_code = page, allocation_length = 4096 }):good().data
      -- RFC 7143 §4.4.2: the port's name ends in the portal group tag, and in NULs up to a multiple of four bytes.
      expect(data):contains(long .. ",t,0x0001\0\0\0\0")
    end
  end,
}

scenario {
  title = "A target's alias is declared as it is, once",
  covers = { "ISCSI-KEY-036" },
  matrix = { length = { 1, 255 } },
  world = function(case) return { target { alias = string.rep("a", case.length) } } end,
  play = function(t, case)
    local c = t:connect()
    c:send(pdu.login {
      csg = 1, nsg = 3, transit = true,
      text = { InitiatorName = "iqn.2026-11.example:a", SessionType = "Normal", TargetName = t.iqn },
    })
    local r = expect(c:receive {}):pdu { opcode = "login response", status = 0 }
    expect(r.text.TargetAlias):equals(string.rep("a", case.length))
    expect(select(2, r.data:gsub("TargetAlias=", ""))):equals(1)
  end,
}
