-- Additional header segments (RFC 7143 §11.2.2). Ours knows the one with the rest of a long CDB; no command of its is so long.

-- A segment: AHSLength counts all behind the type byte but the padding.
local function segment(type, length, content)
  local bytes = string.pack(">I2B", length, type) .. content
  return bytes .. string.rep("\0", -#bytes % 4)
end

-- The rest of a CDB of `length` bytes.
local function extended(length, byte)
  return segment(1, length - 15, "\0" .. string.rep(byte or "\0", length - 16))
end

local bidirectional = segment(2, 5, string.pack(">I1I4", 0, 512))

--- The next PDU behind the login's.
local function receive(s, options)
  local came
  repeat came = s:receive(options) until not came or s.closed or came.opcode ~= "login response"
  return came
end

-- The PDU is rejected, or its command refused, or the connection ends; what came behind it is found, and others are served.
local function refused(t, s, sent, reasons)
  local answer = receive(s, { within = "5s" })
  if not s.closed then
    expect(answer):pdu { opcode = { "reject", "scsi response" } }
    if answer.opcode == "scsi response" then
      expect(answer):pdu { itt = sent.itt, status = 2, sense = { key = "ILLEGAL REQUEST" } }
    else
      expect(answer):pdu { reason = reasons or { 4, 9 }, rejected = { itt = sent.itt } }
      -- What was rejected has left its number open.
      s:set_cmdsn(sent.cmdsn)
    end
    expect(s:test_unit_ready()):good()
  end
  expect(t:login { isid = 9 }:test_unit_ready()):good()
end

scenario {
  title = "A CDB that goes on in an additional header is read whole, whatever its padding, or its command refused",
  covers = { "ISCSI-AHS-001", "ISCSI-AHS-003", "ISCSI-AHS-010", "ISCSI-DIG-004", "ISCSI-PDU-020" },
  -- With 36 bytes it is as long as CDBs are; 260 bytes are the most that SPC-4 has.
  matrix = { length = { 17, 18, 19, 20, 32, 36, 260 }, digest = { "None", "CRC32C" }, data = { 0, 5, 512 } },
  play = function(t, case)
    local s = t:login { keys = { HeaderDigest = case.digest, DataDigest = case.digest } }
    if case.data > 0 and s.parameters.ImmediateData == "No" and not t.simulated then
      skip("the target does not agree to ImmediateData=Yes")
    end
    -- 7Fh is the code of commands of 32 bytes. There is none without a service action.
    local sent = s:send(pdu.scsi_command {
      cdb = "\x7F" .. string.rep("\0", case.length - 1), write = case.data > 0, expected_data_transfer_length = case.data,
      data = string.rep("d", case.data),
    })
    if t.simulated then
      expect(receive(s, { within = "5s" })):pdu {
        opcode = "scsi response", itt = sent.itt, status = 2, sense = { key = "ILLEGAL REQUEST", asc = 0x20, ascq = 0 },
      }
      return expect(s:test_unit_ready()):good()
    end
    refused(t, s, sent)
  end,
}

scenario {
  title = "Additional headers that are none, or that no command has, are refused, and not read beyond their end",
  covers = {
    "ISCSI-AHS-002", "ISCSI-AHS-004", "ISCSI-AHS-005", "ISCSI-AHS-006", "ISCSI-AHS-009", "ISCSI-AHS-010",
  },
  needs = { "dataloss" },
  matrix = {
    ahs = {
      { label = "a CDB that would have fitted", bytes = segment(1, 1, "\0") },
      { label = "longer than all of them", bytes = string.pack(">I2B", 17, 1) .. "\0" },
      { label = "of no length", bytes = segment(1, 0, "\0") },
      { label = "with zeroes behind it", bytes = segment(1, 5, "\0\0\0\0\0") .. string.rep("\0", 32) },
      { label = "of type 0", bytes = segment(0, 5, "\0\0\0\0\0") }, { label = "of type 3", bytes = segment(3, 5, "\0\0\0\0\0") },
      { label = "of type 63", bytes = segment(63, 5, "\0\0\0\0\0") },
      { label = "two that read both ways", bytes = extended(32) .. bidirectional },
      { label = "the same the other way round", bytes = bidirectional .. extended(32) },
      { label = "two CDBs", bytes = extended(32) .. extended(32) },
      { label = "as long as can be", bytes = segment(1, 1017, string.rep("\xFF", 1017)) },
    },
    digest = { "None", "CRC32C" },
  },
  play = function(t, case)
    local s = t:login { keys = { HeaderDigest = case.digest, DataDigest = case.digest } }
    local old = random.bytes("old", s:capacity().block_size)
    expect(s:write { lba = 5, data = old }):good()
    local sent = s:send(pdu.scsi_command {
      ahs = case.ahs.bytes, write = true, expected_data_transfer_length = #old, cdb = cdb.write10 { lba = 5, blocks = 1 },
      data = string.rep("x", #old),
    })
    if t.simulated then
      refused(t, s, sent)
      return expect(t:login { isid = 9 }:read { lba = 5, blocks = 1 }.data):equals(old)
    end
    -- A target may also overlook what it does not know.
    local answer = receive(s, { within = "5s" })
    if not s.closed then expect(answer):pdu { opcode = { "reject", "scsi response", "r2t" } } end
    expect(t:login { isid = 9 }:test_unit_ready()):good()
  end,
}

scenario {
  title = "A command with data both ways is refused, with the length of what it reads and without",
  covers = { "ISCSI-AHS-007", "ISCSI-AHS-008" },
  needs = { "simulation" }, -- another target may have such commands
  matrix = { has_length = { true, false } },
  play = function(t, case)
    local s = t:login {}
    -- XDWRITEREAD(10) of one block.
    local sent = s:send(pdu.scsi_command {
      ahs = case.has_length and bidirectional or "", read = true, write = true, expected_data_transfer_length = 512,
      cdb = "\x53\0\0\0\0\0\0\0\1\0", data = string.rep("x", 512),
    })
    refused(t, s, sent)
  end,
}

scenario {
  title = "A Reject of a PDU with additional headers has the PDU's header, and no more than its additional ones behind it",
  covers = { "ISCSI-AHS-011", "ISCSI-REJ-001" },
  matrix = { words = { 1, 4, 255 } },
  play = function(t, case)
    local s = t:login {}
    local ahs = string.rep("\0\1\x3F\0", case.words)
    s:send(pdu.raw { opcode = 0x0F, immediate = true, itt = 0x1234, ahs = ahs })
    local reject = s:receive { opcode = "reject" }
    if s.closed and not t.simulated then return end
    expect(reject):pdu { reason = { 4, 5, 9 }, rejected = { itt = 0x1234, total_ahs_length = case.words } }
    expect(#reject.data):one_of(48, 48 + #ahs)
    if #reject.data > 48 then expect(reject.data:sub(49)):equals(ahs) end
    expect(s:test_unit_ready()):good()
  end,
}
