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
