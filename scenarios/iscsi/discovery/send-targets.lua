-- Discovery sessions and SendTargets (RFC 7143 §4.3, Appendix C).

local two_targets = {
  target { iqn = "iqn.2026-11.example:one", portals = { "10.0.0.1:3260", "10.0.0.1:3261" } },
  target { iqn = "iqn.2026-11.example:two", portals = { "10.0.0.1:3260" }, initiators = { "iqn.2026-11.example:friend" } },
}

--- The names and addresses of a response, as one string a record.
local function records(r)
  expect(r.outcome):equals("text")
  local list = {}
  for _, pair in ipairs(r.pairs) do
    expect(pair[1]):one_of("TargetName", "TargetAddress")
    if pair[1] == "TargetName" then
      list[#list + 1] = pair[2]
    else
      list[#list] = list[#list] .. " " .. pair[2]
    end
  end
  return list
end

scenario {
  title = "SendTargets=All tells every target with its addresses and their portal group",
  covers = { "ISCSI-DISC-001", "ISCSI-DISC-006", "ISCSI-DISC-007" },
  play = function(t)
    local s = t:login { type = "discovery", target = false }
    local found
    for _, record in ipairs(records(s:text { text = { SendTargets = "All" } })) do
      if string.sub(record, 1, #t.iqn + 1) == t.iqn .. " " then found = record end
    end
    expect(found):differs(nil)
    -- host:port,tag; IPv6 in brackets.
    expect(string.find(found, " [%[%]%x%.:]+:%d+,%d+") ~= nil):holds("an address with a port and a portal group tag")
    expect(s:logout {}):response(0)
  end,
}

scenario {
  title = "SendTargets tells all portals of a target, and hides targets from whom they do not admit",
  covers = { "ISCSI-DISC-001", "ISCSI-DISC-008", "ISCSI-DISC-009", "ISCSI-DISC-003", "IOP-38" },
  matrix = { name = { "iqn.2026-11.example:friend", "iqn.2026-11.example:stranger" } },
  needs = { "simulation" },
  world = two_targets,
  play = function(t, case)
    local s = t:login { type = "discovery", target = false, name = case.name }
    local list = records(s:text { text = { SendTargets = "All" } })
    expect(list[1]):equals("iqn.2026-11.example:one 10.0.0.1:3260,1 10.0.0.1:3261,1")
    local two = s:text { text = { SendTargets = "iqn.2026-11.example:two" } }
    if case.name == "iqn.2026-11.example:friend" then
      expect(#list):equals(2)
      expect(two.text.TargetName):equals("iqn.2026-11.example:two")
    else
      expect(#list):equals(1)
      expect(two.text.TargetName):equals(nil)
    end
  end,
}

scenario {
  title = "A target is told of and reached at its own portals only",
  covers = { "ISCSI-DISC-001", "ISCSI-DISC-007" },
  needs = { "simulation" },
  matrix = { shard = { 0, 1 } },
  world = function(case)
    return {
      target { iqn = "iqn.2026-11.example:one", portals = { "10.0.0.1:3260" } },
      target { iqn = "iqn.2026-11.example:two", portals = { "10.0.0.1:3261" }, portal_group = 2, shard = case.shard },
    }
  end,
  play = function(t)
    local one, two = "iqn.2026-11.example:one", "iqn.2026-11.example:two"
    for _, portal in ipairs { "10.0.0.1:3260", "10.0.0.1:3261" } do
      local s = t:login { type = "discovery", target = false, portal = portal }
      local list = records(s:text { text = { SendTargets = "All" } })
      expect(table.concat(list, "; ")):equals(one .. " 10.0.0.1:3260,1; " .. two .. " 10.0.0.1:3261,2")
    end
    expect(t:login { target = two }.received.TargetPortalGroupTag):equals("2")
    expect(t:try_login { target = two, portal = "10.0.0.1:3260" }):login_refused(0x0203)
    expect(t:try_login { target = one, portal = "10.0.0.1:3261" }):login_refused(0x0203)
  end,
}

scenario {
  title = "SendTargets of one name tells that target only",
  covers = { "ISCSI-DISC-002" },
  play = function(t)
    local s = t:login { type = "discovery", target = false }
    local list = records(s:text { text = { SendTargets = t.iqn } })
    expect(#list):equals(1)
    expect(list[1]):contains(t.iqn .. " ")
  end,
}

scenario {
  title = "SendTargets of a name that is not there tells nothing, and the session goes on",
  covers = { "ISCSI-DISC-003", "ISCSI-DISC-021", "IOP-62" },
  matrix = { value = { "iqn.2026-11.example:nobody", "all", "Alle", "A", "ALL" } },
  play = function(t, case)
    local s = t:login { type = "discovery", target = false }
    local r = s:text { text = { SendTargets = case.value } }
    -- What is no name is no value either: that may end the session. Ours goes on.
    if s.closed and not string.find(case.value, "^iqn") and not t.simulated then return end
    if r.outcome == "text" then expect(r.text.TargetName):equals(nil) else expect(r):rejected() end
    expect(s:text { text = { SendTargets = t.iqn } }.text.TargetName):equals(t.iqn)
  end,
}

scenario {
  title = "In a normal session SendTargets tells the session's own target",
  covers = { "ISCSI-DISC-004" },
  play = function(t)
    local s = t:login {}
    local list = records(s:text { text = { SendTargets = "" } })
    expect(#list):equals(1)
    expect(list[1]):contains(t.iqn .. " ")
  end,
}

scenario {
  title = "In a normal session SendTargets tells nothing of other targets",
  covers = { "ISCSI-DISC-004", "ISCSI-DISC-005" },
  needs = { "simulation" },
  world = two_targets,
  matrix = { value = { "All", "iqn.2026-11.example:two" } },
  play = function(t, case)
    local s = t:login { name = "iqn.2026-11.example:friend" }
    local r = s:text { text = { SendTargets = case.value } }
    if r.outcome == "text" then expect(r.text.TargetName):equals(nil) else expect(r):rejected() end
    expect(s:text { text = { SendTargets = "" } }.text.TargetName):equals(t.iqn)
  end,
}

scenario {
  title = "A discovery session carries out nothing",
  covers = { "ISCSI-DISC-012" },
  matrix = { kind = { "scsi_command", "task_management", "nop_out" } },
  play = function(t, case)
    local s = t:login { type = "discovery", target = false }
    local fields = { immediate = true, itt = 77 }
    if case.kind == "scsi_command" then fields.cdb = cdb.inquiry { allocation_length = 36 } end
    if case.kind == "task_management" then fields["function"] = 5 end
    s:send(pdu[case.kind](fields))
    local answer = s:receive { opcode = "reject" }
    if s.closed then return end
    expect(answer):pdu { reason = { 4, 5, 9 } }
    expect(s:text { text = { SendTargets = t.iqn } }.text.TargetName):equals(t.iqn)
  end,
}

scenario {
  title = "A discovery session ends with a logout",
  covers = { "ISCSI-DISC-014" },
  play = function(t)
    local s = t:login { type = "discovery", target = false }
    expect(s:logout { reason = "close connection" }):rejected()
    expect(s:logout {}):response(0)
    expect(s):closes {}
  end,
}

scenario {
  title = "A quiet discovery session is not pinged",
  covers = { "ISCSI-DISC-015" },
  needs = { "simulation" },
  world = { target { limits = { ping_interval = "5s", ping_timeout = "5s" } } },
  play = function(t)
    local s = t:login { type = "discovery", target = false }
    expect(s:receive { opcode = "nop-in", within = "14s" }):nothing()
    expect(s.closed):equals(false)
  end,
}

scenario {
  title = "A discovery session on which nothing comes is not kept for ever",
  covers = { "ISCSI-TIME-006" },
  needs = { "simulation" },
  world = { target { limits = { ping_interval = "5s", ping_timeout = "5s" } } },
  play = function(t)
    local s = t:login { type = "discovery", target = false }
    expect(s):closes { within = "60s" }
    expect(t:statistics().sessions):equals(0)
  end,
}

scenario {
  title = "An unnamed discovery session does not touch a normal one of the same initiator port",
  covers = { "ISCSI-DISC-018" },
  play = function(t)
    local normal = t:login { isid = 7 }
    local discovery = t:login { isid = 7, type = "discovery", target = false }
    expect(normal:test_unit_ready()):good()
    expect(discovery:text { text = { SendTargets = t.iqn } }.text.TargetName):equals(t.iqn)
  end,
}

scenario {
  title = "The same question has the same answer a thousand times",
  covers = { "ISCSI-DISC-022" },
  play = function(t)
    local s = t:login { type = "discovery", target = false }
    local first = s:text { text = { SendTargets = "All" } }.data
    for _ = 1, t.simulated and 1000 or 100 do
      expect(s:text { text = { SendTargets = "All" } }.data):equals(first)
    end
  end,
}

scenario {
  title = "A long list comes in parts that the initiator can take, with every record whole",
  covers = { "ISCSI-DISC-010", "IOP-30" },
  needs = { "simulation" },
  matrix = { most = { 512, 8192 } },
  world = function()
    local world = {}
    for number = 1, 300 do world[number] = target { iqn = "iqn.2026-11.example:number-" .. number } end
    return world
  end,
  play = function(t, case)
    local s = t:login { type = "discovery", target = false, keys = { MaxRecvDataSegmentLength = case.most } }
    local list = records(s:text { text = { SendTargets = "All" } })
    expect(#list):equals(300)
    for number = 1, 300 do expect(list[number]):contains("iqn.2026-11.example:number-" .. number .. " ") end
  end,
}

scenario {
  title = "A target that listens on every address is told of under the one that was reached",
  covers = { "ISCSI-DISC-023", "ISCSI-DISC-007" },
  needs = { "simulation" },
  matrix = { portal = { 1, 2 } }, -- IPv4, IPv6
  play = function(t, case)
    local portal = expect(t.portals[case.portal]):differs(nil)
    local s = t:login { type = "discovery", target = false, portal = case.portal }
    expect(table.concat(records(s:text { text = { SendTargets = "All" } }), "; ")):equals(t.iqn .. " " .. portal .. ",1")
    expect(t:login { portal = case.portal }:test_unit_ready()):good()
  end,
}
