scenario {
  title = "An opcode that no initiator has is rejected as not supported, and the connection goes on",
  covers = {
    "ISCSI-PDU-008", "ISCSI-PDU-010", "ISCSI-REJ-001", "ISCSI-REJ-002", "ISCSI-REJ-003", "ISCSI-REJ-004",
  },
  matrix = { opcode = { 0x07, 0x0A, 0x0F, 0x11, 0x1B, 0x1C, 0x1D, 0x1E, 0x1F } },
  play = function(t, case)
    local s = t:login {}
    s:send(pdu.raw { opcode = case.opcode, immediate = true, itt = 0x1234 })
    local reject = s:receive { opcode = "reject" }
    expect(reject):pdu { opcode = "reject", reason = 5, itt = 0xFFFFFFFF, datasn = 0 }
    expect(#reject.data):equals(48)
    expect(reject.rejected.opcode_number):equals(case.opcode)
    expect(s:test_unit_ready()):good()
  end,
}

scenario {
  title = "An opcode of the target is no request: it is rejected or ends the connection",
  covers = { "ISCSI-PDU-009", "ISCSI-REJ-009" },
  matrix = { opcode = { 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x31, 0x32, 0x3F } },
  play = function(t, case)
    local s = t:login {}
    s:send(pdu.raw { opcode = case.opcode, itt = 0x1234 })
    local answer = s:receive { opcode = "reject" }
    if s.closed then return end
    expect(answer):pdu { opcode = "reject", reason = { 4, 5, 9 } }
    -- A Reject is not answered by another, and so on for ever.
    expect(s:receive { opcode = "reject", within = "1s" }):nothing()
    expect(s:test_unit_ready()):good()
  end,
}

scenario {
  title = "The immediate bit is no part of the opcode: it says only how CmdSN counts",
  covers = { "ISCSI-PDU-011" },
  matrix = { immediate = { true, false } },
  play = function(t, case)
    local s = t:login {}
    local before = s.cmdsn
    expect(s:ping { data = "x", immediate = case.immediate }.data):equals("x")
    expect(s:test_unit_ready { immediate = case.immediate }):good()
    expect(s.cmdsn - before):equals(case.immediate and 0 or 2)
    expect(s.expcmdsn):equals(s.cmdsn)
  end,
}
