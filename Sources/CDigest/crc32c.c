#include "simsan_digest.h"

#include <string.h>

/// What one byte, shifted out at the low end, feeds back (the reflected polynomial 82F63B78h).
static const uint32_t table[256] = {
    0x00000000, 0xF26B8303, 0xE13B70F7, 0x1350F3F4, 0xC79A971F, 0x35F1141C, 0x26A1E7E8, 0xD4CA64EB,
    0x8AD958CF, 0x78B2DBCC, 0x6BE22838, 0x9989AB3B, 0x4D43CFD0, 0xBF284CD3, 0xAC78BF27, 0x5E133C24,
    0x105EC76F, 0xE235446C, 0xF165B798, 0x030E349B, 0xD7C45070, 0x25AFD373, 0x36FF2087, 0xC494A384,
    0x9A879FA0, 0x68EC1CA3, 0x7BBCEF57, 0x89D76C54, 0x5D1D08BF, 0xAF768BBC, 0xBC267848, 0x4E4DFB4B,
    0x20BD8EDE, 0xD2D60DDD, 0xC186FE29, 0x33ED7D2A, 0xE72719C1, 0x154C9AC2, 0x061C6936, 0xF477EA35,
    0xAA64D611, 0x580F5512, 0x4B5FA6E6, 0xB93425E5, 0x6DFE410E, 0x9F95C20D, 0x8CC531F9, 0x7EAEB2FA,
    0x30E349B1, 0xC288CAB2, 0xD1D83946, 0x23B3BA45, 0xF779DEAE, 0x05125DAD, 0x1642AE59, 0xE4292D5A,
    0xBA3A117E, 0x4851927D, 0x5B016189, 0xA96AE28A, 0x7DA08661, 0x8FCB0562, 0x9C9BF696, 0x6EF07595,
    0x417B1DBC, 0xB3109EBF, 0xA0406D4B, 0x522BEE48, 0x86E18AA3, 0x748A09A0, 0x67DAFA54, 0x95B17957,
    0xCBA24573, 0x39C9C670, 0x2A993584, 0xD8F2B687, 0x0C38D26C, 0xFE53516F, 0xED03A29B, 0x1F682198,
    0x5125DAD3, 0xA34E59D0, 0xB01EAA24, 0x42752927, 0x96BF4DCC, 0x64D4CECF, 0x77843D3B, 0x85EFBE38,
    0xDBFC821C, 0x2997011F, 0x3AC7F2EB, 0xC8AC71E8, 0x1C661503, 0xEE0D9600, 0xFD5D65F4, 0x0F36E6F7,
    0x61C69362, 0x93AD1061, 0x80FDE395, 0x72966096, 0xA65C047D, 0x5437877E, 0x4767748A, 0xB50CF789,
    0xEB1FCBAD, 0x197448AE, 0x0A24BB5A, 0xF84F3859, 0x2C855CB2, 0xDEEEDFB1, 0xCDBE2C45, 0x3FD5AF46,
    0x7198540D, 0x83F3D70E, 0x90A324FA, 0x62C8A7F9, 0xB602C312, 0x44694011, 0x5739B3E5, 0xA55230E6,
    0xFB410CC2, 0x092A8FC1, 0x1A7A7C35, 0xE811FF36, 0x3CDB9BDD, 0xCEB018DE, 0xDDE0EB2A, 0x2F8B6829,
    0x82F63B78, 0x709DB87B, 0x63CD4B8F, 0x91A6C88C, 0x456CAC67, 0xB7072F64, 0xA457DC90, 0x563C5F93,
    0x082F63B7, 0xFA44E0B4, 0xE9141340, 0x1B7F9043, 0xCFB5F4A8, 0x3DDE77AB, 0x2E8E845F, 0xDCE5075C,
    0x92A8FC17, 0x60C37F14, 0x73938CE0, 0x81F80FE3, 0x55326B08, 0xA759E80B, 0xB4091BFF, 0x466298FC,
    0x1871A4D8, 0xEA1A27DB, 0xF94AD42F, 0x0B21572C, 0xDFEB33C7, 0x2D80B0C4, 0x3ED04330, 0xCCBBC033,
    0xA24BB5A6, 0x502036A5, 0x4370C551, 0xB11B4652, 0x65D122B9, 0x97BAA1BA, 0x84EA524E, 0x7681D14D,
    0x2892ED69, 0xDAF96E6A, 0xC9A99D9E, 0x3BC21E9D, 0xEF087A76, 0x1D63F975, 0x0E330A81, 0xFC588982,
    0xB21572C9, 0x407EF1CA, 0x532E023E, 0xA145813D, 0x758FE5D6, 0x87E466D5, 0x94B49521, 0x66DF1622,
    0x38CC2A06, 0xCAA7A905, 0xD9F75AF1, 0x2B9CD9F2, 0xFF56BD19, 0x0D3D3E1A, 0x1E6DCDEE, 0xEC064EED,
    0xC38D26C4, 0x31E6A5C7, 0x22B65633, 0xD0DDD530, 0x0417B1DB, 0xF67C32D8, 0xE52CC12C, 0x1747422F,
    0x49547E0B, 0xBB3FFD08, 0xA86F0EFC, 0x5A048DFF, 0x8ECEE914, 0x7CA56A17, 0x6FF599E3, 0x9D9E1AE0,
    0xD3D3E1AB, 0x21B862A8, 0x32E8915C, 0xC083125F, 0x144976B4, 0xE622F5B7, 0xF5720643, 0x07198540,
    0x590AB964, 0xAB613A67, 0xB831C993, 0x4A5A4A90, 0x9E902E7B, 0x6CFBAD78, 0x7FAB5E8C, 0x8DC0DD8F,
    0xE330A81A, 0x115B2B19, 0x020BD8ED, 0xF0605BEE, 0x24AA3F05, 0xD6C1BC06, 0xC5914FF2, 0x37FACCF1,
    0x69E9F0D5, 0x9B8273D6, 0x88D28022, 0x7AB90321, 0xAE7367CA, 0x5C18E4C9, 0x4F48173D, 0xBD23943E,
    0xF36E6F75, 0x0105EC76, 0x12551F82, 0xE03E9C81, 0x34F4F86A, 0xC69F7B69, 0xD5CF889D, 0x27A40B9E,
    0x79B737BA, 0x8BDCB4B9, 0x988C474D, 0x6AE7C44E, 0xBE2DA0A5, 0x4C4623A6, 0x5F16D052, 0xAD7D5351,
};

uint32_t simsan_crc32c_portable(uint32_t crc, const void *bytes, size_t length) {
  const uint8_t *next = bytes;
  crc = ~crc;
  while (length--) {
    crc = crc >> 8 ^ table[(crc ^ *next++) & 0xFF];
  }
  return ~crc;
}

#if defined(__x86_64__)
#include <immintrin.h>

#define KERNEL static inline __attribute__((target("sse4.2,pclmul"), always_inline))

KERNEL uint64_t load(const uint8_t *at) {
  uint64_t word;
  memcpy(&word, at, sizeof word);
  return word;
}

/// The contribution of a state to the state `n` bytes later, as a product that one more CRC step reduces. `power` is
/// x^(8n - 33) modulo the polynomial, reflected: the CRC step multiplies by x^32, and the reflected product by x.
KERNEL uint64_t shifted(uint64_t state, uint32_t power) {
  __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)state), _mm_cvtsi32_si128((int)power), 0);
  return (uint64_t)_mm_cvtsi128_si64(product);
}

/// One block of three lanes of `lane` bytes. The instruction has a latency of three cycles and a throughput of one, so
/// that three independent lanes keep it busy.
KERNEL uint64_t block(uint64_t state, const uint8_t *at, size_t lane, uint32_t power2, uint32_t power1) {
  uint64_t a = state, b = 0, c = 0;
  for (size_t i = 0; i < lane; i += 8) {
    a = _mm_crc32_u64(a, load(at + i));
    b = _mm_crc32_u64(b, load(at + lane + i));
    c = _mm_crc32_u64(c, load(at + 2 * lane + i));
  }
  return c ^ _mm_crc32_u64(0, shifted(a, power2) ^ shifted(b, power1));
}

static __attribute__((target("sse4.2,pclmul"))) uint32_t kernel(uint32_t crc, const uint8_t *at, size_t length) {
  uint64_t state = ~crc;
  for (; length >= 3 * 1024; at += 3 * 1024, length -= 3 * 1024) {
    state = block(state, at, 1024, 0xA51B6135, 0x170076FA);
  }
  for (; length >= 3 * 256; at += 3 * 256, length -= 3 * 256) {
    state = block(state, at, 256, 0xDD7E3B0C, 0xB9E02B86);
  }
  for (; length >= 3 * 64; at += 3 * 64, length -= 3 * 64) {
    state = block(state, at, 64, 0x0D3B6092, 0x9E4ADDF8);
  }
  for (; length >= 8; at += 8, length -= 8) {
    state = _mm_crc32_u64(state, load(at));
  }
  for (; length; at++, length--) {
    state = _mm_crc32_u8((uint32_t)state, *at);
  }
  return ~(uint32_t)state;
}

/// `sum` moved on by the distance of `powers`, with `data` added: polynomials of 128 bits. The halves of a pair of powers are
/// x^(d + 32) and x^(d - 32) modulo the polynomial for a distance of d bits, reflected, with the factor x that a reflected
/// product lacks.
KERNEL __m128i fold_one(__m128i sum, __m128i powers, __m128i data) {
  __m128i low = _mm_clmulepi64_si128(sum, powers, 0x00);
  __m128i high = _mm_clmulepi64_si128(sum, powers, 0x11);
  return _mm_xor_si128(_mm_xor_si128(low, high), data);
}

/// The pairs of powers for distances in bits.
#define POWERS_2048 _mm_set_epi64x(0xB9E02B86, 0xDCB17AA4)
#define POWERS_1024 _mm_set_epi64x(0x0D3B6092, 0x6992CEA2)
#define POWERS_512 _mm_set_epi64x(0x9E4ADDF8, 0x740EEF02)
#define POWERS_256 _mm_set_epi64x(0xBA4FC28E, 0x1384AA63A)
#define POWERS_128 _mm_set_epi64x(0x14CD00BD6, 0xF20C0DFE)

#define PAIRED __attribute__((target("avx2,vpclmulqdq,pclmul,sse4.2")))

PAIRED static inline __m256i fold_two(__m256i sum, __m256i powers, __m256i data) {
  __m256i low = _mm256_clmulepi64_epi128(sum, powers, 0x00);
  __m256i high = _mm256_clmulepi64_epi128(sum, powers, 0x11);
  return _mm256_xor_si256(_mm256_xor_si256(low, data), high);
}

PAIRED static inline __m256i load_two(const uint8_t *at) { return _mm256_loadu_si256((const __m256i *)at); }

/// The state that two sums leave, of which the second one ends the data.
PAIRED static inline uint64_t remainder_of(__m256i first, __m256i last) {
  __m256i two = fold_two(first, _mm256_broadcastsi128_si256(POWERS_256), last);
  __m128i one = fold_one(_mm256_castsi256_si128(two), POWERS_128, _mm256_extracti128_si256(two, 1));
  uint64_t state = _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(one));
  return _mm_crc32_u64(state, (uint64_t)_mm_extract_epi64(one, 1));
}

/// The bytes that `paired` takes at once, the part of them that is multiplied, and each of the instruction's three lanes:
/// 128 bytes, then sixteen rounds of 128 bytes that are multiplied and of five words of each lane.
enum { PAIRED_BLOCK = 4096, MULTIPLIED = 2176, PAIRED_LANE = 640 };

/// The next word of each lane.
PAIRED static inline void step(uint64_t lanes[3], const uint8_t *at) {
  for (int i = 0; i < 3; i++) lanes[i] = _mm_crc32_u64(lanes[i], load(at + i * PAIRED_LANE));
}

/// Half of a block by multiplication, half by the instruction: where neither is faster (as on Zen 3), they do not wait for
/// each other, as different units carry them out. They come in turn, so that both units have work within sight. Four sums
/// of 32 bytes side by side hide the latency of the multiplications.
PAIRED static uint32_t paired(uint32_t crc, const uint8_t *at, size_t length) {
  const __m256i by_1024 = _mm256_broadcastsi128_si256(POWERS_1024), by_512 = _mm256_broadcastsi128_si256(POWERS_512);
  uint64_t state = ~crc;
  for (; length >= PAIRED_BLOCK; at += PAIRED_BLOCK, length -= PAIRED_BLOCK) {
    __m256i sums[4];
    for (int i = 0; i < 4; i++) sums[i] = load_two(at + 32 * i);
    sums[0] = _mm256_xor_si256(sums[0], _mm256_zextsi128_si256(_mm_cvtsi64_si128((long long)state)));
    const uint8_t *words = at + MULTIPLIED;
    uint64_t lanes[3] = {0};
    for (const uint8_t *next = at + 128; next < at + MULTIPLIED; next += 128) {
      for (int i = 0; i < 4; i++, words += 8) {
        sums[i] = fold_two(sums[i], by_1024, load_two(next + 32 * i));
        step(lanes, words);
      }
      step(lanes, words);
      words += 8;
    }
    uint64_t divided = lanes[2] ^ _mm_crc32_u64(0, shifted(lanes[0], 0xDD66CBBB) ^ shifted(lanes[1], 0x6B749FB2));
    uint64_t multiplied = remainder_of(fold_two(sums[0], by_512, sums[2]), fold_two(sums[1], by_512, sums[3]));
    state = divided ^ _mm_crc32_u64(0, shifted(multiplied, 0xF48642E9));
  }
  return kernel(~(uint32_t)state, at, length);
}

#define WIDE __attribute__((target("avx512f,avx512vl,vpclmulqdq,pclmul,sse4.2")))

WIDE static inline __m512i fold(__m512i sum, __m512i powers, __m512i data) {
  __m512i low = _mm512_clmulepi64_epi128(sum, powers, 0x00);
  __m512i high = _mm512_clmulepi64_epi128(sum, powers, 0x11);
  return _mm512_ternarylogic_epi64(low, high, data, 0x96);
}

/// The shortest run that `wide` takes.
enum { WIDE_MIN = 512 };

/// Four sums of 64 bytes side by side, which hide the latency of the multiplications; then what they leave becomes
/// 16 bytes with the same remainder, and those and the rest go through the instruction.
WIDE static uint32_t wide(uint32_t crc, const uint8_t *at, size_t length) {
  const __m512i by_2048 = _mm512_broadcast_i32x4(POWERS_2048), by_512 = _mm512_broadcast_i32x4(POWERS_512);
  __m512i sums[4];
  for (int i = 0; i < 4; i++) sums[i] = _mm512_loadu_si512(at + 64 * i);
  sums[0] = _mm512_xor_si512(sums[0], _mm512_zextsi128_si512(_mm_cvtsi32_si128((int)~crc)));
  at += 256;
  length -= 256;
  for (; length >= 256; at += 256, length -= 256) {
    for (int i = 0; i < 4; i++) sums[i] = fold(sums[i], by_2048, _mm512_loadu_si512(at + 64 * i));
  }
  __m512i sum = sums[0];
  for (int i = 1; i < 4; i++) sum = fold(sum, by_512, sums[i]);
  for (; length >= 64; at += 64, length -= 64) sum = fold(sum, by_512, _mm512_loadu_si512(at));
  uint64_t state = remainder_of(_mm512_castsi512_si256(sum), _mm512_extracti64x4_epi64(sum, 1));
  return kernel(~(uint32_t)state, at, length);
}

uint32_t simsan_crc32c(uint32_t crc, const void *bytes, size_t length) {
  // Reads a word that the compiler's runtime filled before main.
  if (length >= WIDE_MIN && __builtin_cpu_supports("vpclmulqdq") && __builtin_cpu_supports("avx512vl")) {
    return wide(crc, bytes, length);
  }
  if (length >= PAIRED_BLOCK && __builtin_cpu_supports("vpclmulqdq") && __builtin_cpu_supports("avx2")) {
    return paired(crc, bytes, length);
  }
  if (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul")) {
    return kernel(crc, bytes, length);
  }
  return simsan_crc32c_portable(crc, bytes, length);
}

#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>

uint32_t simsan_crc32c(uint32_t crc, const void *bytes, size_t length) {
  const uint8_t *at = bytes;
  crc = ~crc;
  for (; length >= 8; at += 8, length -= 8) {
    uint64_t word;
    memcpy(&word, at, sizeof word);
    crc = __crc32cd(crc, word);
  }
  for (; length; at++, length--) {
    crc = __crc32cb(crc, *at);
  }
  return ~crc;
}

#else

uint32_t simsan_crc32c(uint32_t crc, const void *bytes, size_t length) {
  return simsan_crc32c_portable(crc, bytes, length);
}

#endif
