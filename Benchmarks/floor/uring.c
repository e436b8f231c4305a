#include "floor.h"

#include <errno.h>
#include <liburing.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ENTRIES = 2 * CONNECTIONS_MAX + TRANSFERS_MAX + 2 };

// The kind of a completion is in the low bits of its user data, which calloc leaves free; an accept has no connection.
enum { RECEIVED = 0, SENT = 1, TRANSFERRED = 2, KIND = 3 };

/// An io_uring operation names its message until it completes: one for each connection, found by its socket.
static struct msghdr messages[CONNECTIONS_MAX * 2];

static void start_receiving(struct io_uring *ring, struct connection *connection) {
  if (connection->receiving) return;
  struct iovec space = input_space(connection);
  if (space.iov_len == 0) return;
  if (space.iov_len > receive_limit(connection)) space.iov_len = receive_limit(connection);
  struct io_uring_sqe *entry = io_uring_get_sqe(ring);
  io_uring_prep_recv(entry, connection->socket, space.iov_base, space.iov_len, 0);
  io_uring_sqe_set_data64(entry, (uint64_t)(uintptr_t)connection | RECEIVED);
  connection->receiving = true;
}

static void start_sending(struct io_uring *ring, struct connection *connection) {
  if (connection->sending) return;
  struct batch *batch = batch_to_send(connection);
  if (!batch) return;
  struct msghdr *message = &messages[connection->socket];
  int flags;
  *message = batch_message(batch, &flags);
  struct io_uring_sqe *entry = io_uring_get_sqe(ring);
  io_uring_prep_sendmsg(entry, connection->socket, message, (unsigned)flags);
  io_uring_sqe_set_data64(entry, (uint64_t)(uintptr_t)connection | SENT);
  connection->sending = true;
}

/// Hands the disk what has been begun, a few at a time: it works on them while the next ones are prepared.
static void start_transfers(struct io_uring *ring) {
  struct transfer *transfer;
  for (unsigned count = 1; (transfer = next_transfer()); count++) {
    struct io_uring_sqe *entry = io_uring_get_sqe(ring);
    if (transfer->writes) io_uring_prep_write(entry, disk, transfer->buffer, transfer->length, transfer->offset);
    else io_uring_prep_read(entry, disk, transfer->buffer, transfer->length, transfer->offset);
    io_uring_sqe_set_data64(entry, (uint64_t)(uintptr_t)transfer | TRANSFERRED);
    if (count % DISK_BATCH == 0) io_uring_submit(ring);
  }
}

/// Closes a connection, or begins to.
static void end(struct connection *connection) {
  if (!connection->closing) {
    // What is still in flight completes with an error then, and names memory until it has.
    connection->closing = true;
    shutdown(connection->socket, SHUT_RDWR);
  }
  if (!connection->sending && !connection->receiving) connection_close(connection);
}

/// Notes what has completed and answers what has come. False when the connection is to be closed.
static bool completed(struct connection *connection, uint64_t kind, int result) {
  uint32_t command = connection->expected_command, status = connection->status_number;
  if (kind == SENT) {
    connection->sending = false;
    if (result <= 0) return false;
    if (batch_sent(connection, (size_t)result) && connection->logged_out && !batch_to_send(connection)) return false;
  } else {
    connection->receiving = false;
    if (result <= 0) return false;
    input_received(connection, (size_t)result);
  }
  if (!answer(connection)) return false;
  if (kind == RECEIVED) {
    uint32_t commands = connection->expected_command - command;
    note_pace(connection, (size_t)result, commands);
    hold_answers(connection, (size_t)result, commands, status);
  }
  return true;
}

static bool ask(void *context) {
  struct io_uring *ring = context;
  io_uring_submit_and_get_events(ring);
  return io_uring_cq_ready(ring) > 0;
}

static void start_accepting(struct io_uring *ring, int listener) {
  struct io_uring_sqe *entry = io_uring_get_sqe(ring);
  io_uring_prep_accept(entry, listener, NULL, NULL, SOCK_CLOEXEC);
  io_uring_sqe_set_data64(entry, 0);
}

int serve_uring(int listener) {
  struct io_uring ring;
  struct io_uring_params parameters = {
    .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CLAMP};
  int error = io_uring_queue_init_params(ENTRIES, &ring, &parameters);
  if (error < 0) {
    fprintf(stderr, "floor: io_uring: %s\n", strerror(-error));
    return 1;
  }
  start_accepting(&ring, listener);
  for (;;) {
    error = 0;
    if (!look_on(ask, &ring)) {
      error = io_uring_submit_and_wait(&ring, 1);
      woke();
    }
    if (error < 0 && error != -EINTR) {
      fprintf(stderr, "floor: io_uring_submit_and_wait: %s\n", strerror(-error));
      return 1;
    }
    struct io_uring_cqe *completion;
    unsigned head, count = 0;
    // The connection whose commands the disk has carried out: the answers go together.
    struct connection *answered = NULL;
    io_uring_for_each_cqe(&ring, head, completion) {
      count++;
      if ((completion->user_data & KIND) == TRANSFERRED) {
        struct transfer *transfer = (struct transfer *)(uintptr_t)(completion->user_data & ~(uint64_t)KIND);
        struct connection *of = transfer->connection;
        if (answered && answered != of) start_sending(&ring, answered);
        answered = of;
        if (!end_transfer(transfer, completion->res)) {
          answered = NULL;
          end(of);
        }
        continue;
      }
      struct connection *connection = (struct connection *)(uintptr_t)(completion->user_data & ~(uint64_t)KIND);
      if (!connection) {
        // A socket's number names its message, so it has to be within the table.
        if (completion->res >= CONNECTIONS_MAX * 2) close(completion->res);
        else if (completion->res >= 0 && !(connection = connection_open(completion->res))) close(completion->res);
        start_accepting(&ring, listener);
        if (connection) start_receiving(&ring, connection);
        continue;
      }
      bool lives = completed(connection, completion->user_data & KIND, completion->res) && !connection->closing;
      if (!lives) {
        if (answered == connection) answered = NULL;
        end(connection);
        continue;
      }
      start_sending(&ring, connection);
      start_receiving(&ring, connection);
      start_transfers(&ring);
    }
    if (answered) start_sending(&ring, answered);
    io_uring_cq_advance(&ring, count);
  }
}
