-- What is no iSCSI, or stops in the middle of it: the connection ends, and others are served.

--- Others are served, and in the simulation nothing of it is left.
local function is_well(t)
  local s = t:login { isid = 99 }
  expect(s:write { lba = 0, blocks = 8 }):good()
  expect(s:read { lba = 0, blocks = 8 }):good()
  if t.simulated then
    expect(t:statistics().sessions):equals(1)
    expect(t:statistics().tasks):equals(0)
  end
end

scenario {
  title = "Who talks another protocol is not answered, and not listened to for long",
  covers = { "ISCSI-ROB-005" },
  matrix = {
    what = {
      { label = "HTTP", bytes = "GET / HTTP/1.1\r\nHost: www.example\r\nUser-Agent: none of ours\r\nAccept: */*\r\n\r\n" },
      { label = "TLS", bytes = "\x16\x03\x01\x00\xC8\x01\x00\x00\xC4\x03\x03" .. string.rep("\x5A", 194) },
      { label = "SSH", bytes = "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u2 and some more bytes\r\n" },
      { label = "zeroes", bytes = string.rep("\0", 4096) }, { label = "ones", bytes = string.rep("\xFF", 4096) },
    },
  },
  play = function(t, case)
    local c = t:connect()
    c:send_bytes(case.what.bytes)
    -- Who has not seen that it is nothing waits for the rest of a login.
    expect(c):closes { within = t.simulated and "1s" or "60s" }
    is_well(t)
  end,
}

scenario {
  title = "Bytes drawn by chance end the connection, or are answered as a PDU would be, before a login and behind it",
  covers = { "ISCSI-ROB-001" },
  needs = { "simulation", "dataloss" }, -- some of them may be a command
  expects_violations = true,
  matrix = { phase = { "before", "behind" }, round = { 1, 2, 3, 4, 5, 6, 7, 8 } },
  play = function(t, case)
    for n = 1, 40 do
      local c = case.phase == "before" and t:connect() or t:login { isid = 1 }
      local bytes = random.bytes("bytes", 48 * random.integer("length", 1, 40))
      if n % 2 == 0 then
        -- A header that can be read to its end, of any opcode.
        bytes = bytes:sub(1, 4) .. "\0\0\0" .. string.char(random.integer("data", 0, 200)) .. bytes:sub(9)
      end
      c:send_bytes(bytes)
      sleep "10ms"
      c:close { reset = n % 3 == 0 }
    end
    sleep "20s"
    is_well(t)
  end,
}

scenario {
  title = "A PDU that stops in the middle, and the stream with it, leaves nothing behind",
  covers = { "ISCSI-ROB-003" },
  matrix = { phase = { "before", "behind" }, how = { "end of stream", "reset" } },
  play = function(t, case)
    local places = { 1, 4, 8, 47, 48, 49, 100, 560 }
    for _, place in ipairs(places) do
      local c
      if case.phase == "before" then
        c = t:connect()
        c:send(pdu.login { csg = 1, nsg = 3, transit = true, data = string.rep("X", 600) }, { truncate_at = place })
      else
        c = t:login { isid = 1, keys = { ImmediateData = "Yes" } }
        c:send(pdu.scsi_command {
          write = true, expected_data_transfer_length = 4096, cdb = cdb.write10 { lba = 0, blocks = 1 },
          data = string.rep("x", 1024),
        }, { truncate_at = place })
      end
      sleep "1ms"
      c:close { reset = case.how == "reset" }
    end
    sleep "1s"
    is_well(t)
  end,
}

scenario {
  title = "Of a connection on which a PDU has stopped in the middle the target hears no more, and gives it up",
  covers = { "ISCSI-ROB-004" },
  needs = { "simulation" },
  world = { target { limits = { ping_interval = "5s", ping_timeout = "5s" } } },
  matrix = { place = { 1, 47, 48, 700 } },
  play = function(t, case)
    local s = t:login { isid = 1, keys = { ImmediateData = "Yes" } }
    -- An answer to a ping would be the rest of it.
    s:automatic { answer_pings = false }
    s:send(pdu.scsi_command {
      write = true, expected_data_transfer_length = 65536, cdb = cdb.write10 { lba = 0, blocks = 128 },
      data = string.rep("x", 65536),
    }, { truncate_at = case.place })
    expect(s):closes { within = "20s" }
    expect(t:statistics().sessions):equals(0)
    is_well(t)
  end,
}
