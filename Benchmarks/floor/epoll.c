#include "floor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS_MAX = 64 };

/// Sends as much as the socket takes. False when the connection is lost.
static bool send_batches(struct connection *connection) {
  struct batch *batch;
  while ((batch = batch_to_send(connection))) {
    int flags;
    struct msghdr message = batch_message(batch, &flags);
    ssize_t sent = sendmsg(connection->socket, &message, flags | MSG_DONTWAIT);
    if (sent < 0) return errno == EAGAIN || errno == EINTR;
    // A part of it: the socket is full, unless what is left is to wait.
    if (!batch_sent(connection, (size_t)sent) && (batch->held == 0 || batch->first < batch->held)) return true;
  }
  return !connection->logged_out;
}

/// One turn of a connection: what has come is answered, with one send for each receive. False when it is to be closed.
static bool turn(struct connection *connection, uint32_t events) {
  bool has_more = events & (EPOLLIN | EPOLLHUP | EPOLLERR);
  do {
    struct iovec space = input_space(connection);
    ssize_t received = 0;
    uint32_t command = connection->expected_command, status = connection->status_number;
    if (space.iov_len > receive_limit(connection)) space.iov_len = receive_limit(connection);
    if (has_more && space.iov_len > 0) {
      received = recv(connection->socket, space.iov_base, space.iov_len, MSG_DONTWAIT);
      if (received == 0 || (received < 0 && errno != EAGAIN && errno != EINTR)) return false;
      if (received > 0) input_received(connection, (size_t)received);
    }
    has_more = received > 0 && (size_t)received == space.iov_len;
    if (!answer(connection)) return false;
    if (received > 0) {
      uint32_t commands = connection->expected_command - command;
      note_pace(connection, (size_t)received, commands);
      hold_answers(connection, (size_t)received, commands, status);
    }
    // What did not fit into the batch is answered when it has gone.
    if (!send_batches(connection) || !answer(connection)) return false;
  } while (has_more);
  return true;
}

struct waiting {
  int poller, count;
  struct epoll_event events[EVENTS_MAX];
};

static bool ask(void *context) {
  struct waiting *waiting = context;
  waiting->count = epoll_wait(waiting->poller, waiting->events, EVENTS_MAX, 0);
  return waiting->count > 0;
}

int serve_epoll(int listener) {
  int poller = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  if (poller < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event) < 0) {
    perror("floor: epoll");
    return 1;
  }
  for (;;) {
    static struct waiting waiting;
    waiting.poller = poller;
    if (!look_on(ask, &waiting)) {
      waiting.count = epoll_wait(poller, waiting.events, EVENTS_MAX, -1);
      woke();
    }
    for (int index = 0; index < waiting.count; index++) {
      struct connection *connection = waiting.events[index].data.ptr;
      if (!connection) {
        int socket = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (socket < 0) continue;
        connection = connection_open(socket);
        event = (struct epoll_event){.events = EPOLLIN, .data.ptr = connection};
        if (!connection) {
          close(socket);
        } else if (epoll_ctl(poller, EPOLL_CTL_ADD, socket, &event) < 0) {
          connection_close(connection);
        }
        continue;
      }
      if (!turn(connection, waiting.events[index].events)) {
        connection_close(connection);
        continue;
      }
      // Woken for room to send while there is something to send, for input while there is room for it. `sending` and
      // `receiving` say what epoll knows.
      bool sending = batch_to_send(connection) != NULL, full = input_space(connection).iov_len == 0;
      if (sending != connection->sending || full == connection->receiving) {
        connection->sending = sending;
        connection->receiving = !full;
        event.events = (full ? 0 : EPOLLIN) | (sending ? EPOLLOUT : 0);
        event.data.ptr = connection;
        epoll_ctl(poller, EPOLL_CTL_MOD, connection->socket, &event);
      }
    }
  }
}
