scenario {
  title = "RESERVE(6) keeps others out until RELEASE(6) by who holds it",
  covers = { "SCSI-RES6-001", "SCSI-RES6-002", "SCSI-RES6-003", "SCSI-RES6-004", "SCSI-INQ-014" },
  needs = { "2init" },
  play = function(t)
    local a = t:login { name = "iqn.2026-11.example:a" }
    local b = t:login { name = "iqn.2026-11.example:b" }
    expect(a:reserve6()):good()
    expect(a:reserve6()):good()
    for _, command in ipairs { "test_unit_ready", "read", "write", "reserve6", "synchronize_cache" } do
      expect(b[command](b, {})):status("RESERVATION CONFLICT")
    end
    -- Whether the capacity may be read is not said.
    if t.simulated then expect(b:read_capacity10 {}):status("RESERVATION CONFLICT") end
    expect(b:inquiry {}):good()
    expect(b:report_luns {}):good()
    expect(b:request_sense {}):good()
    expect(b:release6()):good()
    expect(b:test_unit_ready()):status("RESERVATION CONFLICT")
    expect(a:write { lba = 0, blocks = 1 }):good()
    expect(a:release6()):good()
    expect(b:test_unit_ready()):good()
  end,
}

scenario {
  title = "A RESERVE(6) reservation ends with its nexus or a reset",
  covers = { "SCSI-RES6-005" },
  needs = { "2init", "reset" },
  matrix = { event = { "logout", "connection loss", "logical unit reset" } },
  play = function(t, case)
    local a = t:login { name = "iqn.2026-11.example:a" }
    local b = t:login { name = "iqn.2026-11.example:b" }
    expect(a:reserve6()):good()
    expect(b:test_unit_ready()):status("RESERVATION CONFLICT")
    if case.event == "logout" then
      a:logout {}
    elseif case.event == "connection loss" then
      a:close { reset = true }
      sleep "1s"
    else
      expect(b:task_management { ["function"] = "logical unit reset" }):response(0)
      expect(b:test_unit_ready()):check_condition("UNIT ATTENTION")
    end
    expect(b:test_unit_ready()):good()
  end,
}

scenario {
  title = "A RESERVE(6) reservation ends with its nexus, though the medium still has a command of it",
  covers = { "SCSI-RES6-005", "ISCSI-SESS-015" },
  needs = { "simulation" },
  matrix = { event = { "logout", "connection loss" }, who = { "the same initiator", "another one" } },
  play = function(t, case)
    local a = t:login { name = "iqn.2026-11.example:a", isid = 1 }
    local b = t:login { name = "iqn.2026-11.example:b" }
    expect(a:reserve6()):good()
    fault.disk.slow { delay = "60s", of = { "write" }, times = 1 }
    a:write { lba = 5, blocks = 1, async = true }
    sleep "10ms"
    if case.event == "logout" then a:logout {} else a:close { reset = true } end
    sleep "1s"
    if case.who == "the same initiator" then b = t:login { name = "iqn.2026-11.example:a", isid = 1 } end
    expect(b:read { lba = 0, blocks = 1 }):good()
  end,
}
