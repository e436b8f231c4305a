-- Error recovery level 0 has no recovery within a session (RFC 7143 §7.1.5, §11.16).

scenario {
  title = "A SNACK is rejected at error recovery level 0, and the session goes on",
  covers = { "ISCSI-SNACK-001", "ISCSI-ERL-001", "ISCSI-PDU-007" },
  -- Those from 4 on are reserved.
  matrix = { type = { 0, 1, 2, 3, 4, 15 } },
  play = function(t, case)
    local s = t:login { keys = { ErrorRecoveryLevel = 0 } }
    s:send(pdu.snack { type = case.type, itt = case.type == 0 and 70 or 0xFFFFFFFF, begrun = 0, runlength = 0 })
    local answer = s:receive { opcode = "reject" }
    if s.closed then return end
    expect(answer):pdu { reason = case.type < 4 and { 3, 4 } or { 3, 4, 9 } }
    expect(s:test_unit_ready()):good()
  end,
}
