// The embedded reasoner: a GGUF file as bytes in the program itself.
#ifndef CSWIFTLET_REASONER_H
#define CSWIFTLET_REASONER_H

#include <stddef.h>

/// The first byte of the file; all of them stay for the program's lifetime.
const unsigned char *swiftlet_reasoner_bytes(void);

/// 0 where the program was built without it.
size_t swiftlet_reasoner_byte_count(void);

#endif
