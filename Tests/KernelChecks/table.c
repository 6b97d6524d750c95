// The table of operations. A new function of the kernels gets an entry in the file that suits it, or in a new one named here.
#include "entries.h"

const int block_types[] = {SWIFTLET_Q4_0, SWIFTLET_Q4_1, SWIFTLET_Q5_0, SWIFTLET_Q5_1,   SWIFTLET_Q8_0,   SWIFTLET_Q2_K, SWIFTLET_Q3_K,
                           SWIFTLET_Q4_K, SWIFTLET_Q5_K, SWIFTLET_Q6_K, SWIFTLET_IQ4_NL, SWIFTLET_IQ4_XS, -1};

const struct operation *const table[] = {elementwise_operations, storing_operations, int8_operations, strip_operations, attention_operations, training_operations,
                                        NULL};
