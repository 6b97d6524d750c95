// x86-64 with AVX-512, VNNI, BF16, and matrix tiles (AMX) of BF16 and int8 (Sapphire Rapids and later).
#if defined(__x86_64__)
#include <immintrin.h>

#include "../generic/blocks.h"
#include "CSwiftletKernels.h"

#pragma clang attribute push(                                                                                             \
    __attribute__((target("avx2,fma,f16c,bmi,bmi2,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,amx-tile,amx-bf16,amx-int8"))), \
    apply_to = function)
#define VARIANT_NAME "amx"
#define VARIANT_TABLE swiftlet_kernels_amx
#define LANES 16
#define STRIP_TILE_ROWS 12
#define STRIP_TILE_STRIPS 8
#define ROWS 16
#define HAS_VNNI 1
static inline __m512i rows_dot(__m512i sum, __m512i codes, __m512i x) { return _mm512_dpbusd_epi32(sum, codes, x); }
#define ATTENTION_BF16 "../x86/attention_bf16.inc"
#define STRIPS_INT8 "../x86/strips_int8.inc"
#define STRIPS_BF16 "../x86/strips_tiles.inc"
#define EXPAND_STRIP "../x86/expand_bf16.inc"
#define PAIRS_BF16 "../x86/pairs_bf16.inc"
#include "int8_avx2.inc"

#include "../generic/variant.inc"
#pragma clang attribute pop
#endif
