// The layouts of GGUF's quantised blocks. All are packed, little-endian and may stand at any address.
#ifndef SWIFTLET_BLOCKS_H
#define SWIFTLET_BLOCKS_H

#include <stdint.h>
#include <string.h>

#pragma pack(push, 1)

// value[i] = scale * (q - 8); q of value i < 16 is the low nibble of byte i, of value i + 16 the high one.
struct block_q4_0 {
  uint16_t scale;  // F16
  uint8_t nibbles[16];
};

// value[i] = scale * q + minimum
struct block_q4_1 {
  uint16_t scale;    // F16
  uint16_t minimum;  // F16
  uint8_t nibbles[16];
};

// value[i] = scale * (q - 16); bit i of high_bits is the fifth bit of value i.
struct block_q5_0 {
  uint16_t scale;  // F16
  uint8_t high_bits[4];
  uint8_t nibbles[16];
};

// value[i] = scale * values[i]
struct block_q8_0 {
  uint16_t scale;  // F16
  int8_t values[32];
};

// 256 values in 8 groups of 32: value = scale * s[g] * q - minimum * m[g]. s and m have 6 bits, see group_scale_q4_k.
// Groups 2j and 2j + 1 are the low and the high nibbles of bytes 32j ..< 32j + 32.
struct block_q4_k {
  uint16_t scale;    // F16
  uint16_t minimum;  // F16
  uint8_t packed_scales[12];
  uint8_t nibbles[128];
};

// 256 values in 16 groups of 16: value = scale * scales[g] * (q - 32). Of each half of 128 values, `low` has four bits in 64
// bytes (values 0-31 and 64-95 in the low and high nibbles of the first 32, 32-63 and 96-127 of the next), `high` two in 32.
struct block_q6_k {
  uint8_t low[128];
  uint8_t high[64];
  int8_t scales[16];
  uint16_t scale;  // F16
};

#pragma pack(pop)

// The 6-bit scale and minimum of group g (0...7).
static inline void group_scale_q4_k(const uint8_t packed[12], int g, uint8_t *scale, uint8_t *minimum) {
  if (g < 4) {
    *scale = packed[g] & 63;
    *minimum = packed[g + 4] & 63;
  } else {
    *scale = (uint8_t)((packed[g + 4] & 15) | ((packed[g - 4] >> 6) << 4));
    *minimum = (uint8_t)((packed[g + 4] >> 4) | ((packed[g] >> 6) << 4));
  }
}

// F16 bits as F32, exactly: subnormals, infinities and NaN too.
static inline float f16_to_f32(uint16_t half) {
  uint32_t magnitude = (uint32_t)(half & 0x7FFF) << 13;
  float scaled;
  memcpy(&scaled, &magnitude, 4);
  scaled *= 0x1p112f;
  uint32_t bits;
  memcpy(&bits, &scaled, 4);
  if (magnitude >= 0x0F800000u) bits = magnitude | 0x7F800000u;
  bits |= (uint32_t)(half & 0x8000) << 16;
  memcpy(&scaled, &bits, 4);
  return scaled;
}

static inline float bf16_to_f32(uint16_t half) {
  uint32_t bits = (uint32_t)half << 16;
  float value;
  memcpy(&value, &bits, 4);
  return value;
}

#endif
