// arm64 with dot products and products of int8 matrices (Cortex-A510, A710, Neoverse N2, V1, Apple M2).
#if defined(__aarch64__)
#include <arm_neon.h>

#include "../generic/blocks.h"
#include "CSwiftletKernels.h"

#pragma clang attribute push(__attribute__((target("dotprod,i8mm"))), apply_to = function)
#define VARIANT_NAME "i8mm"
#define VARIANT_TABLE swiftlet_kernels_i8mm
#define HAS_DOTPROD 1
#define HAS_I8MM 1
#include "variant_arm.inc"
#pragma clang attribute pop
#endif
