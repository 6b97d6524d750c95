// arm64 with nothing but NEON (Cortex-A53, A72).
#if defined(__aarch64__)
#include <arm_neon.h>

#include "../generic/blocks.h"
#include "CSwiftletKernels.h"

#define VARIANT_NAME "neon"
#define VARIANT_TABLE swiftlet_kernels_neon
#include "variant_arm.inc"
#endif
