extension EditorAnnotations {
  /// What does not follow from the tables of PDUs and commands: the words of the language, and their options.
  static let preamble = """
    ---@meta
    -- The scenario language, for editors with lua-language-server. Written by `simsan meta`; do not edit.
    -- In words: docs/writing-scenarios.md.

    ---@alias size string|integer "64MiB", or bytes
    ---@alias duration string|number "200us", "1.5s", or seconds

    ---@class scenario_fields
    ---@field title string what must hold, as a sentence
    ---@field covers? string[] clauses of scenarios/clauses.tsv
    ---@field needs? string[] what it needs of its world: "simulation", "thin", "removable", "ro-lun", …
    ---@field matrix? table<string, any[]> every combination is a case
    ---@field world? table|fun(case: table): table
    ---@field within? duration the most virtual time that it may take
    ---@field expects_violations? boolean
    ---@field play fun(t: target, case: table)

    ---@param fields scenario_fields
    function scenario(fields) end

    ---Not there yet: a file that calls it cannot be loaded.
    ---@param fields table
    function explore(fields) end

    ---@class lun_fields
    ---@field lun? integer
    ---@field size? size
    ---@field block_size? 512|4096
    ---@field physical_block_size? integer
    ---@field file? string
    ---@field memory? boolean
    ---@field null? boolean
    ---@field read_only? boolean
    ---@field thin? boolean
    ---@field removable? boolean
    ---@field cache? "write-back"|"write-through"
    ---@field direct? boolean
    ---@field serial? string
    ---@field vendor? string
    ---@field product? string
    ---@field revision? string
    ---@field disk? table latency, jitter, flush_latency, bandwidth, atomic_unit

    ---@class target_fields
    ---@field iqn? string
    ---@field host? string
    ---@field alias? string
    ---@field portals? string[]
    ---@field portal_group? integer
    ---@field luns? lun_fields[]
    ---@field initiators? string[]
    ---@field shard? integer
    ---@field send_policy? "batching"|"nodelay"|"cork"|"adaptive-nagle"
    ---@field keys? table MaxRecvDataSegmentLength, MaxBurstLength, FirstBurstLength, MaxOutstandingR2T, InitialR2T, ImmediateData, crc32c
    ---@field limits? table command_window, connections, pending_logins, login_timeout, ping_interval, ping_timeout, tasks, memory

    ---@class world_part

    ---@param fields target_fields
    ---@return world_part
    function target(fields) end

    ---@class work_fields what the stages of a host take
    ---@field wake? duration before a step of an idle thread
    ---@field step? duration of each step
    ---@field completion? duration of each completion
    ---@field received? duration of 1024 bytes that the thread receives
    ---@field sent? duration of 1024 bytes that the thread sends
    ---@field send? duration transmission, of each send
    ---@field segment_out? duration
    ---@field kibibyte_out? duration
    ---@field transmit_delay? duration of an idle transmission stage
    ---@field segment_in? duration softirq, of each segment
    ---@field kibibyte_in? duration
    ---@field interrupt_delay? duration of an idle softirq stage
    ---@field one_core? boolean the stages share one core, one after the other

    ---@param fields { name: string, address: string?, send_buffer: size?, receive_buffer: size?, nagle: boolean?, acknowledgement_delay: duration?, initiator: boolean?, work: work_fields? }
    ---@return world_part
    function host(fields) end

    ---@class link_fields
    ---@field between string[] two hosts
    ---@field latency? duration
    ---@field jitter? duration
    ---@field bandwidth? string "1Gbit/s"
    ---@field burst? size what a shaper lets pass at once
    ---@field mtu? integer
    ---@field queue? size
    ---@field loss? string "1/1000"
    ---@field corruption? string
    ---@field short_receive? string
    ---@field segmentation? "full"|"drawn"|integer

    ---@param fields link_fields
    ---@return world_part
    function link(fields) end

    ---Notes a line for the report of a failure.
    function print(...) end

    ---Virtual time in seconds.
    ---@return number
    function now() end

    ---@param time duration
    function sleep(time) end

    ---@class actor
    local actor = {}

    ---Plays a function beside the others.
    ---@param play fun(...)
    ---@return actor
    function spawn(play, ...) end

    ---Waits for its end.
    ---@param options? { within: duration? }
    function actor:join(options) end

    ---Plays functions at the same time, and waits for all of them.
    ---@param ... fun()
    function together(...) end

    ---Ends the case as skipped.
    ---@param why string
    function skip(why) end

    random = {}

    ---@param site string names the stream that is drawn from
    ---@param low integer
    ---@param high integer
    ---@return integer
    function random.integer(site, low, high) end

    ---@param site string
    ---@param count integer
    ---@return string
    function random.bytes(site, count) end

    ---@class wire_options How a PDU goes onto the wire.
    ---@field split_at? integer|integer[] offsets at which it is sent in pieces
    ---@field pause? duration between the pieces
    ---@field truncate_at? integer
    ---@field pad_byte? integer
    ---@field header_digest_flip? integer
    ---@field data_digest_flip? integer
    ---@field flip? table<integer, integer> masks by offset
    ---@field digests? { header: boolean?, data: boolean? }

    ---@class request_options: wire_options
    ---@field within? duration
    ---@field async? boolean returns a task at once

    ---@class command_options: request_options
    ---@field lun? integer
    ---@field lun_raw? integer
    ---@field attribute? "untagged"|"simple"|"ordered"|"head of queue"|"aca"|integer
    ---@field immediate? boolean
    ---@field ignore_window? boolean
    ---@field hold_r2ts? boolean
    ---@field immediate_length? integer
    ---@field unsolicited_length? integer
    ---@field segment_length? integer
    ---@field expected? integer bytes that are expected
    ---@field set? table fields of the SCSI Command PDU
    ---@field data_out? table[] what differs in single Data-Out PDUs

    ---@class pdu
    ---@field opcode string
    ---@field data string
    ---@field text table<string, string>
    ---@field itt integer
    ---@field cmdsn integer
    ---@field status integer
    ---@field [string] any

    ---@class result
    ---@field outcome "completed"|"rejected"|"aborted"|"connection lost"|"login"|"text"|"ping"|"logout"|"task management"
    ---@field status integer
    ---@field status_name string
    ---@field response integer
    ---@field data string
    ---@field sense { key: string, asc: integer, ascq: integer, name: string, information: integer, field_byte: integer }
    ---@field residual integer
    ---@field overflow boolean
    ---@field underflow boolean
    ---@field reason integer
    ---@field text table<string, string>
    ---@field pairs string[][]
    ---@field successful boolean
    ---@field session session
    ---@field connection connection
    ---@field received table<string, string>
    ---@field luns integer[]
    ---@field cdb string
    ---@field [string] any

    ---@class capacity
    ---@field last_lba integer
    ---@field blocks integer
    ---@field block_size integer
    ---@field physical_exponent integer
    ---@field lbpme boolean
    ---@field lbprz boolean

    ---@class login_options
    ---@field name? string
    ---@field target? string|false
    ---@field type? "normal"|"discovery"
    ---@field isid? integer
    ---@field tsih? integer
    ---@field cid? integer
    ---@field keys? table<string, string|integer|false>
    ---@field declare? table<string, string|integer>
    ---@field stages? ("security"|"operational")[]
    ---@field chap? { name: string, secret: string, target_secret: string?, algorithms: string?, base64: boolean? }
    ---@field first_cmdsn? integer
    ---@field transit_at_once? boolean
    ---@field segment_length? integer
    ---@field send_leading_only_keys? boolean
    ---@field requests? table<integer, table> what differs in the nth Login Request
    ---@field host? string
    ---@field portal? string|integer
    ---@field lun? integer
    ---@field clear_unit_attention? boolean
    ---@field session? session a session that the connection is added to
    ---@field within? duration

    ---@class target
    ---@field iqn string
    ---@field portals string[]
    ---@field luns integer[]
    ---@field simulated boolean
    local target_object = {}

    ---@param options? { host: string?, portal: string|integer?, target: string?, session: session?, within: duration? }
    ---@return connection
    function target_object:connect(options) end
    ---@return connection|pdu
    function target_object:try_connect(options) end
    ---@param options? login_options
    ---@return session
    function target_object:login(options) end
    ---@param options? login_options
    ---@return result
    function target_object:try_login(options) end
    ---Cuts the power of its host.
    ---@param options? { host: string? }
    function target_object:crash(options) end
    ---Ends the program; its host stays up.
    ---@param options? { host: string? }
    function target_object:kill(options) end
    ---@param options? { host: string? }
    function target_object:restart(options) end
    ---@param options? { host: string? }
    function target_object:pause(options) end
    ---@param options? { host: string? }
    function target_object:resume(options) end
    ---@param options? { host: string? }
    ---@return { connections: integer, sessions: integer, tasks: integer, buffer_bytes: integer, buffer_bytes_max: integer, commands: integer, logins: integer, login_failures: integer, rejects: integer, connections_lost: integer, accepts: integer, handovers: integer, protocol_errors: integer }? nil while the program does not run
    function target_object:statistics(options) end

    ---@class connection
    ---@field cmdsn integer
    ---@field expcmdsn integer
    ---@field maxcmdsn integer
    ---@field expstatsn integer
    ---@field isid integer
    ---@field cid integer
    ---@field parameters table<string, string|integer>
    ---@field closed boolean
    ---@field session session
    ---@field host string
    ---@field portal string
    local connection = {}

    ---@class session: connection
    ---@field tsih integer
    ---@field lun integer
    ---@field name string
    ---@field tasks integer
    ---@field received table<string, string>
    ---@field connection connection
    local session = {}

    ---@param p pdu
    ---@param options? wire_options
    ---@return pdu sent
    function connection:send(p, options) end
    ---@param bytes string
    ---@param options? wire_options
    function connection:send_bytes(bytes, options) end
    ---@param options? { within: duration?, opcode: string? }
    ---@return pdu?
    function connection:receive(options) end
    ---@param options? login_options
    ---@return session
    function connection:login(options) end
    ---@param options? login_options
    ---@return result
    function connection:try_login(options) end
    ---@param options? { reset: boolean? }
    function connection:close(options) end
    function connection:shutdown() end
    function connection:stop_receiving() end
    function connection:resume_receiving() end
    ---@param number integer
    function connection:set_cmdsn(number) end
    ---@param number integer
    function connection:set_expstatsn(number) end
    ---@param options { answer_pings: boolean?, answer_r2ts: boolean?, close_after_logout: boolean?, close_on_end_of_stream: boolean?, obey_async_messages: boolean? }
    function connection:automatic(options) end

    ---@param options? { within: duration?, clear_unit_attention: boolean? }
    function session:relogin(options) end
    ---@param options? request_options
    ---@return result
    function session:logout(options) end
    ---@param options request_options
    ---@return result
    function session:text(options) end
    ---@param options? request_options
    ---@return result
    function session:ping(options) end
    ---@param options request_options `["function"]` is "abort task", "logical unit reset", … or a number; `task`, `lun`
    ---@return result
    function session:task_management(options) end
    ---@param options? command_options
    ---@return capacity
    function session:capacity(options) end
    ---@param options command_options `cdb`, `data` to write, `read` (bytes expected)
    ---@return result
    function session:command(options) end

    ---@class task
    ---@field itt integer
    ---@field ended boolean
    local task = {}
    ---@param options? { within: duration? }
    ---@return result
    function task:wait(options) end
    ---@param options? { reversed: boolean? }
    function task:answer_r2ts(options) end
    function task:abandon() end
    function task:retry() end

    ---@class expectation
    local expectation = {}

    ---@return expectation
    function expect(value) end

    function expectation:good() end
    ---@param status "GOOD"|"CHECK CONDITION"|"CONDITION MET"|"BUSY"|"RESERVATION CONFLICT"|"TASK SET FULL"|"ACA ACTIVE"|"TASK ABORTED"|integer
    function expectation:status(status) end
    ---@param key? string|integer
    ---@param additional? string|integer
    function expectation:check_condition(key, additional) end
    ---@param bytes integer below 0 for an overflow
    function expectation:residual(bytes) end
    ---@param reason? integer|string
    function expectation:rejected(reason) end
    function expectation:aborted() end
    function expectation:lost() end
    ---@param code integer
    function expectation:response(code) end
    ---@param status? integer
    function expectation:login_refused(status) end
    function expectation:login_accepted() end
    ---@param fields table
    ---@return pdu
    function expectation:pdu(fields) end
    function expectation:nothing() end
    ---@param reason? string
    function expectation:closed(reason) end
    ---@param options? { within: duration? }
    function expectation:closes(options) end
    ---@param options? { for_: duration? }
    function expectation:stays_open(options) end
    function expectation:equals(value) end
    function expectation:differs(value) end
    ---@param value number
    function expectation:at_least(value) end
    ---@param value number
    function expectation:at_most(value) end
    function expectation:one_of(...) end
    ---@param part string
    function expectation:contains(part) end
    ---@param what? string
    ---@param came? any
    function expectation:holds(what, came) end

    ---@class workload_options
    ---@field on session|session[]
    ---@field ops? integer
    ---@field depth? integer
    ---@field mix? { write: integer?, read: integer?, flush: integer? }
    ---@field fua? integer percent of the writes
    ---@field blocks? integer|integer[] a number, or { least, greatest }
    ---@field lba? integer|integer[]
    ---@field lun? integer
    ---@field site? string
    ---@field until_lost? boolean
    ---@field tolerate_errors? boolean
    ---@field patience? duration how long it waits for a new login
    ---@field within? duration

    ---@param options workload_options
    ---@return { reads: integer, writes: integer, flushes: integer, errors: integer, lost: integer }
    function workload(options) end

    ---@class fault_options
    ---@field for_? duration
    ---@field after? duration
    ---@field may_miss? boolean a fault that never strikes fails the case, unless this is set

    ---@class network_fault_options: fault_options
    ---@field between? string[] two hosts, or addresses of hosts; the first initiator and the target if not given
    ---@field one_way? boolean
    ---@field chance? string "1/100"

    ---@class disk_fault_options: fault_options
    ---@field target? string
    ---@field lun? integer
    ---@field of? ("read"|"write"|"flush")[]
    ---@field lba? integer
    ---@field blocks? integer
    ---@field chance? string
    ---@field times? integer

    ---@class process_fault_options: fault_options
    ---@field host? string
    ---@field shard? integer the thread of its program; the first if not given

    ---@class fault
    local fault_object = {}
    function fault_object:lift() end
    ---@return integer
    function fault_object:fired() end

    fault = { network = {}, disk = {}, process = {}, clock = {} }

    ---@param options? network_fault_options
    ---@return fault
    function fault.network.partition(options) end
    ---@param options? network_fault_options
    ---@return fault
    function fault.network.unreachable(options) end
    ---@param options? network_fault_options `down`, `up`
    ---@return fault
    function fault.network.flap(options) end
    ---@param options? network_fault_options
    ---@return fault
    function fault.network.reset(options) end
    ---@param options? network_fault_options
    ---@return fault
    function fault.network.loss(options) end
    ---@param options? network_fault_options `next` (so many segments), or `chance`
    ---@return fault
    function fault.network.bit_flip(options) end
    ---@param options? network_fault_options `latency`, `jitter`, `bandwidth`
    ---@return fault
    function fault.network.slow(options) end
    ---@param options? network_fault_options `every` (bytes), or `at` (offsets)
    ---@return fault
    function fault.network.split(options) end
    ---@param options? network_fault_options
    ---@return fault
    function fault.network.short(options) end
    ---@param options? disk_fault_options
    ---@return fault
    function fault.disk.io_error(options) end
    ---@param options? disk_fault_options `delay`
    ---@return fault
    function fault.disk.slow(options) end
    ---@param options? disk_fault_options
    ---@return fault
    function fault.disk.stuck(options) end
    ---@param options? disk_fault_options
    ---@return fault
    function fault.disk.short(options) end
    ---@param options? disk_fault_options
    ---@return fault
    function fault.disk.flush_error(options) end
    ---@param options? disk_fault_options
    ---@return fault
    function fault.disk.full(options) end
    ---@param options? disk_fault_options
    ---@return fault
    function fault.disk.read_only(options) end
    ---@param options? disk_fault_options
    ---@return fault
    function fault.disk.removed(options) end
    ---@param options disk_fault_options `size`
    ---@return fault
    function fault.disk.resized(options) end
    ---@param options? disk_fault_options
    ---@return fault
    function fault.disk.lost_write(options) end
    ---@param options? disk_fault_options `displacement` (bytes)
    ---@return fault
    function fault.disk.misdirected_write(options) end
    ---@param options? disk_fault_options
    ---@return fault
    function fault.disk.latent_error(options) end
    ---@param options? disk_fault_options `count` (bits)
    ---@return fault
    function fault.disk.bit_rot(options) end
    ---@param options? disk_fault_options `atomic_unit` (bytes)
    ---@return fault
    function fault.disk.torn(options) end
    ---@param options? process_fault_options
    ---@return fault
    function fault.process.pause(options) end
    ---@param options? process_fault_options
    ---@return fault
    function fault.process.no_resources(options) end
    ---@param options process_fault_options `by`
    ---@return fault
    function fault.clock.jump(options) end
    ---@param options process_fault_options `ppm`
    ---@return fault
    function fault.clock.drift(options) end

    pdu = {}
    cdb = {}

    """
}
