-- Text Requests in the full-feature phase (RFC 7143 §6.4, §11.10, §11.11).

--- Data come in segments as long as the 8192 bytes of the login. A target may always send shorter ones. Ours does not.
local function expect_segments(t, s)
  if not t.simulated then return end
  s:send(pdu.scsi_command {
    read = true, expected_data_transfer_length = 8192, cdb = cdb.read10 { lba = 0, blocks = 16 },
  })
  expect(#s:receive { opcode = "data-in" }.data):equals(8192)
end

--- The next PDU behind the login's.
local function receive(s, options)
  local came
  repeat came = s:receive(options) until not came or s.closed or came.opcode ~= "login response"
  return came
end

scenario {
  title = "An empty Text Request has an empty answer that ends the exchange",
  covers = { "ISCSI-TEXT-001", "ISCSI-TEXT-004" },
  play = function(t)
    local s = t:login {}
    s:send(pdu.text { immediate = true })
    expect(s:receive { opcode = "text response" }):pdu { final = true, ttt = 0xFFFFFFFF, data = "" }
    expect(s:test_unit_ready()):good()
  end,
}

scenario {
  title = "C together with F is rejected",
  covers = { "ISCSI-TEXT-002" },
  play = function(t)
    local s = t:login {}
    s:send(pdu.text { immediate = true, final = true, continue = true, data = "SendTargets=" })
    local answer = s:receive { opcode = "reject" }
    if s.closed then return end
    expect(answer):pdu { reason = { 4, 9 } }
    expect(s:test_unit_ready()):good()
  end,
}

scenario {
  title = "A request in pieces: each but the last has an empty answer with a tag that continues it",
  covers = { "ISCSI-TEXT-003", "ISCSI-TEXT-004", "ISCSI-LOGIN-016" },
  matrix = { cut = { 1, 11, 12, 14, 16 } },
  play = function(t, case)
    local s = t:login { type = "discovery", target = false }
    local text = "SendTargets=All\0"
    s:send(pdu.text { immediate = true, final = false, continue = true, itt = 77, data = string.sub(text, 1, case.cut) })
    local r = s:receive { opcode = "text response" }
    expect(r):pdu { final = false, itt = 77, data = "" }
    expect(r.ttt):differs(0xFFFFFFFF)
    s:send(pdu.text { immediate = true, itt = 77, ttt = r.ttt, lun_raw = r.lun_raw, data = string.sub(text, case.cut + 1) })
    r = s:receive { opcode = "text response" }
    expect(r):pdu { final = true, itt = 77, ttt = 0xFFFFFFFF }
    expect(r.data):contains("TargetName=" .. t.iqn .. "\0")
  end,
}

scenario {
  title = "Another tag, or I bit, in the middle of an exchange is rejected",
  covers = { "ISCSI-TEXT-005", "ISCSI-DISC-011" },
  matrix = { wrong = { "itt", "ttt", "immediate" }, immediate = { true, false } },
  play = function(t, case)
    local s = t:login {}
    s:send(pdu.text { immediate = case.immediate, final = false, continue = true, itt = 77, data = "Send" })
    local r = expect(s:receive { opcode = "text response" }):pdu { final = false, itt = 77 }
    local fields = { immediate = case.immediate, data = "Targets=\0", itt = 77, ttt = r.ttt, lun_raw = r.lun_raw }
    if case.wrong == "itt" then
      fields.itt = 78
    elseif case.wrong == "ttt" then
      fields.ttt = r.ttt + 1
    else
      fields.immediate = not case.immediate
    end
    local sent = s:send(pdu.text(fields))
    local answer = receive(s, { within = "5s" })
    if s.closed then return end
    -- Not to look at the I bit does no harm. Ours does.
    if answer.opcode == "text response" and case.wrong == "immediate" and not t.simulated then
      return expect(answer):pdu { final = true, itt = 77 }
    end
    expect(answer):pdu { opcode = "reject", reason = { 4, 9 } }
    if not fields.immediate then s:set_cmdsn(sent.cmdsn) end
    expect(s:test_unit_ready()):good()
  end,
}

scenario {
  title = "The reserved transfer tag in the middle of an exchange begins a new one",
  covers = { "ISCSI-TEXT-006", "ISCSI-TEXT-011" },
  play = function(t)
    local s = t:login {}
    s:send(pdu.text { immediate = true, final = false, continue = true, itt = 77, data = "SendTargets=iqn.2026-11" })
    expect(s:receive { opcode = "text response" }):pdu { final = false, data = "" }
    s:send(pdu.text { immediate = true, itt = 77, ttt = 0xFFFFFFFF, data = "SendTargets=\0" })
    local r = s:receive { opcode = "text response" }
    expect(r):pdu { final = true, itt = 77 }
    expect(r.text.TargetName):equals(t.iqn)
  end,
}

scenario {
  title = "What is wrong in a text has all of it rejected, and nothing of it holds",
  covers = { "ISCSI-TEXT-007", "ISCSI-TEXT-008", "ISCSI-NEG-021" },
  matrix = {
    wrong = {
      { label = "a key twice", "SendTargets=", "SendTargets=" },
      { label = "the key that is declared, twice", "MaxRecvDataSegmentLength=1024" },
      { label = "a key of the login", "SessionType=Normal" }, { label = "no key", "=1" }, { label = "no value", "SendTargets" },
    },
  },
  play = function(t, case)
    local s = t:login { keys = { MaxRecvDataSegmentLength = 8192 } }
    local r = s:text { text = { "MaxRecvDataSegmentLength=512", table.unpack(case.wrong) } }
    if s.closed and not t.simulated then return end
    -- A key of the login may also be answered Reject.
    if r.outcome == "text" and not t.simulated then return expect(r.text.SessionType):equals("Reject") end
    expect(r):rejected(t.simulated and 4 or nil)
    expect_segments(t, s)
  end,
}

scenario {
  title = "A key that is said twice in two requests of one exchange is rejected",
  covers = { "ISCSI-TEXT-007" },
  play = function(t)
    local s = t:login { keys = { MaxRecvDataSegmentLength = 8192 } }
    local fields = { immediate = true, final = false, itt = 77, text = { MaxRecvDataSegmentLength = 1024 } }
    s:send(pdu.text(fields))
    local r = s:receive { opcode = "text response" }
    if not t.simulated and (s.closed or not r) then return end -- RFC 7143 §11.17.1: an exchange of several may be rejected
    fields.ttt, fields.lun_raw, fields.final, fields.text = r.ttt, r.lun_raw, true, { MaxRecvDataSegmentLength = 4096 }
    s:send(pdu.text(fields))
    local answer = s:receive { opcode = "reject" }
    if s.closed then return end
    expect(answer):pdu { reason = 4 }
    expect_segments(t, s)
  end,
}

scenario {
  title = "The number of a Text Request that is rejected is open, and nothing behind it is carried out before it",
  covers = { "ISCSI-CMDSN-020", "ISCSI-REJ-006" },
  matrix = {
    wrong = {
      { label = "a key twice", text = "SendTargets=\0SendTargets=\0" },
      { label = "a key of the login", text = "SessionType=Normal\0" },
      { label = "no pair", text = "SendTargets\0" }, { label = "no transfer", text = "SendTargets=\0", ttt = 0x7A5A5A5A },
    },
  },
  play = function(t, case)
    local s = t:login {}
    local sent = s:send(pdu.text { data = case.wrong.text, ttt = case.wrong.ttt })
    s:send(pdu.scsi_command { itt = 70, cdb = cdb.test_unit_ready {} })
    local answer = s:receive { opcode = "reject" }
    if s.closed then return end
    expect(answer):pdu { reason = { 4, 9 }, expcmdsn = sent.cmdsn }
    expect(s:receive { opcode = "scsi response", within = "100ms" }):nothing()
    s:send(pdu.nop_out { itt = 9, cmdsn = sent.cmdsn })
    expect(s:receive { opcode = "nop-in" }):pdu { itt = 9 }
    expect(s:receive { opcode = "scsi response" }):pdu { itt = 70, status = 0 }
  end,
}

scenario {
  title = "A session goes on behind a request that was rejected",
  covers = { "ISCSI-CMDSN-020" },
  matrix = { behind = { 0, 2 } },
  play = function(t, case)
    local s = t:login {}
    local tasks = {}
    local text = s:text { text = { "SendTargets=", "SendTargets=" }, async = true }
    for number = 1, case.behind do tasks[number] = s:test_unit_ready { async = true } end
    expect(text:wait()):rejected()
    for _, task in ipairs(tasks) do expect(task:wait()):good() end
    expect(s:test_unit_ready()):good()
    expect(s.expcmdsn):equals(s.cmdsn)
  end,
}

scenario {
  title = "A data segment length that is declared anew holds from the end of the exchange on",
  covers = { "ISCSI-KEY-009", "ISCSI-TEXT-008" },
  matrix = { ["end"] = { true, false } },
  play = function(t, case)
    local s = t:login { keys = { MaxRecvDataSegmentLength = 512 } }
    local fields = { immediate = true, final = false, itt = 77, text = { MaxRecvDataSegmentLength = 8192 } }
    for number = 1, 20 do fields.text["X-com.example.k" .. number] = "v" end
    s:send(pdu.text(fields))
    local r = s:receive { opcode = "text response" }
    if s.closed or not r then return end
    -- The initiator watches the lengths: until the exchange has ended, none above 512.
    if case["end"] then
      repeat
        s:send(pdu.text { immediate = true, itt = 77, ttt = r.ttt, lun_raw = r.lun_raw })
        r = s:receive { opcode = "text response" }
      until r.final
    else
      s:send(pdu.text { immediate = true, itt = 78 })
      expect(s:receive { opcode = "text response" }):pdu { itt = 78, final = true }
    end
    expect(s:read { lba = 0, blocks = 8192 // s:capacity().block_size }):good()
  end,
}

scenario {
  title = "A key that the target does not know is answered NotUnderstood",
  covers = { "ISCSI-NEG-015", "ISCSI-DISC-013" },
  matrix = { type = { "normal", "discovery" } },
  play = function(t, case)
    local s = t:login { type = case.type }
    local r = s:text { text = { ["X-com.example.unknown"] = 1 } }
    expect(r.outcome):equals("text")
    expect(r.text["X-com.example.unknown"]):equals("NotUnderstood")
    expect(s:text {}.data):equals("")
  end,
}

scenario {
  title = "Two Text Requests at once are answered one after the other, or the second is rejected",
  covers = { "ISCSI-TEXT-009" },
  play = function(t)
    local s = t:login {}
    s:send(pdu.text { immediate = true, itt = 77, data = "SendTargets=\0" })
    s:send(pdu.text { immediate = true, itt = 78, data = "X-com.example.k=1\0" })
    local first = s:receive { opcode = "text response" }
    expect(first):pdu { itt = 77, final = true }
    expect(first.text.TargetName):equals(t.iqn)
    sleep "100ms"
    local second = s:receive { opcode = "text response", within = "100ms" }
    if second then
      expect(second):pdu { itt = 78, final = true }
      expect(second.text.TargetName):equals(nil)
    else
      expect(s:receive { opcode = "reject" }):pdu { reason = { 4, 7 } }
    end
  end,
}

scenario {
  title = "Requests that never end are answered for ever, or refused, and take no memory",
  covers = { "ISCSI-TEXT-013", "ISCSI-TEXT-010" },
  play = function(t)
    local s = t:login {}
    local ttt = 0xFFFFFFFF
    for _ = 1, 200 do
      s:send(pdu.text { immediate = true, final = false, itt = 77, ttt = ttt })
      local r = s:receive { opcode = "text response", within = "1s" }
      if not t.simulated and (s.closed or not r) then break end
      expect(r):pdu { final = false, itt = 77, data = "" }
      expect(r.ttt):differs(0xFFFFFFFF)
      ttt = r.ttt
    end
    expect(t:login { isid = 9 }:test_unit_ready()):good()
  end,
}

scenario {
  title = "The end of a long answer is final only if the request was",
  covers = { "ISCSI-TEXT-004" },
  matrix = { final = { true, false } },
  play = function(t, case)
    local s = t:login { keys = { MaxRecvDataSegmentLength = 8192 } }
    local text = ""
    for number = 1, 600 do text = text .. "A" .. number .. "=\0" end
    if #text > s.parameters.TargetMaxRecvDataSegmentLength then skip("the target takes no PDUs so long") end
    s:send(pdu.text { immediate = true, final = false, itt = 7, data = text })
    local r = s:receive { opcode = "text response" }
    expect(r):pdu { final = false, continue = true }
    s:send(pdu.text { immediate = true, final = case.final, itt = 7, ttt = r.ttt })
    r = s:receive { opcode = "text response" }
    expect(r):pdu { final = case.final, continue = false }
    if case.final then expect(r.ttt):equals(0xFFFFFFFF) else expect(r.ttt):differs(0xFFFFFFFF) end
  end,
}

scenario {
  title = "A data segment length that is declared anew holds for what is read then",
  covers = { "ISCSI-KEY-005" },
  matrix = { how = { "keys", "bytes", "by hand" } },
  play = function(t, case)
    local s = t:login { keys = { MaxRecvDataSegmentLength = 512 } }
    for _, length in ipairs { 8192, 1024 } do
      local keys = { MaxRecvDataSegmentLength = length }
      if case.how == "by hand" then
        s:send(pdu.text { immediate = true, text = keys })
        expect(s:receive { opcode = "text response" }):pdu { final = true }
      else
        local text = case.how == "keys" and keys or "MaxRecvDataSegmentLength=" .. length .. "\0"
        expect(s:text { text = text }.outcome):equals("text")
      end
      -- The initiator watches the lengths.
      expect(s:read { lba = 0, blocks = 8192 // s:capacity().block_size }):good()
    end
  end,
}

scenario {
  title = "A key that belongs to the login is not taken in the full-feature phase",
  covers = { "ISCSI-TEXT-008", "ISCSI-TEXT-014" },
  matrix = { pair = { "MaxBurstLength=512", "HeaderDigest=None", "InitiatorName=iqn.2026-11.example:b" } },
  play = function(t, case)
    local s = t:login {}
    local r = s:text { text = case.pair .. "\0" }
    if r.outcome == "text" then
      expect(r.text[case.pair:match "^[^=]+"]):equals("Reject")
    else
      expect(r.outcome):one_of("rejected", "connection lost")
      if s.closed then s:relogin {} end
    end
    expect(s:write { lba = 0, blocks = 512 }):good()
  end,
}

scenario {
  title = "A text that never comes to its end is given up, and the session goes on",
  covers = { "ISCSI-TEXT-010", "ISCSI-TEXT-013" },
  needs = { "simulation" },
  play = function(t)
    local s = t:login {}
    local ttt, refusal = 0xFFFFFFFF, nil
    for _ = 1, 64 do
      s:send(pdu.text { immediate = true, final = false, continue = true, itt = 77, ttt = ttt, data = ("x"):rep(8192) })
      sleep "1ms"
      refusal = s:receive { opcode = "reject", within = "1ms" }
      if refusal then break end
      ttt = s:receive { opcode = "text response" }.ttt
    end
    expect(refusal):pdu { opcode = "reject", reason = 10 }
    expect(s:test_unit_ready()):good()
  end,
}
