-- So many reads of 1 MiB, and ABORT TASK for the last of them.
local function read_and_abort_last(s, count, blocks)
  local last
  for _ = 1, count do
    last = s:send(pdu.scsi_command {
      read = true, expected_data_transfer_length = 1048576, cdb = cdb.read16 { lba = 0, blocks = blocks },
    })
  end
  s:send(pdu.task_management {
    immediate = true, ["function"] = 1, referenced_task_tag = last.itt, refcmdsn = last.cmdsn,
  })
end

scenario {
  title = "A command that waits for the initiator to take its answers can be aborted",
  covers = { "ISCSI-TMF-001" },
  needs = { "simulation" },
  -- An eighth of the memory may be queued for a session before its next commands wait.
  world = { target { luns = { { memory = true, size = "4MiB" } }, limits = { memory = "16MiB" } } },
  play = function(t)
    local s = t:login {}
    local blocks = 1048576 // s:capacity().block_size
    s:stop_receiving()
    read_and_abort_last(s, 8, blocks)
    sleep "100ms"
    s:resume_receiving()
    expect(s:receive { opcode = "task management response" }):pdu { response = 0 }
    expect(s:test_unit_ready()):good()
  end,
}

scenario {
  title = "A command that waits for memory can be aborted",
  covers = { "ISCSI-TMF-001" },
  needs = { "simulation" },
  -- One session does not get all of the memory, but twelve buffers of 1 MiB do not fit, and none comes free before the disk has
  -- answered.
  world = {
    target { luns = { { size = "4MiB", disk = { latency = "10s" } } }, limits = { memory = "16MiB" } },
  },
  play = function(t)
    local s = t:login {}
    local blocks = 1048576 // s:capacity().block_size
    for isid = 1, 12 do
      local other = t:login { name = "iqn.2026-11.example:other", isid = isid }
      other:read { lba = 0, blocks = blocks, async = true }
    end
    read_and_abort_last(s, 1, blocks)
    -- It is not on the medium: nobody waits for that.
    expect(s:receive { opcode = "task management response", within = "1s" }):pdu { response = 0 }
    expect(s:test_unit_ready()):good()
  end,
}

scenario {
  title = "ABORT TASK SET meets commands that wait for the initiator to take its answers",
  covers = { "ISCSI-TMF-024" },
  needs = { "simulation" },
  world = {
    target {
      luns = { { lun = 0, memory = true, size = "4MiB" }, { lun = 1, memory = true, size = "4MiB" } },
      limits = { memory = "16MiB" },
    },
  },
  play = function(t)
    local s = t:login {}
    local block = s:capacity().block_size
    s:test_unit_ready { lun = 1 } -- takes the unit attention of power on
    -- What the target remembers tasks by has been of the other unit.
    local writes = {}
    for _ = 1, 16 do
      table.insert(writes, s:write { lun = 1, lba = 0, blocks = 8, immediate_length = 0, hold_r2ts = true, async = true })
    end
    expect(s:task_management { ["function"] = "abort task set", lun = 1 }):response(0)
    for _, write in ipairs(writes) do expect(write:wait()):aborted() end

    s:stop_receiving()
    for _ = 1, 8 do
      s:send(pdu.scsi_command {
        read = true, expected_data_transfer_length = 1048576, cdb = cdb.read16 { lba = 0, blocks = 1048576 // block },
      })
    end
    local data = string.rep("\xA5", block)
    s:send(pdu.scsi_command {
      write = true, expected_data_transfer_length = block, cdb = cdb.write10 { lba = 100, blocks = 1 }, data = data,
    })
    s:send(pdu.task_management { immediate = true, ["function"] = 2 })
    sleep "100ms"
    s:resume_receiving()
    expect(s:receive { opcode = "task management response" }):pdu { response = 0 }
    expect(s:receive { opcode = "scsi response", within = "100ms" }):nothing()
    expect(s:read { lba = 100, blocks = 1 }.data):equals(string.rep("\0", block))
  end,
}
