#define _GNU_SOURCE
#include "simsan_host.h"

#include <errno.h>
#include <liburing.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

struct simsan_uring {
  struct io_uring ring;
  int is_enabled;
  unsigned workers;
  /// The kernel knows IORING_RECVSEND_POLL_FIRST.
  int has_poll_first;
};

struct simsan_uring *simsan_uring_create(unsigned entries, unsigned workers, int *error) {
  struct simsan_uring *ring = calloc(1, sizeof *ring);
  if (!ring) {
    *error = ENOMEM;
    return NULL;
  }
  ring->workers = workers;
  // Completions are made when this thread asks for them, so that none interrupts it. Older kernels know less.
  const unsigned wishes[] = {
      IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL,
      IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SUBMIT_ALL,
      0,
  };
  const unsigned needs = IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE | IORING_FEAT_FAST_POLL | IORING_FEAT_EXT_ARG;
  int result = -EINVAL;
  for (unsigned i = 0; i < sizeof wishes / sizeof wishes[0] && result == -EINVAL; i++) {
    struct io_uring_params parameters = {
        .flags = wishes[i] | IORING_SETUP_CQSIZE | IORING_SETUP_R_DISABLED, .cq_entries = entries * 4};
    result = io_uring_queue_init_params(entries, &ring->ring, &parameters);
    // COOP_TASKRUN came with Linux 5.19, as POLL_FIRST did.
    ring->has_poll_first = wishes[i] != 0;
    if (result == 0 && (parameters.features & needs) != needs) {
      io_uring_queue_exit(&ring->ring);
      result = -ENOSYS;
    }
  }
  if (result < 0) {
    *error = -result;
    free(ring);
    return NULL;
  }
  return ring;
}

/// The ring belongs to the thread that first uses it, which need not be the one that made it.
static int enable(struct simsan_uring *ring) {
  if (ring->is_enabled) return 0;
  // liburing 2.3 declares a function for this, and does not export it.
  if (syscall(__NR_io_uring_register, ring->ring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0) < 0) return -errno;
  // The usual limit is four for each core. Linux 5.15; an older kernel keeps its own.
  unsigned most[2] = {ring->workers, 0};
  io_uring_register_iowq_max_workers(&ring->ring, most);
  io_uring_register_ring_fd(&ring->ring);
  ring->is_enabled = 1;
  return 0;
}

int simsan_uring_submit(struct simsan_uring *ring) {
  int result = enable(ring);
  return result < 0 ? result : io_uring_submit(&ring->ring);
}

void simsan_uring_destroy(struct simsan_uring *ring) {
  io_uring_queue_exit(&ring->ring);
  free(ring);
}

unsigned simsan_uring_entries(const struct simsan_uring *ring) { return ring->ring.sq.ring_entries; }

/// What the kernel moves at most with one request (MAX_RW_COUNT); more would not fit into the entry's 32 bits.
static unsigned limit(size_t length) { return length < 0x7FFFF000 ? (unsigned)length : 0x7FFFF000; }

int simsan_uring_prepare(
    struct simsan_uring *ring, int code, int fd, uint64_t user_data, void *first, uint64_t second, uint64_t offset,
    int flags) {
  struct io_uring_sqe *entry = io_uring_get_sqe(&ring->ring);
  if (!entry) {
    int result = simsan_uring_submit(ring);
    if (result < 0) return result;
    entry = io_uring_get_sqe(&ring->ring);
    if (!entry) return -EAGAIN;
  }
  // Of one buffer, the plain forms do the same in 5 % less time.
  const struct msghdr *message = first;
  const struct iovec *vector = first;
  switch (code) {
  case SIMSAN_URING_ACCEPT: io_uring_prep_accept(entry, fd, NULL, NULL, SOCK_CLOEXEC); break;
  case SIMSAN_URING_CONNECT: io_uring_prep_connect(entry, fd, first, (socklen_t)second); break;
  case SIMSAN_URING_RECEIVE:
    if (message->msg_iovlen == 1)
      io_uring_prep_recv(entry, fd, message->msg_iov->iov_base, limit(message->msg_iov->iov_len), 0);
    else
      io_uring_prep_recvmsg(entry, fd, first, 0);
    // What is known to be drained is not tried before something has come.
    if (flags && ring->has_poll_first) entry->ioprio |= IORING_RECVSEND_POLL_FIRST;
    break;
  case SIMSAN_URING_SEND:
    flags = MSG_NOSIGNAL | (flags ? MSG_MORE : 0);
    if (message->msg_iovlen == 1)
      io_uring_prep_send(entry, fd, message->msg_iov->iov_base, limit(message->msg_iov->iov_len), flags);
    else
      io_uring_prep_sendmsg(entry, fd, first, (unsigned)flags);
    break;
  case SIMSAN_URING_READ:
    if (second == 1)
      io_uring_prep_read(entry, fd, vector->iov_base, limit(vector->iov_len), offset);
    else
      io_uring_prep_readv(entry, fd, first, (unsigned)second, offset);
    break;
  case SIMSAN_URING_WRITE:
    if (second == 1)
      io_uring_prep_write(entry, fd, vector->iov_base, limit(vector->iov_len), offset);
    else
      io_uring_prep_writev(entry, fd, first, (unsigned)second, offset);
    entry->rw_flags = flags ? RWF_DSYNC : 0;
    break;
  case SIMSAN_URING_FLUSH: io_uring_prep_fsync(entry, fd, IORING_FSYNC_DATASYNC); break;
  case SIMSAN_URING_PUNCH:
    io_uring_prep_fallocate(entry, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)second);
    break;
  case SIMSAN_URING_ZERO:
    io_uring_prep_fallocate(entry, fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)second);
    break;
  case SIMSAN_URING_POLL: io_uring_prep_poll_add(entry, fd, POLLIN); break;
  default: io_uring_prep_cancel64(entry, second, 0); break;
  }
  io_uring_sqe_set_data64(entry, user_data);
  return 0;
}

int simsan_uring_turn(
    struct simsan_uring *ring, int64_t nanoseconds, struct simsan_uring_completion *completions, unsigned count) {
  struct io_uring_cqe *entry = NULL;
  int result = enable(ring);
  if (result < 0) return result;
  if (nanoseconds == 0) {
    result = io_uring_submit_and_get_events(&ring->ring);
  } else if (nanoseconds < 0) {
    result = io_uring_submit_and_wait(&ring->ring, 1);
  } else {
    struct __kernel_timespec wait = {.tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
    result = io_uring_submit_and_wait_timeout(&ring->ring, &entry, 1, &wait, NULL);
  }
  if (result < 0 && result != -ETIME && result != -EINTR && result != -EBUSY && result != -EAGAIN) return result;
  unsigned head, taken = 0;
  io_uring_for_each_cqe(&ring->ring, head, entry) {
    if (taken == count) break;
    completions[taken].user_data = io_uring_cqe_get_data64(entry);
    completions[taken].result = entry->res;
    taken++;
  }
  io_uring_cq_advance(&ring->ring, taken);
  return (int)taken;
}
