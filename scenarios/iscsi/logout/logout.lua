-- Logout (RFC 7143 §11.14, §11.15).

scenario {
  title = "A logout ends the session, and the target closes",
  covers = { "ISCSI-LOGOUT-001", "ISCSI-LOGOUT-002", "ISCSI-LOGOUT-008", "ISCSI-LOGOUT-012", "IOP-16" },
  matrix = { reason = { "close session", "close connection" }, immediate = { true, false } },
  play = function(t, case)
    local s = t:login {}
    local r = s:logout { reason = case.reason, immediate = case.immediate }
    expect(r):response(0)
    expect(s):closes {}
    expect(t:login {}:test_unit_ready()):good()
  end,
}

scenario {
  title = "An initiator that does not close after its logout is closed",
  covers = { "ISCSI-LOGOUT-014", "ISCSI-LOGOUT-008" },
  needs = { "simulation" },
  play = function(t)
    local s = t:login {}
    s:automatic { close_after_logout = false, close_on_end_of_stream = false }
    s:send(pdu.logout { immediate = true, reason = 0 })
    expect(s:receive { opcode = "logout response" }):pdu { response = 0 }
    expect(s):closes { within = "60s" }
    sleep "10s"
    expect(t:statistics().connections):equals(0)
  end,
}

scenario {
  title = "A command behind a logout has no answer, and is lost with the connection",
  covers = { "ISCSI-LOGOUT-009" },
  needs = { "simulation" },
  play = function(t)
    local s = t:login {}
    s:automatic { close_on_end_of_stream = false }
    s:send(pdu.logout { immediate = true, reason = 0 })
    expect(s:receive { opcode = "logout response" }):pdu { response = 0 }
    expect(s):closes { within = "60s" }
    local task = s:test_unit_ready { async = true }
    sleep "1s"
    expect(task.ended):equals(false)
    s:close { reset = true }
    expect(task:wait {}):lost()
  end,
}

scenario {
  title = "A connection that is not in the session cannot be logged out",
  covers = { "ISCSI-LOGOUT-004" },
  play = function(t)
    local s = t:login {}
    expect(s:logout { reason = "close connection", cid = 77 }):response(1)
    expect(s:test_unit_ready()):good()
  end,
}

scenario {
  title = "Recovery is not offered at error recovery level 0",
  covers = { "ISCSI-LOGOUT-003" },
  play = function(t)
    local s = t:login {}
    local r = s:logout { reason = 2 }
    if r.outcome == "logout" then expect(r):response(2) else expect(r):rejected() end
  end,
}

scenario {
  title = "A reserved reason is rejected",
  covers = { "ISCSI-LOGOUT-013", "ISCSI-PDU-007" },
  matrix = { reason = { 3, 64, 127 } },
  play = function(t, case)
    local s = t:login {}
    s:send(pdu.logout { immediate = true, reason = case.reason })
    local answer = s:receive { opcode = "reject" }
    if s.closed then return end
    expect(answer):pdu { reason = { 4, 9 } }
    expect(s:test_unit_ready()):good()
  end,
}

scenario {
  title = "Commands behind a logout are not carried out",
  covers = { "ISCSI-LOGOUT-009" },
  play = function(t)
    local s = t:login {}
    local block = s:capacity().block_size
    local before = random.bytes("before", block)
    expect(s:write { lba = 9, blocks = 1, data = before }):good()
    s:automatic { close_after_logout = false }
    s:send(pdu.logout { immediate = true, reason = 0 })
    s:send(pdu.scsi_command {
      write = true, expected_data_transfer_length = block, cdb = cdb.write10 { lba = 9, blocks = 1 },
      data = string.rep("x", block),
    })
    expect(s:receive { opcode = "logout response" }):pdu { response = 0 }
    local answer = s:receive { opcode = "scsi response", within = "1s" }
    if answer then expect(answer):closed() end
    expect(t:login { isid = 9 }:read { lba = 9, blocks = 1 }.data):equals(before)
  end,
}

scenario {
  title = "A logout with commands in progress ends them without an answer",
  covers = { "ISCSI-LOGOUT-001", "ISCSI-LOGOUT-006", "VUL-25" },
  needs = { "simulation" },
  matrix = { reason = { 0, 1 } },
  world = { target { luns = { { disk = { latency = "100ms" } } } } },
  play = function(t, case)
    local s = t:login {}
    local tasks = {}
    for number = 1, 32 do tasks[number] = s:read { lba = number, blocks = 1, async = true } end
    sleep "10ms"
    s:send(pdu.logout { immediate = true, reason = case.reason })
    expect(s:receive { opcode = "logout response" }):pdu { response = 0 }
    expect(s):closes {}
    for number = 1, 32 do expect(tasks[number]:wait {}.outcome):differs("completed") end
    expect(t:login {}:test_unit_ready()):good()
  end,
}

scenario {
  title = "A logout in its turn waits for the command before it",
  covers = { "ISCSI-LOGOUT-010" },
  play = function(t)
    local s = t:login {}
    local first = s.cmdsn
    s:send(pdu.logout { reason = 0, cmdsn = first + 1 })
    local early = s:receive { opcode = "logout response", within = "500ms" }
    -- Who sends out of order may be left (RFC 7143 §4.2.2.1). Ours waits.
    if s.closed and not t.simulated then skip("the target ends a session whose commands come out of order") end
    expect(early):nothing()
    s:send(pdu.scsi_command { itt = 8, cmdsn = first, cdb = cdb.test_unit_ready {} })
    expect(s:receive { opcode = "logout response" }):pdu { response = 0 }
  end,
}

scenario {
  title = "Whenever a logout comes among writes, each of them is done or not, and none comes later",
  covers = { "ISCSI-LOGOUT-011", "ISCSI-LOGOUT-006" },
  needs = { "dataloss" },
  play = function(t)
    local blocks = {}
    for round = 1, t.simulated and 200 or 20 do
      local s = t:login { isid = 1 }
      local size = s:capacity().block_size
      local writes = {}
      for n = 1, 16 do
        local data = random.bytes("data", size)
        writes[n] = { lba = n % 8, data = data, task = s:write { lba = n % 8, data = data, async = true } }
      end
      sleep(random.integer("moment", 0, 400) / 1000000)
      expect(s:logout {}):response(0)
      for _, write in ipairs(writes) do
        local r = write.task:wait {}
        if r.outcome == "completed" then expect(r):good() end
        -- What a block may hold: what was there, if nothing is sure to have come since, and what may have.
        local may_hold = blocks[write.lba] or {}
        may_hold[#may_hold + 1] = write.data
        blocks[write.lba] = may_hold
      end
      local next = t:login { isid = 1 }
      for lba = 0, 7 do
        local found = next:read { lba = lba, blocks = 1 }.data
        if round > 1 then expect(found):one_of(table.unpack(blocks[lba])) end
        -- It stays what it is.
        blocks[lba] = { found }
        expect(next:read { lba = lba, blocks = 1 }.data):equals(found)
      end
      expect(next:logout {}):response(0)
    end
    if t.simulated then expect(t:statistics().tasks):equals(0) end
  end,
}
