#include "floor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool initiators_are_paced;
static struct connection *open_connections[CONNECTIONS_MAX];
static const uint8_t zeroes[SEGMENT_LENGTH_MAX];

// MARK: Numbers on the wire

static uint32_t get24(const uint8_t *p) { return (uint32_t)p[0] << 16 | p[1] << 8 | p[2]; }
static uint32_t get32(const uint8_t *p) { return (uint32_t)p[0] << 24 | get24(p + 1); }
static uint16_t get16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }

static void put24(uint8_t *p, uint32_t value) {
  p[0] = (uint8_t)(value >> 16);
  p[1] = (uint8_t)(value >> 8);
  p[2] = (uint8_t)value;
}

static void put32(uint8_t *p, uint32_t value) {
  p[0] = (uint8_t)(value >> 24);
  put24(p + 1, value);
}

static size_t padded(size_t length) { return (length + 3) & ~(size_t)3; }

bool refuse(const char *why) {
  fprintf(stderr, "floor: connection closed: %s\n", why);
  return false;
}

// MARK: Connections

struct connection *connection_open(int socket) {
  for (int index = 0; index < CONNECTIONS_MAX; index++) {
    if (open_connections[index]) continue;
    // calloc leaves the large buffers untouched, so that a quiet connection costs little.
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection) return NULL;
    connection->socket = socket;
    connection->segment_max = SEGMENT_LENGTH_MIN;
    connection->ahead_max = WRITES_MAX;
    connection->length_times_16 = 48 * 16;
    open_connections[index] = connection;
    return connection;
  }
  return NULL;
}

void connection_close(struct connection *connection) {
  for (int index = 0; index < CONNECTIONS_MAX; index++) {
    if (open_connections[index] == connection) open_connections[index] = NULL;
  }
  hold_forget(connection);
  forget_transfers(connection);
  close(connection->socket);
  free(connection);
}

struct iovec input_space(struct connection *connection) {
  if (connection->start > 0) {
    // Usually nothing, or a part of a header.
    connection->end -= connection->start;
    memmove(connection->input, connection->input + connection->start, connection->end);
    connection->start = 0;
  }
  return (struct iovec){connection->input + connection->end, INPUT_LENGTH - connection->end};
}

void input_received(struct connection *connection, size_t count) { connection->end += count; }

size_t receive_limit(struct connection *connection) {
  if (connection->depth < PACED_DEPTH_MIN) return INPUT_LENGTH;
  return (size_t)(connection->depth / 2) * (connection->length_times_16 / 16);
}

void note_pace(struct connection *connection, size_t count, uint32_t commands) {
  uint32_t outstanding = connection->status_number - connection->acknowledged + (uint32_t)connection->writes_in_use +
                         (uint32_t)connection->transfers_in_use;
  if (outstanding > WRITES_MAX) outstanding = 0;
  if (outstanding >= connection->depth) connection->depth = outstanding;
  else connection->depth -= (connection->depth - outstanding + 7) / 8;
  if (commands > 0) connection->length_times_16 += (uint32_t)(count / commands) - connection->length_times_16 / 16;
}

// MARK: What is to be sent

static struct batch *filling(struct connection *connection) { return &connection->batches[connection->filling]; }

/// Room for the longest answer that one PDU can have: a read of TRANSFER_LENGTH_MAX in the smallest segments.
static bool has_room(struct connection *connection) {
  enum { PDUS = TRANSFER_LENGTH_MAX / SEGMENT_LENGTH_MIN };
  struct batch *batch = filling(connection);
  return batch->count <= PARTS_MAX - 2 * PDUS && batch->staged <= STAGING_LENGTH - PDUS * 48 - SEGMENT_LENGTH_MIN;
}

static void add_part(struct batch *batch, const void *bytes, size_t length) {
  batch->held = 0;
  struct iovec *last = batch->count > batch->first ? &batch->parts[batch->count - 1] : NULL;
  if (last && (uint8_t *)last->iov_base + last->iov_len == bytes) {
    last->iov_len += length;
  } else {
    batch->parts[batch->count++] = (struct iovec){(void *)bytes, length};
  }
}

/// Puts `length` bytes and their padding behind what is staged. The caller has seen has_room(), and stages no more in
/// answer to one PDU than that says.
static uint8_t *stage(struct batch *batch, const void *bytes, size_t length) {
  uint8_t *place = batch->staging + batch->staged;
  memcpy(place, bytes, length);
  memset(place + length, 0, padded(length) - length);
  batch->staged += padded(length);
  add_part(batch, place, padded(length));
  return place;
}

/// Stages a PDU: a header, numbered, and its data. `with_status`: it takes a StatSN.
static void put_pdu(
  struct connection *connection, uint8_t header[48], const void *data, size_t length, bool with_status) {
  put24(header + 5, (uint32_t)length);
  put32(header + 24, with_status ? connection->status_number++ : connection->status_number);
  put32(header + 28, connection->expected_command);
  uint32_t room = WRITES_MAX - (uint32_t)connection->writes_in_use;
  uint32_t last = connection->expected_command + (room < connection->ahead_max ? room : connection->ahead_max) - 1;
  if ((int32_t)(last - connection->last_command) > 0) connection->last_command = last;
  put32(header + 32, connection->last_command);
  struct batch *batch = filling(connection);
  stage(batch, header, 48);
  if (length == 0) return;
  if (length <= COPIED_LENGTH_MAX) {
    stage(batch, data, length);
  } else {
    // Longer data are zeroes or a multiple of four bytes: they need no padding of their own.
    add_part(batch, data, length);
  }
}

size_t batch_length(struct connection *connection) {
  size_t length = 0;
  struct batch *batch = filling(connection);
  for (int index = batch->first; index < batch->count; index++) length += batch->parts[index].iov_len;
  return length;
}

void batch_hold(struct connection *connection, size_t count) {
  struct batch *batch = filling(connection);
  if (batch->count == PARTS_MAX) return;
  int index = batch->count - 1;
  while (index > batch->first && count > batch->parts[index].iov_len) count -= batch->parts[index--].iov_len;
  struct iovec *part = &batch->parts[index];
  if (count >= part->iov_len) return;
  memmove(part + 1, part, (size_t)(batch->count - index) * sizeof *part);
  batch->count++;
  part[0].iov_len -= count;
  part[1] = (struct iovec){(uint8_t *)part[0].iov_base + part[0].iov_len, count};
  batch->held = index + 1;
}

struct msghdr batch_message(struct batch *batch, int *flags) {
  bool begins = batch->held > batch->first, ends = batch->held > 0 && !begins;
  *flags = MSG_NOSIGNAL | (ends ? MSG_MORE : 0);
  int end = begins ? batch->held : batch->count;
  return (struct msghdr){.msg_iov = batch->parts + batch->first, .msg_iovlen = (size_t)(end - batch->first)};
}

struct batch *batch_to_send(struct connection *connection) {
  struct batch *on_its_way = &connection->batches[1 - connection->filling];
  if (on_its_way->count > 0) return on_its_way;
  struct batch *filled = filling(connection);
  if (filled->count == 0) return NULL;
  connection->filling = 1 - connection->filling;
  return filled;
}

bool batch_sent(struct connection *connection, size_t count) {
  struct batch *batch = &connection->batches[1 - connection->filling];
  while (batch->first < batch->count && count >= batch->parts[batch->first].iov_len) {
    count -= batch->parts[batch->first++].iov_len;
  }
  if (batch->first < batch->count) {
    batch->parts[batch->first].iov_base = (uint8_t *)batch->parts[batch->first].iov_base + count;
    batch->parts[batch->first].iov_len -= count;
    return false;
  }
  batch->first = batch->count = batch->held = 0;
  batch->staged = 0;
  return true;
}

// MARK: Login

/// Reads the one key of an initiator that matters here.
static bool read_keys(struct connection *connection, const char *text, size_t length) {
  static const char key[] = "MaxRecvDataSegmentLength=";
  for (size_t at = 0; at < length;) {
    size_t pair = strnlen(text + at, length - at);
    if (at + pair == length) return refuse("a login text that does not end");
    if (strncmp(text + at, key, sizeof key - 1) == 0) {
      long declared = strtol(text + at + sizeof key - 1, NULL, 10);
      if (declared < SEGMENT_LENGTH_MIN) return refuse("MaxRecvDataSegmentLength below 8192");
      connection->segment_max = declared < SEGMENT_LENGTH_MAX ? (uint32_t)declared : SEGMENT_LENGTH_MAX;
    }
    at += pair + 1;
  }
  return true;
}

static bool login(struct connection *connection, const uint8_t *request, const uint8_t *data) {
  // The terminating zero of the last key is the literal's own.
  static const char security[] = "TargetPortalGroupTag=1\0AuthMethod=None";
  static const char operational[] =
    "HeaderDigest=None\0DataDigest=None\0InitialR2T=No\0ImmediateData=Yes\0MaxRecvDataSegmentLength=262144\0"
    "MaxBurstLength=262144\0FirstBurstLength=262144\0MaxOutstandingR2T=1\0MaxConnections=1\0ErrorRecoveryLevel=0\0"
    "DefaultTime2Wait=2\0DefaultTime2Retain=0\0DataPDUInOrder=Yes\0DataSequenceInOrder=Yes";
  if (!read_keys(connection, (const char *)data, get24(request + 5))) return false;
  uint8_t stage = request[1] >> 2 & 3, next = request[1] & 3;
  bool transit = request[1] & 0x80;
  uint8_t response[48] = {0x23, request[1]};
  memcpy(response + 8, request + 8, 6); // ISID
  if (transit && next == 3) {
    response[15] = 1; // TSIH
    connection->login_done = true;
  }
  memcpy(response + 16, request + 16, 4);
  connection->expected_command = get32(request + 24);
  connection->last_command = connection->expected_command - 1;
  if (stage == 0) {
    put_pdu(connection, response, security, sizeof security, true);
  } else {
    put_pdu(connection, response, operational, sizeof operational, true);
  }
  return true;
}

// MARK: SCSI commands

static void put_response(struct connection *connection, uint32_t tag, uint8_t status, const uint8_t *sense, size_t length) {
  uint8_t header[48] = {0x21, 0x80, 0, status};
  put32(header + 16, tag);
  put_pdu(connection, header, sense, length, true);
}

static void put_check_condition(struct connection *connection, uint32_t tag) {
  // SenseLength; fixed format, ILLEGAL REQUEST, INVALID FIELD IN CDB.
  static const uint8_t sense[20] = {0, 18, 0x70, 0, 5, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x24};
  put_response(connection, tag, 2, sense, sizeof sense);
}

/// Data-In PDUs, the last one with GOOD status and the residual count.
static void put_data_in(
  struct connection *connection, uint32_t tag, const uint8_t *data, uint32_t length, uint32_t expected) {
  bool advances = data != zeroes;
  for (uint32_t offset = 0, number = 0; offset < length; number++) {
    uint32_t left = length - offset;
    uint32_t count = left < connection->segment_max ? left : connection->segment_max;
    bool last = count == left;
    uint8_t header[48] = {0x25, last ? 0x81 : 0x00};
    put32(header + 16, tag);
    put32(header + 20, 0xFFFFFFFF);
    put32(header + 36, number);
    put32(header + 40, offset);
    if (last && length < expected) {
      header[1] |= 0x02;
      put32(header + 44, expected - length);
    }
    put_pdu(connection, header, advances ? data + offset : data, count, last);
    offset += count;
  }
}

/// Answers a command of which `available` bytes of canned data are there.
static void put_inquiry(struct connection *connection, uint32_t tag, const uint8_t *data, size_t available, uint32_t expected) {
  if (expected == 0) {
    put_response(connection, tag, 0, NULL, 0);
  } else {
    put_data_in(connection, tag, data, available < expected ? (uint32_t)available : expected, expected);
  }
}

static void put_r2t(struct connection *connection, const struct write *write) {
  uint32_t left = write->expected - write->received;
  uint8_t header[48] = {0x31, 0x80};
  put32(header + 16, write->tag);
  put32(header + 20, (uint32_t)(write - connection->writes));
  put32(header + 40, write->received);
  put32(header + 44, left < BURST_LENGTH ? left : BURST_LENGTH);
  put_pdu(connection, header, NULL, 0, false);
}

/// All data of a write have come, and been thrown away.
static bool finish_write(struct connection *connection, uint32_t tag, uint64_t block, uint32_t length) {
  if (block != canned) return begin_transfer(connection, true, tag, block, length);
  put_response(connection, tag, 0, NULL, 0);
  return true;
}

bool end_transfer(struct transfer *transfer, int result) {
  transfer->used = false;
  struct connection *connection = transfer->connection;
  if (!connection) return true;
  connection->transfers_in_use--;
  if (!has_room(connection)) return refuse("answers of the disk that the initiator does not take");
  if (result != (int)transfer->length) put_check_condition(connection, transfer->tag);
  else if (transfer->writes) put_response(connection, transfer->tag, 0, NULL, 0);
  else put_data_in(connection, transfer->tag, transfer->buffer, transfer->length, transfer->length);
  return true;
}

/// More data of a write are there; `final` says that none come unasked. False when the connection must be closed.
static bool continue_write(struct connection *connection, struct write *write, bool final) {
  if (!final) return true;
  if (write->received < write->expected) {
    put_r2t(connection, write);
    return true;
  }
  write->used = false;
  connection->writes_in_use--;
  return finish_write(connection, write->tag, write->block, write->expected);
}

static bool begin_write(
  struct connection *connection, const uint8_t *header, uint32_t tag, uint64_t block, uint32_t expected) {
  uint32_t received = get24(header + 5);
  bool final = header[1] & 0x80;
  if (received > expected) return refuse("more immediate data than the command transfers");
  uint32_t unsolicited = expected < BURST_LENGTH ? expected : BURST_LENGTH;
  if (initiators_are_paced && unsolicited > AHEAD_LENGTH_MAX / AHEAD_SHARE) {
    connection->ahead_max = AHEAD_LENGTH_MAX / unsolicited;
  }
  if (final && received == expected) return finish_write(connection, tag, block, expected);
  for (int index = 0; index < WRITES_MAX; index++) {
    struct write *write = &connection->writes[index];
    if (write->used) continue;
    *write = (struct write){true, tag, expected, received, block};
    connection->writes_in_use++;
    return continue_write(connection, write, final);
  }
  return refuse("more writes than the command window");
}

static bool data_out(struct connection *connection, const uint8_t *header) {
  uint32_t tag = get32(header + 16), transfer_tag = get32(header + 20), length = get24(header + 5);
  struct write *write = NULL;
  if (transfer_tag < WRITES_MAX) {
    write = &connection->writes[transfer_tag];
  } else {
    for (int index = 0; index < WRITES_MAX && !write; index++) {
      if (connection->writes[index].used && connection->writes[index].tag == tag) write = &connection->writes[index];
    }
  }
  if (!write || !write->used || write->tag != tag) return refuse("Data-Out of no write");
  if (length > write->expected - write->received) return refuse("more data than the command transfers");
  write->received += length;
  return continue_write(connection, write, header[1] & 0x80);
}

static bool command(struct connection *connection, const uint8_t *header) {
  static const uint8_t inquiry[36] = "\0\0\6\2\37\0\0\2SIMSAN  FLOOR           0001";
  const uint8_t *cdb = header + 32;
  uint32_t tag = get32(header + 16), expected = get32(header + 20), blocks = 0;
  uint64_t block = 0;
  if (!(header[0] & 0x40)) connection->expected_command = get32(header + 24) + 1;
  connection->acknowledged = get32(header + 28);
  connection->ahead_max = WRITES_MAX;
  switch (cdb[0]) {
    case 0x28: case 0x2A: blocks = get16(cdb + 7), block = get32(cdb + 2); break;
    case 0x88: case 0x8A: blocks = get32(cdb + 10), block = (uint64_t)get32(cdb + 2) << 32 | get32(cdb + 6); break;
  }
  if (block > BLOCK_COUNT) blocks = 0;
  if (disk < 0 || header[9] != DISK_LUN) block = canned;
  switch (cdb[0]) {
    case 0x28: case 0x88: // READ (10), READ (16)
      if (blocks == 0 || blocks > TRANSFER_LENGTH_MAX / BLOCK_LENGTH || blocks * BLOCK_LENGTH != expected) break;
      if (block != canned) return begin_transfer(connection, false, tag, block, expected);
      put_data_in(connection, tag, zeroes, expected, expected);
      return true;
    case 0x2A: case 0x8A: // WRITE (10), WRITE (16)
      if (blocks == 0 || blocks > TRANSFER_LENGTH_MAX / BLOCK_LENGTH || blocks * BLOCK_LENGTH != expected) break;
      return begin_write(connection, header, tag, block, expected);
    case 0x00: // TEST UNIT READY
      put_response(connection, tag, 0, NULL, 0);
      return true;
    case 0x12: // INQUIRY
      put_inquiry(connection, tag, inquiry, sizeof inquiry, expected);
      return true;
    case 0x25: { // READ CAPACITY (10)
      uint8_t capacity[8];
      put32(capacity, BLOCK_COUNT - 1);
      put32(capacity + 4, BLOCK_LENGTH);
      put_inquiry(connection, tag, capacity, sizeof capacity, expected);
      return true;
    }
    case 0x9E: { // READ CAPACITY (16)
      uint8_t capacity[32] = {0};
      put32(capacity + 4, BLOCK_COUNT - 1);
      put32(capacity + 8, BLOCK_LENGTH);
      put_inquiry(connection, tag, capacity, sizeof capacity, expected);
      return true;
    }
  }
  put_check_condition(connection, tag);
  return true;
}

// MARK: PDUs

static bool act(struct connection *connection, const uint8_t *header, const uint8_t *data) {
  uint8_t opcode = header[0] & 0x3F;
  if (!connection->login_done) {
    return opcode == 0x03 ? login(connection, header, data) : refuse("a PDU before login");
  }
  switch (opcode) {
    case 0x00: // NOP-Out
      if (!(header[0] & 0x40)) connection->expected_command = get32(header + 24) + 1;
      if (get32(header + 16) != 0xFFFFFFFF) {
        uint8_t response[48] = {0x20, 0x80};
        memcpy(response + 16, header + 16, 4);
        put32(response + 20, 0xFFFFFFFF);
        put_pdu(connection, response, NULL, 0, true);
      }
      return true;
    case 0x01: return command(connection, header);
    case 0x05: return data_out(connection, header);
    case 0x06: { // Logout
      uint8_t response[48] = {0x26, 0x80};
      memcpy(response + 16, header + 16, 4);
      put_pdu(connection, response, NULL, 0, true);
      connection->logged_out = true;
      return true;
    }
    default: return refuse("a PDU that no load generator sends");
  }
}

bool answer(struct connection *connection) {
  while (has_room(connection)) {
    size_t available = connection->end - connection->start;
    if (connection->swallow > 0) {
      size_t taken = available < connection->swallow ? available : connection->swallow;
      connection->start += taken;
      connection->swallow -= taken;
      if (connection->swallow > 0) return true;
      if (!act(connection, connection->header, NULL)) return false;
      continue;
    }
    if (available < 48) return true;
    const uint8_t *header = connection->input + connection->start;
    if (header[4] != 0) return refuse("an additional header segment");
    size_t length = padded(get24(header + 5));
    if (length > SEGMENT_LENGTH_MAX) return refuse("a data segment above MaxRecvDataSegmentLength");
    uint8_t opcode = header[0] & 0x3F;
    if (opcode == 0x01 || opcode == 0x05) {
      // The data are not looked at; what is to be done is done when they have come.
      connection->start += 48;
      if (length > 0) {
        memcpy(connection->header, header, 48);
        connection->swallow = length;
      } else if (!act(connection, header, NULL)) {
        return false;
      }
    } else {
      if (length > SEGMENT_LENGTH_MIN) return refuse("a long text");
      if (available < 48 + length) return true;
      connection->start += 48 + length;
      if (!act(connection, header, header + 48)) return false;
    }
  }
  return true;
}
