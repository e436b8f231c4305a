-- RFC 7143 §11: what is reserved is zero when sent and ignored when received.

scenario {
  title = "Reserved bytes of a NOP-Out are ignored",
  covers = { "ISCSI-PDU-005" },
  matrix = { byte = { 2, 3, 32, 35, 36, 40, 44, 47 } },
  play = function(t, case)
    local s = t:login {}
    expect(s:ping { data = "abc", set = { ["byte" .. case.byte] = 0xFF } }.data):equals("abc")
  end,
}

scenario {
  title = "Reserved bytes of a SCSI Command are ignored",
  covers = { "ISCSI-PDU-005" },
  matrix = { byte = { 2, 3 } },
  play = function(t, case)
    local s = t:login {}
    expect(s:read { lba = 0, blocks = 1, set = { ["byte" .. case.byte] = 0xFF } }):good()
  end,
}

scenario {
  title = "Reserved bytes of a Text Request are ignored",
  covers = { "ISCSI-PDU-005", "ISCSI-TEXT-001" },
  matrix = { byte = { 2, 3, 32, 40, 47 } },
  play = function(t, case)
    local s = t:login {}
    local r = s:text { set = { ["byte" .. case.byte] = 0xFF } }
    expect(r.outcome):equals("text")
    expect(r.data):equals("")
  end,
}

scenario {
  title = "Reserved bytes of a task management request are ignored",
  covers = { "ISCSI-PDU-005" },
  matrix = { byte = { 2, 3, 40, 47 } },
  play = function(t, case)
    local s = t:login {}
    local r = s:task_management { ["function"] = "logical unit reset", set = { ["byte" .. case.byte] = 0xFF } }
    expect(r):response(0)
  end,
}

scenario {
  title = "Reserved bytes of a Logout Request are ignored",
  covers = { "ISCSI-PDU-005" },
  matrix = { byte = { 2, 3, 8, 15, 22, 23, 32, 47 } },
  play = function(t, case)
    local s = t:login {}
    expect(s:logout { set = { ["byte" .. case.byte] = 0xFF } }):response(0)
    expect(s):closes {}
  end,
}

scenario {
  title = "What the target sends has its reserved fields zero",
  covers = { "ISCSI-PDU-006" },
  play = function(t)
    -- The initiator watches all that comes, and reports what breaks the protocol.
    local s = t:login {}
    s:write { lba = 0, blocks = 64 }
    s:read { lba = 0, blocks = 64 }
    s:read { lba = s:capacity().last_lba + 1, blocks = 1 }
    s:ping { data = "x" }
    expect(s:text {}.outcome):equals("text")
    s:send(pdu.raw { opcode = 0x0F, immediate = true })
    local reject = s:receive { opcode = "reject" }
    expect(reject):pdu { opcode = "reject", lun_raw = nil }
    expect(s:logout {}):response(0)
  end,
}
