scenario {
  title = "Tasks of every attribute end, and an ordered one after those before it",
  covers = { "SCSI-TASK-002" },
  needs = { "dataloss" },
  matrix = { depth = { 1, 8, 64 } },
  play = function(t, case)
    local s = t:login {}
    local size = s:capacity().block_size
    local tasks = {}
    -- Each round overwrites what the round before wrote; ordered tasks keep the rounds apart.
    for round = 1, 4 do
      for index = 0, case.depth - 1 do
        tasks[#tasks + 1] = s:write { lba = index, data = string.rep(string.char(round), size), async = true }
      end
      tasks[#tasks + 1] = s:synchronize_cache { attribute = "ordered", async = true }
    end
    for _, task in ipairs(tasks) do expect(task:wait { within = "10s" }):good() end
    expect(s:read { lba = 0, blocks = case.depth }.data):equals(string.rep("\4", size * case.depth))
  end,
}

scenario {
  title = "An ordered task waits for one that has failed and is still being sent data",
  covers = { "SCSI-TASK-002", "ISCSI-CMD-008" },
  play = function(t)
    local s = t:login { keys = { InitialR2T = "No", ImmediateData = "No" } }
    -- A target may want no data that it has not asked for. Ours takes them.
    if s.parameters.InitialR2T == "Yes" and not t.simulated then skip("the target does not agree to InitialR2T=No") end
    local beyond, size = s:capacity().blocks, s:capacity().block_size
    local failing = s:send(pdu.scsi_command {
      write = true, final = false, expected_data_transfer_length = size,
      cdb = cdb.write16 { lba = beyond, blocks = 1 },
    })
    local ordered = s:send(pdu.scsi_command { attribute = 2, cdb = cdb.test_unit_ready {} })
    s:send(pdu.data_out { itt = failing.itt, lun = 0, data = string.rep("\0", size) })
    -- The failed one has ended when its status is sent, and that waits for the data (RFC 7143 §11.4.2).
    expect(s:receive { opcode = "scsi response" }):pdu { itt = failing.itt, status = 2 }
    expect(s:receive { opcode = "scsi response" }):pdu { itt = ordered.itt, status = 0 }
  end,
}

scenario {
  title = "A head of queue task is answered while simple ones are at work",
  covers = { "SCSI-TASK-003", "SCSI-TASK-004" },
  play = function(t)
    local s = t:login {}
    local tasks = {}
    for index = 0, 31 do tasks[#tasks + 1] = s:read { lba = index * 64, blocks = 64, async = true } end
    expect(s:test_unit_ready { attribute = "head of queue" }):good()
    expect(s:inquiry {}):good()
    for _, task in ipairs(tasks) do expect(task:wait { within = "10s" }):good() end
  end,
}

scenario {
  title = "A head of queue task, and a command that may always be one, pass by those that wait for an ordered one",
  covers = { "SCSI-TASK-002", "SCSI-TASK-003", "SCSI-TASK-004" },
  needs = { "simulation" },
  play = function(t)
    local s = t:login {}
    fault.disk.slow { delay = "1s", of = { "read" }, times = 1 }
    local first = s:read { lba = 0, blocks = 1, async = true }
    local ordered = s:test_unit_ready { attribute = "ordered", async = true }
    local behind = s:read { lba = 8, blocks = 1, async = true }
    sleep "10ms"
    expect(s:read { lba = 16, blocks = 1, attribute = "head of queue", within = "100ms" }):good()
    expect(s:inquiry { within = "100ms" }):good()
    expect(s:report_luns { within = "100ms" }):good()
    expect(s:request_sense { within = "100ms" }):good()
    for _, task in ipairs { first, ordered, behind } do expect(task.ended):equals(false) end
    expect(ordered:wait()):good()
    expect(first.ended):equals(true)
    expect(first:wait()):good()
    expect(behind:wait()):good()
  end,
}

scenario {
  title = "A command is carried out whatever its task attribute",
  covers = { "ISCSI-CMD-005" },
  needs = { "dataloss" },
  matrix = { attribute = { "untagged", "simple", "ordered", "head of queue" } },
  play = function(t, case)
    local s = t:login {}
    local data = random.bytes("data", s:capacity().block_size)
    expect(s:write { lba = 5, data = data, attribute = case.attribute }):good()
    expect(expect(s:read { lba = 5, blocks = 1, attribute = case.attribute }):good().data):equals(data)
  end,
}

scenario {
  title = "The ACA attribute and NACA are refused where there is no ACA",
  covers = { "SCSI-TASK-006", "SCSI-TASK-007", "SCSI-READ-017" },
  play = function(t)
    local s = t:login {}
    -- NORMACA.
    if not t.simulated and s:inquiry {}.data:byte(4) & 0x20 ~= 0 then skip("the unit has ACA") end
    expect(s:read { lba = 0, blocks = 1, attribute = "aca" }):check_condition("ILLEGAL REQUEST", "INVALID MESSAGE ERROR")
    -- A target may let them pass that may always be head of queue tasks. Ours does not.
    for _, command in ipairs { "inquiry", "report_luns", "request_sense" } do
      local r = s[command](s, { attribute = "aca" })
      if t.simulated or r.status ~= 0 then expect(r):check_condition("ILLEGAL REQUEST", "INVALID MESSAGE ERROR") end
    end
    expect(s:read { lba = 0, blocks = 1, control = 0x04 })
      :check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
    expect(s:read { lba = 0, blocks = 1 }):good()
  end,
}

scenario {
  title = "Without room for a command, a nexus that has others in the task set is told TASK SET FULL, and one that has none BUSY",
  covers = { "SCSI-TASK-008", "SCSI-TASK-009" },
  needs = { "simulation" },
  world = { target { luns = { { size = "1MiB" }, { size = "1MiB" } }, limits = { tasks = 1 } } },
  play = function(t)
    local first = t:login { name = "iqn.2026-11.example:a" }
    local second = t:login { name = "iqn.2026-11.example:b" }
    local slow = fault.disk.slow { delay = "1s", of = { "read" } }
    local read = first:read { lba = 0, blocks = 1, async = true }
    sleep "10ms"
    expect(first:read { lba = 0, blocks = 1 }):status("TASK SET FULL")
    expect(first:read { lun = 1, lba = 0, blocks = 1 }):status("BUSY")
    expect(second:read { lba = 0, blocks = 1 }):status("BUSY")
    expect(read:wait { within = "5s" }):good()
    slow:lift()
    expect(second:read { lba = 0, blocks = 1 }):good()
  end,
}

scenario {
  title = "TASK SET FULL for a write whose data are on their way: they are thrown away without a word",
  covers = { "SCSI-TASK-008" },
  needs = { "simulation" },
  world = { target { luns = { { size = "8MiB" } }, limits = { tasks = 2 } } },
  play = function(t)
    local s = t:login { keys = { InitialR2T = "No", ImmediateData = "Yes", FirstBurstLength = 65536 } }
    fault.disk.slow { delay = "1s", of = { "read" } }
    local reads = { s:read { lba = 0, blocks = 1, async = true }, s:read { lba = 0, blocks = 1, async = true } }
    local write = s:write {
      lba = 16, blocks = 64, async = true, immediate_length = 0, unsolicited_length = 32768, segment_length = 8192,
    }
    expect(write:wait { within = "5s" }):status("TASK SET FULL")
    for _, read in ipairs(reads) do expect(read:wait { within = "5s" }):good() end
    expect(s:receive { opcode = "reject", within = "1s" } == nil):equals(true)
  end,
}
