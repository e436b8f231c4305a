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

scenario {
  title = "A function is about the commands before it, and not about one behind it that has come already",
  covers = { "ISCSI-TMF-025", "ISCSI-TMF-026" },
  matrix = { ["function"] = { 2, 4, 5 } },
  play = function(t, case)
    local s = t:login {}
    local first = s.cmdsn
    -- The last comes first, and waits for its turn.
    s:send(pdu.scsi_command {
      itt = 0x72, cmdsn = first + 2, read = true, expected_data_transfer_length = 36,
      cdb = cdb.inquiry { allocation_length = 36 },
    })
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
  covers = { "ISCSI-TMF-014" },
  needs = { "simulation" },
  play = function(t)
    local a = t:login { name = "iqn.2026-11.example:a" }
    local b = t:login { name = "iqn.2026-11.example:b" }
    expect(a:task_management { ["function"] = "target cold reset" }):response(0)
    for _, s in ipairs { a, b } do expect(s):closes { within = "5s" } end
    expect(t:login { name = "iqn.2026-11.example:a" }:test_unit_ready()):good()
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
