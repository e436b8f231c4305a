#include "simsan_allocation.h"

#include <errno.h>
#include <stddef.h>

#ifndef __has_feature
#define __has_feature(name) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || __has_feature(address_sanitizer) || \
    __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)

uint64_t simsan_allocation_count(void) { return 0; }
int simsan_allocations_are_counted(void) { return 0; }

#else

// glibc's own names for what these replace.
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

// Of the executable itself, so that reading it allocates nothing.
static __thread uint64_t count __attribute__((tls_model("initial-exec")));

uint64_t simsan_allocation_count(void) { return count; }
int simsan_allocations_are_counted(void) { return 1; }

void *malloc(size_t length) {
  count++;
  return __libc_malloc(length);
}

void *calloc(size_t number, size_t length) {
  count++;
  return __libc_calloc(number, length);
}

void *realloc(void *memory, size_t length) {
  count++;
  return __libc_realloc(memory, length);
}

void *memalign(size_t alignment, size_t length) {
  count++;
  return __libc_memalign(alignment, length);
}

void *aligned_alloc(size_t alignment, size_t length) {
  count++;
  return __libc_memalign(alignment, length);
}

int posix_memalign(void **memory, size_t alignment, size_t length) {
  if (alignment % sizeof(void *) != 0 || (alignment & (alignment - 1)) != 0 || alignment == 0) return EINVAL;
  count++;
  void *result = __libc_memalign(alignment, length);
  if (!result) return ENOMEM;
  *memory = result;
  return 0;
}

#endif
