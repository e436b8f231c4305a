-- A target program of several threads, each of which serves targets of its own: whichever thread accepts a connection, the
-- one that serves the target answers its login, and nobody can tell.

local names = { "iqn.2026-11.example:zero", "iqn.2026-11.example:one", "iqn.2026-11.example:two" }

local function world(limits)
  local result = {}
  for number, name in ipairs(names) do
    result[number] = target {
      iqn = name, shard = number - 1, portals = { "10.0.0.1:3260" }, limits = limits,
      luns = { { size = "4MiB" }, { memory = true, size = number .. "MiB" } },
    }
  end
  return result
end

scenario {
  title  = "Sessions of targets on several threads have their data to themselves",
  covers = { "ISCSI-LOGIN-005", "ISCSI-LOGIN-028" },
  needs  = { "simulation" },
  matrix = { digest = { "None", "CRC32C" } },
  world  = world(),
  play   = function(t, case)
    local actors = {}
    for number, name in ipairs(names) do
      actors[number] = spawn(function()
        local s = t:login { target = name, keys = { HeaderDigest = case.digest, DataDigest = case.digest } }
        s:test_unit_ready { lun = 1 } -- takes the unit attention of a new nexus
        local capacity = expect(s:read_capacity10 { lun = 1 }):good()
        expect(capacity.data):equals(string.pack(">I4I4", number * 2048 - 1, 512))
        local done = workload { on = s, ops = 400, depth = 16, mix = { write = 50, read = 50 }, blocks = { 1, 200 } }
        expect(done.errors):equals(0)
        expect(s:logout {}):response(0)
      end)
    end
    for number in ipairs(names) do actors[number]:join() end
    expect(t:statistics().handovers):equals(2)
  end,
}

scenario {
  title  = "A login in pieces, in one segment or byte by byte, goes on where its target is",
  covers = { "ISCSI-LOGIN-015", "ISCSI-LOGIN-017", "ISCSI-LOGIN-030", "ISCSI-LOGIN-032" },
  needs  = { "simulation" },
  matrix = { number = { 1, 2, 3 }, cut = { 1, 30, 60 }, split = { 17, 48, 50 } },
  world  = world(),
  play   = function(t, case)
    local text = "InitiatorName=iqn.2026-11.example:initiator\0MaxBurstLength=131072\0TargetName=" .. names[case.number] .. "\0"
    local c = t:connect()
    c:send(pdu.login { csg = 1, nsg = 3, continue = true, data = string.sub(text, 1, case.cut) }, { split_at = case.split })
    local first = expect(c:receive {}):pdu { opcode = "login response", transit = false, status = 0, data = "" }
    c:send(
      pdu.login { csg = 1, nsg = 3, transit = true, data = string.sub(text, case.cut + 1) }, { split_at = case.split })
    local last = expect(c:receive {}):pdu { opcode = "login response", transit = true, status = 0 }
    expect(last.statsn):equals((first.statsn + 1) & 0xFFFFFFFF)
    expect(last.text.MaxBurstLength):equals("131072")
    expect(last.text.TargetPortalGroupTag):differs(nil)
    expect(t:statistics().handovers):equals(case.number == 1 and 0 or 1)
  end,
}

scenario {
  title  = "Login Requests that do not wait for their answers are answered one after the other, across threads",
  covers = { "ISCSI-LOGIN-049" },
  needs  = { "simulation" },
  matrix = { number = { 1, 3 } },
  world  = world(),
  expects_violations = true, -- the initiator takes the first answer for one to its second request
  play   = function(t, case)
    local c = t:connect()
    local first = pdu.login {
      csg = 0, nsg = 1, transit = true, itt = 7,
      text = { InitiatorName = "iqn.2026-11.example:a", TargetName = names[case.number], AuthMethod = "None" },
    }
    local second = pdu.login { csg = 1, nsg = 3, transit = true, itt = 7, text = { MaxBurstLength = "65536" } }
    c:send(first)
    c:send(second)
    expect(c:receive {}):pdu { opcode = "login response", transit = true, csg = 0, nsg = 1, status = 0 }
    local last = expect(c:receive {}):pdu { opcode = "login response", transit = true, csg = 1, nsg = 3, status = 0 }
    expect(last.text.MaxBurstLength):equals("65536")
    expect(last.tsih):differs(0)
  end,
}

scenario {
  title  = "Discovery tells the targets of all threads, in order; whom one does not admit is refused by name",
  covers = { "ISCSI-DISC-001", "ISCSI-DISC-008", "ISCSI-LOGIN-036", "ISCSI-LOGIN-037" },
  needs  = { "simulation" },
  world  = {
    target { iqn = names[1], shard = 1, portals = { "10.0.0.1:3260" } },
    target { iqn = names[2], shard = 0, portals = { "10.0.0.1:3260" }, initiators = { "iqn.2026-11.example:friend" } },
    target { iqn = names[3], shard = 2, portals = { "10.0.0.1:3260" }, initiators = { "iqn.2026-11.example:friend" } },
  },
  play   = function(t)
    local function found(name)
      local s = t:login { type = "discovery", target = false, name = name }
      local list = {}
      for _, pair in ipairs(s:text { text = { SendTargets = "All" } }.pairs) do
        if pair[1] == "TargetName" then list[#list + 1] = pair[2] end
      end
      expect(s:logout {}):response(0)
      return table.concat(list, " ")
    end
    expect(found("iqn.2026-11.example:friend")):equals(table.concat(names, " "))
    expect(found("iqn.2026-11.example:stranger")):equals(names[1])
    expect(t:try_login { target = names[2] }):login_refused(0x0202)
    expect(t:try_login { target = names[3] }):login_refused(0x0202)
    expect(t:try_login { target = "iqn.2026-11.example:nobody" }):login_refused(0x0203)
    expect(t:login { target = names[1] }:test_unit_ready()):good()
    expect(t:login { target = names[3], name = "iqn.2026-11.example:friend" }:test_unit_ready()):good()
    expect(t:statistics().handovers):equals(2)
  end,
}

scenario {
  title  = "The same initiator port again takes the place of its session on another thread",
  covers = { "ISCSI-SESS-005" },
  needs  = { "simulation" },
  world  = world(),
  play   = function(t)
    local old = t:login { target = names[3], isid = 5 }
    local other = t:login { target = names[2], isid = 5 }
    local new = t:login { target = names[3], isid = 5 }
    expect(old):closes { within = "1s" }
    expect(new:test_unit_ready()):good()
    expect(other:test_unit_ready()):good()
    expect(t:statistics().sessions):equals(2)
  end,
}

scenario {
  title  = "A discovery session that names a target of another thread takes a session's place there, and is told of all",
  covers = { "ISCSI-DISC-019" },
  needs  = { "simulation" },
  world  = world(),
  play   = function(t)
    local normal = t:login { target = names[3], isid = 7 }
    local discovery = t:login { target = names[3], isid = 7, type = "discovery" }
    expect(normal):closes {}
    local list = {}
    for _, pair in ipairs(discovery:text { text = { SendTargets = "All" } }.pairs) do
      if pair[1] == "TargetName" then list[#list + 1] = pair[2] end
    end
    expect(table.concat(list, " ")):equals(table.concat(names, " "))
    expect(t:statistics().handovers):equals(2)
  end,
}

scenario {
  title  = "A thread that stands still keeps its own logins waiting, and nobody else's",
  covers = { "ISCSI-LOGIN-062", "ISCSI-LOGIN-063" },
  needs  = { "simulation" },
  world  = world(),
  play   = function(t)
    local s = t:login { target = names[2] }
    local pause = fault.process.pause { shard = 2 }
    local late = spawn(function()
      local s = t:login { target = names[3] }
      expect(now()):at_least(0.5)
      expect(s:test_unit_ready()):good()
    end)
    for number = 1, 20 do
      expect(s:test_unit_ready()):good()
      expect(t:login { target = names[number % 2 + 1], isid = 100 + number }:test_unit_ready()):good()
      sleep "25ms"
    end
    pause:lift()
    late:join()
  end,
}

scenario {
  title  = "The time for a login goes on when it changes threads",
  covers = { "ISCSI-LOGIN-062" },
  needs  = { "simulation" },
  matrix = { number = { 1, 2 } },
  world  = world { login_timeout = "4s" },
  play   = function(t, case)
    local c = t:connect()
    sleep "3s"
    c:send(pdu.login {
      csg = 0, nsg = 1, transit = true,
      text = { InitiatorName = "iqn.2026-11.example:a", TargetName = names[case.number] },
    })
    expect(c:receive {}):pdu { opcode = "login response", status = 0 }
    expect(c):closes { within = "1500ms" }
  end,
}

scenario {
  title  = "What threads have acknowledged is there after a power cut",
  covers = { "SCSI-WRITE-009" },
  needs  = { "simulation" },
  matrix = { how = { "crash", "kill" } },
  world  = world(),
  play   = function(t, case)
    local actors = {}
    for number, name in ipairs(names) do
      actors[number] = spawn(function()
        local s = t:login { target = name }
        workload {
          on = s, ops = 100000, depth = 8, mix = { write = 60, read = 30, flush = 10 }, fua = 20, blocks = { 1, 64 },
          until_lost = true,
        }
      end)
    end
    sleep "200ms"
    t[case.how](t)
    for number in ipairs(names) do actors[number]:join() end
    t:restart()
    for _, name in ipairs(names) do
      local s = t:login { target = name }
      for lba = 0, 8191, 128 do expect(s:read { lba = lba, blocks = 128 }):good() end
    end
  end,
}
