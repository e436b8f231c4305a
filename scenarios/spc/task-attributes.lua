scenario {
  title = "Tasks of every attribute end, and an ordered one after those before it",
  covers = { "SCSI-TASK-002" },
  needs = { "dataloss" },
  matrix = { depth = { 1, 8, 64 } },
  play = function(t, case)
    local s = t:login {}
    local tasks = {}
    -- Each round overwrites what the round before wrote; ordered tasks keep the rounds apart.
    for round = 1, 4 do
      for index = 0, case.depth - 1 do
        tasks[#tasks + 1] = s:write { lba = index, data = string.rep(string.char(round), 512), async = true }
      end
      tasks[#tasks + 1] = s:synchronize_cache { attribute = "ordered", async = true }
    end
    for _, task in ipairs(tasks) do expect(task:wait { within = "10s" }):good() end
    expect(s:read { lba = 0, blocks = case.depth }.data):equals(string.rep("\4", 512 * case.depth))
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
  title = "The ACA attribute and NACA are refused where there is no ACA",
  covers = { "SCSI-TASK-006", "SCSI-TASK-007", "SCSI-READ-017" },
  play = function(t)
    local s = t:login {}
    expect(s:read { lba = 0, blocks = 1, attribute = "aca" }):check_condition("ILLEGAL REQUEST", "INVALID MESSAGE ERROR")
    expect(s:read { lba = 0, blocks = 1, control = 0x04 })
      :check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
    expect(s:read { lba = 0, blocks = 1 }):good()
  end,
}
