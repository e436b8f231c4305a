-- Residual counts (RFC 7143 §11.4.5): what a command transfers against what the initiator expects.

scenario {
  title = "An expected length without a direction is rejected, or nothing is transferred",
  covers = { "ISCSI-CMD-002", "ISCSI-CMD-001" },
  matrix = {
    fields = { { expected_data_transfer_length = 512 }, { read = true, final = false, expected_data_transfer_length = 512 } },
  },
  play = function(t, case)
    local s = t:login {}
    local fields = { itt = 70, cdb = cdb.test_unit_ready {} }
    for name, value in pairs(case.fields) do fields[name] = value end
    local sent = s:send(pdu.scsi_command(fields))
    local answer = s:receive { opcode = "reject", within = "1s" }
    if s.closed then return end
    if answer then
      expect(answer):pdu { reason = { 4, 9 }, expcmdsn = sent.cmdsn }
      expect(s:receive { opcode = "scsi response", within = "100ms" }):nothing()
      s:set_cmdsn(sent.cmdsn)
    else
      expect(case.fields.final):equals(nil)
      expect(s:receive { opcode = "scsi response" }):pdu { itt = 70, underflow = true, residual_count = 512 }
    end
    expect(s:test_unit_ready()):good()
  end,
}
