#ifndef SIMSAN_DIGEST_H
#define SIMSAN_DIGEST_H

#include <stddef.h>
#include <stdint.h>

/// CRC32C (Castagnoli; RFC 7143 §13.1) of `length` bytes, continuing `crc`.
///
/// `crc` is 0 for the first run of bytes, and what the last call returned for each further one. The result is finished
/// after every call; on the wire its bytes are in little-endian order.
uint32_t simsan_crc32c(uint32_t crc, const void *bytes, size_t length);

/// The same by a table, one byte at a time: what machines without the instruction use, and what the tests compare with.
uint32_t simsan_crc32c_portable(uint32_t crc, const void *bytes, size_t length);

#endif
