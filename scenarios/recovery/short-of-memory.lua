-- The target's memory for buffers runs out, or somebody tries to have all of it. What cannot be carried out is refused; nobody
-- else loses a session, and nothing is kept for good.

local function world()
  return {
    target {
      luns = { { size = "16MiB", disk = { latency = "3s" } }, { lun = 1, size = "16MiB" } },
      limits = { memory = "2MiB" },
    },
    host { name = "a" }, host { name = "b" },
  }
end

-- One session does not get all of the memory: so many have a read each that waits for a slow disk, the large ones first, so that
-- less is left than one of the last takes.
local crowd = 22

local function fill(t, blocks)
  local sessions, reads = {}, {}
  for n = 1, crowd do sessions[n] = t:login { host = "a", name = "iqn.2026-11.example:a", isid = n } end
  for n, session in ipairs(sessions) do
    local size = n <= 6 and 512 or n <= 10 and 128 or n <= 14 and 32 or blocks
    reads[n] = session:read { lba = 0, blocks = size, async = true }
    sleep "1ms"
  end
  sleep "1s"
  return reads, sessions[1]
end

scenario {
  title  = "A login for which there is no memory leaves no session behind",
  covers = { "ISCSI-LOGIN-061", "ISCSI-LOGIN-046" },
  needs  = { "simulation" },
  matrix = { blocks = { 8, 16, 32 }, stages = { "operational", "security" } },
  world  = world,
  play   = function(t, case)
    local b = { host = "b", name = "iqn.2026-11.example:b", isid = 9, stages = { case.stages }, clear_unit_attention = false }
    local reads, a = fill(t, case.blocks)
    local first = t:try_login(b)
    if first.successful then first.session:close {} end
    for _, read in ipairs(reads) do expect(read:wait { within = "100s" }):good() end
    expect(t:statistics().sessions):equals(crowd)
    expect(t:statistics().connections):equals(crowd)
    b.within = "5s"
    local second = t:login(b)
    expect(second:read { lun = 1, lba = 0, blocks = 1 }):check_condition("UNIT ATTENTION")
    expect(a:test_unit_ready()):good()
  end,
}

scenario {
  title  = "A write for whose data there is no memory is answered BUSY, and its session goes on",
  covers = { "ISCSI-CMD-010" },
  needs  = { "simulation" },
  matrix = { blocks = { 15, 16, 128 }, unsolicited = { "immediate", "data-out" }, digest = { "None", "CRC32C" } },
  world  = world,
  play   = function(t, case)
    local b = t:login {
      host = "b", name = "iqn.2026-11.example:b", lun = 1,
      keys = {
        InitialR2T = "No", ImmediateData = case.unsolicited == "immediate" and "Yes" or "No", FirstBurstLength = 65536,
        DataDigest = case.digest,
      },
    }
    local old = b:read { lba = 0, blocks = case.blocks }.data
    local new = ("N"):rep(#old)
    local reads = fill(t, 16)
    local writes = {}
    for n = 1, 4 do writes[n] = b:write { lba = 0, data = new, async = true } end
    local statuses = {}
    for n, write in ipairs(writes) do
      local result = write:wait { within = "60s" }
      expect(result.outcome):equals("completed")
      statuses[n] = result.status
      expect(result.status):one_of(0x00, 0x08)
    end
    expect(b.closed):equals(false)
    for _, read in ipairs(reads) do expect(read:wait { within = "100s" }):good() end
    local is_written = false
    for _, status in ipairs(statuses) do is_written = is_written or status == 0 end
    expect(b:read { lba = 0, blocks = case.blocks }.data):equals(is_written and new or old)
    expect(b:write { lba = 0, data = new }):good()
    expect(t:statistics().tasks):equals(0)
  end,
}

scenario {
  title  = "Initiators that do not take the answers to their pings and texts keep memory from nobody",
  covers = { "ISCSI-NOP-011", "SCSI-TASK-013" },
  needs  = { "simulation" },
  matrix = { what = { "ping", "text" }, deaf = { 1, 6 } },
  world  = function(case)
    local memory = case.deaf == 1 and "2MiB" or "8MiB"
    return { target { luns = { { size = "4MiB" } }, limits = { memory = memory } }, host { name = "a" }, host { name = "b" } }
  end,
  play   = function(t, case)
    local good = t:login { host = "a", name = "iqn.2026-11.example:a" }
    local before = t:statistics().buffer_bytes
    local data = case.what == "ping" and ("x"):rep(50000) or ("A=\0"):rep(4000)
    local deaf, senders = {}, {}
    for n = 1, case.deaf do
      local s = t:login {
        host = "b", name = "iqn.2026-11.example:b", isid = n, keys = { MaxRecvDataSegmentLength = 262144 },
      }
      s:stop_receiving()
      deaf[n] = s
      senders[n] = spawn(function()
        for tag = 1, 100 do
          if s.closed then return end
          local request = case.what == "ping" and pdu.nop_out or pdu.text
          s:send(request { immediate = true, itt = tag, data = data })
          sleep "1ms"
        end
      end)
    end
    sleep "1s"
    expect(t:statistics().buffer_bytes - before):at_most(case.deaf << 20)
    expect(good:write { lba = 0, blocks = 256, within = "2s" }):good()
    expect(good:read { lba = 0, blocks = 256, within = "2s" }):good()
    for n = 1, case.deaf do
      deaf[n]:resume_receiving()
      senders[n]:join()
      expect(deaf[n]:test_unit_ready { within = "10s" }):good()
    end
  end,
}

scenario {
  title  = "Data of commands that are ahead of their turn do not fill the memory",
  covers = { "ISCSI-CMDSN-002" },
  needs  = { "simulation" },
  expects_violations = true,
  world  = { target { luns = { { size = "4MiB" } }, limits = { memory = "16MiB" } }, host { name = "a" }, host { name = "b" } },
  play   = function(t)
    local good = t:login { host = "a", name = "iqn.2026-11.example:a" }
    local bad = t:login { host = "b", name = "iqn.2026-11.example:b", keys = { FirstBurstLength = 65536 } }
    local first, before = bad.cmdsn, t:statistics().buffer_bytes
    for n = 1, 200 do
      if bad.closed then break end
      bad:send(pdu.scsi_command {
        cdb = cdb.write10 { lba = 0, blocks = 128 }, write = true, final = true, attribute = 1, itt = 1000 + n,
        cmdsn = first + n, expected_data_transfer_length = 65536, data = ("x"):rep(65536),
      })
      sleep "1ms"
    end
    expect(t:statistics().buffer_bytes - before):at_most(1 << 20)
    expect(good:write { lba = 0, blocks = 2048, within = "2s" }):good()
  end,
}

scenario {
  title  = "A command that waits for memory does not wait for those who have it and wait for its end",
  covers = { "SCSI-TASK-002", "SCSI-TASK-003", "SCSI-TASK-009" },
  needs  = { "simulation" },
  -- The large one waits for memory before the others come, or when they are there.
  matrix = { attribute = { "ordered", "head of queue", "simple" }, large = { "first", "last" } },
  world  = { target { luns = { { size = "64MiB", disk = { latency = "5ms" } } }, limits = { memory = "2MiB" } } },
  play   = function(t, case)
    local s = t:login { name = "iqn.2026-11.example:a" }
    local other = t:login { name = "iqn.2026-11.example:b" }
    -- One session does not get all of the memory; together they have it.
    local crowd = {}
    for n = 1, 20 do crowd[n] = t:login { name = "iqn.2026-11.example:c", isid = n } end
    local slow = s:write { lba = 0, blocks = 8, fua = true, async = true }
    local barrier = case.attribute == "simple" and s:write { lba = 64, blocks = 8, attribute = "ordered", async = true }
    local commands = {}
    local function large()
      commands[#commands + 1] =
        s:write { lba = 8192, blocks = 1024, attribute = case.attribute, async = true, immediate_length = 0 }
    end
    if case.large == "first" then large() end
    for n = 0, 39 do
      commands[#commands + 1] = crowd[n % 20 + 1]:write { lba = 17000 + n * 128, blocks = 128, async = true }
    end
    if case.large == "last" then large() end
    expect(slow:wait { within = "20s" }):good()
    if barrier then expect(barrier:wait { within = "20s" }):good() end
    for _, command in ipairs(commands) do expect(command:wait { within = "20s" }.status):one_of(0x00, 0x08) end
    expect(other:write { lba = 60000, blocks = 64, within = "20s" }):good()
    expect(other:read { lba = 60000, blocks = 512, within = "20s" }):good()
    expect(t:statistics().tasks):equals(0)
  end,
}
