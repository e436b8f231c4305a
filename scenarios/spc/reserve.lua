scenario {
  title = "RESERVE(6) keeps others out until RELEASE(6) by who holds it",
  covers = { "SCSI-RES6-001", "SCSI-RES6-002", "SCSI-RES6-003", "SCSI-RES6-004", "SCSI-INQ-014", "IOP-57" },
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
  matrix = { event = { "logout", "connection loss", "logical unit reset", "target warm reset" } },
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
      local r = b:task_management { ["function"] = case.event }
      if r.response == 5 and case.event == "target warm reset" and not t.simulated then
        skip("the target does not have the function")
      end
      expect(r):response(0)
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

scenario {
  title = "Who holds no reservation may do nothing but ask who is there",
  covers = { "SCSI-RES6-001", "SCSI-UNMAP-013", "SCSI-CAW-012" },
  needs = { "2init", "simulation", "thin", "removable" }, -- SPC-2 leaves some of them open
  play = function(t)
    local a = t:login { name = "iqn.2026-11.example:a" }
    local b = t:login { name = "iqn.2026-11.example:b" }
    local block = string.rep("\0", 512)
    expect(a:reserve6()):good()
    local commands = {
      compare_and_write = { compare = block, write = block }, unmap = { ranges = { { 0, 1 } } },
      mode_select = { data = "" }, read = {}, write = {}, verify = {}, write_and_verify = {}, write_same = {}, orwrite = {},
      prefetch = {}, synchronize_cache = {}, test_unit_ready = {}, mode_sense = { page_code = 0x3F }, read_capacity10 = {},
      read_capacity16 = {}, get_lba_status = {}, start_stop_unit = { start = 1 }, prevent_allow_medium_removal = { prevent = 1 },
      report_target_port_groups = {}, report_supported_operation_codes = {}, report_supported_task_management_functions = {},
      reserve6 = {},
    }
    for name, options in pairs(commands) do expect(b[name](b, options)):status("RESERVATION CONFLICT") end
    for _, name in ipairs { "inquiry", "report_luns", "request_sense", "release6" } do expect(b[name](b, {})):good() end
    -- And it still is who was first.
    for name, options in pairs(commands) do expect(a[name](a, options)):good() end
  end,
}

scenario {
  title = "A host that formats under RESERVE(6) does so undisturbed, and the next one finds what it wrote",
  covers = { "SCSI-RES6-009", "IOP-02" },
  needs = { "2init", "dataloss" },
  play = function(t)
    local a = t:login { name = "iqn.2026-11.example:a" }
    local b = t:login { name = "iqn.2026-11.example:b" }
    local blocks = 65536 // a:capacity().block_size
    for round = 1, 4 do
      local host, other = a, b
      if round % 2 == 0 then host, other = b, a end
      expect(host:reserve6()):good()
      local writes = {}
      for n = 0, 7 do writes[n] = host:write { lba = n * blocks, blocks = blocks, async = true } end
      expect(other:write { lba = 0, blocks = 1 }):status("RESERVATION CONFLICT")
      for n = 0, 7 do expect(writes[n]:wait()):good() end
      expect(host:release6()):good()
      -- The durability model knows what was written.
      for n = 0, 7 do expect(other:read { lba = n * blocks, blocks = blocks }):good() end
    end
  end,
}

scenario {
  title = "What a reset has to say comes before a reservation conflict, what a mode page has to say behind it",
  covers = { "SCSI-TASK-010", "SCSI-UA-006" },
  needs = { "2init", "simulation" },
  play = function(t)
    local a = t:login { name = "iqn.2026-11.example:a" }
    local b = t:login { name = "iqn.2026-11.example:b" }
    -- SAM-5 §5.3.3.
    expect(a:task_management { ["function"] = "logical unit reset" }):response(0)
    a:test_unit_ready()
    local control = expect(a:mode_sense { page_code = 0x0A, dbd = 1 }):good().data:sub(5)
    expect(a:mode_select { data = "\0\0\0\0" .. control:sub(1, 2) .. "\6" .. control:sub(4) }):good()
    expect(a:reserve6()):good()
    expect(expect(b:test_unit_ready()):check_condition("UNIT ATTENTION").sense.asc):equals(0x29)
    expect(b:test_unit_ready()):status("RESERVATION CONFLICT")
    expect(a:release6()):good()
    expect(b:test_unit_ready()):check_condition("UNIT ATTENTION", "MODE PARAMETERS CHANGED")
    expect(b:test_unit_ready()):good()
  end,
}
