-- Task management functions (RFC 7143 §11.5, §11.6): which commands each is about, and which it is not.

local function two_units() return { target { luns = { { size = "4MiB" }, { lun = 1, size = "4MiB" } } } } end

scenario {
  title = "ABORT TASK that names its task on another logical unit aborts nothing",
  covers = { "ISCSI-TMF-007" },
  needs = { "simulation" },
  world = two_units(),
  play = function(t)
    local s = t:login {}
    fault.disk.slow { delay = "1s", of = { "read" }, times = 1 }
    local read = s:read { lba = 0, blocks = 1, async = true }
    sleep "10ms"
    expect(s:task_management { ["function"] = "abort task", task = read, set = { lun = 1 } }):response(1)
    expect(read:wait {}):good()
  end,
}

scenario {
  title = "A command that is aborted before it comes is not carried out when it comes",
  covers = { "ISCSI-TMF-003", "ISCSI-TMF-004" },
  needs = { "dataloss" },
  play = function(t)
    local s = t:login {}
    local block = s:capacity().block_size
    local old = random.bytes("old", block)
    expect(s:write { lba = 5, data = old }):good()
    local late = s.cmdsn
    -- What is neither there nor to come cannot be aborted.
    local function abort(number)
      s:send(pdu.task_management { immediate = true, ["function"] = 1, referenced_task_tag = 0x71, refcmdsn = number })
      return s:receive { opcode = "task management response" }
    end
    expect(abort(late - 100)):pdu { response = 1 }
    -- As if it had been sent, and were still on its way.
    s:set_cmdsn(late + 1)
    expect(abort(late)):pdu { response = 0, expcmdsn = late + 1 }
    s:send(pdu.scsi_command {
      itt = 0x71, cmdsn = late, write = true, expected_data_transfer_length = block,
      cdb = cdb.write10 { lba = 5, blocks = 1 }, data = string.rep("x", block),
    })
    expect(s:receive { opcode = "scsi response", within = "1s" }):nothing()
    expect(s:read { lba = 5, blocks = 1 }.data):equals(old)
  end,
}

--- INQUIRY, ahead of its turn or in it.
local function inquiry(s, cmdsn)
  s:send(pdu.scsi_command {
    itt = 0x72, cmdsn = cmdsn, read = true, expected_data_transfer_length = 36, cdb = cdb.inquiry { allocation_length = 36 },
  })
end

--- A WRITE of block 5, of `block` bytes.
local function write(s, cmdsn, block)
  s:send(pdu.scsi_command {
    itt = 0x70, cmdsn = cmdsn, write = true, expected_data_transfer_length = block,
    cdb = cdb.write10 { lba = 5, blocks = 1 }, data = string.rep("x", block),
  })
end

--- An immediate function that was sent behind the command `cmdsn - 1`, which has not come.
local function overtake(s, number, cmdsn)
  s:send(pdu.task_management {
    immediate = true, itt = 0x71, ["function"] = number, referenced_task_tag = 0xFFFFFFFF, cmdsn = cmdsn,
  })
end

scenario {
  title = "A function is about the commands before it, and not about one behind it that has come already",
  covers = { "ISCSI-TMF-025", "ISCSI-TMF-026" },
  matrix = { ["function"] = { 2, 4, 5 } },
  play = function(t, case)
    local s = t:login {}
    local first = s.cmdsn
    -- The last comes first, and waits for its turn.
    inquiry(s, first + 2)
    s:send(pdu.task_management {
      itt = 0x71, cmdsn = first + 1, ["function"] = case["function"], referenced_task_tag = 0xFFFFFFFF,
    })
    s:send(pdu.scsi_command { itt = 0x70, cmdsn = first, cdb = cdb.test_unit_ready {} })
    local answer = s:receive { opcode = "task management response" }
    -- Who sends out of order may be left (RFC 7143 §4.2.2.1). Ours waits.
    if s.closed and not t.simulated then skip("the target ends a session whose commands come out of order") end
    expect(answer):pdu { itt = 0x71, response = { 0, 5 } }
    expect(s:receive { opcode = "data-in" }):pdu { itt = 0x72 }
  end,
}

scenario {
  title = "An immediate function waits for the commands before it, which are aborted when they come",
  covers = { "ISCSI-CMDSN-015", "ISCSI-TMF-025" },
  needs = { "dataloss" },
  matrix = { ["function"] = { 2, 4, 5 } },
  play = function(t, case)
    local s = t:login {}
    local is_refused = s.parameters.ImmediateData == "No" and not t.simulated
    if is_refused then skip("the target does not agree to ImmediateData=Yes") end
    local block = s:capacity().block_size
    local old = random.bytes("old", block)
    expect(s:write { lba = 5, data = old }):good()
    local first = s.cmdsn
    overtake(s, case["function"], first + 1)
    local early = s:receive { opcode = "task management response", within = "1s" }
    if s.closed and not t.simulated then skip("the target ends a session whose commands come out of order") end
    if early and early.response == 5 and not t.simulated then skip("the target does not support the function") end
    expect(early):nothing()
    inquiry(s, first + 1)
    write(s, first, block)
    expect(s:receive { opcode = "task management response" }):pdu { itt = 0x71, response = 0 }
    -- What was sent behind the function is carried out.
    expect(s:receive { opcode = "data-in" }):pdu { itt = 0x72 }
    expect(s:receive { opcode = "scsi response", within = "1s" }):nothing()
    s:set_cmdsn(first + 2)
    -- A reset leaves a unit attention.
    s:test_unit_ready()
    expect(s:read { lba = 5, blocks = 1 }.data):equals(old)
  end,
}

scenario {
  title = "An immediate function waits for two seconds, and a command before it that comes later is aborted as well",
  covers = { "ISCSI-CMDSN-015" },
  needs = { "simulation" },
  matrix = { ["function"] = { 2, 4, 5 } },
  play = function(t, case)
    local s = t:login {}
    local old = random.bytes("old", 512)
    expect(s:write { lba = 5, data = old }):good()
    local first = s.cmdsn
    overtake(s, case["function"], first + 1)
    expect(s:receive { opcode = "task management response", within = "1900ms" }):nothing()
    expect(s:receive { opcode = "task management response", within = "200ms" }):pdu { itt = 0x71, response = 0, expcmdsn = first }
    sleep "10s"
    write(s, first, 512)
    expect(s:receive { opcode = "scsi response", within = "1s" }):nothing()
    s:set_cmdsn(first + 1)
    s:test_unit_ready()
    expect(s:read { lba = 5, blocks = 1 }.data):equals(old)
    expect(t:statistics().tasks):equals(0)
  end,
}

scenario {
  title = "Behind a target reset no command before it is waited for, and one that comes is ignored",
  covers = { "ISCSI-CMDSN-015", "ISCSI-TMF-013" },
  needs = { "simulation" },
  play = function(t)
    local s = t:login {}
    local old = random.bytes("old", 512)
    expect(s:write { lba = 5, data = old }):good()
    local first = s.cmdsn
    -- Of four before it two are missing, and one behind it waits for its turn.
    for _, number in ipairs { 1, 3 } do
      s:send(pdu.scsi_command { itt = 0x80 + number, cmdsn = first + number, cdb = cdb.test_unit_ready {} })
    end
    inquiry(s, first + 4)
    overtake(s, 6, first + 4)
    expect(s:receive { opcode = "data-in", within = "1s" }):pdu { itt = 0x72, expcmdsn = first + 5 }
    local answer = s:receive { opcode = "task management response", within = "1s" }
    expect(answer):pdu { itt = 0x71, response = 0, expcmdsn = first + 5 }
    write(s, first, 512)
    expect(s:receive { opcode = "scsi response", within = "1s" }):nothing()
    s:set_cmdsn(first + 5)
    s:test_unit_ready()
    expect(s:read { lba = 5, blocks = 1 }.data):equals(old)
  end,
}

scenario {
  title = "A function about several tasks ends those that it is about without an answer, and no others",
  covers = {
    "ISCSI-TMF-009", "ISCSI-TMF-010", "ISCSI-TMF-012", "ISCSI-TMF-013", "ISCSI-CLR-008", "ISCSI-ASYNC-007", "ISCSI-ASYNC-008",
  },
  needs = { "simulation" },
  world = {
    target { luns = { { size = "4MiB", disk = { latency = "1s" } }, { lun = 1, size = "4MiB", disk = { latency = "1s" } } } },
  },
  -- Whose tasks on which unit end, and who is told what by a unit attention there.
  matrix = {
    ["function"] = {
      { label = "abort task set", ends = { a0 = true }, told = {} },
      { label = "clear task set", ends = { a0 = true, b0 = true }, told = { b0 = 0x2F } },
      { label = "logical unit reset", ends = { a0 = true, b0 = true }, told = { a0 = 0x29, b0 = 0x29 } },
      {
        label = "target warm reset", ends = { a0 = true, a1 = true, b0 = true, b1 = true },
        told = { a0 = 0x29, a1 = 0x29, b0 = 0x29, b1 = 0x29 },
      },
    },
  },
  play = function(t, case)
    local sessions, reads = {}, {}
    for _, name in ipairs { "a", "b" } do
      local s = t:login { name = "iqn.2026-11.example:" .. name }
      s:test_unit_ready { lun = 1 } -- takes the unit attention of a new nexus
      sessions[name] = s
      for lun = 0, 1 do reads[name .. lun] = s:read { lun = lun, lba = 0, blocks = 1, async = true } end
    end
    sleep "10ms"
    expect(sessions.a:task_management { ["function"] = case["function"].label }):response(0)
    sleep "2s"
    for place, read in pairs(reads) do
      if not case["function"].ends[place] then
        expect(read:wait()):good()
      elseif place:sub(1, 1) == "a" then
        expect(read:wait()):aborted()
      else
        -- Nobody has told this initiator yet.
        expect(read.ended):equals(false)
        read:abandon()
      end
    end
    for place in pairs(reads) do
      local s, lun = sessions[place:sub(1, 1)], tonumber(place:sub(2))
      local asc = case["function"].told[place]
      if asc then expect(expect(s:test_unit_ready { lun = lun }):check_condition("UNIT ATTENTION").sense.asc):equals(asc) end
      expect(s:test_unit_ready { lun = lun }):good()
    end
    -- Only who has agreed on FastAbort is told by an Asynchronous Message (RFC 7143 §4.2.3.4).
    for _, s in pairs(sessions) do expect(s:receive { opcode = "async message", within = "10ms" }):nothing() end
  end,
}

scenario {
  title = "CLEAR TASK SET is told to those whose commands it has aborted, and to nobody else",
  covers = { "ISCSI-TMF-010", "SCSI-UA-013" },
  needs = { "simulation" },
  play = function(t)
    local function login(name) return t:login { name = "iqn.2026-11.example:" .. name } end
    local a, b, c = login "a", login "b", login "c"
    fault.disk.slow { delay = "1s", of = { "write" }, times = 1 }
    b:write { lba = 0, blocks = 8, async = true }
    sleep "10ms"
    expect(a:task_management { ["function"] = "clear task set" }):response(0)
    expect(b:test_unit_ready()):check_condition("UNIT ATTENTION", "COMMANDS CLEARED BY ANOTHER INITIATOR")
    for _, s in ipairs { a, b, c } do expect(s:test_unit_ready()):good() end
  end,
}

scenario {
  title = "TARGET WARM RESET resets every logical unit, and all sessions go on",
  covers = { "ISCSI-TMF-013" },
  needs = { "simulation" },
  world = two_units(),
  play = function(t)
    local a = t:login { name = "iqn.2026-11.example:a" }
    local b = t:login { name = "iqn.2026-11.example:b" }
    for _, s in ipairs { a, b } do s:test_unit_ready { lun = 1 } end -- takes the unit attention of a new nexus
    expect(a:task_management { ["function"] = "target warm reset" }):response(0)
    for _, s in ipairs { a, b } do
      for lun = 0, 1 do
        local r = expect(s:test_unit_ready { lun = lun }):check_condition("UNIT ATTENTION")
        expect(r.sense.asc):equals(0x29)
        expect(s:test_unit_ready { lun = lun }):good()
      end
    end
  end,
}

scenario {
  title = "TARGET COLD RESET ends all sessions behind its answer",
  covers = { "ISCSI-TMF-014", "ISCSI-CLR-009", "ISCSI-CLR-010", "IOP-48" },
  needs = { "simulation" },
  play = function(t)
    local a = t:login { name = "iqn.2026-11.example:a" }
    local b = t:login { name = "iqn.2026-11.example:b" }
    -- Of what a power on takes: a reservation, and what was changed in a mode page.
    local control = expect(a:mode_sense { page_code = 0x0A, dbd = 1 }):good().data:sub(5)
    local changed = control:sub(1, 2) .. string.char(control:byte(3) | 0x04) .. control:sub(4)
    expect(a:mode_select { data = "\0\0\0\0" .. changed }):good()
    expect(a:reserve6()):good()
    expect(a:task_management { ["function"] = "target cold reset" }):response(0)
    for _, s in ipairs { a, b } do expect(s):closes { within = "5s" } end
    expect(t:statistics().sessions):equals(0)
    for _, name in ipairs { "b", "a" } do
      local s = t:login { name = "iqn.2026-11.example:" .. name, clear_unit_attention = false }
      expect(expect(s:test_unit_ready()):check_condition("UNIT ATTENTION").sense.asc):equals(0x29)
      expect(s:test_unit_ready()):good()
      expect(s:mode_sense { page_code = 0x0A, dbd = 1 }.data:sub(5)):equals(control)
    end
  end,
}

scenario {
  title = "More immediate commands than there is room for are rejected, and can be sent again later",
  covers = { "ISCSI-CMDSN-013", "ISCSI-CMDSN-014" },
  needs = { "simulation" },
  play = function(t)
    local s = t:login {}
    local stuck = fault.disk.stuck { of = { "read" } }
    local reads = {}
    for lba = 1, 200 do reads[lba] = s:read { lba = lba, blocks = 1, immediate = true, async = true } end
    sleep "100ms"
    stuck:lift()
    local taken = 0
    for _, read in ipairs(reads) do
      local r = read:wait {}
      if r.outcome == "rejected" then
        expect(r):rejected("immediate command reject")
      else
        expect(r):good()
        taken = taken + 1
      end
    end
    expect(taken):at_least(1)
    expect(taken):at_most(199)
    expect(s:read { lba = 0, blocks = 1, immediate = true }):good()
  end,
}

scenario {
  title = "A command that is sent again while it is under way is carried out once, and nothing is said of it",
  covers = { "ISCSI-CMDSN-017", "ISCSI-CMDSN-018" },
  needs = { "simulation" },
  play = function(t)
    local s = t:login {}
    fault.disk.slow { delay = "1s", of = { "read" } }
    local read = s:read { lba = 0, blocks = 1, async = true }
    sleep "10ms"
    read:retry()
    expect(s:receive { opcode = "reject", within = "500ms" }):nothing()
    expect(read:wait {}):good()
    expect(s:test_unit_ready()):good()
  end,
}

scenario {
  title = "ABORT TASK finds an immediate command by its tag",
  covers = { "ISCSI-TMF-005" },
  needs = { "simulation" },
  play = function(t)
    local s = t:login {}
    fault.disk.slow { delay = "1s", of = { "read" }, times = 1 }
    local read = s:read { lba = 0, blocks = 1, immediate = true, async = true }
    sleep "10ms"
    expect(s:task_management { ["function"] = "abort task", task = read }):response(0)
    expect(read:wait {}):aborted()
    expect(s:read { lba = 0, blocks = 1, immediate = true }):good()
  end,
}

scenario {
  title = "A function cannot be aborted by another",
  covers = { "ISCSI-TMF-006" },
  needs = { "simulation" },
  play = function(t)
    local s = t:login {}
    fault.disk.slow { delay = "1s", of = { "write" }, times = 1 }
    local write = s:write { lba = 0, blocks = 1, async = true }
    sleep "10ms"
    local reset = s:task_management { ["function"] = "logical unit reset", async = true }
    s:send(pdu.task_management {
      immediate = true, itt = 9, ["function"] = 1, referenced_task_tag = reset.itt, refcmdsn = s.cmdsn,
    })
    expect(s:receive { opcode = "task management response", within = "500ms" }):pdu { itt = 9, response = 255 }
    expect(reset:wait {}):response(0)
    expect(write:wait {}):aborted()
  end,
}

scenario {
  title = "A function about several tasks takes no notice of a task tag, or is rejected for one",
  covers = { "ISCSI-TMF-018" },
  matrix = { ["function"] = { 2, 4, 5 }, tag = { 0, 1 } },
  play = function(t, case)
    local s = t:login {}
    s:send(pdu.task_management {
      immediate = true, itt = 9, ["function"] = case["function"], referenced_task_tag = case.tag,
    })
    local answer = s:receive { opcode = "task management response", within = "5s" }
    if s.closed and not t.simulated then return end
    if answer or t.simulated then
      expect(answer):pdu { itt = 9, response = t.simulated and 0 or { 0, 5, 255 } }
    else
      expect(s:receive { opcode = "reject" }):pdu { reason = { 4, 9 } }
    end
    -- A reset leaves a unit attention.
    s:test_unit_ready()
    expect(s:test_unit_ready()):good()
  end,
}

scenario {
  title = "ABORT TASK and the end of its task meet at any time: either the task has an answer, or it is aborted",
  covers = { "ISCSI-TMF-028", "IOP-46" },
  needs = { "simulation" },
  matrix = { command = { "read", "write" } },
  play = function(t, case)
    local s = t:login {}
    local aborted, answered = 0, 0
    for step = 1, 200 do
      local task = s[case.command](s, { lba = step, blocks = 1, async = true })
      sleep(step * 0.000001)
      local abort = s:task_management {
        ["function"] = "abort task", set = { referenced_task_tag = task.itt, refcmdsn = s.cmdsn - 1 },
      }
      if abort.response == 0 then
        -- An answer that came now would be to nothing.
        expect(task.ended):equals(false)
        task:abandon()
        aborted = aborted + 1
      else
        expect(abort):response(1)
        expect(task:wait { within = "1s" }):good()
        answered = answered + 1
      end
    end
    expect(aborted):at_least(10)
    expect(answered):at_least(10)
    expect(s:read { lba = 0, blocks = 256 }):good()
    expect(t:statistics().tasks):equals(0)
  end,
}

scenario {
  title = "When the medium hangs, what an initiator tries has no answer before the medium has let go, and a new session goes on",
  covers = { "ISCSI-TMF-029", "ISCSI-TIME-013", "IOP-67" },
  needs = { "simulation" },
  play = function(t)
    local s = t:login { isid = 1 }
    local data = string.rep("w", 512)
    local stuck = fault.disk.stuck { of = { "read", "write" }, times = 100 }
    local tasks, aborts = {}, {}
    for n = 1, 100 do
      tasks[n] = n % 2 == 0 and s:read { lba = n, blocks = 1, async = true } or s:write { lba = n, data = data, async = true }
    end
    sleep "20s"
    -- What the medium has can still be carried out.
    for n, task in ipairs(tasks) do aborts[n] = s:task_management { ["function"] = "abort task", task = task, async = true } end
    sleep "20s"
    local reset = s:task_management { ["function"] = "logical unit reset", async = true }
    sleep "20s"
    for _, abort in ipairs(aborts) do expect(abort.ended):equals(false) end
    expect(reset.ended):equals(false)
    expect(s:ping { data = "x", within = "1s" }.data):equals("x")
    s:close { reset = true }
    -- The initiator need not wait, but for blocks that may yet be written.
    local new, writes = t:login { isid = 1, within = "1s" }, {}
    expect(new:write { lba = 200, blocks = 8, within = "1s" }):good()
    for n = 1, 100 do writes[n] = new:write { lba = n, data = string.rep("n", 512), async = true } end
    sleep "5s"
    for n, write in ipairs(writes) do expect(write.ended):equals(n % 2 == 0) end
    stuck:lift()
    for _, write in ipairs(writes) do expect(write:wait { within = "1s" }):good() end
    expect(new:read { lba = 1, blocks = 100 }.data):equals(string.rep("n", 51200))
    expect(t:statistics().tasks):equals(0)
    expect(t:statistics().sessions):equals(1)
  end,
}
