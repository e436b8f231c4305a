-- Data that were announced or asked for and do not come, from an initiator that answers pings: nobody waits for them for ever.

local function limits(memory) return { ping_interval = "5s", ping_timeout = "5s", memory = memory } end

scenario {
  title  = "Writes whose data do not come hold up nobody for ever",
  covers = { "ISCSI-DATA-042" },
  needs  = { "simulation" },
  -- An ordered one, for which all others wait, or one of as many sessions as there is memory for.
  matrix = { why = { "order", "memory" }, unsolicited = { true, false } },
  world  = {
    target { luns = { { size = "16MiB" } }, limits = limits "2MiB" },
    host { name = "a" }, host { name = "b" },
  },
  play   = function(t, case)
    local good = t:login { host = "a", name = "iqn.2026-11.example:a" }
    local bad = {}
    for number = 1, case.why == "order" and 1 or 15 do
      local s = t:login {
        host = "b", name = "iqn.2026-11.example:b" .. number, keys = { InitialR2T = "No", ImmediateData = "No" },
      }
      s:send(pdu.scsi_command {
        cdb = cdb.write10 { lba = 0, blocks = 256 }, write = true, final = not case.unsolicited,
        attribute = case.why == "order" and 2 or 1, expected_data_transfer_length = 131072,
      })
      bad[number] = s
    end
    sleep "1s"
    local late = good:write { lba = 8192, blocks = 256, immediate_length = 0, async = true }
    sleep "1s"
    expect(late.ended):equals(false)
    expect(late:wait { within = "15s" }):good()
    expect(bad[1].closed):equals(true)
    expect(good:read { lba = 8192, blocks = 256, within = "1s" }):good()
    expect(t:login { host = "b", name = "iqn.2026-11.example:b" }:test_unit_ready()):good()
    -- Some of them had to wait for memory first.
    sleep "15s"
    for _, each in ipairs(bad) do expect(each.closed):equals(true) end
  end,
}

scenario {
  title  = "A write whose data come slowly is waited for",
  covers = { "ISCSI-DATA-042", "ISCSI-ROB-006" },
  needs  = { "simulation" },
  world  = { target { limits = limits() } },
  play   = function(t)
    local s = t:login { keys = { InitialR2T = "Yes", ImmediateData = "No" } }
    local data = random.bytes("blocks", 4096)
    local write = s:send(pdu.scsi_command {
      write = true, expected_data_transfer_length = 4096, cdb = cdb.write10 { lba = 5, blocks = 8 },
    })
    local r2t = s:receive { opcode = "r2t" }
    for n = 0, 7 do
      sleep "4s"
      s:send(pdu.data_out {
        itt = write.itt, ttt = r2t.ttt, lun = 0, datasn = n, buffer_offset = 512 * n, final = n == 7,
        data = data:sub(512 * n + 1, 512 * n + 512),
      })
    end
    expect(s:receive { opcode = "scsi response", within = "1s" }):pdu { itt = write.itt, status = 0 }
    expect(s:read { lba = 5, blocks = 8 }.data):equals(data)
  end,
}
