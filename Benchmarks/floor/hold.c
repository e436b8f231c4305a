#include "floor.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

enum { PATIENCE = 100000, FAILURES_MAX = 6 };

/// The connection whose answers are held back; simsan may have several, the floor one.
static struct connection *held;
static uint64_t deadline;

static void set_no_delay(struct connection *connection, int on) {
  setsockopt(connection->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

uint64_t hold_deadline(void) { return held ? deadline : UINT64_MAX; }

/// The initiator has gone on, or it has not.
static void finish(bool succeeded) {
  if (succeeded) {
    held->hold_failures = 0;
  } else {
    held->hold_passes = (uint64_t)1 << held->hold_failures;
    if (held->hold_failures < FAILURES_MAX) held->hold_failures++;
  }
  held->holds_end = false;
  held = NULL;
}

void hold_end(void) {
  if (!held) return;
  set_no_delay(held, 1);
  finish(!held->holds_end && held->hold_rounds > 0);
}

void hold_forget(struct connection *connection) {
  if (held == connection) held = NULL;
}

void hold_answers(struct connection *connection, size_t count, uint32_t commands, uint32_t status_number) {
  if (commands == 0 || (held && held != connection)) return;
  if (held && held->holds_end) finish(true);
  size_t length = batch_length(connection);
  bool suits = connection->depth >= PACED_DEPTH_MIN && commands <= connection->depth - connection->depth / 4 &&
               length >= count && length <= HELD_LENGTH_MAX;
  if (held) {
    if (!suits || connection->hold_rounds >= HOLD_ROUNDS_MAX) {
      hold_end();
    } else if (connection->acknowledged != connection->hold_acknowledged) {
      connection->hold_acknowledged = connection->acknowledged;
      connection->hold_rounds++;
      deadline = now_ns() + PATIENCE;
    }
    return;
  }
  bool lump = length > LUMP_LENGTH_MIN && commands > 1 && connection->depth >= LUMP_DEPTH_MIN &&
              connection->depth < PACED_DEPTH_MIN;
  if (!lump && (!suits || connection->acknowledged != status_number)) return;
  if (connection->hold_passes > 0) {
    connection->hold_passes--;
    return;
  }
  held = connection;
  deadline = now_ns() + PATIENCE;
  if (lump) {
    connection->holds_end = true;
    batch_hold(connection, LUMP_END_LENGTH);
    return;
  }
  connection->hold_acknowledged = connection->acknowledged;
  connection->hold_rounds = 0;
  set_no_delay(connection, 0);
}
