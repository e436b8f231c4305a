-- NOP-Out and NOP-In (RFC 7143 §11.18, §11.19).

scenario {
  title = "A ping comes back with its data",
  covers = { "ISCSI-NOP-001", "ISCSI-NOP-009" },
  matrix = { length = { 0, 1, 4, 5, 4096, 8192 }, immediate = { true, false } },
  play = function(t, case)
    local s = t:login {}
    if case.length > s.parameters.TargetMaxRecvDataSegmentLength then skip("the target takes no PDUs so long") end
    local data = random.bytes("ping", case.length)
    local r = s:ping { data = data, immediate = case.immediate }
    expect(r.data):equals(data)
  end,
}

scenario {
  title = "An echo is as long as the initiator takes, and no longer",
  covers = { "ISCSI-NOP-002" },
  matrix = { most = { 512, 1000, 4096 } },
  play = function(t, case)
    local s = t:login { keys = { MaxRecvDataSegmentLength = case.most } }
    local data = random.bytes("ping", math.min(8192, s.parameters.TargetMaxRecvDataSegmentLength))
    s:send(pdu.nop_out { immediate = true, itt = 9, data = data })
    local r = s:receive { opcode = "nop-in" }
    expect(r):pdu { itt = 9, ttt = 0xFFFFFFFF }
    expect(r.data):equals(string.sub(data, 1, case.most))
  end,
}

scenario {
  title = "A NOP-Out without a task tag has no answer and counts for nothing",
  covers = { "ISCSI-NOP-003" },
  play = function(t)
    local s = t:login {}
    local before = s.cmdsn
    s:send(pdu.nop_out { immediate = true, itt = 0xFFFFFFFF })
    expect(s:receive { opcode = "nop-in", within = "1s" }):nothing()
    expect(s:test_unit_ready()):good()
    expect(s.expcmdsn):equals(before + 1)
  end,
}

scenario {
  title = "A NOP-Out without a task tag that is not immediate is rejected or ignored",
  covers = { "ISCSI-NOP-004" },
  play = function(t)
    local s = t:login {}
    local sent = s:send(pdu.nop_out { itt = 0xFFFFFFFF })
    local answer = s:receive { opcode = "reject", within = "1s" }
    if s.closed then return end
    if answer or t.simulated then
      expect(answer):pdu { reason = { 4, 9 } }
      s:set_cmdsn(sent.cmdsn)
    end
    expect(s:test_unit_ready()):good()
  end,
}

scenario {
  title = "A ping in its turn is answered behind the commands before it",
  covers = { "ISCSI-NOP-008", "ISCSI-CMDSN-001" },
  play = function(t)
    local s = t:login {}
    local first = s.cmdsn
    -- The ping comes before the command that it follows.
    s:send(pdu.nop_out { itt = 9, cmdsn = first + 1 })
    local early = s:receive { opcode = "nop-in", within = "100ms" }
    -- Who sends out of order may be left (RFC 7143 §4.2.2.1). Ours waits.
    if s.closed and not t.simulated then skip("the target ends a session whose commands come out of order") end
    expect(early):nothing()
    s:send(pdu.scsi_command { itt = 8, cmdsn = first, cdb = cdb.test_unit_ready {} })
    expect(s:receive { opcode = "scsi response" }):pdu { itt = 8, status = 0 }
    expect(s:receive { opcode = "nop-in" }):pdu { itt = 9, expcmdsn = first + 2 }
  end,
}

scenario {
  title = "Very many pings at once are answered or refused, and memory stays bounded",
  covers = { "ISCSI-NOP-011" },
  needs = { "simulation" },
  play = function(t)
    local s = t:login {}
    s:stop_receiving()
    for number = 1, 2000 do s:send(pdu.nop_out { immediate = true, itt = number, data = string.rep("p", 4096) }) end
    sleep "1s"
    expect(t:statistics().buffer_bytes):at_most(16 * 1048576)
    expect(t:login { isid = 9 }:test_unit_ready()):good()
    s:resume_receiving()
    sleep "5s"
    if not s.closed then expect(s:test_unit_ready()):good() end
  end,
}

scenario {
  title = "A ping is answered while the medium is stuck",
  covers = { "ISCSI-NOP-010" },
  needs = { "simulation" },
  world = { target { luns = { { disk = { latency = "60s" } } } } },
  play = function(t)
    local s = t:login {}
    local stuck = s:read { lba = 0, blocks = 1, async = true }
    expect(s:ping { data = "x", immediate = true, within = "1s" }.data):equals("x")
    expect(s:ping { data = "y", within = "1s" }.data):equals("y")
    expect(stuck:wait { within = "120s" }):good()
  end,
}

scenario {
  title = "The target pings a quiet session, and is content with the answer",
  covers = { "ISCSI-NOP-005", "ISCSI-NOP-006", "ISCSI-STATSN-004" },
  needs = { "simulation" },
  matrix = { lun = { 0, 3, 300 } },
  world = function(case)
    return { target { luns = { { lun = case.lun, size = "1MiB" } }, limits = { ping_interval = "5s", ping_timeout = "5s" } } }
  end,
  play = function(t, case)
    local s = t:login {}
    local number = s.expstatsn
    local r = s:receive { opcode = "nop-in", within = "20s" }
    -- RFC 7143 §11.19.2, §11.19.3: with a tag for the answer there is the LUN of a unit; StatSN is the next, and not taken.
    expect(r):pdu { itt = 0xFFFFFFFF, data = "", lun = case.lun, statsn = number }
    expect(r.ttt):differs(0xFFFFFFFF)
    s:send(pdu.nop_out { immediate = true, itt = 9 })
    expect(s:receive { opcode = "nop-in" }):pdu { itt = 9, statsn = number }
    -- The initiator answers by itself.
    expect(s):stays_open { for_ = "60s" }
    expect(s:test_unit_ready()):good()
  end,
}

scenario {
  title = "What is no answer to the target's ping is rejected, and the answer is taken all the same",
  covers = { "ISCSI-NOP-005" },
  needs = { "simulation" },
  world = { target { limits = { ping_interval = "5s", ping_timeout = "5s" } } },
  play = function(t)
    local s = t:login {}
    s:automatic { answer_pings = false }
    local ping = expect(s:receive { opcode = "nop-in", within = "20s" }):pdu { itt = 0xFFFFFFFF }
    local function answer(tag)
      s:send(pdu.nop_out { immediate = true, itt = 0xFFFFFFFF, ttt = tag, lun_raw = ping.lun_raw })
    end
    answer(ping.ttt ~ 1)
    expect(s:receive { opcode = "reject", within = "1s" }):pdu { reason = 9, rejected = { ttt = ping.ttt ~ 1 } }
    answer(ping.ttt)
    expect(s:receive { opcode = "reject", within = "1s" }):nothing()
    s:automatic {}
    expect(s):stays_open { for_ = "60s" }
    expect(s:test_unit_ready()):good()
  end,
}

scenario {
  title = "A session that does not answer the target's ping ends",
  covers = { "ISCSI-NOP-007" },
  needs = { "simulation" },
  world = { target { limits = { ping_interval = "5s", ping_timeout = "5s" } } },
  play = function(t)
    local s = t:login {}
    s:automatic { answer_pings = false }
    expect(s):closes { within = "20s" }
    expect(t:statistics().sessions):equals(0)
    expect(t:login {}:test_unit_ready()):good()
  end,
}
