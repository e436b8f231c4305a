#ifndef SIMSAN_MEMORY_H
#define SIMSAN_MEMORY_H

#include <stddef.h>

/// Asks for large pages for memory that is aligned to them; a page size that the system has not is no error.
void simsan_memory_prefer_large_pages(void *memory, size_t length);

/// Copies `length` bytes past the caches: for a destination that is not in them, and is not read soon. What it would
/// otherwise cost to fetch the destination first is saved.
void simsan_memory_stream(void *to, const void *from, size_t length);

#endif
