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
