// arm64 with dot products of four int8 values (Cortex-A55, A76, Neoverse N1, Apple M1).
#if defined(__aarch64__)
#include <arm_neon.h>

#include "../generic/blocks.h"
#include "CSwiftletKernels.h"

#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#define VARIANT_NAME "dotprod"
#define VARIANT_TABLE swiftlet_kernels_dotprod
#define HAS_DOTPROD 1
#include "variant_arm.inc"
#pragma clang attribute pop
#endif
