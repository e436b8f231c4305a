#include "tests.h"

#include <string.h>

#include "simsan_digest.h"

// RFC 7143 Appendix A.4; the wire's bytes are the digest's in little-endian order.
static void vectors(void) {
  unsigned char bytes[48];
  memset(bytes, 0, 32);
  CU_ASSERT_EQUAL(simsan_crc32c(0, bytes, 32), 0x8A9136AAu);
  memset(bytes, 0xFF, 32);
  CU_ASSERT_EQUAL(simsan_crc32c(0, bytes, 32), 0x62A8AB43u);
  for (int i = 0; i < 32; i++) bytes[i] = (unsigned char)i;
  CU_ASSERT_EQUAL(simsan_crc32c(0, bytes, 32), 0x46DD794Eu);
  for (int i = 0; i < 32; i++) bytes[i] = (unsigned char)(31 - i);
  CU_ASSERT_EQUAL(simsan_crc32c(0, bytes, 32), 0x113FDB5Cu);
}

static void agrees_with_the_table(void) {
  static unsigned char bytes[20000]; // long enough for every kernel, and odd rests of each
  unsigned state = 1;
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)((state = state * 1664525 + 1013904223) >> 24);
  for (size_t length = 0; length < 5000; length += length < 1100 ? 1 : 97)
    for (size_t start = 0; start < 9; start += 4)
      CU_ASSERT_EQUAL(
          simsan_crc32c(7, bytes + start, length), simsan_crc32c_portable(7, bytes + start, length));
  CU_ASSERT_EQUAL(simsan_crc32c(0, bytes, sizeof bytes), simsan_crc32c_portable(0, bytes, sizeof bytes));
}

static void goes_on(void) {
  const char *text = "a digest may be computed in pieces";
  size_t length = strlen(text);
  for (size_t cut = 0; cut <= length; cut++)
    CU_ASSERT_EQUAL(
        simsan_crc32c(simsan_crc32c(0, text, cut), text + cut, length - cut), simsan_crc32c(0, text, length));
}

void add_digest_tests(void) {
  CU_pSuite suite = CU_add_suite("CRC32C", NULL, NULL);
  CU_add_test(suite, "the vectors of RFC 7143", vectors);
  CU_add_test(suite, "the kernels agree with the table", agrees_with_the_table);
  CU_add_test(suite, "a digest goes on where it stopped", goes_on);
}
