-- The target's process runs out of file descriptors: accepting fails, and connections wait in the backlog.

scenario {
  title  = "A target without descriptors serves those whom it has, and takes others in when it has some again",
  covers = { "ISCSI-TIME-014" },
  needs  = { "simulation" },
  play   = function(t)
    local first = t:login { isid = 1 }
    local shortage = fault.process.no_resources {}
    local second
    local login = spawn(function() second = t:login { isid = 2 } end)
    sleep "2s"
    expect(second == nil):equals(true)
    expect(first:test_unit_ready()):good()
    expect(shortage:fired()):at_least(1)
    -- To try again at once, each time, would be a loop.
    expect(shortage:fired()):at_most(100)
    shortage:lift()
    login:join()
    expect(first:test_unit_ready()):good()
    second:read { lba = 0, blocks = 1 }
  end,
}
