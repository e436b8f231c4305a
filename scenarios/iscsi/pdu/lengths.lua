-- Lengths that lie. RFC 7143 §7.7 and §7.13 leave it to the target to reject or to end the session; nothing else will do.

--- The PDU is rejected or the connection ends; others are served.
local function refused(t, s)
  local answer = s:receive { opcode = "reject" }
  if not s.closed then
    expect(answer):pdu { opcode = "reject", reason = { 4, 9 } }
  end
  expect(t:login { isid = 99 }:test_unit_ready()):good()
end

scenario {
  title = "Additional headers on a PDU that has none are refused",
  covers = { "ISCSI-PDU-012" },
  matrix = { kind = { "nop_out", "text", "logout", "task_management", "snack" }, words = { 1, 255 } },
  play = function(t, case)
    local s = t:login {}
    local ahs = string.rep("\0\1\x3F\0", case.words)
    s:send(pdu[case.kind] { immediate = case.kind ~= "snack", ahs = ahs })
    refused(t, s)
  end,
}

scenario {
  title = "A data segment on a PDU that has none is refused, or skipped",
  covers = { "ISCSI-PDU-013" },
  matrix = { kind = { "logout", "task_management", "snack" } },
  play = function(t, case)
    local s = t:login {}
    local fields = { immediate = case.kind ~= "snack", data = "data" }
    -- ABORT TASK SET: it leaves no unit attention where it is carried out.
    if case.kind == "task_management" then fields["function"] = 2 end
    s:send(pdu[case.kind](fields))
    local answer = s:receive { opcode = "reject", within = "1s" }
    if s.closed then return end
    -- A target need not look for everything that is wrong (RFC 7143 §7.10). Ours has seen this.
    if answer or t.simulated then expect(answer):pdu { reason = { 3, 4, 9 } } end
    -- Nothing of the segment was taken for a PDU.
    expect(s:test_unit_ready()):good()
  end,
}

scenario {
  title = "A data segment as long as the target declared is taken, a longer one is refused",
  covers = { "ISCSI-PDU-014", "ISCSI-NOP-009", "ISCSI-TEXT-012" },
  matrix = { kind = { "nop_out", "text", "data_out" } },
  play = function(t, case)
    local s = t:login { keys = { InitialR2T = "Yes", ImmediateData = "No", MaxBurstLength = 1048576 } }
    local most = s.parameters.TargetMaxRecvDataSegmentLength
    expect(s:ping { data = string.rep("p", most) }.outcome):equals("ping")
    local fields = { immediate = true, data = string.rep("x", most + 4) }
    if case.kind == "data_out" then
      if s.parameters.MaxBurstLength < most + 4 then skip("a burst is no longer than a data segment") end
      local size = s:capacity().block_size
      local blocks = most // size + 1
      local write = s:send(pdu.scsi_command {
        write = true, expected_data_transfer_length = blocks * size, cdb = cdb.write16 { lba = 0, blocks = blocks },
      })
      local r2t = expect(s:receive { opcode = "r2t" }):pdu { itt = write.itt }
      fields = { itt = write.itt, ttt = r2t.ttt, lun_raw = r2t.lun_raw, data = fields.data }
    end
    s:send(pdu[case.kind](fields))
    refused(t, s)
  end,
}

scenario {
  title = "A header that promises 16 MiB gets no room for them and keeps nobody waiting",
  covers = { "ISCSI-PDU-015" },
  needs = { "simulation" },
  matrix = { kind = { "nop_out", "text", "data_out", "scsi_command" } },
  play = function(t, case)
    local s = t:login {}
    local before = t:statistics().buffer_bytes
    s:send(pdu[case.kind] { data_segment_length = 0xFFFFFF })
    sleep "100ms"
    expect(t:statistics().buffer_bytes):at_most(before + 1048576)
    expect(t:login { isid = 99 }:test_unit_ready()):good()
  end,
}
