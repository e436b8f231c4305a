-- RFC 7143 §11: what is reserved is zero when sent and ignored when received.

--- The next PDU behind the login's.
local function receive(s, options)
  local came
  repeat came = s:receive(options) until not came or s.closed or came.opcode ~= "login response"
  return came
end

-- Calls `try` once for each reserved place of a header: whole bytes, and the bits of a byte that has fields as well.
local function each(bytes, bits, try)
  for _, range in ipairs(bytes) do
    for place = range[1], range[2] do try { [place] = 0xFF } end
  end
  for place, mask in pairs(bits) do try { [place] = mask } end
end

scenario {
  title = "Reserved bytes and bits of a NOP-Out are ignored",
  covers = { "ISCSI-PDU-005" },
  play = function(t)
    local s = t:login {}
    each({ { 2, 3 }, { 32, 47 } }, { [0] = 0x80, [1] = 0x7F }, function(flip)
      expect(s:ping { data = "abc", flip = flip }.data):equals("abc")
    end)
  end,
}

scenario {
  title = "Reserved bytes and bits of a SCSI Command are ignored",
  covers = { "ISCSI-PDU-005", "ISCSI-7144-001" },
  play = function(t)
    local s = t:login {}
    -- Byte 2 has the priority of RFC 7144, which nobody has agreed on.
    each({ { 2, 3 } }, { [0] = 0x80, [1] = 0x18 }, function(flip)
      expect(s:read { lba = 0, blocks = 1, flip = flip }):good()
    end)
  end,
}

scenario {
  title = "Reserved bytes and bits of a Text Request are ignored",
  covers = { "ISCSI-PDU-005", "ISCSI-TEXT-001" },
  play = function(t)
    local s = t:login {}
    each({ { 2, 3 }, { 32, 47 } }, { [0] = 0x80, [1] = 0x3F }, function(flip)
      local r = s:text { flip = flip }
      expect(r.outcome):equals("text")
      expect(r.data):equals("")
    end)
  end,
}

scenario {
  title = "Reserved bytes and bits of a task management request are ignored",
  covers = { "ISCSI-PDU-005" },
  play = function(t)
    local s = t:login {}
    each({ { 2, 3 }, { 40, 47 } }, { [0] = 0x80 }, function(flip)
      expect(s:task_management { ["function"] = "abort task set", flip = flip }):response(0)
    end)
  end,
}

scenario {
  title = "Reserved bytes and bits of a Logout Request are ignored",
  covers = { "ISCSI-PDU-005" },
  play = function(t)
    each({ { 2, 3 }, { 8, 15 }, { 22, 23 }, { 32, 47 } }, { [0] = 0x80 }, function(flip)
      local s = t:login {}
      expect(s:logout { flip = flip }):response(0)
      expect(s):closes {}
    end)
  end,
}

scenario {
  title = "A task attribute that does not exist is refused, and its command not carried out",
  covers = { "ISCSI-PDU-007", "ISCSI-CMD-005" },
  needs = { "dataloss" },
  matrix = { attribute = { 5, 6, 7 } },
  play = function(t, case)
    local s = t:login {}
    local old = random.bytes("old", s:capacity().block_size)
    expect(s:write { lba = 5, data = old }):good()
    local sent = s:send(pdu.scsi_command {
      attribute = case.attribute, write = true, expected_data_transfer_length = #old,
      cdb = cdb.write10 { lba = 5, blocks = 1 }, data = string.rep("x", #old),
    })
    local answer = receive(s, { within = "5s" })
    if s.closed then
      s:relogin {}
    else
      expect(answer):pdu { opcode = t.simulated and "reject" or { "reject", "scsi response" } }
      if answer.opcode == "reject" then
        expect(answer):pdu { reason = { 4, 9 }, rejected = { itt = sent.itt } }
        s:set_cmdsn(sent.cmdsn)
      else
        expect(answer):pdu { status = 2 }
      end
    end
    expect(s:read { lba = 5, blocks = 1 }.data):equals(old)
  end,
}

scenario {
  title = "What follows a short CDB in its sixteen bytes is ignored",
  covers = { "ISCSI-CMD-017" },
  play = function(t)
    local s = t:login {}
    local size = s:capacity().block_size
    local commands = {
      { cdb = cdb.test_unit_ready {} },
      { cdb = cdb.inquiry { allocation_length = 36 }, read = true, expected_data_transfer_length = 36 },
      { cdb = cdb.read10 { lba = 0, blocks = 1 }, read = true, expected_data_transfer_length = size },
      { cdb = cdb.report_luns { allocation_length = 16 }, read = true, expected_data_transfer_length = 16 },
    }
    for _, command in ipairs(commands) do
      command.cdb = command.cdb .. string.rep("\xFF", 16 - #command.cdb)
      local sent = s:send(pdu.scsi_command(command))
      -- The last Data-In may have the status, or a response behind it.
      local answer = receive(s, {})
      while answer and answer.opcode == "data-in" and not answer.has_status do answer = s:receive {} end
      expect(answer):pdu { opcode = { "data-in", "scsi response" }, itt = sent.itt, status = 0 }
    end
  end,
}

scenario {
  title = "What the target sends has its reserved fields zero",
  covers = { "ISCSI-PDU-006" },
  play = function(t)
    -- The initiator watches all that comes, and reports what breaks the protocol.
    local s = t:login {}
    s:write { lba = 0, blocks = 64 }
    s:read { lba = 0, blocks = 64 }
    s:read { lba = s:capacity().last_lba + 1, blocks = 1 }
    s:ping { data = "x" }
    expect(s:text {}.outcome):equals("text")
    s:send(pdu.raw { opcode = 0x0F, immediate = true })
    local reject = s:receive { opcode = "reject" }
    expect(reject):pdu { opcode = "reject", lun_raw = nil }
    expect(s:logout {}):response(0)
  end,
}
