// The weights by #embed, so that the program needs no file beside it. Without that file the program is built all the same, and
// has no model in it.
#include "CSwiftletReasoner.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

#if __has_embed("weights/reasoner.gguf")
static const unsigned char weights[] = {
#embed "weights/reasoner.gguf"
};
#define BYTE_COUNT sizeof weights
#else
static const unsigned char weights[1];
#define BYTE_COUNT 0
#endif

const unsigned char *swiftlet_reasoner_bytes(void) { return weights; }

size_t swiftlet_reasoner_byte_count(void) { return BYTE_COUNT; }
