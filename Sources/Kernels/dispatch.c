// Which variants exist and which of them this CPU can run.
#include "CSwiftletKernels.h"

#include "generic/blocks.h"

extern const struct swiftlet_kernels swiftlet_kernels_generic;
#if defined(__x86_64__)
extern const struct swiftlet_kernels swiftlet_kernels_avx2, swiftlet_kernels_avx512;
#endif

static const struct swiftlet_kernels *const variants[] = {
#if defined(__x86_64__)
    &swiftlet_kernels_avx512,
    &swiftlet_kernels_avx2,
#endif
    &swiftlet_kernels_generic,
};

const struct swiftlet_kernels *swiftlet_kernels_variant(size_t index) {
  return index < sizeof(variants) / sizeof(variants[0]) ? variants[index] : NULL;
}

int swiftlet_kernels_supported(const struct swiftlet_kernels *kernels) {
#if defined(__x86_64__)
  // The builtin also asks the operating system (XGETBV) whether it saves the wide registers.
  __builtin_cpu_init();
  int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c") &&
             __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  if (kernels == &swiftlet_kernels_avx2) return avx2;
  if (kernels == &swiftlet_kernels_avx512)
    return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
#endif
  return kernels == &swiftlet_kernels_generic;
}

size_t swiftlet_block_bytes(int type) {
  switch (type) {
    case SWIFTLET_F32: return 4;
    case SWIFTLET_F16: return 2;
    case SWIFTLET_BF16: return 2;
    case SWIFTLET_F8_E4M3: return 1;
    case SWIFTLET_Q4_0: return sizeof(struct block_q4_0);
    case SWIFTLET_Q4_1: return sizeof(struct block_q4_1);
    case SWIFTLET_Q5_0: return sizeof(struct block_q5_0);
    case SWIFTLET_Q8_0: return sizeof(struct block_q8_0);
    case SWIFTLET_Q4_K: return sizeof(struct block_q4_k);
    case SWIFTLET_Q6_K: return sizeof(struct block_q6_k);
    case SWIFTLET_Q5_1: return sizeof(struct block_q5_1);
    case SWIFTLET_Q2_K: return sizeof(struct block_q2_k);
    case SWIFTLET_Q3_K: return sizeof(struct block_q3_k);
    case SWIFTLET_Q5_K: return sizeof(struct block_q5_k);
    case SWIFTLET_IQ4_NL: return sizeof(struct block_iq4_nl);
    case SWIFTLET_IQ4_XS: return sizeof(struct block_iq4_xs);
    default: return 0;
  }
}

size_t swiftlet_block_length(int type) {
  switch (type) {
    case SWIFTLET_F32:
    case SWIFTLET_F16:
    case SWIFTLET_BF16:
    case SWIFTLET_F8_E4M3: return 1;
    case SWIFTLET_Q4_0:
    case SWIFTLET_Q4_1:
    case SWIFTLET_Q5_0:
    case SWIFTLET_Q5_1:
    case SWIFTLET_IQ4_NL:
    case SWIFTLET_Q8_0: return 32;
    case SWIFTLET_Q2_K:
    case SWIFTLET_Q3_K:
    case SWIFTLET_Q5_K:
    case SWIFTLET_IQ4_XS:
    case SWIFTLET_Q4_K:
    case SWIFTLET_Q6_K: return 256;
    default: return 0;
  }
}
