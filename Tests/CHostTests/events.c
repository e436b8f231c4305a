#include "tests.h"

#include <errno.h>
#include <signal.h>

#include "simsan_host.h"

static void wakes(void) {
  struct simsan_event events[4];
  int epoll = simsan_epoll_create(), fd = simsan_eventfd();
  CU_ASSERT_FATAL(epoll >= 0 && fd >= 0);
  CU_ASSERT_EQUAL(simsan_epoll_add(epoll, fd, SIMSAN_EVENT_IN, 0, 77), 0);
  CU_ASSERT_EQUAL(simsan_epoll_wait(epoll, events, 4, 0), 0);
  CU_ASSERT_EQUAL(simsan_eventfd_signal(fd), 0);
  CU_ASSERT_EQUAL(simsan_epoll_wait(epoll, events, 4, 5000000000), 1);
  CU_ASSERT_EQUAL(events[0].data, 77);
  CU_ASSERT(events[0].events & SIMSAN_EVENT_IN);
  // Level-triggered: once more, until it is drained.
  CU_ASSERT_EQUAL(simsan_epoll_wait(epoll, events, 4, 0), 1);
  CU_ASSERT_EQUAL(simsan_eventfd_drain(fd), 0);
  CU_ASSERT_EQUAL(simsan_eventfd_drain(fd), -EAGAIN);
  CU_ASSERT_EQUAL(simsan_epoll_wait(epoll, events, 4, 0), 0);
  CU_ASSERT_EQUAL(simsan_epoll_remove(epoll, fd), 0);
  CU_ASSERT_EQUAL(simsan_epoll_remove(epoll, fd), -ENOENT);
  simsan_close(fd);
  simsan_close(epoll);
}

static void edges(void) {
  struct simsan_event events[4];
  int epoll = simsan_epoll_create(), fd = simsan_eventfd();
  CU_ASSERT_EQUAL(simsan_epoll_add(epoll, fd, SIMSAN_EVENT_IN, 1, 1), 0);
  simsan_eventfd_signal(fd);
  CU_ASSERT_EQUAL(simsan_epoll_wait(epoll, events, 4, 0), 1);
  CU_ASSERT_EQUAL(simsan_epoll_wait(epoll, events, 4, 0), 0);
  simsan_close(fd);
  simsan_close(epoll);
}

static void waits(void) {
  struct simsan_event events[1];
  int epoll = simsan_epoll_create();
  uint64_t before = simsan_monotonic_nanoseconds();
  CU_ASSERT_EQUAL(simsan_epoll_wait(epoll, events, 1, 20000000), 0);
  CU_ASSERT(simsan_monotonic_nanoseconds() - before >= 20000000);
  simsan_close(epoll);
}

static void signals(void) {
  int fd = simsan_eventfd();
  CU_ASSERT_EQUAL(simsan_stop_on_signals(fd), 0);
  CU_ASSERT_EQUAL(simsan_stop_was_asked(), 0);
  raise(SIGTERM);
  CU_ASSERT_EQUAL(simsan_stop_was_asked(), 1);
  CU_ASSERT_EQUAL(simsan_eventfd_drain(fd), 0);
  CU_ASSERT_EQUAL(simsan_stop_on_signals(-1), 0);
  CU_ASSERT_EQUAL(simsan_stop_was_asked(), 0);
  simsan_close(fd);
}

void add_event_tests(void) {
  CU_pSuite suite = CU_add_suite("events", NULL, NULL);
  CU_add_test(suite, "an eventfd wakes an epoll", wakes);
  CU_add_test(suite, "an edge is told once", edges);
  CU_add_test(suite, "a wait lasts as long as it was asked to", waits);
  CU_add_test(suite, "a signal sets the flag and wakes", signals);
}
