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
  -- No sixteen buffers of 1 MiB fit into the memory, and none comes free before the disk has answered.
  world = {
    target { luns = { { size = "4MiB", disk = { latency = "10s" } } }, limits = { memory = "16MiB" } },
  },
  play = function(t)
    local s = t:login {}
    local blocks = 1048576 // s:capacity().block_size
    read_and_abort_last(s, 16, blocks)
    -- It is not on the medium: nobody waits for that.
    expect(s:receive { opcode = "task management response", within = "1s" }):pdu { response = 0 }
    expect(s:test_unit_ready()):good()
  end,
}
