// Which variants exist and which of them this CPU can run.
#include "CSwiftletKernels.h"

#include "generic/blocks.h"

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#elif defined(__aarch64__)
#if defined(__linux__)
#include <sys/auxv.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#endif
#endif

extern const struct swiftlet_kernels swiftlet_kernels_generic;
#if defined(__x86_64__)
extern const struct swiftlet_kernels swiftlet_kernels_avx2, swiftlet_kernels_avxvnni, swiftlet_kernels_avx512,
    swiftlet_kernels_avx512vnni, swiftlet_kernels_avx512bf16, swiftlet_kernels_amx;
#elif defined(__aarch64__)
extern const struct swiftlet_kernels swiftlet_kernels_neon, swiftlet_kernels_dotprod, swiftlet_kernels_i8mm;
#endif

static const struct swiftlet_kernels *const variants[] = {
#if defined(__x86_64__)
    &swiftlet_kernels_amx,
    &swiftlet_kernels_avx512bf16,
    &swiftlet_kernels_avx512vnni,
    &swiftlet_kernels_avx512,
    &swiftlet_kernels_avxvnni,
    &swiftlet_kernels_avx2,
#elif defined(__aarch64__)
    &swiftlet_kernels_i8mm,
    &swiftlet_kernels_dotprod,
    &swiftlet_kernels_neon,
#endif
    &swiftlet_kernels_generic,
};

const struct swiftlet_kernels *swiftlet_kernels_variant(size_t index) {
  return index < sizeof(variants) / sizeof(variants[0]) ? variants[index] : NULL;
}

#if defined(__x86_64__)
// Bits of CPUID leaf 7 that the compiler's builtin does not know in every version: subleaf 0's EDX, subleaf 1's EAX.
static void leaf_7(uint32_t *edx, uint32_t *eax_1) {
  uint32_t a, b, c, d;
  *edx = *eax_1 = 0;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return;
  *edx = d;
  if (a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d)) *eax_1 = a;
}

// Whether the system saves the tiles of a thread, and lets this process use them: Linux wants to be asked.
static int has_permission_for_tiles(void) {
  uint32_t low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  if ((low & 3u << 17) != 3u << 17) return 0;
#if defined(__linux__)
  enum { request_permission = 0x1023, tile_data = 18 };
  return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
#else
  return 0;
#endif
}
#elif defined(__aarch64__)
// Whether the system says that the CPU has dot products of int8, and products of int8 matrices.
static void arm_features(int *dotprod, int *i8mm) {
  *dotprod = *i8mm = 0;
#if defined(__linux__)
  // HWCAP_ASIMDDP and HWCAP2_I8MM, which not every libc names.
  *dotprod = getauxval(AT_HWCAP) >> 20 & 1;
  *i8mm = getauxval(AT_HWCAP2) >> 13 & 1;
#elif defined(__APPLE__)
  // Names that a system does not know leave the zero.
  size_t size = sizeof(int);
  sysctlbyname("hw.optional.arm.FEAT_DotProd", dotprod, &size, NULL, 0);
  size = sizeof(int);
  sysctlbyname("hw.optional.arm.FEAT_I8MM", i8mm, &size, NULL, 0);
#endif
}
#endif

int swiftlet_kernels_supported(const struct swiftlet_kernels *kernels) {
#if defined(__x86_64__)
  // The builtin also asks the operating system (XGETBV) whether it saves the wide registers.
  __builtin_cpu_init();
  int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c") &&
             __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  int avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  int vnni = avx512 && __builtin_cpu_supports("avx512vnni");
  uint32_t edx, eax_1;
  leaf_7(&edx, &eax_1);
  int bf16 = vnni && (eax_1 >> 5 & 1);
  if (kernels == &swiftlet_kernels_avx2) return avx2;
  if (kernels == &swiftlet_kernels_avxvnni) return avx2 && (eax_1 >> 4 & 1);
  if (kernels == &swiftlet_kernels_avx512) return avx512;
  if (kernels == &swiftlet_kernels_avx512vnni) return vnni;
  if (kernels == &swiftlet_kernels_avx512bf16) return bf16;
  // BF16, tiles, int8.
  if (kernels == &swiftlet_kernels_amx)
    return bf16 && (edx >> 22 & 1) && (edx >> 24 & 1) && (edx >> 25 & 1) && has_permission_for_tiles();
#elif defined(__aarch64__)
  int dotprod, i8mm;
  arm_features(&dotprod, &i8mm);
  if (kernels == &swiftlet_kernels_neon) return 1;
  if (kernels == &swiftlet_kernels_dotprod) return dotprod;
  if (kernels == &swiftlet_kernels_i8mm) return dotprod && i8mm;
#endif
  return kernels == &swiftlet_kernels_generic;
}

int swiftlet_kernels_worthwhile(const struct swiftlet_kernels *kernels) {
#if defined(__x86_64__)
  // Intel's VDPBF16PS runs every other cycle, so it does half of what two FMA a cycle do with BF16 expanded to F32; AMD's runs every
  // cycle, twice what its FMA do. Intel means tiles to be used for BF16.
  uint32_t eax, ebx, ecx, edx;
  if (kernels == &swiftlet_kernels_avx512bf16 && __get_cpuid(0, &eax, &ebx, &ecx, &edx)) return ebx != signature_INTEL_ebx;
#endif
  return kernels != NULL;
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
