// x86-64 with AVX2 and AVX-VNNI (Alder Lake, Arrow Lake and their kin, which lack AVX-512).
#if defined(__x86_64__)
#include <immintrin.h>

#include "../generic/blocks.h"
#include "CSwiftletKernels.h"

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,bmi,bmi2,avxvnni"))), apply_to = function)
#define VARIANT_NAME "avxvnni"
#define VARIANT_TABLE swiftlet_kernels_avxvnni
#define LANES 8
#define STRIP_TILE_ROWS 6
#define STRIP_TILE_STRIPS 4
#define ROWS 8
#define HAS_VNNI 1
#define INT8_IS_FASTEST 1
static inline __m256i rows_dot(__m256i sum, __m256i codes, __m256i x) { return _mm256_dpbusd_avx_epi32(sum, codes, x); }
#define STRIPS_INT8 "../x86/strips_int8.inc"
#define STRIPS_INT16 "../x86/strips_int16.inc"
#define EXPAND_STRIP "../x86/expand_int16.inc"
#include "int8_avx2.inc"

#include "../generic/variant.inc"
#pragma clang attribute pop
#endif
