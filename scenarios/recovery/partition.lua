-- The network goes away under a workload, and comes back.

scenario {
  title  = "A partition that heals before anybody gives up costs nothing but time",
  covers = { "ISCSI-TIME-007" },
  needs  = { "sim-net" },
  play   = function(t)
    local s = t:login {}
    local load = spawn(function()
      workload { on = s, ops = 1000, depth = 16, mix = { write = 50, read = 50 } }
    end)
    sleep "5ms"
    local cut = fault.network.partition { for_ = "3s" }
    load:join()
    expect(cut:fired()):at_least(1)
    expect(now()):at_least(3)
    expect(s.closed):equals(false)
  end,
}

scenario {
  title  = "Writes under way when the connection is reset are there or not, and never in pieces of another",
  covers = { "ISCSI-TIME-009", "SCSI-WRITE-014" },
  needs  = { "sim-net" },
  matrix = { after = { "500us", "2ms", "7ms" } },
  play   = function(t, case)
    local s = t:login {}
    local load = spawn(function()
      workload { on = s, ops = 600, depth = 32, mix = { write = 70, read = 30 }, lba = { 0, 200 } }
    end)
    sleep(case.after)
    fault.network.reset {}
    expect(s):closes { within = "1s" }
    s:relogin {}
    load:join()
  end,
}

scenario {
  title  = "When the initiator is gone for good, the target gives its session up",
  covers = { "ISCSI-TIME-006" },
  needs  = { "sim-net", "sim-clock" },
  play   = function(t)
    local s = t:login {}
    s:write { lba = 0, blocks = 2048, async = true }
    sleep "1ms"
    fault.network.partition {}
    for _ = 1, 400 do
      sleep "1s"
      if t:statistics().sessions == 0 then break end
    end
    expect(t:statistics().sessions):equals(0)
    expect(t:statistics().tasks):equals(0)
  end,
}
