#define _GNU_SOURCE
#include "simsan_host.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

int simsan_epoll_create(void) {
  int fd = epoll_create1(EPOLL_CLOEXEC);
  return fd < 0 ? -errno : fd;
}

int simsan_epoll_add(int epoll, int fd, uint32_t events, int edge, uint64_t data) {
  struct epoll_event event = {.events = events | (edge ? EPOLLET : 0), .data.u64 = data};
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

int simsan_epoll_remove(int epoll, int fd) { return epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL) ? -errno : 0; }

/// In whole milliseconds, rounded up.
static int wait_coarsely(int epoll, struct epoll_event *found, int count, int64_t nanoseconds) {
  int64_t milliseconds = nanoseconds / 1000000 + (nanoseconds % 1000000 != 0);
  return epoll_wait(epoll, found, count, milliseconds < INT_MAX ? (int)milliseconds : INT_MAX);
}

int simsan_epoll_wait(int epoll, struct simsan_event *events, int count, int64_t nanoseconds) {
  // A kernel before 5.11 has no epoll_pwait2, and some containers forbid it; neither changes while a process lives.
  static atomic_int is_coarse = 0;
  struct epoll_event found[64];
  if (count > 64) count = 64;
  int n;
  if (nanoseconds <= 0) {
    n = epoll_wait(epoll, found, count, nanoseconds < 0 ? -1 : 0);
  } else if (atomic_load_explicit(&is_coarse, memory_order_relaxed)) {
    n = wait_coarsely(epoll, found, count, nanoseconds);
  } else {
    struct timespec wait = {.tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
    n = epoll_pwait2(epoll, found, count, &wait, NULL);
    if (n < 0 && (errno == ENOSYS || errno == EPERM)) {
      atomic_store_explicit(&is_coarse, 1, memory_order_relaxed);
      n = wait_coarsely(epoll, found, count, nanoseconds);
    }
  }
  if (n < 0) return -errno;
  for (int i = 0; i < n; i++) {
    events[i].data = found[i].data.u64;
    events[i].events = found[i].events;
  }
  return n;
}

int simsan_eventfd(void) {
  int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  return fd < 0 ? -errno : fd;
}

int simsan_eventfd_signal(int fd) {
  uint64_t one = 1;
  return write(fd, &one, sizeof one) < 0 ? -errno : 0;
}

int simsan_eventfd_drain(int fd) {
  uint64_t count;
  return read(fd, &count, sizeof count) < 0 ? -errno : 0;
}

uint64_t simsan_monotonic_nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static volatile sig_atomic_t stop_eventfd = -1;
static volatile sig_atomic_t stop_asked = 0;
static volatile sig_atomic_t report_asked = 0;

static void on_signal(int number) {
  int error = errno;
  int fd = (int)stop_eventfd;
  if (number == SIGUSR1)
    report_asked = 1;
  else
    stop_asked = 1;
  if (fd >= 0) simsan_eventfd_signal(fd);
  errno = error;
}

int simsan_signal_is_ignored(int number) {
  struct sigaction action;
  return !sigaction(number, NULL, &action) && action.sa_handler == SIG_IGN;
}

int simsan_stop_on_signals(int eventfd) {
  struct sigaction action = {.sa_handler = eventfd < 0 ? SIG_DFL : on_signal, .sa_flags = SA_RESTART};
  stop_eventfd = eventfd;
  stop_asked = 0;
  report_asked = 0;
  const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};
  for (unsigned i = 0; i < sizeof signals / sizeof signals[0]; i++) {
    // Who is to outlive its terminal (nohup) has been told to take no notice.
    if (signals[i] == SIGHUP && simsan_signal_is_ignored(SIGHUP)) continue;
    if (sigaction(signals[i], &action, NULL)) return -errno;
  }
  action.sa_handler = eventfd < 0 ? SIG_DFL : SIG_IGN;
  return sigaction(SIGXFSZ, &action, NULL) ? -errno : 0;
}

int simsan_stop_was_asked(void) { return (int)stop_asked; }

int simsan_take_report_request(void) {
  if (!report_asked) return 0;
  report_asked = 0;
  return 1;
}
