-- Sessions whose connection is gone. At error recovery level 0 nothing of them is kept (RFC 7143 §6.3.5, §7.14.4).

local solicited = { InitialR2T = "Yes", ImmediateData = "No" }

--- A login to the session `s`, by hand.
local function join(s, t, host)
  local c = t:connect { host = host }
  c:send(pdu.login {
    csg = 1, nsg = 3, transit = true, isid = s.isid, tsih = s.tsih, cid = s.cid,
    text = { "InitiatorName=" .. s.name, "TargetName=" .. t.iqn },
  })
  return c:receive { opcode = "login response" }
end

scenario {
  title = "A session whose connection is lost is over, its tasks with it, and its TSIH is nobody's",
  covers = {
    "ISCSI-TIME-002", "ISCSI-TIME-003", "ISCSI-TIME-005", "ISCSI-SESS-014", "ISCSI-CLR-003", "ISCSI-TIME-004",
  },
  needs = { "simulation" }, -- others may keep it for as long as has been agreed on
  matrix = { how = { "reset", "end of stream" } },
  play = function(t, case)
    local other = t:login { isid = 9 }
    local s = t:login { isid = 1, keys = solicited }
    local old = random.bytes("old", 512)
    expect(s:write { lba = 5, data = old }):good()
    for n = 1, 8 do s:write { lba = 5, data = string.rep("x", 512), hold_r2ts = true, async = true } end
    sleep "10ms"
    expect(t:statistics().tasks):equals(8)
    local session = { isid = s.isid, tsih = s.tsih, cid = s.cid, name = s.name }
    s:close { reset = case.how == "reset" }
    sleep "10ms"
    expect(t:statistics().tasks):equals(0)
    expect(t:statistics().sessions):equals(1)
    expect(join(session, t)):pdu { status = 0x020A }
    -- The nexus is a new one, and its numbers begin anew.
    local new = t:login { isid = 1, clear_unit_attention = false, first_cmdsn = 77 }
    expect(new.expcmdsn):equals(77)
    expect(expect(new:test_unit_ready()):check_condition("UNIT ATTENTION").sense.asc):equals(0x29)
    expect(new:read { lba = 5, blocks = 1 }.data):equals(old)
    expect(other:test_unit_ready()):good()
  end,
}

scenario {
  title = "Who comes back on another way need not wait until the target has noticed that the first one is cut",
  covers = { "ISCSI-SESS-020", "ISCSI-TIME-006" },
  needs = { "simulation" },
  world = { target { luns = { { size = "4MiB" } } }, host { name = "a" }, host { name = "b" } },
  play = function(t)
    local port = { name = "iqn.2026-11.example:port", isid = 1 }
    local first = t:login { host = "a", name = port.name, isid = port.isid }
    local write = first:write { lba = 5, blocks = 8, async = true }
    expect(write:wait()):good()
    local cut = fault.network.partition { between = { "a", "target" } }
    local lost = first:read { lba = 5, blocks = 8, async = true }
    sleep "10ms"
    local second = t:login { host = "b", name = port.name, isid = port.isid, within = "1s" }
    expect(second:read { lba = 5, blocks = 8, within = "1s" }):good()
    expect(t:statistics().sessions):equals(1)
    sleep "5s"
    cut:lift()
    expect(first):closes { within = "5min" }
    expect(lost:wait()):lost()
    expect(second:test_unit_ready()):good()
  end,
}

scenario {
  title = "What a connection that is taken up again has cleared is told at the next command of each unit, and once",
  covers = { "SCSI-UA-020", "ISCSI-CLR-006", "ISCSI-SESS-006" },
  needs = { "simulation" },
  world = {
    target { luns = { { size = "4MiB" }, { lun = 1, size = "4MiB" }, { lun = 2, size = "4MiB", disk = { latency = "1s" } } } },
  },
  play = function(t)
    local s = t:login { keys = solicited }
    for lun = 1, 2 do s:test_unit_ready { lun = lun } end -- takes the unit attention of a new nexus
    local old = random.bytes("old", 512)
    expect(s:write { lba = 5, data = old }):good()
    -- One waits for its data, one is on the medium; of the unit between them there is none.
    local writes = {
      s:write { lba = 5, data = string.rep("x", 512), hold_r2ts = true, async = true },
      s:read { lun = 2, lba = 5, blocks = 1, async = true },
    }
    sleep "10ms"
    -- What has come ahead of its turn has not begun, and comes again.
    s:send(pdu.scsi_command { lun = 1, itt = 70, cmdsn = s.cmdsn + 1, cdb = cdb.test_unit_ready {} })
    sleep "10ms"
    local back = t:login { session = s, cid = s.cid }
    expect(s):closes { within = "1s" }
    for _, write in ipairs(writes) do expect(write:wait()):lost() end
    expect(back.tsih):equals(s.tsih)
    -- RFC 7143 §11.14.5. INQUIRY does not tell it.
    expect(back:inquiry {}):good()
    for lun = 0, 2 do
      local r = back:test_unit_ready { lun = lun }
      if lun ~= 1 then
        expect(r):check_condition("UNIT ATTENTION", "SOME COMMANDS CLEARED BY ISCSI PROTOCOL EVENT")
        r = back:test_unit_ready { lun = lun }
      end
      expect(r):good()
    end
    expect(back:read { lba = 5, blocks = 1 }.data):equals(old)
  end,
}
