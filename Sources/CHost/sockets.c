#define _GNU_SOURCE
#include "simsan_host.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

uint32_t simsan_fill_sockaddr(const struct simsan_address *address, uint64_t storage[SIMSAN_SOCKADDR_WORDS]) {
  memset(storage, 0, SIMSAN_SOCKADDR_WORDS * sizeof storage[0]);
  if (address->is_ipv4) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(address->port)};
    memcpy(&in.sin_addr, address->bytes + 12, 4);
    memcpy(storage, &in, sizeof in);
    return sizeof in;
  }
  struct sockaddr_in6 in = {.sin6_family = AF_INET6, .sin6_port = htons(address->port), .sin6_scope_id = address->zone};
  memcpy(&in.sin6_addr, address->bytes, 16);
  memcpy(storage, &in, sizeof in);
  return sizeof in;
}

static int from_sockaddr(const struct sockaddr_storage *storage, struct simsan_address *address) {
  memset(address, 0, sizeof *address);
  if (storage->ss_family == AF_INET) {
    const struct sockaddr_in *in = (const struct sockaddr_in *)storage;
    address->bytes[10] = address->bytes[11] = 0xFF;
    memcpy(address->bytes + 12, &in->sin_addr, 4);
    address->port = ntohs(in->sin_port);
    address->is_ipv4 = 1;
    return 0;
  }
  if (storage->ss_family != AF_INET6) return -EAFNOSUPPORT;
  const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)storage;
  memcpy(address->bytes, &in->sin6_addr, 16);
  address->port = ntohs(in->sin6_port);
  address->zone = in->sin6_scope_id;
  return 0;
}

int simsan_no_delay(int fd, int on) {
  return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) ? -errno : 0;
}

// What lies in a send buffer on the way to a peer on this host is copied out of it by the peer. As much as fits into the
// caches of a core is copied from there; more would come back from memory. There is no distance to fill with more.
enum { LOCAL_SEND_BUFFER = 512 * 1024 };

// Within one host nothing can be congested, but some controls, as BBR, pace by timers what they send: where a timer is dear
// that costs more than the sending. Reno does not, every kernel has it, and it needs no privilege.
static void control_by_reno(int fd) {
  static const char reno[] = "reno";
  setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, reno, sizeof reno - 1);
}

int simsan_paces(void) {
  char name[16] = "";
  socklen_t length = sizeof name - 1;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return 0;
  int failed = getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &length);
  close(fd);
  return !failed && strncmp(name, "bbr", 3) == 0;
}

static int is_loopback(const struct simsan_address *address) {
  struct in6_addr ip;
  memcpy(&ip, address->bytes, sizeof ip);
  return address->is_ipv4 ? address->bytes[12] == IN_LOOPBACKNET : IN6_IS_ADDR_LOOPBACK(&ip);
}

void simsan_prepare_accepted(int fd) {
  struct simsan_address here, there;
  int length = LOCAL_SEND_BUFFER;
  simsan_no_delay(fd, 1);
  if (simsan_local_address(fd, &here) || simsan_remote_address(fd, &there)) return;
  if (memcmp(here.bytes, there.bytes, sizeof here.bytes) == 0) {
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &length, sizeof length);
    control_by_reno(fd);
  }
}

int simsan_socket(const struct simsan_address *address) {
  int fd = socket(address->is_ipv4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  simsan_no_delay(fd, 1);
  // Now, as the control that a connection begins with has set up its pacing for good. A listener's connections inherit it.
  if (is_loopback(address)) control_by_reno(fd);
  return fd;
}

int simsan_set_blocking(int fd, int blocking) {
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0) return -errno;
  return fcntl(fd, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK) ? -errno : 0;
}

int simsan_listen(struct simsan_address *address, int backlog) {
  int fd = simsan_socket(address);
  if (fd < 0) return fd;
  int one = 1;
  uint64_t storage[SIMSAN_SOCKADDR_WORDS];
  uint32_t length = simsan_fill_sockaddr(address, storage);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (!address->is_ipv4) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
  if (bind(fd, (struct sockaddr *)storage, length) || listen(fd, backlog)) {
    int error = errno;
    close(fd);
    return -error;
  }
  int error = simsan_local_address(fd, address);
  if (error) {
    close(fd);
    return error;
  }
  return fd;
}

int simsan_connect(int fd, const struct simsan_address *address) {
  uint64_t storage[SIMSAN_SOCKADDR_WORDS];
  uint32_t length = simsan_fill_sockaddr(address, storage);
  return connect(fd, (struct sockaddr *)storage, length) ? -errno : 0;
}

int simsan_accept(int fd) {
  int accepted = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (accepted < 0) return -errno;
  simsan_prepare_accepted(accepted);
  return accepted;
}

int simsan_local_address(int fd, struct simsan_address *address) {
  struct sockaddr_storage storage;
  socklen_t length = sizeof storage;
  return getsockname(fd, (struct sockaddr *)&storage, &length) ? -errno : from_sockaddr(&storage, address);
}

int simsan_remote_address(int fd, struct simsan_address *address) {
  struct sockaddr_storage storage;
  socklen_t length = sizeof storage;
  return getpeername(fd, (struct sockaddr *)&storage, &length) ? -errno : from_sockaddr(&storage, address);
}

int simsan_socket_error(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) ? -errno : -error;
}

int simsan_linger_zero(int fd) {
  struct linger linger = {.l_onoff = 1, .l_linger = 0};
  return setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger) ? -errno : 0;
}

int simsan_shutdown_write(int fd) { return shutdown(fd, SHUT_WR) ? -errno : 0; }

int simsan_close(int fd) { return close(fd) ? -errno : 0; }

long simsan_receive(int fd, struct iovec *vector, size_t count) {
  struct msghdr message = {.msg_iov = vector, .msg_iovlen = count};
  long n = count == 1 ? recv(fd, vector->iov_base, vector->iov_len, 0) : recvmsg(fd, &message, 0);
  return n < 0 ? -errno : n;
}

long simsan_send(int fd, struct iovec *vector, size_t count, int more) {
  struct msghdr message = {.msg_iov = vector, .msg_iovlen = count};
  long n = sendmsg(fd, &message, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
  return n < 0 ? -errno : n;
}

_Static_assert(sizeof(struct msghdr) == SIMSAN_MSGHDR_WORDS * 8, "SIMSAN_MSGHDR_WORDS");

void simsan_fill_msghdr(uint64_t storage[SIMSAN_MSGHDR_WORDS], struct iovec *vector, size_t count) {
  struct msghdr message = {.msg_iov = vector, .msg_iovlen = count};
  memcpy(storage, &message, sizeof message);
}
