#include "tests.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "simsan_host.h"

enum { SIZE = 1 << 20 };

static int fresh(char path[256], struct simsan_medium *medium) {
  snprintf(path, 256, "%s/medium-%d", test_folder, getpid());
  int fd = open(path, O_CREAT | O_TRUNC | O_RDWR, 0600);
  if (fd < 0 || ftruncate(fd, SIZE)) return -1;
  close(fd);
  return simsan_open_medium(path, 0, 0, 1, medium);
}

static void opening(void) {
  char path[256];
  struct simsan_medium medium;
  int fd = fresh(path, &medium);
  CU_ASSERT_FATAL(fd >= 0);
  CU_ASSERT_EQUAL(medium.size, SIZE);
  CU_ASSERT_EQUAL(medium.alignment, 1);
  CU_ASSERT_EQUAL(medium.is_block_device, 0);
  simsan_close(fd);
  fd = simsan_open_medium(path, 1, 0, 1, &medium);
  CU_ASSERT_EQUAL(simsan_pwrite(fd, "x", 1, 0), -EBADF);
  simsan_close(fd);
  unlink(path);
  CU_ASSERT_EQUAL(simsan_open_medium(path, 0, 0, 1, &medium), -ENOENT);
  CU_ASSERT_EQUAL(simsan_open_medium(test_folder, 1, 0, 1, &medium), -EISDIR);
  CU_ASSERT_EQUAL(simsan_open_medium("/dev/null", 0, 0, 1, &medium), -ENODEV);
}

static void file_systems(void) {
  CU_ASSERT_EQUAL(simsan_is_remote_file_system(0x6969), 1);
  CU_ASSERT_EQUAL(simsan_is_remote_file_system(0xFF534D42), 1);
  CU_ASSERT_EQUAL(simsan_is_remote_file_system(0x65735546), 1);
  // ext4, XFS, Btrfs, tmpfs, overlayfs.
  const uint32_t own[] = {0xEF53, 0x58465342, 0x9123683E, 0x01021994, 0x794C7630};
  for (unsigned i = 0; i < sizeof own / sizeof own[0]; i++) CU_ASSERT_EQUAL(simsan_is_remote_file_system(own[i]), 0);
}

static void locking(void) {
  char path[256];
  struct simsan_medium medium;
  int writer = fresh(path, &medium);
  CU_ASSERT_FATAL(writer >= 0);
  // Who does not ask for it does not get it, and does not take it away when he closes the file.
  int looker = simsan_open_medium(path, 0, 0, 0, &medium);
  CU_ASSERT(looker >= 0);
  simsan_close(looker);
  CU_ASSERT_EQUAL(simsan_open_medium(path, 0, 0, 1, &medium), -EBUSY);
  CU_ASSERT_EQUAL(simsan_open_medium(path, 1, 0, 1, &medium), -EBUSY);
  simsan_close(writer);
  int readers[] = {simsan_open_medium(path, 1, 0, 1, &medium), simsan_open_medium(path, 1, 0, 1, &medium)};
  CU_ASSERT(readers[0] >= 0 && readers[1] >= 0);
  CU_ASSERT_EQUAL(simsan_open_medium(path, 0, 0, 1, &medium), -EBUSY);
  for (int i = 0; i < 2; i++) simsan_close(readers[i]);
  unlink(path);
}

static void holes(void) {
  char path[256], byte = 1;
  struct simsan_medium medium;
  int fd = fresh(path, &medium);
  static char full[SIZE];
  memset(full, 7, SIZE);
  CU_ASSERT_EQUAL(simsan_pwrite(fd, full, SIZE, 0), SIZE);
  CU_ASSERT_EQUAL(simsan_flush_data(fd), 0);
  int result = simsan_discard(fd, 0, 65536, 65536);
  if (result != -EOPNOTSUPP) {
    CU_ASSERT_EQUAL(result, 0);
    CU_ASSERT_EQUAL(pread(fd, &byte, 1, 65536), 1);
    CU_ASSERT_EQUAL(byte, 0);
    CU_ASSERT_EQUAL(pread(fd, &byte, 1, 65535), 1);
    CU_ASSERT_EQUAL(byte, 7);
    CU_ASSERT_EQUAL(simsan_seek(fd, 0, 1), 65536);
    CU_ASSERT_EQUAL(simsan_seek(fd, 65536, 0), 131072);
  }
  CU_ASSERT_EQUAL(simsan_seek(fd, SIZE, 0), -ENXIO);
  result = simsan_write_zeroes(fd, 0, 262144, 4096);
  CU_ASSERT(result == 0 || result == -EOPNOTSUPP);
  simsan_close(fd);
  unlink(path);
}

static void aio(void) {
  char path[256];
  struct simsan_medium medium;
  int fd = fresh(path, &medium), event = simsan_eventfd(), error = 0;
  struct simsan_aio *queue = simsan_aio_create(8, event, &error);
  CU_ASSERT_PTR_NOT_NULL_FATAL(queue);
  char one[512], two[512], back[1024] = {0};
  memset(one, 1, sizeof one);
  memset(two, 2, sizeof two);
  struct iovec out[] = {{one, 512}, {two, 512}}, in[] = {{back, 1024}};
  uint32_t slots[8] = {3, 5}, done[8];
  int64_t results[8];
  simsan_aio_prepare(queue, 3, SIMSAN_AIO_WRITE_FUA, fd, out, 2, 4096);
  CU_ASSERT_EQUAL(simsan_aio_submit(queue, slots, 1), 1);
  int taken = 0;
  for (int tries = 0; tries < 500 && taken < 1; tries++) {
    struct pollfd waiting = {.fd = event, .events = POLLIN};
    poll(&waiting, 1, 10);
    taken += simsan_aio_reap(queue, done, results, 8);
  }
  CU_ASSERT_EQUAL_FATAL(taken, 1);
  CU_ASSERT_EQUAL(done[0], 3);
  CU_ASSERT_EQUAL(results[0], 1024);
  simsan_aio_prepare(queue, 5, SIMSAN_AIO_READ, fd, in, 1, 4096);
  CU_ASSERT_EQUAL(simsan_aio_submit(queue, slots + 1, 1), 1);
  for (taken = 0; taken < 1;) taken = simsan_aio_reap(queue, done, results, 8);
  CU_ASSERT_EQUAL(results[0], 1024);
  CU_ASSERT_EQUAL(memcmp(back, one, 512), 0);
  CU_ASSERT_EQUAL(memcmp(back + 512, two, 512), 0);
  simsan_aio_prepare(queue, 0, SIMSAN_AIO_FLUSH, fd, NULL, 0, 0);
  slots[0] = 0;
  CU_ASSERT_EQUAL(simsan_aio_submit(queue, slots, 1), 1);
  for (taken = 0; taken < 1;) taken = simsan_aio_reap(queue, done, results, 8);
  CU_ASSERT_EQUAL(results[0], 0);
  simsan_aio_destroy(queue);
  simsan_close(event);
  simsan_close(fd);
  unlink(path);
}

void add_media_tests(void) {
  CU_pSuite suite = CU_add_suite("media", NULL, NULL);
  CU_add_test(suite, "what opens, and what does not", opening);
  CU_add_test(suite, "a file has one writer, or readers", locking);
  CU_add_test(suite, "file systems of others", file_systems);
  CU_add_test(suite, "holes are made and found", holes);
  CU_add_test(suite, "libaio writes, reads and flushes", aio);
}
