#ifndef SIMSAN_HOST_H
#define SIMSAN_HOST_H

// Thin wrappers of system calls, for what Swift cannot import: macros, inline functions, unions. Nothing here takes a
// decision. What fails returns a negative errno.

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

// MARK: Sockets

/// An IPv4 (as IPv4-mapped) or IPv6 address with a port; all in host order but for the bytes.
struct simsan_address {
  uint8_t bytes[16];
  uint32_t zone;
  uint16_t port;
  uint16_t is_ipv4;
};

/// A non-blocking listening socket; `address` gets the port. IPv6 sockets take IPv6 only.
int simsan_listen(struct simsan_address *address, int backlog);
/// A non-blocking, unconnected TCP socket of the family of `address`, with TCP_NODELAY; at a loopback address without pacing.
int simsan_socket(const struct simsan_address *address);
/// Whether the usual congestion control of this host's sockets paces what they send, as BBR does.
int simsan_paces(void);
/// 0, or -EINPROGRESS, or what went wrong.
int simsan_connect(int fd, const struct simsan_address *address);
/// io_uring wants sockets that block, epoll sockets that do not.
int simsan_set_blocking(int fd, int blocking);
/// Accepts one connection, non-blocking and prepared.
int simsan_accept(int fd);
/// Prepares a socket that was accepted by other means: TCP_NODELAY, and for a peer on this host a send buffer that suits it,
/// and no pacing.
void simsan_prepare_accepted(int fd);
/// Sets or clears TCP_NODELAY; setting it pushes out a partial segment.
int simsan_no_delay(int fd, int on);
int simsan_local_address(int fd, struct simsan_address *address);
int simsan_remote_address(int fd, struct simsan_address *address);
/// The error that is pending on a socket (SO_ERROR), as a negative errno; 0 for none.
int simsan_socket_error(int fd);
/// Makes close send RST (SO_LINGER with zero seconds).
int simsan_linger_zero(int fd);
int simsan_shutdown_write(int fd);
int simsan_close(int fd);
long simsan_receive(int fd, struct iovec *vector, size_t count);
/// Sends without SIGPIPE; `more` holds a partial segment back (MSG_MORE).
long simsan_send(int fd, struct iovec *vector, size_t count, int more);

/// Storage that a struct sockaddr of either family fits into, as 8-byte words.
#define SIMSAN_SOCKADDR_WORDS 4
/// Fills in a struct sockaddr and returns its length.
uint32_t simsan_fill_sockaddr(const struct simsan_address *address, uint64_t storage[SIMSAN_SOCKADDR_WORDS]);

// MARK: epoll, eventfd, signals, time

struct simsan_event {
  uint64_t data;
  uint32_t events;
};
enum {
  SIMSAN_EVENT_IN = 0x001,
  SIMSAN_EVENT_OUT = 0x004,
  SIMSAN_EVENT_ERROR = 0x008,
  SIMSAN_EVENT_HANGUP = 0x010,
  SIMSAN_EVENT_READ_HANGUP = 0x2000,
};
int simsan_epoll_create(void);
/// Adds a descriptor; edge-triggered for `edge`.
int simsan_epoll_add(int epoll, int fd, uint32_t events, int edge, uint64_t data);
int simsan_epoll_remove(int epoll, int fd);
/// Waits at most `nanoseconds` (negative: for ever).
int simsan_epoll_wait(int epoll, struct simsan_event *events, int count, int64_t nanoseconds);
int simsan_eventfd(void);
int simsan_eventfd_signal(int fd);
/// Takes the count of an eventfd back to zero.
int simsan_eventfd_drain(int fd);
/// Nanoseconds of the monotonic clock.
uint64_t simsan_monotonic_nanoseconds(void);
/// Lets SIGINT, SIGTERM, SIGHUP (unless it is ignored) and SIGUSR1 signal an eventfd instead of ending the process, and SIGXFSZ
/// do nothing, so that a write beyond `ulimit -f` fails with EFBIG; -1 restores the default.
int simsan_stop_on_signals(int eventfd);
/// Whether the process takes no notice of a signal.
int simsan_signal_is_ignored(int number);
/// Whether SIGINT, SIGTERM or SIGHUP has arrived since.
int simsan_stop_was_asked(void);
/// Whether SIGUSR1 has arrived since the last call.
int simsan_take_report_request(void);

// MARK: Media

struct simsan_medium {
  uint64_t size;
  uint32_t alignment;
  uint32_t is_block_device;
  /// On a file system that lives in memory (tmpfs, ramfs), where nothing waits for a device.
  uint32_t is_memory;
  /// On a file system of somebody else, who may not answer: another host, or another program of this one.
  uint32_t is_remote;
};
/// Whether a file system with that number (`f_type` of statfs) is such a one.
int simsan_is_remote_file_system(uint32_t type);
/// Opens a regular file or a block device. -EISDIR, -ENODEV for what is neither, -EROFS for a device that refuses to be
/// written. With `exclusive` it is locked, shared if it is only read, and a block device that is to be written is opened so:
/// -EBUSY when somebody else has locked it, or the device is mounted.
int simsan_open_medium(const char *path, int read_only, int direct, int exclusive, struct simsan_medium *medium);
int simsan_flush_data(int fd);
/// Takes the storage of a range away; it reads as zeroes.
int simsan_discard(int fd, uint32_t is_block_device, uint64_t offset, uint64_t length);
/// Makes a range read as zeroes, allocated.
int simsan_write_zeroes(int fd, uint32_t is_block_device, uint64_t offset, uint64_t length);
/// The first hole (or data) at or after `offset`; -ENXIO when there is none.
int64_t simsan_seek(int fd, uint64_t offset, int hole);
long simsan_pwrite(int fd, const void *bytes, size_t length, uint64_t offset);

// MARK: libaio

struct simsan_aio;
/// An aio context of `depth` requests that signals `eventfd`. NULL with errno in `error`.
struct simsan_aio *simsan_aio_create(unsigned depth, int eventfd, int *error);
void simsan_aio_destroy(struct simsan_aio *aio);
/// READ_NOWAIT results in -EAGAIN where it would wait for a device.
enum { SIMSAN_AIO_READ, SIMSAN_AIO_WRITE, SIMSAN_AIO_WRITE_FUA, SIMSAN_AIO_FLUSH, SIMSAN_AIO_READ_NOWAIT };
/// Readies request `slot` (below the depth); nothing happens before `simsan_aio_submit`.
void simsan_aio_prepare(
    struct simsan_aio *aio, unsigned slot, int kind, int fd, struct iovec *vector, unsigned count, uint64_t offset);
/// Submits the readied requests of `slots`; how many were taken, or what was wrong with the first.
int simsan_aio_submit(struct simsan_aio *aio, const uint32_t *slots, unsigned count);
/// Takes what has completed: slots and results. Does not wait.
int simsan_aio_reap(struct simsan_aio *aio, uint32_t *slots, int64_t *results, unsigned count);

// MARK: io_uring

struct simsan_uring;
/// NULL with errno in `error` where the kernel does not allow it, or is too old for what is needed (ENOSYS; Linux 5.11).
/// `workers` requests on media may each keep a thread of the kernel's waiting at a time.
struct simsan_uring *simsan_uring_create(unsigned entries, unsigned workers, int *error);
void simsan_uring_destroy(struct simsan_uring *ring);
/// Operation codes for `simsan_uring_prepare`.
enum {
  SIMSAN_URING_ACCEPT,
  SIMSAN_URING_CONNECT,
  SIMSAN_URING_RECEIVE,
  SIMSAN_URING_SEND,
  SIMSAN_URING_READ,
  SIMSAN_URING_WRITE,
  SIMSAN_URING_FLUSH,
  SIMSAN_URING_PUNCH,
  SIMSAN_URING_ZERO,
  SIMSAN_URING_CANCEL,
  SIMSAN_URING_POLL,
};
/// Readies one request. What `first` and `second` mean depends on the code: a vector and its count (READ, WRITE), a
/// struct msghdr (RECEIVE, SEND), a struct sockaddr and its length (CONNECT), offset and length (PUNCH, ZERO), the user
/// data to cancel (CANCEL). Submits what is there when the queue is full. 0, or what went wrong.
int simsan_uring_prepare(
    struct simsan_uring *ring, int code, int fd, uint64_t user_data, void *first, uint64_t second, uint64_t offset,
    int flags);
/// Hands what is ready to the kernel. How much it took, or a negative errno.
int simsan_uring_submit(struct simsan_uring *ring);
struct simsan_uring_completion {
  uint64_t user_data;
  int64_t result;
};
/// Submits what is ready, waits for a completion for at most `nanoseconds` (negative: for ever; zero: not at all) and
/// takes what has completed.
int simsan_uring_turn(
    struct simsan_uring *ring, int64_t nanoseconds, struct simsan_uring_completion *completions, unsigned count);
/// A struct msghdr, in 8-byte words.
#define SIMSAN_MSGHDR_WORDS 7
void simsan_fill_msghdr(uint64_t storage[SIMSAN_MSGHDR_WORDS], struct iovec *vector, size_t count);
unsigned simsan_uring_entries(const struct simsan_uring *ring);

// MARK: Threads and cores

/// Waits for the end of a thread (a pthread_t), at most so long: 0, or -ETIMEDOUT, and it may be waited for again.
int simsan_join(unsigned long thread, uint64_t nanoseconds);

/// How many cores this process may run on, at least one.
int simsan_usable_cores(void);

#endif
