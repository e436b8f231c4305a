#include "tests.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

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

/// Has a system call fail with EPERM, as containers do with those that their profile does not know.
static int forbid(unsigned number) {
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/// What the child of `waits_where_forbidden` finds: 0 all is well.
static int wait_where_forbidden(void) {
  struct simsan_event events[1];
  int epoll = simsan_epoll_create(), fd = simsan_eventfd();
  if (forbid(SYS_epoll_pwait2)) return 77;
  for (int times = 0; times < 2; times++) {
    uint64_t before = simsan_monotonic_nanoseconds();
    if (simsan_epoll_wait(epoll, events, 1, 20500000) != 0) return 1;
    if (simsan_monotonic_nanoseconds() - before < 20500000) return 2;
  }
  simsan_epoll_add(epoll, fd, SIMSAN_EVENT_IN, 0, 77);
  simsan_eventfd_signal(fd);
  if (simsan_epoll_wait(epoll, events, 1, INT64_MAX) != 1 || events[0].data != 77) return 3;
  return 0;
}

static void waits_where_forbidden(void) {
  int status = 0;
  pid_t child = fork();
  if (child == 0) _exit(wait_where_forbidden());
  CU_ASSERT_EQUAL_FATAL(waitpid(child, &status, 0), child);
  CU_ASSERT_FATAL(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77)
    printf("skipped: system calls cannot be forbidden here ");
  else
    CU_ASSERT_EQUAL(WEXITSTATUS(status), 0);
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

/// What the child of `limits` finds: 0 all is well.
static int write_beyond_the_limit(void) {
  char path[256];
  snprintf(path, sizeof path, "%s/limited-%d", test_folder, getpid());
  int fd = open(path, O_CREAT | O_TRUNC | O_RDWR, 0600);
  unlink(path);
  struct rlimit limit = {4096, 4096};
  if (fd < 0 || setrlimit(RLIMIT_FSIZE, &limit) || simsan_stop_on_signals(simsan_eventfd())) return 1;
  if (simsan_pwrite(fd, "x", 1, 0) != 1) return 2;
  return simsan_pwrite(fd, "x", 1, 4096) == -EFBIG ? 0 : 3;
}

static void limits(void) {
  int status = 0;
  pid_t child = fork();
  if (child == 0) _exit(write_beyond_the_limit());
  CU_ASSERT_EQUAL_FATAL(waitpid(child, &status, 0), child);
  CU_ASSERT_EQUAL(status, 0);
}

void add_event_tests(void) {
  CU_pSuite suite = CU_add_suite("events", NULL, NULL);
  CU_add_test(suite, "an eventfd wakes an epoll", wakes);
  CU_add_test(suite, "an edge is told once", edges);
  CU_add_test(suite, "a wait lasts as long as it was asked to", waits);
  CU_add_test(suite, "where epoll_pwait2 is forbidden, it lasts as long", waits_where_forbidden);
  CU_add_test(suite, "a signal sets the flag and wakes", signals);
  CU_add_test(suite, "a write beyond ulimit -f fails, and no more", limits);
}
