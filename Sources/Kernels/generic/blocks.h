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

// value[i] = scale * q + minimum; bit i of high_bits is the fifth bit of value i.
struct block_q5_1 {
  uint16_t scale;    // F16
  uint16_t minimum;  // F16
  uint8_t high_bits[4];
  uint8_t nibbles[16];
};

// value[i] = scale * levels_iq4[q]; nibbles as in Q4_0.
struct block_iq4_nl {
  uint16_t scale;  // F16
  uint8_t nibbles[16];
};

// value[i] = scale * values[i]
struct block_q8_0 {
  uint16_t scale;  // F16
  int8_t values[32];
};

// 256 values in 16 groups of 16: value = scale * (scales[g] & 15) * q - minimum * (scales[g] >> 4), q of two bits. Of each half of
// 128 values, the four runs of 32 are the bit pairs of its 32 bytes, the lowest pair first.
struct block_q2_k {
  uint8_t scales[16];
  uint8_t pairs[64];
  uint16_t scale;    // F16
  uint16_t minimum;  // F16
};

// 256 values in 16 groups of 16: value = scale * (s[g] - 32) * q, s of six bits, see group_scale_q3_k. q is a pair of bits as in
// Q2_K, less 4 where the value's bit of high_bits is clear: bit r of byte i for value i of run r, eight runs of 32.
struct block_q3_k {
  uint8_t high_bits[32];
  uint8_t pairs[64];
  uint8_t packed_scales[12];
  uint16_t scale;  // F16
};

// As Q4_K, with a fifth bit: bit g of high_bits[i] for value i of group g.
struct block_q5_k {
  uint16_t scale;    // F16
  uint16_t minimum;  // F16
  uint8_t packed_scales[12];
  uint8_t high_bits[32];
  uint8_t nibbles[128];
};

// 256 values in 8 groups of 32: value = scale * (s[g] - 32) * levels_iq4[q], s of six bits: four in scales_low, two in scales_high.
// The nibbles of group g are those of bytes 16g ..< 16g + 16, the low ones first.
struct block_iq4_xs {
  uint16_t scale;  // F16
  uint16_t scales_high;
  uint8_t scales_low[4];
  uint8_t nibbles[128];
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

// The 6-bit scale of group g (0...15).
static inline int group_scale_q3_k(const uint8_t packed[12], int g) {
  int low = g < 8 ? packed[g] & 15 : packed[g - 8] >> 4;
  return (low | ((packed[8 + g % 4] >> (g / 4 * 2)) & 3) << 4) - 32;
}

static inline int group_scale_iq4_xs(const struct block_iq4_xs *block, int g) {
  return (((block->scales_low[g / 2] >> (g % 2 * 4)) & 15) | ((block->scales_high >> (2 * g)) & 3) << 4) - 32;
}

// What the nibbles of the IQ4 types stand for: closer together near zero, where most weights are.
static const int8_t levels_iq4[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

// The 32 values of a group as integers, before scale and minimum.

static inline void unpack_q5(const uint8_t high_bits[4], const uint8_t nibbles[16], int8_t *out) {
  uint32_t high;
  memcpy(&high, high_bits, 4);
  for (int i = 0; i < 16; i++) out[i] = (int8_t)((nibbles[i] & 15) | ((high >> i) & 1) << 4);
  for (int i = 0; i < 16; i++) out[i + 16] = (int8_t)((nibbles[i] >> 4) | ((high >> (i + 16)) & 1) << 4);
}

static inline void unpack_q2_k(const struct block_q2_k *block, int g, int8_t *out) {
  for (int i = 0; i < 32; i++) out[i] = (int8_t)((block->pairs[g / 4 * 32 + i] >> (g % 4 * 2)) & 3);
}

static inline void unpack_q3_k(const struct block_q3_k *block, int g, int8_t *out) {
  for (int i = 0; i < 32; i++)
    out[i] = (int8_t)(((block->pairs[g / 4 * 32 + i] >> (g % 4 * 2)) & 3) - ((block->high_bits[i] >> g) & 1 ? 0 : 4));
}

static inline void unpack_q5_k(const struct block_q5_k *block, int g, int8_t *out) {
  for (int i = 0; i < 32; i++)
    out[i] = (int8_t)(((block->nibbles[g / 2 * 32 + i] >> (g % 2 * 4)) & 15) | ((block->high_bits[i] >> g) & 1) << 4);
}

static inline void unpack_iq4(const uint8_t nibbles[16], int8_t *out) {
  for (int i = 0; i < 16; i++) out[i] = levels_iq4[nibbles[i] & 15];
  for (int i = 0; i < 16; i++) out[i + 16] = levels_iq4[nibbles[i] >> 4];
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
