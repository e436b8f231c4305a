#include "tests.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "simsan_host.h"

static struct simsan_uring *ring;

static int take(struct simsan_uring_completion *one) {
  for (int tries = 0; tries < 100; tries++) {
    int count = simsan_uring_turn(ring, 100000000, one, 1);
    if (count) return count;
  }
  return 0;
}

// Containers may forbid io_uring: then there is nothing to test but the error.
static int has_ring(void) {
  int error = 0;
  ring = simsan_uring_create(8, 4, &error);
  if (!ring) CU_ASSERT(error == EPERM || error == ENOSYS || error == EACCES || error == ENOMEM);
  return ring != NULL;
}

static void files(void) {
  if (!has_ring()) return;
  char path[256], back[8] = {0}, text[] = "uring";
  struct iovec out = {text, 5}, in = {back, 5};
  struct simsan_uring_completion done;
  snprintf(path, sizeof path, "%s/uring-%d", test_folder, getpid());
  int fd = open(path, O_CREAT | O_TRUNC | O_RDWR, 0600);
  CU_ASSERT_EQUAL(simsan_uring_prepare(ring, SIMSAN_URING_WRITE, fd, 11, &out, 1, 100, 1), 0);
  CU_ASSERT_EQUAL(take(&done), 1);
  CU_ASSERT_EQUAL(done.user_data, 11);
  CU_ASSERT_EQUAL(done.result, 5);
  CU_ASSERT_EQUAL(simsan_uring_prepare(ring, SIMSAN_URING_READ, fd, 12, &in, 1, 100, 0), 0);
  CU_ASSERT_EQUAL(take(&done), 1);
  CU_ASSERT_EQUAL(done.result, 5);
  CU_ASSERT_STRING_EQUAL(back, "uring");
  CU_ASSERT_EQUAL(simsan_uring_prepare(ring, SIMSAN_URING_FLUSH, fd, 13, NULL, 0, 0, 0), 0);
  CU_ASSERT_EQUAL(take(&done), 1);
  CU_ASSERT_EQUAL(done.result, 0);
  simsan_close(fd);
  unlink(path);
  simsan_uring_destroy(ring);
}

static void cancels(void) {
  if (!has_ring()) return;
  struct simsan_uring_completion done;
  int fd = simsan_eventfd(), seen = 0;
  CU_ASSERT_EQUAL(simsan_uring_prepare(ring, SIMSAN_URING_POLL, fd, 21, NULL, 0, 0, 0), 0);
  CU_ASSERT_EQUAL(simsan_uring_turn(ring, 0, &done, 1), 0);
  CU_ASSERT_EQUAL(simsan_uring_prepare(ring, SIMSAN_URING_CANCEL, -1, 22, NULL, 21, 0, 0), 0);
  for (int count = 0; count < 2; count++) {
    CU_ASSERT_EQUAL(take(&done), 1);
    if (done.user_data == 21) {
      CU_ASSERT_EQUAL(done.result, -ECANCELED);
      seen = 1;
    }
  }
  CU_ASSERT(seen);
  simsan_close(fd);
  simsan_uring_destroy(ring);
}

static void overflows(void) {
  if (!has_ring()) return;
  // More requests than the queue has room for: it is submitted on the way.
  struct simsan_uring_completion done[64];
  int fd = simsan_eventfd(), taken = 0;
  simsan_eventfd_signal(fd);
  for (uint64_t number = 0; number < 20; number++)
    CU_ASSERT_EQUAL(simsan_uring_prepare(ring, SIMSAN_URING_POLL, fd, number, NULL, 0, 0, 0), 0);
  for (int tries = 0; tries < 100 && taken < 20; tries++) taken += simsan_uring_turn(ring, 10000000, done, 64);
  CU_ASSERT_EQUAL(taken, 20);
  simsan_close(fd);
  simsan_uring_destroy(ring);
}

static void waits(void) {
  if (!has_ring()) return;
  struct simsan_uring_completion done;
  uint64_t before = simsan_monotonic_nanoseconds();
  CU_ASSERT_EQUAL(simsan_uring_turn(ring, 20000000, &done, 1), 0);
  CU_ASSERT(simsan_monotonic_nanoseconds() - before >= 20000000);
  simsan_uring_destroy(ring);
}

void add_uring_tests(void) {
  CU_pSuite suite = CU_add_suite("io_uring", NULL, NULL);
  CU_add_test(suite, "writes, reads and flushes", files);
  CU_add_test(suite, "a request that waits is cancelled", cancels);
  CU_add_test(suite, "more requests than entries", overflows);
  CU_add_test(suite, "a wait lasts as long as it was asked to", waits);
}
