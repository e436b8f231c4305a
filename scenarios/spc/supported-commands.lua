local function report(s, options, code, action, rctd)
  return s:report_supported_operation_codes {
    reporting_options = options, requested_operation_code = code, requested_service_action = action, rctd = rctd,
  }
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
      expect(seen[key] == nil):holds("no command is listed twice")
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
    expect(report(s, 1, 0x9E)):check_condition("ILLEGAL REQUEST", "INVALID FIELD IN CDB")
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
