-- A path that works one way, by turns, or badly; and another one that takes its place.

local world = { target { luns = { { size = "4MiB" } } } }

local function load(s, more)
  local options = { on = s, ops = 600, depth = 8, mix = { write = 60, read = 40 }, lba = { 0, 255 }, patience = "30min" }
  for key, value in pairs(more or {}) do options[key] = value end
  return spawn(function() workload(options) end)
end

scenario {
  title  = "A path that is dead one way for a while costs time, and for long the session, whichever way it is",
  covers = { "ISCSI-TIME-008" },
  needs  = { "sim-net", "sim-clock" },
  matrix = { dead = { "to the target", "from the target" }, for_ = { "3s", "10min" } },
  world  = world,
  play   = function(t, case)
    local s = t:login {}
    local busy = load(s)
    sleep "5ms"
    local between = case.dead == "to the target" and { "initiator", "target" } or { "target", "initiator" }
    local cut = fault.network.partition { between = between, one_way = true, for_ = case.for_ }
    if case.for_ == "3s" then
      busy:join()
      expect(s.closed):equals(false)
    else
      -- The target pings after 30 s, and waits as long for an answer.
      sleep "95s"
      expect(t:statistics().sessions):equals(0)
      expect(t:statistics().tasks):equals(0)
      s:relogin { within = "20min" }
      busy:join()
    end
    expect(cut:fired()):at_least(1)
    expect(t:statistics().sessions):equals(1)
  end,
}

scenario {
  title  = "A path that comes and goes, or loses packets, costs nothing but time",
  covers = { "ISCSI-TIME-007" },
  needs  = { "sim-net" },
  matrix = { how = { "short", "long", "loss", "slow", "in pieces" } },
  world  = world,
  play   = function(t, case)
    local s = t:login {}
    local busy = load(s)
    sleep "2ms"
    local trouble
    if case.how == "loss" then
      trouble = fault.network.loss { chance = "1/20" }
    elseif case.how == "slow" then
      trouble = fault.network.slow { latency = "20ms", jitter = "30ms", bandwidth = "2MB/s" }
    elseif case.how == "in pieces" then
      fault.network.split { between = { "target", "initiator" } }
      trouble = fault.network.short { chance = "1/3" }
    else
      trouble = fault.network.flap { down = case.how == "short" and "20ms" or "1s", up = "200ms", for_ = "20s" }
    end
    busy:join()
    expect(trouble:fired()):at_least(1)
    expect(s.closed):equals(false)
  end,
}

scenario {
  title  = "A reset that only one end hears of ends the session there at once, and here with what is sent next",
  covers = { "ISCSI-TIME-006" },
  needs  = { "sim-net" },
  matrix = { heard = { "target", "initiator" } },
  play   = function(t, case)
    local s = t:login {}
    local other = case.heard == "target" and "initiator" or "target"
    expect(fault.network.reset { between = { other, case.heard }, one_way = true }:fired()):equals(1)
    sleep "1s"
    expect(s.closed):equals(case.heard == "initiator")
    expect(t:statistics().sessions):equals(case.heard == "initiator" and 1 or 0)
    if case.heard == "target" then
      expect(s:test_unit_ready()):lost()
    else
      -- Silent as it is, the target has to ask.
      sleep "35s"
      expect(t:statistics().sessions):equals(0)
    end
    s:relogin {}
    expect(s:test_unit_ready()):good()
  end,
}

scenario {
  title  = "When the path to one portal is gone, the other takes the initiator in, and what was written is there",
  covers = { "ISCSI-TIME-016" },
  needs  = { "sim-net", "2path" },
  world  = { target { portals = { "10.0.0.1:3260", "10.0.0.2:3260" }, luns = { { size = "1MiB" } } } },
  play   = function(t)
    local old = t:login { portal = 1, isid = 1 }
    expect(old:write { lba = 0, blocks = 64 }):good()
    local cut = fault.network.partition { between = { "initiator", "10.0.0.1" } }
    local lost = old:write { lba = 32, blocks = 64, async = true }
    local new = t:login { portal = 2, isid = 1 }
    expect(new:read { lba = 0, blocks = 128 }):good()
    expect(new:write { lba = 16, blocks = 64 }):good()
    expect(new:read { lba = 0, blocks = 128 }):good()
    cut:lift()
    expect(lost:wait { within = "10min" }):lost()
    -- It came too late, and changes nothing.
    expect(new:read { lba = 0, blocks = 128 }):good()
    expect(t:statistics().sessions):equals(1)
  end,
}

scenario {
  title  = "Connections for which the listen queue has no room are let in when they try again",
  covers = { "ISCSI-TIME-014" },
  needs  = { "sim-net", "sim-clock" },
  play   = function(t)
    local connected = 0
    t:pause()
    local all = {}
    for n = 1, 200 do
      all[n] = spawn(function()
        t:connect { within = "1min" }
        connected = connected + 1
      end)
    end
    sleep "900ms"
    -- The kernel takes them in, one more than the backlog says, as Linux does.
    expect(connected):equals(129)
    t:resume()
    for _, each in ipairs(all) do each:join() end
    expect(now()):at_least(1)
    sleep "1ms"
    expect(t:statistics().accepts):equals(200)
    expect(t:login {}:test_unit_ready()):good()
  end,
}
