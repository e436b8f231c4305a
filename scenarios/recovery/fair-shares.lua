-- Somebody takes what there is, and does not give it back for long: the others go on.

local function login(t, host, more)
  local options = { host = host, name = "iqn.2026-11.example:" .. host }
  for key, value in pairs(more or {}) do options[key] = value end
  return t:login(options)
end

scenario {
  title  = "A session with more commands than there is memory for leaves memory to the others",
  covers = { "SCSI-TASK-013", "SCSI-TASK-015", "ISCSI-ROB-007" },
  needs  = { "simulation" },
  -- Its medium hangs, it sends no data, or it takes none.
  matrix = { what = { "reads", "writes", "writes with data", "asks for data", "takes no data" } },
  world  = {
    target { luns = { { size = "16MiB" }, { size = "16MiB" } }, limits = { memory = "4MiB" } },
    host { name = "a" }, host { name = "b" },
  },
  play   = function(t, case)
    local immediate = case.what == "writes with data" and "Yes" or "No"
    local greedy =
      login(t, "a", { keys = { InitialR2T = "Yes", ImmediateData = immediate, MaxRecvDataSegmentLength = 65536 } })
    local modest = login(t, "b", { lun = 1, keys = { InitialR2T = "Yes", ImmediateData = "No" } })
    local hangs = case.what == "reads" or case.what:find "^writes"
    local stuck = hangs and fault.disk.stuck { lun = 0, of = { case.what == "reads" and "read" or "write" } }
    if case.what == "asks for data" then greedy:automatic { answer_r2ts = false } end
    if case.what == "takes no data" then greedy:stop_receiving() end
    local commands = {}
    for n = 0, 79 do
      local is_read = case.what == "reads" or case.what == "takes no data"
      commands[#commands + 1] = is_read and greedy:read { lba = n * 128, blocks = 128, async = true }
        or greedy:write { lba = n * 128, blocks = 128, async = true }
    end
    sleep "100ms"
    for lba = 0, 1024, 256 do
      expect(modest:write { lba = lba, blocks = 256, within = "1s" }):good()
      expect(modest:read { lba = lba, blocks = 256, within = "1s" }):good()
    end
    expect(login(t, "b", { isid = 9, lun = 1 }):read { lba = 0, blocks = 256, within = "1s" }):good()
    if stuck then stuck:lift() end
    if case.what == "takes no data" then greedy:resume_receiving() end
    if case.what == "asks for data" then return greedy:close {} end
    for _, command in ipairs(commands) do
      local result = command:wait { within = "10s" }
      -- There may have been no memory for what came unasked.
      if immediate == "Yes" then expect(result.status):one_of(0x00, 0x08) else expect(result):good() end
    end
    expect(t:statistics().tasks):equals(0)
  end,
}

scenario {
  title  = "A session with more commands than there are tasks leaves some to the others",
  covers = { "SCSI-TASK-008", "SCSI-TASK-013", "SCSI-TASK-015" },
  needs  = { "simulation" },
  world  = {
    target { luns = { { size = "1MiB" }, { size = "1MiB" } }, limits = { tasks = 16 } },
    host { name = "a" }, host { name = "b" },
  },
  play   = function(t)
    local greedy, modest = login(t, "a"), login(t, "b", { lun = 1 })
    local stuck = fault.disk.stuck { lun = 0, of = { "read" } }
    local reads = {}
    for n = 1, 30 do reads[n] = greedy:read { lba = n, blocks = 1, async = true } end
    sleep "10ms"
    for lba = 0, 20 do
      local writes = {}
      for n = 1, 3 do writes[n] = modest:write { lba = lba * 3 + n, blocks = 1, async = true } end
      for _, write in ipairs(writes) do expect(write:wait { within = "1s" }):good() end
    end
    stuck:lift()
    local good = 0
    for _, read in ipairs(reads) do
      local status = read:wait { within = "5s" }.status
      expect(status):one_of(0x00, 0x28)
      if status == 0 then good = good + 1 end
    end
    expect(good):at_least(8)
  end,
}
