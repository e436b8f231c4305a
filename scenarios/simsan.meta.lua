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

---@class pdu_nop_out_fields
---@field immediate? boolean|integer 
---@field final? boolean|integer 
---@field total_ahs_length? integer 8 bits
---@field data_segment_length? integer 24 bits
---@field lun? integer 64 bits
---@field itt? integer 32 bits
---@field ttt? integer 32 bits
---@field cmdsn? integer 32 bits
---@field expstatsn? integer 32 bits
---@field lun_raw? integer
---@field data? string
---@field text? table|string
---@field ahs? string
---A nop-out PDU; what is not set is what a correct initiator would send.
---@param fields pdu_nop_out_fields
---@return pdu
function pdu.nop_out(fields) end

---@class pdu_scsi_command_fields
---@field immediate? boolean|integer 
---@field final? boolean|integer 
---@field read? boolean|integer 
---@field write? boolean|integer 
---@field attribute? integer 3 bits
---@field total_ahs_length? integer 8 bits
---@field data_segment_length? integer 24 bits
---@field lun? integer 64 bits
---@field itt? integer 32 bits
---@field expected_data_transfer_length? integer 32 bits
---@field cmdsn? integer 32 bits
---@field expstatsn? integer 32 bits
---@field lun_raw? integer
---@field data? string
---@field text? table|string
---@field ahs? string
---@field cdb? string
---A scsi command PDU; what is not set is what a correct initiator would send.
---@param fields pdu_scsi_command_fields
---@return pdu
function pdu.scsi_command(fields) end

---@class pdu_task_management_fields
---@field immediate? boolean|integer 
---@field final? boolean|integer 
---@field function? integer 7 bits
---@field total_ahs_length? integer 8 bits
---@field data_segment_length? integer 24 bits
---@field lun? integer 64 bits
---@field itt? integer 32 bits
---@field referenced_task_tag? integer 32 bits
---@field cmdsn? integer 32 bits
---@field expstatsn? integer 32 bits
---@field refcmdsn? integer 32 bits
---@field expdatasn? integer 32 bits
---@field lun_raw? integer
---@field data? string
---@field text? table|string
---@field ahs? string
---A task management request PDU; what is not set is what a correct initiator would send.
---@param fields pdu_task_management_fields
---@return pdu
function pdu.task_management(fields) end

---@class pdu_login_fields
---@field immediate? boolean|integer 
---@field transit? boolean|integer 
---@field continue? boolean|integer 
---@field csg? integer 2 bits
---@field nsg? integer 2 bits
---@field version_max? integer 8 bits
---@field version_min? integer 8 bits
---@field total_ahs_length? integer 8 bits
---@field data_segment_length? integer 24 bits
---@field isid? integer 48 bits
---@field tsih? integer 16 bits
---@field itt? integer 32 bits
---@field cid? integer 16 bits
---@field cmdsn? integer 32 bits
---@field expstatsn? integer 32 bits
---@field lun_raw? integer
---@field data? string
---@field text? table|string
---@field ahs? string
---A login request PDU; what is not set is what a correct initiator would send.
---@param fields pdu_login_fields
---@return pdu
function pdu.login(fields) end

---@class pdu_text_fields
---@field immediate? boolean|integer 
---@field final? boolean|integer 
---@field continue? boolean|integer 
---@field total_ahs_length? integer 8 bits
---@field data_segment_length? integer 24 bits
---@field lun? integer 64 bits
---@field itt? integer 32 bits
---@field ttt? integer 32 bits
---@field cmdsn? integer 32 bits
---@field expstatsn? integer 32 bits
---@field lun_raw? integer
---@field data? string
---@field text? table|string
---@field ahs? string
---A text request PDU; what is not set is what a correct initiator would send.
---@param fields pdu_text_fields
---@return pdu
function pdu.text(fields) end

---@class pdu_data_out_fields
---@field immediate? boolean|integer 
---@field final? boolean|integer 
---@field total_ahs_length? integer 8 bits
---@field data_segment_length? integer 24 bits
---@field lun? integer 64 bits
---@field itt? integer 32 bits
---@field ttt? integer 32 bits
---@field expstatsn? integer 32 bits
---@field datasn? integer 32 bits
---@field buffer_offset? integer 32 bits
---@field lun_raw? integer
---@field data? string
---@field text? table|string
---@field ahs? string
---A data-out PDU; what is not set is what a correct initiator would send.
---@param fields pdu_data_out_fields
---@return pdu
function pdu.data_out(fields) end

---@class pdu_logout_fields
---@field immediate? boolean|integer 
---@field final? boolean|integer 
---@field reason? integer 7 bits
---@field total_ahs_length? integer 8 bits
---@field data_segment_length? integer 24 bits
---@field itt? integer 32 bits
---@field cid? integer 16 bits
---@field cmdsn? integer 32 bits
---@field expstatsn? integer 32 bits
---@field lun_raw? integer
---@field data? string
---@field text? table|string
---@field ahs? string
---A logout request PDU; what is not set is what a correct initiator would send.
---@param fields pdu_logout_fields
---@return pdu
function pdu.logout(fields) end

---@class pdu_snack_fields
---@field immediate? boolean|integer 
---@field final? boolean|integer 
---@field type? integer 4 bits
---@field total_ahs_length? integer 8 bits
---@field data_segment_length? integer 24 bits
---@field lun? integer 64 bits
---@field itt? integer 32 bits
---@field ttt? integer 32 bits
---@field expstatsn? integer 32 bits
---@field begrun? integer 32 bits
---@field runlength? integer 32 bits
---@field lun_raw? integer
---@field data? string
---@field text? table|string
---@field ahs? string
---A snack request PDU; what is not set is what a correct initiator would send.
---@param fields pdu_snack_fields
---@return pdu
function pdu.snack(fields) end

---@class pdu_nop_in_fields
---@field final? boolean|integer 
---@field total_ahs_length? integer 8 bits
---@field data_segment_length? integer 24 bits
---@field lun? integer 64 bits
---@field itt? integer 32 bits
---@field ttt? integer 32 bits
---@field statsn? integer 32 bits
---@field expcmdsn? integer 32 bits
---@field maxcmdsn? integer 32 bits
---@field lun_raw? integer
---@field data? string
---@field text? table|string
---@field ahs? string
---A nop-in PDU; what is not set is what a correct initiator would send.
---@param fields pdu_nop_in_fields
---@return pdu
function pdu.nop_in(fields) end

---@class pdu_scsi_response_fields
---@field final? boolean|integer 
---@field bidi_overflow? boolean|integer 
---@field bidi_underflow? boolean|integer 
---@field overflow? boolean|integer 
---@field underflow? boolean|integer 
---@field response? integer 8 bits
---@field status? integer 8 bits
---@field total_ahs_length? integer 8 bits
---@field data_segment_length? integer 24 bits
---@field itt? integer 32 bits
---@field snack_tag? integer 32 bits
---@field statsn? integer 32 bits
---@field expcmdsn? integer 32 bits
---@field maxcmdsn? integer 32 bits
---@field expdatasn? integer 32 bits
---@field bidi_read_residual_count? integer 32 bits
---@field residual_count? integer 32 bits
---@field lun_raw? integer
---@field data? string
---@field text? table|string
---@field ahs? string
---A scsi response PDU; what is not set is what a correct initiator would send.
---@param fields pdu_scsi_response_fields
---@return pdu
function pdu.scsi_response(fields) end

---@class pdu_task_management_response_fields
---@field final? boolean|integer 
---@field response? integer 8 bits
---@field total_ahs_length? integer 8 bits
---@field data_segment_length? integer 24 bits
---@field itt? integer 32 bits
---@field statsn? integer 32 bits
---@field expcmdsn? integer 32 bits
---@field maxcmdsn? integer 32 bits
---@field lun_raw? integer
---@field data? string
---@field text? table|string
---@field ahs? string
---A task management response PDU; what is not set is what a correct initiator would send.
---@param fields pdu_task_management_response_fields
---@return pdu
function pdu.task_management_response(fields) end

---@class pdu_login_response_fields
---@field transit? boolean|integer 
---@field continue? boolean|integer 
---@field csg? integer 2 bits
---@field nsg? integer 2 bits
---@field version_max? integer 8 bits
---@field version_active? integer 8 bits
---@field total_ahs_length? integer 8 bits
---@field data_segment_length? integer 24 bits
---@field isid? integer 48 bits
---@field tsih? integer 16 bits
---@field itt? integer 32 bits
---@field statsn? integer 32 bits
---@field expcmdsn? integer 32 bits
---@field maxcmdsn? integer 32 bits
---@field status_class? integer 8 bits
---@field status_detail? integer 8 bits
---@field lun_raw? integer
---@field data? string
---@field text? table|string
---@field ahs? string
---A login response PDU; what is not set is what a correct initiator would send.
---@param fields pdu_login_response_fields
---@return pdu
function pdu.login_response(fields) end

---@class pdu_text_response_fields
---@field final? boolean|integer 
---@field continue? boolean|integer 
---@field total_ahs_length? integer 8 bits
---@field data_segment_length? integer 24 bits
---@field lun? integer 64 bits
---@field itt? integer 32 bits
---@field ttt? integer 32 bits
---@field statsn? integer 32 bits
---@field expcmdsn? integer 32 bits
---@field maxcmdsn? integer 32 bits
---@field lun_raw? integer
---@field data? string
---@field text? table|string
---@field ahs? string
---A text response PDU; what is not set is what a correct initiator would send.
---@param fields pdu_text_response_fields
---@return pdu
function pdu.text_response(fields) end

---@class pdu_data_in_fields
---@field final? boolean|integer 
---@field acknowledge? boolean|integer 
---@field overflow? boolean|integer 
---@field underflow? boolean|integer 
---@field has_status? boolean|integer 
---@field status? integer 8 bits
---@field total_ahs_length? integer 8 bits
---@field data_segment_length? integer 24 bits
---@field lun? integer 64 bits
---@field itt? integer 32 bits
---@field ttt? integer 32 bits
---@field statsn? integer 32 bits
---@field expcmdsn? integer 32 bits
---@field maxcmdsn? integer 32 bits
---@field datasn? integer 32 bits
---@field buffer_offset? integer 32 bits
---@field residual_count? integer 32 bits
---@field lun_raw? integer
---@field data? string
---@field text? table|string
---@field ahs? string
---A data-in PDU; what is not set is what a correct initiator would send.
---@param fields pdu_data_in_fields
---@return pdu
function pdu.data_in(fields) end

---@class pdu_logout_response_fields
---@field final? boolean|integer 
---@field response? integer 8 bits
---@field total_ahs_length? integer 8 bits
---@field data_segment_length? integer 24 bits
---@field itt? integer 32 bits
---@field statsn? integer 32 bits
---@field expcmdsn? integer 32 bits
---@field maxcmdsn? integer 32 bits
---@field time2wait? integer 16 bits
---@field time2retain? integer 16 bits
---@field lun_raw? integer
---@field data? string
---@field text? table|string
---@field ahs? string
---A logout response PDU; what is not set is what a correct initiator would send.
---@param fields pdu_logout_response_fields
---@return pdu
function pdu.logout_response(fields) end

---@class pdu_r2t_fields
---@field final? boolean|integer 
---@field total_ahs_length? integer 8 bits
---@field data_segment_length? integer 24 bits
---@field lun? integer 64 bits
---@field itt? integer 32 bits
---@field ttt? integer 32 bits
---@field statsn? integer 32 bits
---@field expcmdsn? integer 32 bits
---@field maxcmdsn? integer 32 bits
---@field r2tsn? integer 32 bits
---@field buffer_offset? integer 32 bits
---@field desired_data_transfer_length? integer 32 bits
---@field lun_raw? integer
---@field data? string
---@field text? table|string
---@field ahs? string
---A r2t PDU; what is not set is what a correct initiator would send.
---@param fields pdu_r2t_fields
---@return pdu
function pdu.r2t(fields) end

---@class pdu_async_message_fields
---@field final? boolean|integer 
---@field total_ahs_length? integer 8 bits
---@field data_segment_length? integer 24 bits
---@field lun? integer 64 bits
---@field itt? integer 32 bits
---@field statsn? integer 32 bits
---@field expcmdsn? integer 32 bits
---@field maxcmdsn? integer 32 bits
---@field async_event? integer 8 bits
---@field async_vcode? integer 8 bits
---@field parameter1? integer 16 bits
---@field parameter2? integer 16 bits
---@field parameter3? integer 16 bits
---@field lun_raw? integer
---@field data? string
---@field text? table|string
---@field ahs? string
---A async message PDU; what is not set is what a correct initiator would send.
---@param fields pdu_async_message_fields
---@return pdu
function pdu.async_message(fields) end

---@class pdu_reject_fields
---@field final? boolean|integer 
---@field reason? integer 8 bits
---@field total_ahs_length? integer 8 bits
---@field data_segment_length? integer 24 bits
---@field itt? integer 32 bits
---@field statsn? integer 32 bits
---@field expcmdsn? integer 32 bits
---@field maxcmdsn? integer 32 bits
---@field datasn? integer 32 bits
---@field lun_raw? integer
---@field data? string
---@field text? table|string
---@field ahs? string
---A reject PDU; what is not set is what a correct initiator would send.
---@param fields pdu_reject_fields
---@return pdu
function pdu.reject(fields) end

---A PDU of any opcode.
---@param fields table `opcode` (0 to 63), `data`, `byte0` to `byte47`
---@return pdu
function pdu.raw(fields) end

---@class cdb_test_unit_ready_fields
---@field control? integer 8 bits
---The bytes of a TEST UNIT READY CDB.
---@param fields cdb_test_unit_ready_fields
---@return string
function cdb.test_unit_ready(fields) end

---@class cdb_request_sense_fields
---@field desc? boolean|integer 
---@field allocation_length? integer 8 bits
---@field control? integer 8 bits
---The bytes of a REQUEST SENSE CDB.
---@param fields cdb_request_sense_fields
---@return string
function cdb.request_sense(fields) end

---@class cdb_read6_fields
---@field lba? integer 21 bits
---@field blocks? integer 8 bits
---@field control? integer 8 bits
---The bytes of a READ(6) CDB.
---@param fields cdb_read6_fields
---@return string
function cdb.read6(fields) end

---@class cdb_write6_fields
---@field lba? integer 21 bits
---@field blocks? integer 8 bits
---@field control? integer 8 bits
---The bytes of a WRITE(6) CDB.
---@param fields cdb_write6_fields
---@return string
function cdb.write6(fields) end

---@class cdb_inquiry_fields
---@field evpd? boolean|integer 
---@field page_code? integer 8 bits
---@field allocation_length? integer 16 bits
---@field control? integer 8 bits
---The bytes of a INQUIRY CDB.
---@param fields cdb_inquiry_fields
---@return string
function cdb.inquiry(fields) end

---@class cdb_mode_select6_fields
---@field pf? boolean|integer 
---@field sp? boolean|integer 
---@field parameter_list_length? integer 8 bits
---@field control? integer 8 bits
---The bytes of a MODE SELECT(6) CDB.
---@param fields cdb_mode_select6_fields
---@return string
function cdb.mode_select6(fields) end

---@class cdb_reserve6_fields
---@field control? integer 8 bits
---The bytes of a RESERVE(6) CDB.
---@param fields cdb_reserve6_fields
---@return string
function cdb.reserve6(fields) end

---@class cdb_release6_fields
---@field control? integer 8 bits
---The bytes of a RELEASE(6) CDB.
---@param fields cdb_release6_fields
---@return string
function cdb.release6(fields) end

---@class cdb_mode_sense6_fields
---@field dbd? boolean|integer 
---@field pc? integer 2 bits
---@field page_code? integer 6 bits
---@field subpage_code? integer 8 bits
---@field allocation_length? integer 8 bits
---@field control? integer 8 bits
---The bytes of a MODE SENSE(6) CDB.
---@param fields cdb_mode_sense6_fields
---@return string
function cdb.mode_sense6(fields) end

---@class cdb_start_stop_unit_fields
---@field immed? boolean|integer 
---@field power_condition_modifier? integer 4 bits
---@field power_condition? integer 4 bits
---@field no_flush? boolean|integer 
---@field load_eject? boolean|integer 
---@field start? boolean|integer 
---@field control? integer 8 bits
---The bytes of a START STOP UNIT CDB.
---@param fields cdb_start_stop_unit_fields
---@return string
function cdb.start_stop_unit(fields) end

---@class cdb_prevent_allow_medium_removal_fields
---@field prevent? integer 2 bits
---@field control? integer 8 bits
---The bytes of a PREVENT ALLOW MEDIUM REMOVAL CDB.
---@param fields cdb_prevent_allow_medium_removal_fields
---@return string
function cdb.prevent_allow_medium_removal(fields) end

---@class cdb_read_capacity10_fields
---@field lba? integer 32 bits
---@field pmi? boolean|integer 
---@field control? integer 8 bits
---The bytes of a READ CAPACITY(10) CDB.
---@param fields cdb_read_capacity10_fields
---@return string
function cdb.read_capacity10(fields) end

---@class cdb_read10_fields
---@field rdprotect? integer 3 bits
---@field dpo? boolean|integer 
---@field fua? boolean|integer 
---@field rarc? boolean|integer 
---@field lba? integer 32 bits
---@field group_number? integer 5 bits
---@field blocks? integer 16 bits
---@field control? integer 8 bits
---The bytes of a READ(10) CDB.
---@param fields cdb_read10_fields
---@return string
function cdb.read10(fields) end

---@class cdb_write10_fields
---@field wrprotect? integer 3 bits
---@field dpo? boolean|integer 
---@field fua? boolean|integer 
---@field lba? integer 32 bits
---@field group_number? integer 5 bits
---@field blocks? integer 16 bits
---@field control? integer 8 bits
---The bytes of a WRITE(10) CDB.
---@param fields cdb_write10_fields
---@return string
function cdb.write10(fields) end

---@class cdb_write_and_verify10_fields
---@field wrprotect? integer 3 bits
---@field dpo? boolean|integer 
---@field bytchk? integer 2 bits
---@field lba? integer 32 bits
---@field group_number? integer 5 bits
---@field blocks? integer 16 bits
---@field control? integer 8 bits
---The bytes of a WRITE AND VERIFY(10) CDB.
---@param fields cdb_write_and_verify10_fields
---@return string
function cdb.write_and_verify10(fields) end

---@class cdb_verify10_fields
---@field vrprotect? integer 3 bits
---@field dpo? boolean|integer 
---@field bytchk? integer 2 bits
---@field lba? integer 32 bits
---@field group_number? integer 5 bits
---@field blocks? integer 16 bits
---@field control? integer 8 bits
---The bytes of a VERIFY(10) CDB.
---@param fields cdb_verify10_fields
---@return string
function cdb.verify10(fields) end

---@class cdb_prefetch10_fields
---@field immed? boolean|integer 
---@field lba? integer 32 bits
---@field group_number? integer 5 bits
---@field blocks? integer 16 bits
---@field control? integer 8 bits
---The bytes of a PREFETCH(10) CDB.
---@param fields cdb_prefetch10_fields
---@return string
function cdb.prefetch10(fields) end

---@class cdb_synchronize_cache10_fields
---@field immed? boolean|integer 
---@field lba? integer 32 bits
---@field group_number? integer 5 bits
---@field blocks? integer 16 bits
---@field control? integer 8 bits
---The bytes of a SYNCHRONIZE CACHE(10) CDB.
---@param fields cdb_synchronize_cache10_fields
---@return string
function cdb.synchronize_cache10(fields) end

---@class cdb_write_same10_fields
---@field wrprotect? integer 3 bits
---@field anchor? boolean|integer 
---@field unmap? boolean|integer 
---@field lba? integer 32 bits
---@field group_number? integer 5 bits
---@field blocks? integer 16 bits
---@field control? integer 8 bits
---The bytes of a WRITE SAME(10) CDB.
---@param fields cdb_write_same10_fields
---@return string
function cdb.write_same10(fields) end

---@class cdb_unmap_fields
---@field anchor? boolean|integer 
---@field group_number? integer 5 bits
---@field parameter_list_length? integer 16 bits
---@field control? integer 8 bits
---The bytes of a UNMAP CDB.
---@param fields cdb_unmap_fields
---@return string
function cdb.unmap(fields) end

---@class cdb_mode_select10_fields
---@field pf? boolean|integer 
---@field sp? boolean|integer 
---@field parameter_list_length? integer 16 bits
---@field control? integer 8 bits
---The bytes of a MODE SELECT(10) CDB.
---@param fields cdb_mode_select10_fields
---@return string
function cdb.mode_select10(fields) end

---@class cdb_mode_sense10_fields
---@field llbaa? boolean|integer 
---@field dbd? boolean|integer 
---@field pc? integer 2 bits
---@field page_code? integer 6 bits
---@field subpage_code? integer 8 bits
---@field allocation_length? integer 16 bits
---@field control? integer 8 bits
---The bytes of a MODE SENSE(10) CDB.
---@param fields cdb_mode_sense10_fields
---@return string
function cdb.mode_sense10(fields) end

---@class cdb_persistent_reserve_in_fields
---@field service_action? integer 5 bits
---@field allocation_length? integer 16 bits
---@field control? integer 8 bits
---The bytes of a PERSISTENT RESERVE IN CDB.
---@param fields cdb_persistent_reserve_in_fields
---@return string
function cdb.persistent_reserve_in(fields) end

---@class cdb_persistent_reserve_out_fields
---@field service_action? integer 5 bits
---@field scope? integer 4 bits
---@field type? integer 4 bits
---@field parameter_list_length? integer 32 bits
---@field control? integer 8 bits
---The bytes of a PERSISTENT RESERVE OUT CDB.
---@param fields cdb_persistent_reserve_out_fields
---@return string
function cdb.persistent_reserve_out(fields) end

---@class cdb_read16_fields
---@field rdprotect? integer 3 bits
---@field dpo? boolean|integer 
---@field fua? boolean|integer 
---@field rarc? boolean|integer 
---@field lba? integer 64 bits
---@field blocks? integer 32 bits
---@field group_number? integer 5 bits
---@field control? integer 8 bits
---The bytes of a READ(16) CDB.
---@param fields cdb_read16_fields
---@return string
function cdb.read16(fields) end

---@class cdb_compare_and_write_fields
---@field wrprotect? integer 3 bits
---@field dpo? boolean|integer 
---@field fua? boolean|integer 
---@field lba? integer 64 bits
---@field blocks? integer 8 bits
---@field group_number? integer 5 bits
---@field control? integer 8 bits
---The bytes of a COMPARE AND WRITE CDB.
---@param fields cdb_compare_and_write_fields
---@return string
function cdb.compare_and_write(fields) end

---@class cdb_write16_fields
---@field wrprotect? integer 3 bits
---@field dpo? boolean|integer 
---@field fua? boolean|integer 
---@field lba? integer 64 bits
---@field blocks? integer 32 bits
---@field group_number? integer 5 bits
---@field control? integer 8 bits
---The bytes of a WRITE(16) CDB.
---@param fields cdb_write16_fields
---@return string
function cdb.write16(fields) end

---@class cdb_orwrite16_fields
---@field wrprotect? integer 3 bits
---@field dpo? boolean|integer 
---@field fua? boolean|integer 
---@field lba? integer 64 bits
---@field blocks? integer 32 bits
---@field group_number? integer 5 bits
---@field control? integer 8 bits
---The bytes of a ORWRITE(16) CDB.
---@param fields cdb_orwrite16_fields
---@return string
function cdb.orwrite16(fields) end

---@class cdb_write_and_verify16_fields
---@field wrprotect? integer 3 bits
---@field dpo? boolean|integer 
---@field bytchk? integer 2 bits
---@field lba? integer 64 bits
---@field blocks? integer 32 bits
---@field group_number? integer 5 bits
---@field control? integer 8 bits
---The bytes of a WRITE AND VERIFY(16) CDB.
---@param fields cdb_write_and_verify16_fields
---@return string
function cdb.write_and_verify16(fields) end

---@class cdb_verify16_fields
---@field vrprotect? integer 3 bits
---@field dpo? boolean|integer 
---@field bytchk? integer 2 bits
---@field lba? integer 64 bits
---@field blocks? integer 32 bits
---@field group_number? integer 5 bits
---@field control? integer 8 bits
---The bytes of a VERIFY(16) CDB.
---@param fields cdb_verify16_fields
---@return string
function cdb.verify16(fields) end

---@class cdb_prefetch16_fields
---@field immed? boolean|integer 
---@field lba? integer 64 bits
---@field blocks? integer 32 bits
---@field group_number? integer 5 bits
---@field control? integer 8 bits
---The bytes of a PREFETCH(16) CDB.
---@param fields cdb_prefetch16_fields
---@return string
function cdb.prefetch16(fields) end

---@class cdb_synchronize_cache16_fields
---@field immed? boolean|integer 
---@field lba? integer 64 bits
---@field blocks? integer 32 bits
---@field group_number? integer 5 bits
---@field control? integer 8 bits
---The bytes of a SYNCHRONIZE CACHE(16) CDB.
---@param fields cdb_synchronize_cache16_fields
---@return string
function cdb.synchronize_cache16(fields) end

---@class cdb_write_same16_fields
---@field wrprotect? integer 3 bits
---@field anchor? boolean|integer 
---@field unmap? boolean|integer 
---@field ndob? boolean|integer 
---@field lba? integer 64 bits
---@field blocks? integer 32 bits
---@field group_number? integer 5 bits
---@field control? integer 8 bits
---The bytes of a WRITE SAME(16) CDB.
---@param fields cdb_write_same16_fields
---@return string
function cdb.write_same16(fields) end

---@class cdb_read_capacity16_fields
---@field lba? integer 64 bits
---@field allocation_length? integer 32 bits
---@field pmi? boolean|integer 
---@field control? integer 8 bits
---The bytes of a READ CAPACITY(16) CDB.
---@param fields cdb_read_capacity16_fields
---@return string
function cdb.read_capacity16(fields) end

---@class cdb_get_lba_status_fields
---@field lba? integer 64 bits
---@field allocation_length? integer 32 bits
---@field control? integer 8 bits
---The bytes of a GET LBA STATUS CDB.
---@param fields cdb_get_lba_status_fields
---@return string
function cdb.get_lba_status(fields) end

---@class cdb_service_action_in16_fields
---@field service_action? integer 5 bits
---@field lba? integer 64 bits
---@field allocation_length? integer 32 bits
---@field control? integer 8 bits
---The bytes of a SERVICE ACTION IN(16) CDB.
---@param fields cdb_service_action_in16_fields
---@return string
function cdb.service_action_in16(fields) end

---@class cdb_report_luns_fields
---@field select_report? integer 8 bits
---@field allocation_length? integer 32 bits
---@field control? integer 8 bits
---The bytes of a REPORT LUNS CDB.
---@param fields cdb_report_luns_fields
---@return string
function cdb.report_luns(fields) end

---@class cdb_report_target_port_groups_fields
---@field parameter_data_format? integer 3 bits
---@field allocation_length? integer 32 bits
---@field control? integer 8 bits
---The bytes of a REPORT TARGET PORT GROUPS CDB.
---@param fields cdb_report_target_port_groups_fields
---@return string
function cdb.report_target_port_groups(fields) end

---@class cdb_report_supported_operation_codes_fields
---@field rctd? boolean|integer 
---@field reporting_options? integer 3 bits
---@field requested_operation_code? integer 8 bits
---@field requested_service_action? integer 16 bits
---@field allocation_length? integer 32 bits
---@field control? integer 8 bits
---The bytes of a REPORT SUPPORTED OPERATION CODES CDB.
---@param fields cdb_report_supported_operation_codes_fields
---@return string
function cdb.report_supported_operation_codes(fields) end

---@class cdb_report_supported_task_management_functions_fields
---@field repd? boolean|integer 
---@field allocation_length? integer 32 bits
---@field control? integer 8 bits
---The bytes of a REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS CDB.
---@param fields cdb_report_supported_task_management_functions_fields
---@return string
function cdb.report_supported_task_management_functions(fields) end

---@class cdb_maintenance_in_fields
---@field service_action? integer 5 bits
---@field allocation_length? integer 32 bits
---@field control? integer 8 bits
---The bytes of a MAINTENANCE IN CDB.
---@param fields cdb_maintenance_in_fields
---@return string
function cdb.maintenance_in(fields) end

---@class cdb_read12_fields
---@field rdprotect? integer 3 bits
---@field dpo? boolean|integer 
---@field fua? boolean|integer 
---@field rarc? boolean|integer 
---@field lba? integer 32 bits
---@field blocks? integer 32 bits
---@field group_number? integer 5 bits
---@field control? integer 8 bits
---The bytes of a READ(12) CDB.
---@param fields cdb_read12_fields
---@return string
function cdb.read12(fields) end

---@class cdb_write12_fields
---@field wrprotect? integer 3 bits
---@field dpo? boolean|integer 
---@field fua? boolean|integer 
---@field lba? integer 32 bits
---@field blocks? integer 32 bits
---@field group_number? integer 5 bits
---@field control? integer 8 bits
---The bytes of a WRITE(12) CDB.
---@param fields cdb_write12_fields
---@return string
function cdb.write12(fields) end

---@class cdb_write_and_verify12_fields
---@field wrprotect? integer 3 bits
---@field dpo? boolean|integer 
---@field bytchk? integer 2 bits
---@field lba? integer 32 bits
---@field blocks? integer 32 bits
---@field group_number? integer 5 bits
---@field control? integer 8 bits
---The bytes of a WRITE AND VERIFY(12) CDB.
---@param fields cdb_write_and_verify12_fields
---@return string
function cdb.write_and_verify12(fields) end

---@class cdb_verify12_fields
---@field vrprotect? integer 3 bits
---@field dpo? boolean|integer 
---@field bytchk? integer 2 bits
---@field lba? integer 32 bits
---@field blocks? integer 32 bits
---@field group_number? integer 5 bits
---@field control? integer 8 bits
---The bytes of a VERIFY(12) CDB.
---@param fields cdb_verify12_fields
---@return string
function cdb.verify12(fields) end

---@class session_test_unit_ready_options: command_options
---@field control? integer 8 bits
---@param options? session_test_unit_ready_options
---@return result
function session:test_unit_ready(options) end

---@class session_request_sense_options: command_options
---@field desc? boolean|integer 
---@field allocation_length? integer 8 bits
---@field control? integer 8 bits
---@param options? session_request_sense_options
---@return result
function session:request_sense(options) end

---@class session_inquiry_options: command_options
---@field evpd? boolean|integer 
---@field page_code? integer 8 bits
---@field allocation_length? integer 16 bits
---@field control? integer 8 bits
---@param options? session_inquiry_options
---@return result
function session:inquiry(options) end

---@class session_read_capacity10_options: command_options
---@field lba? integer 32 bits
---@field pmi? boolean|integer 
---@field control? integer 8 bits
---@param options? session_read_capacity10_options
---@return result
function session:read_capacity10(options) end

---@class session_read_capacity16_options: command_options
---@field lba? integer 64 bits
---@field allocation_length? integer 32 bits
---@field pmi? boolean|integer 
---@field control? integer 8 bits
---@param options? session_read_capacity16_options
---@return result
function session:read_capacity16(options) end

---@class session_report_luns_options: command_options
---@field select_report? integer 8 bits
---@field allocation_length? integer 32 bits
---@field control? integer 8 bits
---@param options? session_report_luns_options
---@return result
function session:report_luns(options) end

---@class session_mode_sense_options: command_options
---@field cdb? 6|10 the length of the CDB
---@field dbd? boolean|integer 
---@field pc? integer 2 bits
---@field page_code? integer 6 bits
---@field subpage_code? integer 8 bits
---@field allocation_length? integer 8 bits
---@field control? integer 8 bits
---@field llbaa? boolean|integer 
---@param options? session_mode_sense_options
---@return result
function session:mode_sense(options) end

---@class session_mode_select_options: command_options
---@field cdb? 6|10 the length of the CDB
---@field pf? boolean|integer 
---@field sp? boolean|integer 
---@field parameter_list_length? integer 8 bits
---@field control? integer 8 bits
---@field data? string the parameter list
---@param options? session_mode_select_options
---@return result
function session:mode_select(options) end

---@class session_read_options: command_options
---@field cdb? 10|6|12|16 the length of the CDB
---@field rdprotect? integer 3 bits
---@field dpo? boolean|integer 
---@field fua? boolean|integer 
---@field rarc? boolean|integer 
---@field lba? integer 32 bits
---@field group_number? integer 5 bits
---@field blocks? integer 16 bits
---@field control? integer 8 bits
---@param options? session_read_options
---@return result
function session:read(options) end

---@class session_write_options: command_options
---@field cdb? 10|6|12|16 the length of the CDB
---@field wrprotect? integer 3 bits
---@field dpo? boolean|integer 
---@field fua? boolean|integer 
---@field lba? integer 32 bits
---@field group_number? integer 5 bits
---@field blocks? integer 16 bits
---@field control? integer 8 bits
---@field data? string what is written; data of its own if not given
---@param options? session_write_options
---@return result
function session:write(options) end

---@class session_write_and_verify_options: command_options
---@field cdb? 10|12|16 the length of the CDB
---@field wrprotect? integer 3 bits
---@field dpo? boolean|integer 
---@field bytchk? integer 2 bits
---@field lba? integer 32 bits
---@field group_number? integer 5 bits
---@field blocks? integer 16 bits
---@field control? integer 8 bits
---@field data? string what is written; data of its own if not given
---@param options? session_write_and_verify_options
---@return result
function session:write_and_verify(options) end

---@class session_verify_options: command_options
---@field cdb? 10|12|16 the length of the CDB
---@field vrprotect? integer 3 bits
---@field dpo? boolean|integer 
---@field bytchk? integer 2 bits
---@field lba? integer 32 bits
---@field group_number? integer 5 bits
---@field blocks? integer 16 bits
---@field control? integer 8 bits
---@field data? string what is compared, with BYTCHK 1
---@param options? session_verify_options
---@return result
function session:verify(options) end

---@class session_prefetch_options: command_options
---@field cdb? 10|16 the length of the CDB
---@field immed? boolean|integer 
---@field lba? integer 32 bits
---@field group_number? integer 5 bits
---@field blocks? integer 16 bits
---@field control? integer 8 bits
---@param options? session_prefetch_options
---@return result
function session:prefetch(options) end

---@class session_synchronize_cache_options: command_options
---@field cdb? 10|16 the length of the CDB
---@field immed? boolean|integer 
---@field lba? integer 32 bits
---@field group_number? integer 5 bits
---@field blocks? integer 16 bits
---@field control? integer 8 bits
---@param options? session_synchronize_cache_options
---@return result
function session:synchronize_cache(options) end

---@class session_write_same_options: command_options
---@field cdb? 10|16 the length of the CDB
---@field wrprotect? integer 3 bits
---@field anchor? boolean|integer 
---@field unmap? boolean|integer 
---@field lba? integer 32 bits
---@field group_number? integer 5 bits
---@field blocks? integer 16 bits
---@field control? integer 8 bits
---@field ndob? boolean|integer 
---@field data? string what is written; data of its own if not given
---@param options? session_write_same_options
---@return result
function session:write_same(options) end

---@class session_unmap_options: command_options
---@field anchor? boolean|integer 
---@field group_number? integer 5 bits
---@field parameter_list_length? integer 16 bits
---@field control? integer 8 bits
---@field ranges? table a list of { lba = …, blocks = … }
---@param options? session_unmap_options
---@return result
function session:unmap(options) end

---@class session_compare_and_write_options: command_options
---@field wrprotect? integer 3 bits
---@field dpo? boolean|integer 
---@field fua? boolean|integer 
---@field lba? integer 64 bits
---@field blocks? integer 8 bits
---@field group_number? integer 5 bits
---@field control? integer 8 bits
---@field compare? string what must be there
---@field write? string what is written then
---@param options? session_compare_and_write_options
---@return result
function session:compare_and_write(options) end

---@class session_orwrite_options: command_options
---@field wrprotect? integer 3 bits
---@field dpo? boolean|integer 
---@field fua? boolean|integer 
---@field lba? integer 64 bits
---@field blocks? integer 32 bits
---@field group_number? integer 5 bits
---@field control? integer 8 bits
---@field data? string what is written; data of its own if not given
---@param options? session_orwrite_options
---@return result
function session:orwrite(options) end

---@class session_start_stop_unit_options: command_options
---@field immed? boolean|integer 
---@field power_condition_modifier? integer 4 bits
---@field power_condition? integer 4 bits
---@field no_flush? boolean|integer 
---@field load_eject? boolean|integer 
---@field start? boolean|integer 
---@field control? integer 8 bits
---@param options? session_start_stop_unit_options
---@return result
function session:start_stop_unit(options) end

---@class session_prevent_allow_medium_removal_options: command_options
---@field prevent? integer 2 bits
---@field control? integer 8 bits
---@param options? session_prevent_allow_medium_removal_options
---@return result
function session:prevent_allow_medium_removal(options) end

---@class session_reserve6_options: command_options
---@field control? integer 8 bits
---@param options? session_reserve6_options
---@return result
function session:reserve6(options) end

---@class session_release6_options: command_options
---@field control? integer 8 bits
---@param options? session_release6_options
---@return result
function session:release6(options) end

---@class session_persistent_reserve_in_options: command_options
---@field service_action? integer 5 bits
---@field allocation_length? integer 16 bits
---@field control? integer 8 bits
---@param options? session_persistent_reserve_in_options
---@return result
function session:persistent_reserve_in(options) end

---@class session_persistent_reserve_out_options: command_options
---@field service_action? integer 5 bits
---@field scope? integer 4 bits
---@field type? integer 4 bits
---@field parameter_list_length? integer 32 bits
---@field control? integer 8 bits
---@field data? string the parameter list
---@param options? session_persistent_reserve_out_options
---@return result
function session:persistent_reserve_out(options) end

---@class session_get_lba_status_options: command_options
---@field lba? integer 64 bits
---@field allocation_length? integer 32 bits
---@field control? integer 8 bits
---@param options? session_get_lba_status_options
---@return result
function session:get_lba_status(options) end

---@class session_report_target_port_groups_options: command_options
---@field parameter_data_format? integer 3 bits
---@field allocation_length? integer 32 bits
---@field control? integer 8 bits
---@param options? session_report_target_port_groups_options
---@return result
function session:report_target_port_groups(options) end

---@class session_report_supported_operation_codes_options: command_options
---@field rctd? boolean|integer 
---@field reporting_options? integer 3 bits
---@field requested_operation_code? integer 8 bits
---@field requested_service_action? integer 16 bits
---@field allocation_length? integer 32 bits
---@field control? integer 8 bits
---@param options? session_report_supported_operation_codes_options
---@return result
function session:report_supported_operation_codes(options) end

---@class session_report_supported_task_management_functions_options: command_options
---@field repd? boolean|integer 
---@field allocation_length? integer 32 bits
---@field control? integer 8 bits
---@param options? session_report_supported_task_management_functions_options
---@return result
function session:report_supported_task_management_functions(options) end
