-- Commands are cut off again and again while the disk has them, and the initiator goes on. The durability model holds every
-- read against what may be there: a write that was cut off may have happened, but not behind a later one.

scenario {
  title  = "Whatever cuts commands off under load, every block stays as it was written last",
  covers = { "ISCSI-SESS-019", "ISCSI-TMF-024" },
  needs  = { "simulation" },
  -- With a window that is smaller than the depth some commands are sent behind a function that was asked for after them.
  matrix = { by = { "reset", "logical unit reset", "abort task set" }, depth = { 4, 24 }, window = { 8, 256 } },
  world  = function(case)
    return {
      target {
        luns = { { size = "1MiB", disk = { latency = "2ms", jitter = "30ms" } } },
        limits = { command_window = case.window },
      },
    }
  end,
  play   = function(t, case)
    local s = t:login {}
    local load = spawn(function()
      workload {
        on = s, ops = 2000, depth = case.depth, mix = { write = 60, read = 30, flush = 10 }, lba = { 0, 63 },
        blocks = { 1, 8 }, fua = 20, tolerate_errors = true,
      }
    end)
    for _ = 1, 60 do
      sleep(random.integer("pause", 1, 60) / 1000)
      if case.by == "reset" then
        fault.network.reset {}
        s:relogin {}
      else
        expect(s:task_management { ["function"] = case.by }):response(0)
      end
    end
    load:join()
    s:test_unit_ready() -- takes the unit attention of a reset
    expect(s:read { lba = 0, blocks = 64 }):good()
    expect(t:statistics().tasks):equals(0)
  end,
}

-- What has left the initiator can be carried out though nobody waits for it any more: until its session is reinstated, which
-- is nothing that another target, or a discovery session, has to do with.

scenario {
  title  = "A write that was lost with its connection may come yet, whatever else the initiator logs in to",
  covers = { "ISCSI-DISC-018" },
  needs  = { "simulation" },
  matrix = { other = { "a discovery session", "another target" } },
  world  = {
    target { iqn = "iqn.2026-11.example:one", portals = { "10.0.0.1:3260" }, luns = { { size = "1MiB" } } },
    target { iqn = "iqn.2026-11.example:two", portals = { "10.0.0.1:3260" }, luns = { { size = "1MiB" } } },
    link { between = { "far", "target" }, latency = "500ms" },
    link { between = { "near", "target" }, latency = "100us" },
  },
  play   = function(t, case)
    local port = { name = "iqn.2026-11.example:lost", isid = 1 }
    local far = t:login { host = "far", name = port.name, isid = port.isid }
    local near = t:login { host = "near", isid = 2 }
    local late = random.bytes("late", 512)
    local task = far:write { lba = 5, data = late, async = true }
    far:close {}
    expect(task:wait()):lost()
    if case.other == "another target" then
      t:login { host = "near", name = port.name, isid = port.isid, target = "iqn.2026-11.example:two" }
    else
      t:login { host = "near", name = port.name, isid = port.isid, target = false, type = "discovery" }
    end
    expect(near:write { lba = 5, blocks = 1 }):good()
    sleep "2s"
    expect(expect(near:read { lba = 5, blocks = 1 }):good().data):equals(late)
  end,
}
