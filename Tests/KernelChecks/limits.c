// What one thread of this machine can do at most: reading memory, and multiplying and adding in registers.
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "checks.h"

double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

// Both loops for vectors of `LANES` floats. Sixteen sums hide the latency; factor and addend keep them finite.
#define LOOPS(NAME, LANES)                                                                                  \
  typedef float NAME##_floats __attribute__((vector_size(4 * LANES)));                                      \
  typedef uint32_t NAME##_ints __attribute__((vector_size(4 * LANES)));                                     \
  static uint32_t NAME##_read(const uint8_t *memory, size_t size) {                                         \
    NAME##_ints sums[4] = {0};                                                                              \
    size_t quarter = size / 4;                                                                              \
    for (size_t i = 0; i + sizeof(NAME##_ints) <= quarter; i += sizeof(NAME##_ints))                        \
      for (size_t s = 0; s < 4; s++) sums[s] += *(const NAME##_ints *)(memory + s * quarter + i);           \
    NAME##_ints sum = sums[0] + sums[1] + sums[2] + sums[3];                                                \
    uint32_t total = 0;                                                                                     \
    for (int l = 0; l < LANES; l++) total += sum[l];                                                        \
    return total;                                                                                           \
  }                                                                                                         \
  static float NAME##_fma(size_t count) {                                                                   \
    NAME##_floats a = {0}, b = a, c = a, d = a, e = a, f = a, g = a, h = a, i = a, j = a, factor = a + 0.5f, addend = a + 1.0f; \
    for (size_t n = 0; n < count; n++) {                                                                    \
      a = a * factor + addend, b = b * factor + addend, c = c * factor + addend, d = d * factor + addend;   \
      e = e * factor + addend, f = f * factor + addend, g = g * factor + addend, h = h * factor + addend;   \
      i = i * factor + addend, j = j * factor + addend;                                                     \
      /* Otherwise all are found to be the same. */                                                         \
      __asm__ volatile("" : REGISTER(a), REGISTER(b), REGISTER(c), REGISTER(d), REGISTER(e), REGISTER(f), REGISTER(g), REGISTER(h), REGISTER(i), REGISTER(j)); \
    }                                                                                                       \
    NAME##_floats sum = a + b + c + d + e + f + g + h + i + j;                                              \
    return sum[0];                                                                                          \
  }

#if defined(__x86_64__)
#define REGISTER(v) "+v"(v)
LOOPS(plain, 4)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
LOOPS(avx2, 8)
#pragma clang attribute pop
#pragma clang attribute push(__attribute__((target("avx512f"))), apply_to = function)
LOOPS(avx512, 16)
#pragma clang attribute pop
#else
#define REGISTER(v) "+w"(v)
LOOPS(plain, 4)
#endif

struct loops {
  uint32_t (*read)(const uint8_t *memory, size_t size);
  float (*fma)(size_t count);
  size_t lanes;
};

static struct loops loops(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f")) return (struct loops){avx512_read, avx512_fma, 16};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return (struct loops){avx2_read, avx2_fma, 8};
#endif
  return (struct loops){plain_read, plain_fma, 4};
}

double limit_read(void) {
  size_t size = (size_t)256 << 20;
  uint8_t *memory = aligned_alloc(4096, size);
  if (!memory) return 0;
  memset(memory, 1, size);
  double best = 0;
  volatile uint32_t sink = 0;
  for (int i = 0; i < 6; i++) {
    double start = seconds();
    sink += loops().read(memory, size);
    double rate = (double)size / (seconds() - start);
    best = rate > best ? rate : best;
  }
  free(memory);
  return best;
}

double limit_fma(void) {
  double best = 0;
  volatile float sink = 0;
  for (int i = 0; i < 6; i++) {
    size_t count = 10000000;
    double start = seconds();
    sink += loops().fma(count);
    double rate = 2.0 * 10 * (double)loops().lanes * (double)count / (seconds() - start);
    best = rate > best ? rate : best;
  }
  return best;
}
