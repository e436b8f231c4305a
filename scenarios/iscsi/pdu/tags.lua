scenario {
  title = "The reserved task tag makes no task",
  covers = { "ISCSI-PDU-017", "ISCSI-REJ-006" },
  matrix = { kind = { "scsi_command", "text", "task_management" } },
  play = function(t, case)
    local s = t:login {}
    local fields = { itt = 0xFFFFFFFF }
    if case.kind == "scsi_command" then fields.cdb = cdb.test_unit_ready {} end
    if case.kind == "task_management" then fields["function"] = 5 end
    s:send(pdu[case.kind](fields))
    local answer = s:receive { opcode = "reject" }
    if s.closed then return end
    expect(answer):pdu { opcode = "reject", reason = { 4, 9 } }
    expect(s:receive { opcode = "scsi response", within = "1s" }):nothing()
  end,
}

scenario {
  title = "A second command with the tag of a task in progress does not disturb it",
  covers = { "ISCSI-PDU-018", "SCSI-TASK-012" },
  play = function(t)
    local s = t:login { keys = { InitialR2T = "Yes", ImmediateData = "No" } }
    local data = random.bytes("block", s:capacity().block_size)
    local first = s:send(pdu.scsi_command {
      write = true, expected_data_transfer_length = #data, cdb = cdb.write10 { lba = 5, blocks = 1 },
    })
    local r2t = expect(s:receive { opcode = "r2t" }):pdu { itt = first.itt }
    local second = s:send(pdu.scsi_command { itt = first.itt, cdb = cdb.test_unit_ready {} })
    local answer = s:receive { opcode = "reject" }
    if s.closed then return end
    expect(answer):pdu { reason = { 4, 7, 9 } }
    s:send(pdu.data_out { itt = first.itt, ttt = r2t.ttt, lun_raw = r2t.lun_raw, data = data })
    expect(s:receive { opcode = "scsi response" }):pdu { itt = first.itt, status = 0 }
    -- A rejected command leaves a gap in CmdSN, which the next one fills (RFC 7143 §11.17.1).
    s:set_cmdsn(second.cmdsn)
    expect(s:read { lba = 5, blocks = 1 }.data):equals(data)
  end,
}
