// The variant that runs on every CPU of the architecture: SSE2 on x86-64, NEON on arm64.
#include "CSwiftletKernels.h"
#include "blocks.h"

#define VARIANT_NAME "generic"
#define VARIANT_TABLE swiftlet_kernels_generic
#define LANES 4
#define STRIP_TILE_ROWS 2
#define STRIP_TILE_STRIPS 2
#include "variant.inc"
