#include "tests.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "simsan_host.h"

static struct simsan_address loopback(void) {
  struct simsan_address address = {.is_ipv4 = 1};
  address.bytes[10] = address.bytes[11] = 0xFF;
  address.bytes[12] = 127;
  address.bytes[15] = 1;
  return address;
}

static int await(int fd, short events) {
  struct pollfd waiting = {.fd = fd, .events = events};
  return poll(&waiting, 1, 5000);
}

// A listener at an address and both ends of a connection to it.
static int connected_at(struct simsan_address address, int *listener, int *left, int *right) {
  *listener = simsan_listen(&address, 4);
  if (*listener < 0) return *listener;
  memcpy(address.bytes, loopback().bytes, sizeof address.bytes);
  *left = simsan_socket(&address);
  int result = simsan_connect(*left, &address);
  if (result && result != -EINPROGRESS) return result;
  await(*listener, POLLIN);
  *right = simsan_accept(*listener);
  await(*left, POLLOUT);
  return *right < 0 ? *right : simsan_socket_error(*left);
}

static int connected(int *listener, int *left, int *right) { return connected_at(loopback(), listener, left, right); }

static void close_all(int a, int b, int c) {
  CU_ASSERT_EQUAL(simsan_close(a), 0);
  CU_ASSERT_EQUAL(simsan_close(b), 0);
  CU_ASSERT_EQUAL(simsan_close(c), 0);
}

static void addresses(void) {
  int listener, left, right;
  CU_ASSERT_EQUAL_FATAL(connected(&listener, &left, &right), 0);
  struct simsan_address near, far, bound;
  CU_ASSERT_EQUAL(simsan_local_address(listener, &bound), 0);
  CU_ASSERT_NOT_EQUAL(bound.port, 0);
  CU_ASSERT_EQUAL(simsan_remote_address(left, &far), 0);
  CU_ASSERT_EQUAL(far.port, bound.port);
  CU_ASSERT_EQUAL(far.is_ipv4, 1);
  CU_ASSERT_EQUAL(simsan_local_address(left, &near), 0);
  CU_ASSERT_EQUAL(simsan_remote_address(right, &far), 0);
  CU_ASSERT_EQUAL(memcmp(&near, &far, sizeof near), 0);
  close_all(left, right, listener);
}

static void vectors(void) {
  int listener, left, right;
  CU_ASSERT_EQUAL_FATAL(connected(&listener, &left, &right), 0);
  char one[] = "one", two[] = "two", got[7] = {0};
  struct iovec out[] = {{one, 3}, {two, 3}}, in[] = {{got, 2}, {got + 2, 4}};
  CU_ASSERT_EQUAL(simsan_receive(right, in, 2), -EAGAIN);
  CU_ASSERT_EQUAL(simsan_send(left, out, 2, 0), 6);
  await(right, POLLIN);
  CU_ASSERT_EQUAL(simsan_receive(right, in, 2), 6);
  CU_ASSERT_STRING_EQUAL(got, "onetwo");
  close_all(left, right, listener);
}

static void endings(void) {
  int listener, left, right;
  char byte;
  struct iovec in = {&byte, 1};
  CU_ASSERT_EQUAL_FATAL(connected(&listener, &left, &right), 0);
  CU_ASSERT_EQUAL(simsan_shutdown_write(left), 0);
  await(right, POLLIN);
  CU_ASSERT_EQUAL(simsan_receive(right, &in, 1), 0);
  close_all(left, right, listener);

  CU_ASSERT_EQUAL_FATAL(connected(&listener, &left, &right), 0);
  CU_ASSERT_EQUAL(simsan_linger_zero(left), 0);
  CU_ASSERT_EQUAL(simsan_close(left), 0);
  await(right, POLLIN);
  CU_ASSERT_EQUAL(simsan_receive(right, &in, 1), -ECONNRESET);
  // No SIGPIPE: it would have ended the tests.
  CU_ASSERT(simsan_send(right, &in, 1, 0) < 0);
  CU_ASSERT_EQUAL(simsan_close(right), 0);
  CU_ASSERT_EQUAL(simsan_close(listener), 0);
}

static void refusals(void) {
  struct simsan_address address = loopback();
  int listener = simsan_listen(&address, 4);
  CU_ASSERT_FATAL(listener >= 0);
  struct simsan_address same = address;
  CU_ASSERT_EQUAL(simsan_listen(&same, 4), -EADDRINUSE);
  CU_ASSERT_EQUAL(simsan_accept(listener), -EAGAIN);
  CU_ASSERT_EQUAL(simsan_close(listener), 0);
  int left = simsan_socket(&address);
  int result = simsan_connect(left, &address);
  if (result == -EINPROGRESS) {
    await(left, POLLOUT);
    result = simsan_socket_error(left);
  }
  CU_ASSERT_EQUAL(result, -ECONNREFUSED);
  CU_ASSERT_EQUAL(simsan_close(left), 0);
  CU_ASSERT_EQUAL(simsan_close(left), -EBADF);
}

static void blocking(void) {
  struct simsan_address address = loopback();
  int fd = simsan_socket(&address);
  CU_ASSERT_FATAL(fd >= 0);
  CU_ASSERT_EQUAL(simsan_set_blocking(fd, 1), 0);
  CU_ASSERT_EQUAL(simsan_set_blocking(fd, 0), 0);
  CU_ASSERT_EQUAL(simsan_close(fd), 0);
  CU_ASSERT_EQUAL(simsan_set_blocking(fd, 1), -EBADF);
}

static int option(int fd, int level, int name) {
  int value = -1;
  socklen_t length = sizeof value;
  return getsockopt(fd, level, name, &value, &length) ? -1 : value;
}

static void accepted(void) {
  int listener, left, right;
  CU_ASSERT_EQUAL_FATAL(connected(&listener, &left, &right), 0);
  CU_ASSERT_EQUAL(option(right, IPPROTO_TCP, TCP_NODELAY), 1);
  // Linux doubles what is set. A host may allow less than is asked for; the usual one would be smaller still.
  int before = option(left, SOL_SOCKET, SO_SNDBUF), after = option(right, SOL_SOCKET, SO_SNDBUF);
  CU_ASSERT(after > 0 && after <= 1024 * 1024);
  int large = 512 * 1024;
  CU_ASSERT_EQUAL(setsockopt(left, SOL_SOCKET, SO_SNDBUF, &large, sizeof large), 0);
  CU_ASSERT_EQUAL(after, option(left, SOL_SOCKET, SO_SNDBUF));
  CU_ASSERT_NOT_EQUAL(after, before);
  close_all(left, right, listener);
}

// What controls the congestion of a socket.
static const char *control(int fd) {
  static char name[16];
  socklen_t length = sizeof name - 1;
  memset(name, 0, sizeof name);
  return getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &length) ? "" : name;
}

static void pacing(void) {
  int listener, left, right;
  CU_ASSERT_EQUAL_FATAL(connected(&listener, &left, &right), 0);
  CU_ASSERT_STRING_EQUAL(control(listener), "reno");
  CU_ASSERT_STRING_EQUAL(control(left), "reno");
  CU_ASSERT_STRING_EQUAL(control(right), "reno");
  close_all(left, right, listener);

  struct simsan_address six = {.bytes[15] = 1};
  int here = simsan_socket(&six);
  // A host may be without IPv6.
  CU_ASSERT(here == -EAFNOSUPPORT || strcmp(control(here), "reno") == 0);
  if (here >= 0) CU_ASSERT_EQUAL(simsan_close(here), 0);

  // Elsewhere the machine's own stays, but for those who turn out to be here.
  char own[16];
  struct simsan_address any = loopback(), elsewhere = loopback();
  memset(any.bytes + 12, 0, 4);
  memcpy(elsewhere.bytes + 12, (uint8_t[]){192, 0, 2, 1}, 4);
  int plain = socket(AF_INET, SOCK_STREAM, 0), away = simsan_socket(&elsewhere);
  strcpy(own, control(plain));
  CU_ASSERT_EQUAL(simsan_paces(), strncmp(own, "bbr", 3) == 0);
  CU_ASSERT_STRING_EQUAL(control(away), own);
  CU_ASSERT_EQUAL(simsan_close(away), 0);
  CU_ASSERT_EQUAL_FATAL(connected_at(any, &listener, &left, &right), 0);
  CU_ASSERT_STRING_EQUAL(control(listener), own);
  CU_ASSERT_STRING_EQUAL(control(right), "reno");
  close_all(left, right, listener);
  CU_ASSERT_EQUAL(simsan_close(plain), 0);
}

void add_socket_tests(void) {
  CU_pSuite suite = CU_add_suite("sockets", NULL, NULL);
  CU_add_test(suite, "both ends know both addresses", addresses);
  CU_add_test(suite, "vectors keep their order", vectors);
  CU_add_test(suite, "an end and a reset", endings);
  CU_add_test(suite, "what is refused says why", refusals);
  CU_add_test(suite, "blocking and not", blocking);
  CU_add_test(suite, "an accepted socket suits a peer on this host", accepted);
  CU_add_test(suite, "nothing is paced within a host", pacing);
}
