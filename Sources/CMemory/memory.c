#define _GNU_SOURCE
#include "simsan_memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { LARGE_PAGE = 2 << 20 };

void *simsan_memory_allocate(size_t length, size_t alignment) {
  void *memory;
  return posix_memalign(&memory, alignment, length) ? NULL : memory;
}

void simsan_memory_free(void *memory) { free(memory); }

void *simsan_memory_reserve(size_t length) {
  if (length > SIZE_MAX - LARGE_PAGE) return NULL;
  size_t whole = length + LARGE_PAGE;
  unsigned char *memory = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return NULL;
  // What stands over at both ends goes back, but for the part of a page that is in use.
  size_t head = -(uintptr_t)memory & (LARGE_PAGE - 1);
  if (head > 0) munmap(memory, head);
  size_t end = head + length;
  end += -(uintptr_t)(memory + end) & 4095;
  if (end < whole) munmap(memory + end, whole - end);
  return memory + head;
}

void simsan_memory_release(void *memory, size_t length) { munmap(memory, length); }

void simsan_memory_discard(void *memory, size_t length) {
  // Where the system refuses, for instance because the pages are locked, they are cleared.
  if (madvise(memory, length, MADV_DONTNEED) != 0) memset(memory, 0, length);
}

void simsan_memory_prefer_large_pages(void *memory, size_t length) {
  // Refused where there are none, which changes nothing but the speed.
  (void)madvise(memory, length, MADV_HUGEPAGE);
}

enum { LINE = 64, PREFETCHED_MAX = 16 * LINE };

void simsan_memory_prefetch(const void *memory, size_t length) {
  const char *bytes = memory;
  if (length > PREFETCHED_MAX) length = PREFETCHED_MAX;
  for (size_t at = 0; at < length; at += LINE) __builtin_prefetch(bytes + at);
}

#ifdef __SSE2__

void simsan_memory_stream(void *to, const void *from, size_t length) {
  unsigned char *out = to;
  const unsigned char *in = from;
  // Lines that are written only in part are fetched in any case.
  size_t head = -(uintptr_t)out & (LINE - 1);
  if (length < head + LINE) {
    memcpy(out, in, length);
    return;
  }
  memcpy(out, in, head);
  size_t at = head;
  for (; at + LINE <= length; at += LINE) {
    __m128i first = _mm_loadu_si128((const __m128i *)(in + at));
    __m128i second = _mm_loadu_si128((const __m128i *)(in + at + 16));
    __m128i third = _mm_loadu_si128((const __m128i *)(in + at + 32));
    __m128i fourth = _mm_loadu_si128((const __m128i *)(in + at + 48));
    _mm_stream_si128((__m128i *)(out + at), first);
    _mm_stream_si128((__m128i *)(out + at + 16), second);
    _mm_stream_si128((__m128i *)(out + at + 32), third);
    _mm_stream_si128((__m128i *)(out + at + 48), fourth);
  }
  memcpy(out + at, in + at, length - at);
  // Streamed lines are seen by others, such as a thread that takes the memory over, in the order of all other stores.
  _mm_sfence();
}

#else

void simsan_memory_stream(void *to, const void *from, size_t length) { memcpy(to, from, length); }

#endif
