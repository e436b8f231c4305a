#define _GNU_SOURCE
#include "simsan_memory.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

void simsan_memory_prefer_large_pages(void *memory, size_t length) {
  // Refused where there are none, which changes nothing but the speed.
  (void)madvise(memory, length, MADV_HUGEPAGE);
}

#ifdef __SSE2__

enum { LINE = 64 };

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
