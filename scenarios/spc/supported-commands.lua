local function report(s, options, code, action, rctd)
  return s:report_supported_operation_codes {
    reporting_options = options, requested_operation_code = code, requested_service_action = action, rctd = rctd,
  }
end

--- Units that have different commands, and a world with one of them.
local units = { unit = { "plain", "thin", "removable" } }

local function world_of(case)
  return { target { luns = { { size = "1MiB", thin = case.unit == "thin", removable = case.unit == "removable" } } } }
end

scenario {
  title = "Every command of the list is supported as the list says, and its usage map begins with it",
  covers = { "SCSI-RSOC-001", "SCSI-RSOC-002", "SCSI-RSOC-004", "SCSI-RSOC-006" },
  play = function(t)
    local s = t:login {}
    local all = expect(report(s, 0)):good().data
    expect((string.unpack(">I4", all))):equals(#all - 4)
    expect((#all - 4) % 8):equals(0)
    local seen = {}
    for index = 5, #all, 8 do
      local code, action, flags, length = string.unpack(">BxI2xBI2", all, index)
      local key = code << 16 | action
      expect(seen[key] == nil):holds("a list without a command twice", string.format("code %02Xh, service action %d again", code, action))
      seen[key] = true
      local one = expect(report(s, flags & 1 == 1 and 2 or 1, code, action)):good().data
      expect(one:byte(2) & 7):equals(3)
      expect((string.unpack(">I2", one, 3))):equals(length)
      expect(one:byte(5)):equals(code)
      -- 011b is reserved in SPC-4.
      local both = report(s, 3, code, action)
      if both.status_name == "GOOD" or t.simulated then expect(expect(both):good().data):equals(one) end
    end
  end,
}

scenario {
  title = "Timeouts descriptors come when they are asked for",
  covers = { "SCSI-RSOC-009" },
  play = function(t)
    local s = t:login {}
    local plain = expect(report(s, 0)):good().data
    local timed = expect(report(s, 0, 0, 0, 1)):good().data
    expect((#timed - 4) / 20):equals((#plain - 4) / 8)
    expect(timed:byte(10) & 2):equals(2)
    expect((string.unpack(">I2", timed, 13))):equals(0x0A)
    local one = expect(report(s, 1, 0x28, 0, 1)):good().data
    expect(one:byte(2) & 0x80):equals(0x80)
    expect(#one):equals(4 + 10 + 12)
  end,
}

scenario {
  title = "REPORT SUPPORTED OPERATION CODES refuses questions that make no sense",
  covers = { "SCSI-RSOC-003", "SCSI-RSOC-005", "SCSI-RSOC-007", "SCSI-RSOC-008", "VUL-15" },
  play = function(t)
    local s = t:login {}
    for _, code in ipairs { 0x9E, 0xA3 } do
      expect(report(s, 1, code)):check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
    end
    expect(report(s, 2, 0x28, 0)):check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
    for options = 4, 7 do
      expect(report(s, options)):check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
    end
    if report(s, 3, 0x28).status_name ~= "GOOD" and not t.simulated then return end
    for _, code in ipairs { 0x00, 0x28, 0x5E, 0x9E, 0xA3, 0xFF } do
      for _, action in ipairs { 0x1F, 0x20, 0xFF, 0x100, 0xFFFF } do
        expect(expect(report(s, 3, code, action)):good().data:byte(2) & 7):equals(1)
      end
    end
  end,
}

scenario {
  title = "Supported task management functions are reported in four bytes or sixteen",
  covers = { "SCSI-RSOC-011", "SCSI-RSOC-012" },
  play = function(t)
    local s = t:login {}
    local short = expect(s:report_supported_task_management_functions { allocation_length = 4 }):good().data
    expect(#short):equals(4)
    -- ABORT TASK, LOGICAL UNIT RESET.
    expect(short:byte(1) & 0x88):equals(0x88)
    -- ABORT TASK SET, CLEAR TASK SET, LOGICAL UNIT RESET: what is reported is there.
    for number, bit in pairs { [2] = 0x40, [4] = 0x10, [5] = 0x08 } do
      local r = s:task_management { ["function"] = number }
      if short:byte(1) & bit ~= 0 then expect(r):response(0) elseif t.simulated then expect(r):response(5) end
    end
    s:test_unit_ready() -- takes the unit attention of a reset
    -- QUERY TASK, QUERY TASK SET, I_T NEXUS RESET, QUERY ASYNCHRONOUS EVENT: RFC 7144 has them.
    if t.simulated then
      expect(short:byte(1) & 0x04 | short:byte(2)):equals(0)
      for number = 9, 12 do expect(s:task_management { ["function"] = number }):response(5) end
    end
    expect(#expect(s:report_supported_task_management_functions { repd = 1 }):good().data):equals(16)
    for allocation = 0, 3 do
      expect(s:report_supported_task_management_functions { allocation_length = allocation })
        :check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
    end
  end,
}

scenario {
  title = "An operation code that is not supported is refused as such",
  covers = { "SCSI-VER-011", "SCSI-READ-013" },
  matrix = { code = { 0x13, 0x7F, 0xFF, 0xC0 } },
  play = function(t, case)
    local s = t:login {}
    -- From C0h on they are vendor specific (SPC-4 §4.2.5.1): nobody knows what one would do. Ours has none.
    if case.code >= 0xC0 and not t.simulated then skip("it is the vendor's to say what the code means") end
    local r = s:command { cdb = string.char(case.code) .. string.rep("\0", 15), read = 512 }
    -- 7Fh is the code of many commands, of which this is none.
    if case.code == 0x7F and not t.simulated and r.sense and r.sense.asc == 0x24 then
      expect(r):check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
    else
      expect(r):check_condition("ILLEGAL REQUEST", "INVALID COMMAND OPERATION CODE")
    end
    expect(s:test_unit_ready()):good()
  end,
}

scenario {
  title = "A bit that the usage map of a command does not have is refused, and pointed at",
  covers = { "SCSI-RSOC-010", "SCSI-RSOC-001", "SCSI-READ-018", "SCSI-RES6-006" },
  needs = { "simulation", "dataloss" },
  matrix = units,
  world = world_of,
  play = function(t)
    local s = t:login {}
    local all = expect(report(s, 0)):good().data
    for index = 5, #all, 8 do
      local code, action, flags = string.unpack(">BxI2xB", all, index)
      local has_action = flags & 1 == 1
      local usage = expect(report(s, has_action and 2 or 1, code, action)):good().data:sub(5)
      for place = 1, #usage - 1 do
        for bit = 0, 7 do
          -- The five bits of a service action say which command it is.
          local is_action = has_action and place == 1 and bit < 5
          if usage:byte(place + 1) >> bit & 1 == 0 and not is_action then
            local cdb = string.char(code, has_action and action or 0) .. string.rep("\0", #usage - 2)
            cdb = cdb:sub(1, place) .. string.char(cdb:byte(place + 1) | 1 << bit) .. cdb:sub(place + 2)
            local r = expect(s:command { cdb = cdb }):check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
            expect(r.sense.field_in_cdb):equals(true)
            expect(r.sense.field_byte):equals(place)
            expect(r.sense.field_bit):equals(bit)
          end
        end
      end
    end
    expect(s:test_unit_ready()):good()
  end,
}

scenario {
  title = "A command that is not on the list is not supported, and whoever asks is told the same",
  covers = { "SCSI-RSOC-001", "SCSI-RSOC-002", "SCSI-RES6-006" },
  needs = { "simulation" }, -- what another target does not list it may do all the same
  matrix = units,
  world = world_of,
  play = function(t)
    local s = t:login {}
    local all = expect(report(s, 0)):good().data
    local listed, has_actions = {}, {}
    for index = 5, #all, 8 do
      local code, action, flags = string.unpack(">BxI2xB", all, index)
      listed[code << 16 | action] = true
      has_actions[code] = flags & 1 == 1
    end
    for code = 0, 255 do
      for action = 0, has_actions[code] and 31 or 0 do
        if not listed[code << 16 | action] then
          local data = expect(report(s, 3, code, action)):good().data
          expect(data):equals("\0\1\0\0")
          local r = s:command { cdb = string.char(code, action) .. string.rep("\0", 14) }
          if has_actions[code] then
            expect(r):check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
            expect(r.sense.field_byte):equals(1)
          else
            expect(r):check_condition("ILLEGAL REQUEST", "INVALID COMMAND OPERATION CODE")
          end
        end
      end
    end
    expect(s:test_unit_ready()):good()
  end,
}
