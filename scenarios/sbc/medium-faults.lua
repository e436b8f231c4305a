-- What the initiator is told when the medium fails, and that it goes on afterwards.

scenario {
  title = "A block that cannot be read is named, and the others are read",
  covers = { "SCSI-READ-015", "SCSI-DUR-003", "ISCSI-CMD-016", "ISCSI-RESID-010" },
  needs = { "simulation" },
  matrix = { bad = { 100, 101, 106, 107 }, cdb = { 10, 16 } },
  play = function(t, case)
    local s = t:login {}
    expect(s:write { lba = 96, blocks = 16 }):good()
    expect(s:synchronize_cache()):good()
    local fault = fault.disk.latent_error { lba = case.bad, blocks = 1 }
    local data = string.rep("\0", 8 * 512)
    for _, r in ipairs {
      s:read { cdb = case.cdb, lba = 100, blocks = 8 }, s:verify { cdb = case.cdb, lba = 100, blocks = 8 },
      s:orwrite { lba = 100, data = data }, s:compare_and_write { lba = 100, compare = data, write = data },
    } do
      expect(r):check_condition("MEDIUM ERROR", "UNRECOVERED READ ERROR")
      expect(r.sense.information):equals(case.bad)
    end
    -- The count says what did not come, and the status is in a response of its own.
    s:send(pdu.scsi_command {
      read = true, expected_data_transfer_length = 4096, cdb = cdb.read10 { lba = 100, blocks = 8 },
    })
    expect(s:receive { opcode = "scsi response" }):pdu { status = 2, underflow = true, residual_count = 4096, expdatasn = 0 }
    expect(s:receive { opcode = "data-in", within = "1ms" }):nothing()
    expect(s:read { lba = 96, blocks = 4 }):good()
    expect(s:read { lba = 108, blocks = 4 }):good()
    expect(fault:fired()):at_least(1)
    fault:lift()
    expect(s:read { lba = 100, blocks = 8 }):good()
  end,
}

scenario {
  title = "A write that fails is not answered with good status",
  covers = { "SCSI-WRITE-010" },
  needs = { "simulation" },
  matrix = { command = { "write", "write_and_verify", "write_same", "orwrite" } },
  play = function(t, case)
    local s = t:login {}
    local fault = fault.disk.io_error { of = { "write" } }
    expect(s[case.command](s, { lba = 5, blocks = 1 })):check_condition("MEDIUM ERROR", "WRITE ERROR")
    fault:lift()
    expect(s[case.command](s, { lba = 5, blocks = 1 })):good()
  end,
}

scenario {
  title = "A full medium is a write-protected one, and reads go on",
  covers = { "SCSI-WRITE-011", "SCSI-DUR-008" },
  needs = { "simulation", "thin" },
  play = function(t)
    local s = t:login {}
    local fault = fault.disk.full {}
    expect(s:write { lba = 0, blocks = 8 }):check_condition("DATA PROTECT", "SPACE ALLOCATION FAILED WRITE PROTECT")
    expect(s:read { lba = 0, blocks = 8 }):good()
    -- Storage can be given back.
    expect(s:unmap { ranges = { { lba = 0, blocks = 8 } } }):good()
    fault:lift()
    expect(s:write { lba = 0, blocks = 8 }):good()
  end,
}

scenario {
  title = "A medium that has become read-only, or is gone, says so",
  covers = { "SCSI-DUR-009" },
  needs = { "simulation" },
  play = function(t)
    local s = t:login {}
    local read_only = fault.disk.read_only {}
    expect(s:write { lba = 0, blocks = 1 }):check_condition("DATA PROTECT", "WRITE PROTECTED")
    expect(s:read { lba = 0, blocks = 1 }):good()
    read_only:lift()
    local removed = fault.disk.removed {}
    expect(s:read { lba = 0, blocks = 1 }):check_condition("NOT READY", "MEDIUM NOT PRESENT")
    expect(s:write { lba = 0, blocks = 1 }):check_condition("NOT READY", "MEDIUM NOT PRESENT")
    removed:lift()
    expect(s:write { lba = 0, blocks = 1 }):good()
  end,
}

scenario {
  title = "Blocks behind the end of a medium that has shrunk are medium errors, and are there when it has grown again",
  covers = { "SCSI-DUR-009" },
  needs = { "simulation" },
  matrix = { command = { "read", "write", "verify", "write_same", "compare_and_write" } },
  world = { target { luns = { { size = "64KiB" } } } },
  play = function(t, case)
    local s = t:login {}
    local data = random.bytes("data", 65536)
    expect(s:write { lba = 0, data = data }):good()
    expect(s:synchronize_cache()):good()
    local fault = fault.disk.resized { size = "32KiB" }
    local function play(lba)
      local options = { lba = lba, blocks = 1 }
      if case.command == "compare_and_write" then
        local block = data:sub(512 * lba + 1, 512 * lba + 512)
        options = { lba = lba, compare = block, write = block }
      end
      return s[case.command](s, options)
    end
    for _, lba in ipairs { 64, 100, 127 } do expect(play(lba)):check_condition("MEDIUM ERROR") end
    if case.command == "read" then
      expect(s:read { lba = 60, blocks = 8 }.sense.information):equals(64)
    end
    -- What it has told of its size it goes on telling.
    expect(s:capacity().blocks):equals(128)
    expect(play(63)):good()
    expect(fault:fired()):at_least(3)
    fault:lift()
    for _, lba in ipairs { 64, 100, 127 } do expect(play(lba)):good() end
    if case.command == "read" then expect(s:read { lba = 0, blocks = 128 }.data == data):holds("all is there") end
  end,
}

scenario {
  title = "A flush that failed is told to every nexus that may have lost something",
  covers = { "SCSI-ORW-009" },
  needs = { "simulation" },
  play = function(t)
    local a = t:login { name = "iqn.2026-11.example:a" }
    local b = t:login { name = "iqn.2026-11.example:b" }
    expect(a:write { lba = 0, blocks = 8 }):good()
    expect(b:write { lba = 8, blocks = 8 }):good()
    local fault = fault.disk.flush_error {}
    expect(a:synchronize_cache()):check_condition("MEDIUM ERROR", "WRITE ERROR")
    fault:lift()
    -- A flush that succeeds now brings nothing back.
    expect(b:synchronize_cache()):check_condition("MEDIUM ERROR", "WRITE ERROR")
    expect(a:synchronize_cache()):good()
    expect(b:synchronize_cache()):good()
  end,
}

scenario {
  title = "A flush that is under way while another fails promises nothing",
  covers = { "SCSI-ORW-009" },
  needs = { "simulation" },
  matrix = { of = { "another initiator", "the same" }, command = { "synchronize cache", "read" } },
  play = function(t, case)
    local a = t:login { name = "iqn.2026-11.example:a" }
    local b = case.of == "the same" and a or t:login { name = "iqn.2026-11.example:b" }
    for index = 0, 15 do expect(b:write { lba = 8 * index, blocks = 8 }):good() end
    local slow = fault.disk.slow { delay = "500ms", of = { "flush" } }
    local broken = fault.disk.io_error { of = { "flush" }, times = 1 }
    local first = a:synchronize_cache { async = true }
    sleep "10ms"
    local second = case.command == "read" and b:read { lba = 0, blocks = 1, fua = true, async = true }
      or b:synchronize_cache { async = true }
    -- The writes may have been in the cache that the first one has lost.
    expect(first:wait()):check_condition("MEDIUM ERROR", "WRITE ERROR")
    expect(second:wait()):check_condition("MEDIUM ERROR", "WRITE ERROR")
    broken:lift()
    slow:lift()
    for _, session in ipairs { a, b } do expect(session:synchronize_cache()):good() end
  end,
}

scenario {
  title = "A flush that failed under a command that was aborted is told at the next one",
  covers = { "SCSI-ORW-009" },
  needs = { "simulation" },
  matrix = { command = { "synchronize cache", "read" }, over = { "abort task set", "reset" } },
  play = function(t, case)
    local s = t:login { isid = 1 }
    expect(s:write { lba = 0, blocks = 8 }):good()
    local slow = fault.disk.slow { delay = "500ms", of = { "flush" } }
    local fault = fault.disk.flush_error {}
    if case.command == "read" then
      s:read { lba = 0, blocks = 1, fua = true, async = true }
    else
      s:synchronize_cache { async = true }
    end
    sleep "10ms"
    if case.over == "reset" then
      s:close { reset = true }
      sleep "1s"
      s = t:login { isid = 1 }
    else
      expect(s:task_management { ["function"] = case.over }):response(0)
    end
    slow:lift()
    fault:lift()
    expect(s:synchronize_cache()):check_condition("MEDIUM ERROR", "WRITE ERROR")
    expect(s:synchronize_cache()):good()
  end,
}

scenario {
  title = "A failed flush whose answer is lost on the way is told when the initiator comes back",
  covers = { "SCSI-ORW-009" },
  needs = { "simulation" },
  matrix = { heard = { true, false }, back = { "a new session", "a new connection" } },
  play = function(t, case)
    local s = t:login { isid = 1 }
    for index = 0, 15 do expect(s:write { lba = 8 * index, blocks = 8 }):good() end
    local slow = fault.disk.slow { delay = "100ms", of = { "flush" } }
    local broken = fault.disk.flush_error {}
    local flush = s:synchronize_cache { async = true }
    sleep "10ms"
    local cut = not case.heard and fault.network.partition {}
    sleep "1s"
    broken:lift()
    slow:lift()
    if case.heard then
      expect(flush:wait()):check_condition("MEDIUM ERROR", "WRITE ERROR")
      expect(s:test_unit_ready()):good()
    else
      cut:lift()
    end
    if case.back == "a new session" then
      s:close { reset = true }
      sleep "1s"
      s = t:login { isid = 1 }
    else
      s = t:login { session = s, cid = s.cid }
    end
    if not case.heard then expect(s:synchronize_cache()):check_condition("MEDIUM ERROR", "WRITE ERROR") end
    expect(s:synchronize_cache()):good()
  end,
}

scenario {
  title = "Initiators that are away when a flush fails are told when they come back, and nobody else is",
  covers = { "SCSI-ORW-009" },
  needs = { "simulation" },
  matrix = { when = { "before", "during" } },
  play = function(t, case)
    local function login(name) return t:login { name = "iqn.2026-11.example:" .. name, isid = 1 } end
    local sessions = { a = login "a", b = login "b", c = login "c" }
    expect(login "early":synchronize_cache()):good()
    for _, name in ipairs { "a", "b", "c" } do
      for index = 0, 15 do expect(sessions[name]:write { lba = 8 * index, blocks = 8 }):good() end
    end
    local function leave()
      for _, name in ipairs { "a", "b" } do sessions[name]:close { reset = true } end
      sleep "1s"
    end
    if case.when == "before" then leave() end
    local slow = fault.disk.slow { delay = "500ms", of = { "flush" } }
    local broken = fault.disk.flush_error {}
    local flush = sessions.c:synchronize_cache { async = true }
    sleep "10ms"
    if case.when == "during" then leave() end
    expect(flush:wait()):check_condition("MEDIUM ERROR", "WRITE ERROR")
    slow:lift()
    broken:lift()
    expect(login "stranger":synchronize_cache()):good()
    for _, name in ipairs { "b", "a" } do
      local s = login(name)
      expect(s:synchronize_cache()):check_condition("MEDIUM ERROR", "WRITE ERROR")
      expect(s:synchronize_cache()):good()
    end
    expect(sessions.c:synchronize_cache()):good()
  end,
}

scenario {
  title = "Transfers that the medium cuts short are completed",
  covers = { "SCSI-DUR-007" },
  needs = { "simulation" },
  play = function(t)
    local s = t:login {}
    local fault = fault.disk.short { chance = "1/2" }
    for round = 0, 7 do
      local data = random.bytes("data", 512 * 200)
      expect(s:write { lba = 10 * round, data = data }):good()
      expect(s:read { lba = 10 * round, blocks = 200 }.data):equals(data)
      expect(s:verify { lba = 10 * round, blocks = 200, data = data }):good()
      expect(s:compare_and_write { lba = 10 * round, compare = data:sub(1, 8192), write = data:sub(8193, 16384) }):good()
      expect(s:write_same { lba = 10 * round, blocks = 150, data = data:sub(1, 512) }):good()
    end
    expect(fault:fired()):at_least(1)
  end,
}

scenario {
  title = "A unit whose medium is stuck does not hold up another, and its task can be aborted",
  covers = { "SCSI-TASK-015" },
  needs = { "simulation" },
  world = { target { luns = { { lun = 0, size = "1MiB" }, { lun = 1, size = "1MiB" } } } },
  play = function(t)
    local s = t:login {}
    s:test_unit_ready { lun = 1 }
    local fault = fault.disk.stuck { lun = 0, of = { "read" } }
    local stuck = s:read { lun = 0, lba = 0, blocks = 1, async = true }
    for lba = 0, 20 do
      expect(s:write { lun = 1, lba = lba, blocks = 2 }):good()
      expect(s:read { lun = 1, lba = lba, blocks = 2 }):good()
    end
    local abort = s:task_management { ["function"] = "abort task", task = stuck, async = true }
    sleep "10ms"
    fault:lift()
    expect(abort:wait { within = "5s" }):response(0)
    expect(stuck:wait { within = "5s" }):aborted()
    expect(s:read { lun = 0, lba = 0, blocks = 1 }):good()
  end,
}

scenario {
  title = "Slow media give every answer once, in whatever order",
  covers = { "SCSI-DUR-006", "SCSI-TASK-014" },
  needs = { "simulation" },
  play = function(t)
    local s = t:login {}
    local fault = fault.disk.slow { delay = "2s", chance = "1/4" }
    local tasks = {}
    for index = 0, 59 do
      tasks[#tasks + 1] = index % 2 == 0 and s:write { lba = index * 8, blocks = 8, async = true }
        or s:read { lba = 4096 + index, blocks = 1, async = true }
    end
    for _, task in ipairs(tasks) do expect(task:wait { within = "25s" }):good() end
    expect(fault:fired()):at_least(1)
  end,
}
