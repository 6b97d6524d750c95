// What this machine can do at this moment: bytes read from memory a second, and operations a second of the units that products run
// on. Prints one JSON object, sums over all threads; the best of some short tries. compare.py compiles and runs it.
//
//     cc -O3 -march=native -ffp-contract=fast -pthread limits.c -o limits && ./limits 2
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif
#if defined(__AMX_INT8__) && defined(__AMX_BF16__) && defined(__linux__)
#define HAS_TILES 1
#include <sys/syscall.h>
#include <unistd.h>
#endif

enum { TRIES = 4, MAX_THREADS = 256, BUFFER_BYTES = 256 << 20 };

// Registers of the widest vectors; as many sums at once as fit beside two operands.
#if defined(__AVX512F__)
enum { LANES = 16, SUMS = 28 };
#elif defined(__AVX__)
enum { LANES = 8, SUMS = 12 };
#else
enum { LANES = 4, SUMS = 12 };
#endif
typedef float floats __attribute__((vector_size(LANES * 4)));
typedef uint64_t words __attribute__((vector_size(LANES * 4)));

// A measurement runs its work on one thread and returns how much was done: bytes or operations.
typedef double (*measurement)(void *memory);

static volatile float sink;
static volatile uint64_t word_sink;

// Four streams, so that several lines are on their way at once.
static double read_memory(void *memory) {
  const size_t quarter = BUFFER_BYTES / sizeof(words) / 4;
  const words *p = memory;
  words a = {0}, b = {0}, c = {0}, d = {0};
  for (size_t i = 0; i < quarter; i++) {
    a += p[i];
    b += p[i + quarter];
    c += p[i + 2 * quarter];
    d += p[i + 3 * quarter];
  }
  a += b + c + d;
  word_sink = a[0];
  return BUFFER_BYTES;
}

static double multiply_floats(void *memory) {
  (void)memory;
  const long rounds = 2000000;
  const floats scale = (floats){0} + 0.999f, offset = (floats){0} + 0.001f;
  floats sum[SUMS];
  for (int i = 0; i < SUMS; i++) sum[i] = (floats){0} + (float)i;
  for (long round = 0; round < rounds; round++)
    for (int i = 0; i < SUMS; i++) sum[i] = sum[i] * scale + offset;
  for (int i = 0; i < SUMS; i++) sink = sum[i][0];
  return 2.0 * LANES * SUMS * rounds;
}

// Products of bytes with 32-bit sums: VNNI, or what AVX2 has in its place.
#if defined(__AVX512VNNI__) || defined(__AVX2__)
#define HAS_BYTES 1
static double multiply_bytes(void *memory) {
  (void)memory;
  const long rounds = 2000000;
#if defined(__AVX512VNNI__)
  const __m512i a = _mm512_set1_epi8(1), b = _mm512_set1_epi8(2);
  __m512i sum[SUMS];
  for (int i = 0; i < SUMS; i++) sum[i] = _mm512_setzero_si512();
  for (long round = 0; round < rounds; round++)
    for (int i = 0; i < SUMS; i++) sum[i] = _mm512_dpbusd_epi32(sum[i], a, b);
  for (int i = 0; i < SUMS; i++) sink = (float)_mm512_reduce_add_epi32(sum[i]);
  return 2.0 * 64 * SUMS * rounds;
#else
  const __m256i b = _mm256_set1_epi8(2), ones = _mm256_set1_epi16(1);
  __m256i sum[SUMS];
  for (int i = 0; i < SUMS; i++) sum[i] = _mm256_setzero_si256();
  for (long round = 0; round < rounds; round++)
    // The sum is an operand too, or the compiler would multiply once.
    for (int i = 0; i < SUMS; i++)
      sum[i] = _mm256_add_epi32(sum[i], _mm256_madd_epi16(_mm256_maddubs_epi16(sum[i], b), ones));
  for (int i = 0; i < SUMS; i++) sink = (float)_mm256_extract_epi32(sum[i], 0);
  return 2.0 * 32 * SUMS * rounds;
#endif
}
#endif

#ifdef HAS_TILES
// Palette 1: eight tiles of 16 rows of 64 bytes. Volatile, since some compilers drop these stores.
static void configure_tiles(void) {
  static _Thread_local volatile uint8_t configuration[64] __attribute__((aligned(64)));
  configuration[0] = 1;
  for (int tile = 0; tile < 8; tile++) {
    configuration[16 + 2 * tile] = 64;
    configuration[48 + tile] = 16;
  }
  _tile_loadconfig((const void *)configuration);
}

static void load_tiles(void *memory) {
  configure_tiles();
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_loadd(4, memory, 64);
  _tile_loadd(5, memory, 64);
  _tile_loadd(6, memory, 64);
  _tile_loadd(7, memory, 64);
}

static double multiply_byte_tiles(void *memory) {
  const long rounds = 1000000;
  load_tiles(memory);
  for (long round = 0; round < rounds; round++) {
    _tile_dpbssd(0, 4, 6);
    _tile_dpbssd(1, 4, 7);
    _tile_dpbssd(2, 5, 6);
    _tile_dpbssd(3, 5, 7);
  }
  _tile_release();
  return 4.0 * 2 * 16 * 16 * 64 * rounds;
}

static double multiply_bf16_tiles(void *memory) {
  const long rounds = 1000000;
  load_tiles(memory);
  for (long round = 0; round < rounds; round++) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_release();
  return 4.0 * 2 * 16 * 16 * 32 * rounds;
}
#endif

static const struct {
  const char *name;
  measurement run;
} measurements[] = {
    {"read_gigabytes_per_second", read_memory},
    {"float_gigaflops", multiply_floats},
#ifdef HAS_BYTES
    {"int8_gigaops", multiply_bytes},
#endif
#ifdef HAS_TILES
    {"int8_tile_gigaops", multiply_byte_tiles},
    {"bf16_tile_gigaflops", multiply_bf16_tiles},
#endif
};
enum { COUNT = sizeof measurements / sizeof measurements[0] };

static int threads;
static pthread_barrier_t barrier;
static double best[COUNT];

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

// All threads begin and end together; the first one keeps the time.
static void *run(void *argument) {
  const int index = (int)(intptr_t)argument;
  void *memory = mmap(0, BUFFER_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) exit(1);
#ifdef MADV_HUGEPAGE
  madvise(memory, BUFFER_BYTES, MADV_HUGEPAGE);
#endif
  memset(memory, 1, BUFFER_BYTES);
  for (int which = 0; which < COUNT; which++)
    for (int try = 0; try < TRIES; try++) {
      pthread_barrier_wait(&barrier);
      const double start = now(), done = measurements[which].run(memory) * threads;
      pthread_barrier_wait(&barrier);
      const double rate = done / (now() - start) / 1e9;
      if (index == 0 && rate > best[which]) best[which] = rate;
    }
  return 0;
}

int main(int count, char **arguments) {
  threads = count > 1 ? atoi(arguments[1]) : 1;
  if (threads < 1 || threads > MAX_THREADS) {
    fprintf(stderr, "limits: expected 1 to %d threads\n", MAX_THREADS);
    return 2;
  }
#ifdef HAS_TILES
  // ARCH_REQ_XCOMP_PERM for the tiles' data: the system hands them out on request.
  if (syscall(SYS_arch_prctl, 0x1023, 18) != 0) {
    fprintf(stderr, "limits: the system gives no matrix tiles\n");
    return 1;
  }
#endif
  pthread_t handles[MAX_THREADS];
  pthread_barrier_init(&barrier, 0, (unsigned)threads);
  for (intptr_t i = 0; i < threads; i++)
    if (pthread_create(&handles[i], 0, run, (void *)i)) return 1;
  for (int i = 0; i < threads; i++) pthread_join(handles[i], 0);
  printf("{");
  for (int which = 0; which < COUNT; which++)
    printf("%s\"%s\": %.2f", which ? ", " : "", measurements[which].name, best[which]);
  printf("}\n");
  return 0;
}
