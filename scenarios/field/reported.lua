-- What targets got wrong in the field, as initiators met it: the IOP and VUL clauses that no other file has as its own subject.

scenario {
  title = "A write of any size leaves no residual, whichever of its data come unasked",
  covers = { "IOP-01" },
  needs = { "dataloss" },
  matrix = { initial_r2t = { "Yes", "No" } },
  play = function(t, case)
    local s = t:login {
      keys = {
        InitialR2T = case.initial_r2t, ImmediateData = "Yes", FirstBurstLength = 16384, MaxBurstLength = 32768,
        MaxRecvDataSegmentLength = 8192,
      },
    }
    local agreed, block = s.parameters, s:capacity().block_size
    local most = math.min(8192, agreed.FirstBurstLength, agreed.TargetMaxRecvDataSegmentLength)
    if agreed.ImmediateData == "No" then most = 0 end
    for blocks = 1, 64 do
      local data = random.bytes("data", blocks * block)
      local write = s:write { lba = 3, data = data, immediate_length = math.min(most, #data) }
      expect(expect(write):good()):residual(0)
      expect(s:read { lba = 3, blocks = blocks }.data):equals(data)
    end
  end,
}

scenario {
  title = "READ CAPACITY(16) may be the first command to a unit, whatever its number",
  covers = { "IOP-07" },
  world = { target { luns = { { size = "1MiB" }, { lun = 7, size = "2MiB" }, { lun = 300, size = "3MiB" } } } },
  play = function(t)
    local sizes = { [0] = 1, [7] = 2, [300] = 3 }
    for _, lun in ipairs { 300, 7, 0 } do
      local s = t:login { clear_unit_attention = false }
      local r = s:read_capacity16 { lun = lun }
      -- The unit attention of a new nexus comes before it (SAM-5 §5.14).
      if r.status == 2 then
        expect(expect(r):check_condition("UNIT ATTENTION").sense.asc):equals(0x29)
        r = s:read_capacity16 { lun = lun }
      end
      expect(string.unpack(">I8", expect(r):good().data)):equals(sizes[lun] * 2048 - 1)
    end
  end,
}

scenario {
  title = "More long reads than there are buffers for all end, to an initiator that takes them slowly",
  covers = { "IOP-11" },
  needs = { "simulation" },
  world = {
    target { luns = { { size = "64MiB" } }, limits = { memory = "2MiB" } },
    link { between = { "initiator", "target" }, latency = "1ms", bandwidth = "1Gbit/s" },
  },
  play = function(t)
    local s = t:login { keys = { MaxRecvDataSegmentLength = 8192 } }
    local marks, reads = {}, {}
    for number = 0, 31 do
      marks[number] = random.bytes("mark", 512)
      expect(s:write { lba = number * 2048, data = marks[number] }):good()
    end
    for number = 1, 72 do reads[number] = s:read { lba = number % 32 * 2048, blocks = 256, async = true } end
    for number, read in ipairs(reads) do
      local r = expect(read:wait { within = "30s" }):good()
      expect(#r.data):equals(131072)
      expect(r.data:sub(1, 512)):equals(marks[number % 32])
    end
    expect(t:statistics().tasks):equals(0)
  end,
}

scenario {
  title = "Of long transfers some are aborted at any time, and all others end",
  covers = { "IOP-10" },
  needs = { "simulation" },
  world = {
    target { luns = { { size = "64MiB" } } },
    link { between = { "initiator", "target" }, latency = "1ms", bandwidth = "250Mbit/s" },
  },
  play = function(t)
    local s = t:login { keys = { InitialR2T = "Yes" } }
    local tasks, is_aborted, aborted = {}, {}, 0
    for number = 1, 64 do
      local lba = random.integer("place", 0, 31) * 2048
      local kind = number % 2 == 0 and "write" or "read"
      tasks[number] = s[kind](s, { lba = lba, blocks = 512, async = true })
      sleep(random.integer("pause", 0, 3000) * 0.000001)
      local victim = random.integer("victim", math.max(1, number - 8), number)
      if number % 3 == 0 and not tasks[victim].ended then
        local response = s:task_management { ["function"] = "abort task", task = tasks[victim], within = "10s" }.response
        expect(response):one_of(0, 1)
        if response == 0 then is_aborted[victim], aborted = true, aborted + 1 end
      end
    end
    expect(aborted):at_least(1)
    for number, task in ipairs(tasks) do
      if is_aborted[number] then expect(task:wait {}):aborted() else expect(task:wait { within = "30s" }):good() end
    end
    expect(s:read { lba = 0, blocks = 512 }):good()
    expect(t:statistics().tasks):equals(0)
  end,
}

scenario {
  title = "The LUN of Data-Out decides nothing: the data are taken for their task, or rejected",
  covers = { "IOP-14", "IOP-41" },
  needs = { "dataloss" },
  matrix = { lun = { { label = "all ones", raw = -1 }, { label = "0", raw = 0 }, { label = "5", raw = 5 << 48 } } },
  play = function(t, case)
    local s = t:login { keys = { InitialR2T = "Yes", ImmediateData = "No" } }
    local block = s:capacity().block_size
    local old, new = random.bytes("old", block), random.bytes("new", block)
    expect(s:write { lba = 5, data = old }):good()
    local write = s:send(pdu.scsi_command {
      write = true, expected_data_transfer_length = block, cdb = cdb.write10 { lba = 5, blocks = 1 },
    })
    local r2t = expect(s:receive { opcode = "r2t" }):pdu { itt = write.itt }
    s:send(pdu.data_out { itt = write.itt, ttt = r2t.ttt, lun_raw = case.lun.raw, data = new })
    local answer = s:receive { opcode = "scsi response", within = "2s" }
    if answer then
      expect(answer):pdu { itt = write.itt, status = 0 }
      expect(s:read { lba = 5, blocks = 1 }.data):equals(new)
      return
    end
    expect(s:receive { opcode = "reject", within = "10ms" }):pdu { reason = { 4, 9 } }
    -- Nothing of them is written. The initiator may give up, and begin again.
    s:close { reset = true }
    local next = t:login { isid = 9 }
    expect(next:read { lba = 5, blocks = 1 }.data):equals(old)
  end,
}

scenario {
  title = "A command that fails, or has no data, transfers none, and the residual says so",
  covers = { "IOP-19", "SCSI-RS-001" },
  play = function(t)
    local s = t:login {}
    expect(expect(expect(s:test_unit_ready()):good()):residual(0).data):equals("")
    local block, last = s:capacity().block_size, s:capacity().last_lba
    if last < 0xFFFFFFFF then
      local beyond = s:read { cdb = 16, lba = last + 1, blocks = 1, expected = block }
      expect(expect(beyond):check_condition("ILLEGAL REQUEST")):residual(block)
    end
    expect(expect(s:read { lba = 0, blocks = 0, expected = block }):good()):residual(block)
    expect(expect(s:read { lba = 0, blocks = 0, expected = 0 }):good()):residual(0)
    expect(expect(s:inquiry { allocation_length = 0, expected = 96 }):good()):residual(96)
  end,
}

scenario {
  title = "A connection that goes while a function waits for its task takes the function with it",
  covers = { "IOP-37" },
  needs = { "simulation" },
  matrix = { ["function"] = { "abort task", "logical unit reset" }, first = { "connection", "medium" } },
  play = function(t, case)
    local s = t:login { isid = 1 }
    local stuck = fault.disk.stuck { of = { "write" }, times = 1 }
    local write = s:write { lba = 0, blocks = 8, async = true }
    sleep "10ms"
    s:task_management { ["function"] = case["function"], task = write, async = true }
    sleep "10ms"
    if case.first == "medium" then stuck:lift() end
    s:close { reset = true }
    sleep "1s"
    local next = t:login { isid = 2 }
    expect(next:test_unit_ready {}.status):one_of(0x00, 0x02)
    if case.first == "connection" then stuck:lift() end
    expect(next:write { lba = 0, blocks = 8, within = "5s" }.status):one_of(0x00, 0x02)
    expect(next:read { lba = 0, blocks = 8 }):good()
    expect(t:statistics().tasks):equals(0)
    expect(t:statistics().sessions):equals(1)
  end,
}

scenario {
  title = "What was never written reads as zeroes, whatever others have written and read before",
  covers = { "VUL-06" },
  needs = { "simulation" },
  matrix = { kind = { "memory", "medium", "thin" } },
  world = {
    target {
      luns = {
        { size = "4MiB" }, { lun = 1, size = "4MiB", memory = true }, { lun = 2, size = "4MiB", disk = {} },
        { lun = 3, size = "4MiB", thin = true },
      },
    },
  },
  play = function(t, case)
    local s = t:login { name = "iqn.2026-11.example:one" }
    -- The buffers that are used next hold something of this initiator's.
    for number = 0, 15 do
      expect(s:write { lba = number * 512, data = string.rep("\xA5", 262144) }):good()
      expect(s:read { lba = number * 512, blocks = 512 }):good()
    end
    local other = t:login { name = "iqn.2026-11.example:other" }
    local lun = ({ memory = 1, medium = 2, thin = 3 })[case.kind]
    other:test_unit_ready { lun = lun } -- takes the unit attention of a new nexus
    for number = 0, 15 do
      expect(other:read { lun = lun, lba = number * 512, blocks = 512 }.data):equals(string.rep("\0", 262144))
    end
  end,
}

scenario {
  title = "READ BUFFER and WRITE BUFFER bring no byte that is nobody's, nor do short REQUEST SENSE data",
  covers = { "VUL-16" },
  needs = { "simulation" }, -- WRITE BUFFER may change another target's firmware
  matrix = { mode = { 0x00, 0x02, 0x03, 0x0A, 0x0B, 0x0D, 0x1C } },
  play = function(t, case)
    local s = t:login {}
    expect(s:write { lba = 0, data = string.rep("\xA5", 262144) }):good()
    local function buffer(code, id, offset, length)
      return string.pack(">BBBI3I3B", code, case.mode, id, offset, length, 0)
    end
    for _, id in ipairs { 0, 1, 255 } do
      for _, place in ipairs { { 0, 4 }, { 0, 65536 }, { 0xFFFFFC, 4 }, { 0xFFFFFF, 0xFFFFFF } } do
        local offset, length = place[1], place[2]
        local r = s:command { cdb = buffer(0x3C, id, offset, length), read = math.min(length, 65536) }
        -- It is not a command of this target's.
        expect(r):check_condition("ILLEGAL REQUEST", "INVALID COMMAND OPERATION CODE")
        expect(r.data):equals("")
        local wrote = s:command { cdb = buffer(0x3B, id, offset, 4), data = "1234" }
        expect(wrote):check_condition("ILLEGAL REQUEST", "INVALID COMMAND OPERATION CODE")
      end
    end
    for length = 0, 32 do
      local r = expect(s:request_sense { allocation_length = length }):good()
      expect(#r.data):at_most(math.min(length, 18))
      expect(r.data:find("\xA5", 1, true)):equals(nil)
    end
  end,
}

scenario {
  title = "Commands of chance have an answer each, and the target goes on",
  covers = { "VUL-12" },
  needs = { "simulation" }, -- they may stop or lock a unit, and overwrite it
  matrix = { round = { 1, 2, 3, 4 } },
  expects_violations = true,
  play = function(t, case)
    local s = t:login {}
    local lengths = { [0] = 6, 10, 10, 16, 16, 12, 10, 10 }
    local answered = 0
    for number = 1, 250 do
      local code = random.integer("code", 0, 255)
      local bytes = string.char(code) .. random.bytes("cdb", lengths[code >> 5] - 1)
      -- Mostly small ranges, so that some of them are carried out.
      if random.integer("small", 0, 3) > 0 then bytes = bytes:sub(1, 2) .. string.rep("\0", #bytes - 3) .. bytes:sub(-1) end
      local length = ({ 0, 1, 511, 512, 4096, 65537 })[random.integer("length", 1, 6)]
      local direction = random.integer("direction", 0, 2)
      local r = s:command {
        cdb = bytes, read = direction == 1 and length or nil,
        data = direction == 2 and random.bytes("data", length) or nil, within = "10s",
      }
      if r.outcome == "completed" then expect(r.status):one_of(0x00, 0x02, 0x08, 0x18, 0x28) end
      if s.closed then
        s = t:login {}
      else
        expect(r.outcome):one_of("completed", "rejected")
        answered = answered + 1
      end
    end
    expect(answered):at_least(200)
    expect(t:login { isid = 9 }:inquiry()):good()
    expect(t:statistics().tasks):equals(0)
  end,
}
