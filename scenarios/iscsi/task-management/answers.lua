-- Task management functions (RFC 7143 §11.5, §11.6): what they answer, and whom they meet.

--- A write that waits for its data to be sent, and the R2T that asks for them.
local function waiting_write(s, lba)
  local write = s:write { lba = lba, blocks = 1, hold_r2ts = true, async = true }
  return write, expect(s:receive { opcode = "r2t" }):pdu { itt = write.itt }
end

local function login(t) return t:login { keys = { InitialR2T = "Yes", ImmediateData = "No" } } end

scenario {
  title = "A task that has ended, or never was, does not exist",
  covers = { "ISCSI-TMF-002", "ISCSI-TMF-004" },
  matrix = { task = { "ended", "far behind", "far ahead" } },
  play = function(t, case)
    local s = login(t)
    local ended = s:send(pdu.scsi_command { cdb = cdb.test_unit_ready {} })
    expect(s:receive { opcode = "scsi response" }):pdu { itt = ended.itt, status = 0 }
    local number = { ended = ended.cmdsn, ["far behind"] = s.cmdsn - 0x10000, ["far ahead"] = s.maxcmdsn + 0x10000 }
    s:send(pdu.task_management {
      immediate = true, ["function"] = 1, itt = 9, refcmdsn = number[case.task] % 0x100000000,
      referenced_task_tag = case.task == "ended" and ended.itt or 0x7A5A5A5A,
    })
    expect(s:receive { opcode = "task management response" }):pdu { itt = 9, response = 1 }
    expect(s:test_unit_ready()):good()
  end,
}

-- SAM-5 §7.3, §7.5, §7.7: all logical units shall support them (SAM-2, which RFC 7143 goes by: all that support tagged tasks).
-- What they do is told by other cases.
scenario {
  title = "The functions about several tasks that every logical unit has are supported",
  covers = { "ISCSI-TMF-009", "ISCSI-TMF-010", "ISCSI-TMF-012" },
  needs = { "reset" },
  matrix = { ["function"] = { "abort task set", "clear task set", "logical unit reset" } },
  play = function(t, case)
    local s = t:login {}
    expect(s:task_management { ["function"] = case["function"] }):response(0)
    -- A reset leaves a unit attention.
    if case["function"] == "logical unit reset" then s:test_unit_ready() end
    expect(s:test_unit_ready()):good()
  end,
}

scenario {
  title = "Of a logical unit that is not there nothing can be aborted or reset",
  covers = { "ISCSI-TMF-008" },
  matrix = { ["function"] = { "abort task set", "clear task set", "logical unit reset" } },
  play = function(t, case)
    local r = t:login {}:task_management { ["function"] = case["function"], lun = 99 }
    -- Who does not have the function, which the case above tells, need not look for the unit.
    expect(r.response):one_of(2, t.simulated and 2 or 5)
  end,
}

scenario {
  title = "Functions that are not supported are answered so",
  covers = { "ISCSI-TMF-015", "ISCSI-PDU-007", "ISCSI-ERL-015", "ISCSI-7144-001" },
  -- 9 to 12 need iSCSIProtocolLevel 2.
  matrix = { ["function"] = { 0, 3, 8, 9, 10, 11, 12, 13, 127 } },
  play = function(t, case)
    local s = t:login {}
    s:send(pdu.task_management { immediate = true, ["function"] = case["function"], itt = 9 })
    local answer = s:receive { opcode = "task management response", within = "1s" }
    if s.closed then return end
    if answer then
      local number, answers = case["function"], { 4, 5, 255 }
      -- CLEAR ACA of a target that has ACA conditions, and none now, may be complete.
      if number == 3 then answers = { 4, 5, 255, 0 } end
      -- A target may do all the same what it was not to be asked for.
      if number >= 9 and number <= 12 and not t.simulated then answers = { 4, 5, 255, 0, 7 } end
      expect(answer.response):one_of(table.unpack(answers))
      -- I_T NEXUS RESET leaves a unit attention.
      if number == 11 and answer.response == 0 then s:test_unit_ready() end
    else
      expect(s:receive { opcode = "reject" }):pdu { reason = { 4, 5, 9 } }
    end
    expect(s:test_unit_ready()):good()
  end,
}

scenario {
  title = "ABORT TASK ends its task without an answer, and late data of it are thrown away",
  covers = { "ISCSI-TMF-001", "ISCSI-TMF-020", "ISCSI-DATA-043" },
  play = function(t)
    local s = login(t)
    local block = s:capacity().block_size
    local before = random.bytes("before", block)
    expect(s:write { lba = 5, data = before }):good()
    local write, r2t = waiting_write(s, 5)
    local data = pdu.data_out { itt = write.itt, ttt = r2t.ttt, lun_raw = r2t.lun_raw, data = string.rep("x", block) }
    s:send(pdu.task_management {
      immediate = true, ["function"] = 1, itt = 9, referenced_task_tag = write.itt, refcmdsn = s.cmdsn - 1,
    })
    -- A target may wait for the data that it has asked for (RFC 7143 §4.2.3.3).
    local answer = s:receive { opcode = "task management response", within = "1s" }
    s:send(data)
    expect(answer or s:receive { opcode = "task management response" }):pdu { itt = 9, response = 0 }
    expect(s:receive { opcode = "scsi response", within = "500ms" }):nothing()
    write:abandon()
    expect(s:read { lba = 5, blocks = 1 }.data):equals(before)
  end,
}

scenario {
  title = "A function in its turn waits for the command before it",
  covers = { "ISCSI-TMF-026", "ISCSI-CMDSN-022" },
  play = function(t)
    local s = t:login {}
    local first = s.cmdsn
    s:send(pdu.task_management { ["function"] = 2, itt = 9, cmdsn = first + 1 })
    local early = s:receive { opcode = "task management response", within = "200ms" }
    -- Who sends out of order may be left (RFC 7143 §4.2.2.1). Ours waits.
    if s.closed and not t.simulated then skip("the target ends a session whose commands come out of order") end
    expect(early):nothing()
    s:send(pdu.scsi_command { itt = 8, cmdsn = first, cdb = cdb.test_unit_ready {} })
    expect(s:receive { opcode = "task management response" }):pdu { itt = 9, response = 0, expcmdsn = first + 2 }
  end,
}
