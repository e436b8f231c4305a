#define _GNU_SOURCE
#include "simsan_host.h"

#include <errno.h>
#include <libaio.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>

struct simsan_aio {
  io_context_t context;
  int eventfd;
  struct iocb *requests;
  struct iocb **pointers;
  struct io_event *events;
  unsigned depth;
};

struct simsan_aio *simsan_aio_create(unsigned depth, int eventfd, int *error) {
  struct simsan_aio *aio = calloc(1, sizeof *aio);
  if (!aio) {
    *error = ENOMEM;
    return NULL;
  }
  aio->depth = depth;
  aio->eventfd = eventfd;
  aio->requests = calloc(depth, sizeof *aio->requests);
  aio->pointers = calloc(depth, sizeof *aio->pointers);
  aio->events = calloc(depth, sizeof *aio->events);
  int result = aio->requests && aio->pointers && aio->events ? io_setup((int)depth, &aio->context) : -ENOMEM;
  if (result < 0) {
    *error = -result;
    aio->context = NULL;
    simsan_aio_destroy(aio);
    return NULL;
  }
  return aio;
}

void simsan_aio_destroy(struct simsan_aio *aio) {
  if (aio->context) io_destroy(aio->context);
  free(aio->requests);
  free(aio->pointers);
  free(aio->events);
  free(aio);
}

void simsan_aio_prepare(
    struct simsan_aio *aio, unsigned slot, int kind, int fd, struct iovec *vector, unsigned count, uint64_t offset) {
  struct iocb *request = &aio->requests[slot];
  memset(request, 0, sizeof *request);
  switch (kind) {
  case SIMSAN_AIO_READ: io_prep_preadv(request, fd, vector, (int)count, (long long)offset); break;
  case SIMSAN_AIO_READ_NOWAIT:
    io_prep_preadv(request, fd, vector, (int)count, (long long)offset);
    request->aio_rw_flags = RWF_NOWAIT;
    break;
  case SIMSAN_AIO_WRITE: io_prep_pwritev(request, fd, vector, (int)count, (long long)offset); break;
  case SIMSAN_AIO_WRITE_FUA:
    io_prep_pwritev(request, fd, vector, (int)count, (long long)offset);
    request->aio_rw_flags = RWF_DSYNC;
    break;
  default: io_prep_fdsync(request, fd); break;
  }
  io_set_eventfd(request, aio->eventfd);
  request->data = (void *)(uintptr_t)slot;
}

int simsan_aio_submit(struct simsan_aio *aio, const uint32_t *slots, unsigned count) {
  for (unsigned i = 0; i < count; i++) aio->pointers[i] = &aio->requests[slots[i]];
  return io_submit(aio->context, count, aio->pointers);
}

int simsan_aio_reap(struct simsan_aio *aio, uint32_t *slots, int64_t *results, unsigned count) {
  struct timespec zero = {0, 0};
  if (count > aio->depth) count = aio->depth;
  int n = io_getevents(aio->context, 0, count, aio->events, &zero);
  for (int i = 0; i < n; i++) {
    slots[i] = (uint32_t)(uintptr_t)aio->events[i].data;
    results[i] = (int64_t)aio->events[i].res;
  }
  return n;
}
