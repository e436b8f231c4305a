-- What an initiator sends behind its last Login Request, before that is answered, while the login waits for the end of the
-- session whose place it takes (RFC 7143 §6.3.5). No initiator should; the target takes it as it was sent.

-- A login behind which `bytes` have come when the old session ends.
local function waiting_login(t, bytes)
  local old = t:login { host = "b", name = "iqn.2026-11.example:b", isid = 1, lun = 1 }
  fault.disk.slow { delay = "2s", of = { "write" }, times = 1, lun = 1 }
  old:write { lba = 5, blocks = 1, async = true }
  sleep "10ms"
  local c = t:connect { host = "b" }
  c:send(pdu.login {
    csg = 1, nsg = 3, transit = true, isid = old.isid, cid = 0, cmdsn = 1,
    text = { InitiatorName = old.name, TargetName = t.iqn, MaxRecvDataSegmentLength = 262144 },
  })
  sleep "100ms"
  c:send_bytes(bytes)
  sleep "3s"
  return c
end

local function world()
  return { target { luns = { { size = "4MiB" }, { lun = 1, size = "4MiB" } } }, host { name = "a" }, host { name = "b" } }
end

-- An immediate NOP-Out with `length` bytes of data to come.
local function ping(length)
  return "\x40\x80\0\0" .. string.pack(">I4", length) .. ("\0"):rep(8) .. string.pack(">I4", 9) .. "\xff\xff\xff\xff" ..
    string.pack(">I4I4", 1, 0) .. ("\0"):rep(16)
end

-- An immediate WRITE(10) of blocks from 100 on, with `length` bytes of immediate data to come.
local function write(length)
  return "\x41\xa1\0\0" .. string.pack(">I4", length) .. ("\0"):rep(8) .. string.pack(">I4I4", 10, length) ..
    string.pack(">I4I4", 1, 0) .. cdb.write10 { lba = 100, blocks = length // 512 } .. ("\0"):rep(6)
end

local test_unit_ready = "\x41\x81\0\0\0\0\0\0" .. ("\0"):rep(8) .. string.pack(">I4I4I4I4", 7, 0, 1, 0) .. ("\0"):rep(16)

scenario {
  title  = "A PDU that begins behind a login that waits arrives as it was sent",
  covers = { "ISCSI-SESS-012" },
  needs  = { "simulation" },
  expects_violations = true,
  matrix = { sent = { 0, 1000, 8144 } },
  world  = world,
  play   = function(t, case)
    local c = waiting_login(t, ping(100000) .. ("A"):rep(case.sent))
    c:send_bytes(("A"):rep(100000 - case.sent))
    expect(c:receive { opcode = "nop-in", within = "5s" }.data):equals(("A"):rep(100000))
  end,
}

scenario {
  title  = "What goes on behind a login that waits is written into nobody else's data",
  covers = { "ISCSI-SESS-012" },
  needs  = { "simulation" },
  expects_violations = true,
  world  = function()
    local w = world()
    w[1] = target { luns = { { size = "4MiB", disk = { latency = "1s" } }, { lun = 1, size = "4MiB" } } }
    return w
  end,
  play   = function(t)
    local other = t:login { host = "a", name = "iqn.2026-11.example:a" }
    local c = waiting_login(t, ping(100000))
    local data, writes = ("V"):rep(8192), {}
    for n = 1, 8 do writes[n] = other:write { lba = 16 * n, data = data, async = true } end
    sleep "100ms"
    c:send_bytes(("A"):rep(4096))
    for n = 1, 8 do
      expect(writes[n]:wait { within = "10s" }):good()
      expect(other:read { lba = 16 * n, blocks = 16 }.data):equals(data)
    end
  end,
}

scenario {
  title  = "A write that begins behind a login that waits is written as it was sent",
  covers = { "ISCSI-SESS-012" },
  needs  = { "simulation" },
  expects_violations = true,
  world  = world,
  play   = function(t)
    local c = waiting_login(t, test_unit_ready .. write(65536) .. ("W"):rep(1000))
    c:send_bytes(("W"):rep(64536))
    c:receive { opcode = "scsi response", within = "5s" }
    expect(c:receive { opcode = "scsi response", within = "5s" }):pdu { status = 0 }
    local other = t:login { host = "a", name = "iqn.2026-11.example:a" }
    expect(other:read { lba = 100, blocks = 128 }.data):equals(("W"):rep(65536))
  end,
}

scenario {
  title  = "More requests than fit into a buffer, behind a login that waits, are all answered",
  covers = { "ISCSI-SESS-012" },
  needs  = { "simulation" },
  expects_violations = true,
  world  = world,
  play   = function(t)
    local c = waiting_login(t, ping(0):rep(400))
    local answers = 0
    while c:receive { opcode = "nop-in", within = "5s" } do answers = answers + 1 end
    expect(answers):equals(400)
  end,
}
