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
  matrix = { kind = { "nop_out", "text", "logout", "task_management" }, words = { 1, 255 } },
  play = function(t, case)
    local s = t:login {}
    local ahs = string.rep("\0\1\x3F\0", case.words)
    s:send(pdu[case.kind] { immediate = true, ahs = ahs })
    refused(t, s)
  end,
}

scenario {
  title = "A data segment on a PDU that has none is refused, or skipped",
  covers = { "ISCSI-PDU-013" },
  matrix = { kind = { "logout", "task_management" } },
  play = function(t, case)
    local s = t:login {}
    local fields = { immediate = true, data = "data" }
    -- ABORT TASK SET: it leaves no unit attention where it is carried out.
    if case.kind == "task_management" then fields["function"] = 2 end
    s:send(pdu[case.kind](fields))
    sleep "1s"
    if s.closed then return end
    -- Nothing of the segment was taken for a PDU.
    expect(s:test_unit_ready()):good()
  end,
}

scenario {
  title = "A data segment as long as the target declared is taken, a longer one is refused",
  covers = { "ISCSI-PDU-014", "ISCSI-NOP-009", "ISCSI-TEXT-012" },
  matrix = { kind = { "nop_out", "text" } },
  play = function(t, case)
    local s = t:login {}
    local most = s.parameters.TargetMaxRecvDataSegmentLength
    expect(s:ping { data = string.rep("p", most) }.outcome):equals("ping")
    s:send(pdu[case.kind] { immediate = true, data = string.rep("x", most + 4) })
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
