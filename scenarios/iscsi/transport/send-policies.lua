-- How answers leave the target: in one send, one by one, corked, or by the adaptive rule of the SCST usermode work. None of
-- them may lose, mix up or hold back anything.

local policies = { "batching", "nodelay", "cork", "adaptive-nagle" }

local function world(case)
  return {
    target { send_policy = case.policy, luns = { { memory = true, size = "4MiB" } } },
    host   { name = "a", nagle = case.nagle },
    link   { between = { "a", "target" }, latency = "20us", bandwidth = "1Gbit/s", mtu = 1500 },
  }
end

scenario {
  title  = "Reads and writes by the hundred are all answered, whatever the send policy",
  covers = { "ISCSI-PDU-022" },
  needs  = { "simulation" },
  matrix = { policy = policies, depth = { 1, 7, 64 } },
  world  = world,
  play   = function(t, case)
    local s = t:login { host = "a" }
    local done = workload { on = s, ops = 600, depth = case.depth, mix = { write = 30, read = 70 }, blocks = { 1, 3 } }
    expect(done.reads + done.writes):equals(600)
    expect(done.errors):equals(0)
  end,
}

scenario {
  title  = "A single command is answered at once, right after a flood of them, whatever the send policy",
  covers = { "ISCSI-PDU-022" },
  needs  = { "simulation" },
  matrix = { policy = policies, nagle = { false, true } },
  world  = world,
  play   = function(t, case)
    local s = t:login { host = "a" }
    workload { on = s, ops = 2000, depth = 128, mix = { read = 100 }, blocks = { 1, 1 } }
    for _ = 1, 20 do
      local start = now()
      expect(s:read { lba = 0, blocks = 1 }):good()
      -- A segment that waits for an acknowledgement, or for 200 ms, would take far longer.
      expect(now() - start):at_most(0.005)
    end
  end,
}

-- What adaptive Nagle is for: on one core a segment costs the server more than an answer, and a busy server shares that
-- among the answers that it holds back until the one before is acknowledged.
scenario {
  title  = "A busy server on one core does more under Nagle's algorithm, and one command alone takes as long as without it",
  covers = { "ISCSI-PDU-022" },
  needs  = { "simulation" },
  matrix = { policy = { "nodelay", "adaptive-nagle" } },
  world  = function(case)
    return {
      target { host = "target", send_policy = case.policy, luns = { { null = true, size = "64MiB" } } },
      host   { name = "target", work = { step = "400ns", completion = "150ns", send = "1.5us", segment_out = "5.3us", one_core = true } },
      host   { name = "a" },
      link   { between = { "a", "target" }, latency = "5us", jitter = "0us", bandwidth = "10Gbit/s", mtu = 9000 },
    }
  end,
  play   = function(t, case)
    local s = t:login { host = "a" }
    workload { on = s, ops = 500, depth = 64, mix = { read = 100 }, blocks = { 1, 1 } }
    local start = now()
    workload { on = s, ops = 3000, depth = 64, mix = { read = 100 }, blocks = { 1, 1 } }
    local each = (now() - start) / 3000
    if case.policy == "nodelay" then
      expect(each):at_least(0.0000068)
    else
      expect(each):at_most(0.0000045)
    end
    start = now()
    for _ = 1, 10 do expect(s:read { lba = 0, blocks = 1 }):good() end
    expect((now() - start) / 10):at_most(0.000025)
  end,
}

-- Within one host the target has some answers wait in TCP until the initiator has taken the ones before them. What waits must
-- not wait for an acknowledgement that is delayed: 100 us after the last command it goes.
scenario {
  title  = "An initiator on the target's own host is answered at once, however many commands it keeps outstanding",
  covers = { "ISCSI-PDU-022" },
  needs  = { "simulation" },
  matrix = { depth = { 1, 6, 8, 32 }, blocks = { 1, 44, 128 } },
  world  = {
    target { host = "target", luns = { { null = true, size = "64MiB" } } },
    host   { name = "target", initiator = true, acknowledgement_delay = "40ms" },
  },
  play   = function(t, case)
    local s = t:login { host = "target" }
    local start = now()
    local done = workload { on = s, ops = 640, depth = case.depth, mix = { read = 100 }, blocks = { case.blocks, case.blocks } }
    expect(done.reads):equals(640)
    expect(now() - start):at_most(0.00004 * 640 / case.depth + 0.005)
    for _ = 1, 20 do
      start = now()
      expect(s:read { lba = 0, blocks = 1 }):good()
      expect(now() - start):at_most(0.0005)
    end
  end,
}
