// Packing of rows into strips. Bits are moved, nothing is computed.
#include "strips.h"

#include "blocks.h"

size_t swiftlet_strip_bytes(int type, size_t length) {
  struct strip_format format = strip_format(type);
  if (format.values == 0 || (type != SWIFTLET_INT16 && length % swiftlet_block_length(type) != 0)) return 0;
  return (length + format.values - 1) / format.values * format.bytes;
}

static inline uint32_t load_32(const void *p) {
  uint32_t v;
  memcpy(&v, p, 4);
  return v;
}

static inline void store_32(void *p, uint32_t v) { memcpy(p, &v, 4); }

// The codes of the 32 values whose nibbles are the low (shift 0) or high (shift 4) halves of 32 bytes, value by value.
static void pack_shifted_nibbles(const uint8_t *bytes, int shift, uint8_t *codes, int r) {
  for (int v = 0; v < 4; v++) {
    uint32_t first = load_32(bytes + 4 * v) >> shift & 0x0F0F0F0Fu, second = load_32(bytes + 16 + 4 * v) >> shift & 0x0F0F0F0Fu;
    store_32(codes + 64 * v + 4 * r, first | second << 4);
  }
}

// `nibbles`: value i in the low half of byte i, value 16 + i in its high half, as in the strip.
static void pack_nibbles(const uint8_t *nibbles, uint8_t *codes, int r) {
  for (int v = 0; v < 4; v++) store_32(codes + 64 * v + 4 * r, load_32(nibbles + 4 * v));
}

static void pack_bytes(const int8_t *bytes, uint8_t *codes, int r) {
  for (int v = 0; v < 8; v++) store_32(codes + 64 * v + 4 * r, load_32(bytes + 4 * v));
}

// Bit i of the four bytes is the fifth bit of value i.
static void pack_high_bits(const uint8_t *high_bits, uint8_t *high, int r) {
  uint32_t bits = load_32(high_bits);
  for (int j = 0; j < 4; j++) {
    uint8_t byte = 0;
    for (int v = 0; v < 8; v++) byte |= (uint8_t)((bits >> (4 * v + j) & 1) << v);
    high[4 * r + j] = byte;
  }
}

// Bit g of byte i is the fifth bit of value i.
static void pack_high_bits_of_bytes(const uint8_t *bytes, int g, uint8_t *high, int r) {
  uint32_t packed = 0;
  for (int v = 0; v < 8; v++) packed |= (load_32(bytes + 4 * v) >> g & 0x01010101u) << v;
  store_32(high + 4 * r, packed);
}

// Bits shift and shift + 1 of byte i are the two high bits of value i.
static void pack_high_pairs(const uint8_t *bytes, int shift, uint8_t *high, int r) {
  for (int h = 0; h < 2; h++) {
    uint32_t packed = 0;
    for (int p = 0; p < 4; p++) packed |= (load_32(bytes + 16 * h + 4 * p) >> shift & 0x03030303u) << 2 * p;
    store_32(high + 64 * h + 4 * r, packed);
  }
}

// One row of one record; b counts the row's blocks, of which a record holds `values` / block length.
static void pack_block(int type, const uint8_t *row, size_t b, struct strip_format format, uint8_t *record, int r) {
  size_t place = type == SWIFTLET_F32 || type == SWIFTLET_BF16 ? 0 : b % (format.values / swiftlet_block_length(type));
  uint8_t *scales = record + 32 * place + 2 * r, *minimums = record + format.minimums + 32 * place + 2 * r;
  uint8_t *high = record + format.high + 64 * place, *codes = record + format.codes + 256 * place;
  switch (type) {
    case SWIFTLET_Q4_0:
    case SWIFTLET_IQ4_NL: {
      const struct block_q4_0 *block = (const struct block_q4_0 *)row + b;
      memcpy(scales, &block->scale, 2);
      pack_nibbles(block->nibbles, codes, r);
      break;
    }
    case SWIFTLET_Q4_1: {
      const struct block_q4_1 *block = (const struct block_q4_1 *)row + b;
      memcpy(scales, &block->scale, 2);
      memcpy(minimums, &block->minimum, 2);
      pack_nibbles(block->nibbles, codes, r);
      break;
    }
    case SWIFTLET_Q5_0: {
      const struct block_q5_0 *block = (const struct block_q5_0 *)row + b;
      memcpy(scales, &block->scale, 2);
      pack_high_bits(block->high_bits, high, r);
      pack_nibbles(block->nibbles, codes, r);
      break;
    }
    case SWIFTLET_Q5_1: {
      const struct block_q5_1 *block = (const struct block_q5_1 *)row + b;
      memcpy(scales, &block->scale, 2);
      memcpy(minimums, &block->minimum, 2);
      pack_high_bits(block->high_bits, high, r);
      pack_nibbles(block->nibbles, codes, r);
      break;
    }
    case SWIFTLET_Q8_0: {
      const struct block_q8_0 *block = (const struct block_q8_0 *)row + b;
      memcpy(scales, &block->scale, 2);
      pack_bytes(block->values, codes + 256 * place, r);
      break;
    }
    case SWIFTLET_Q4_K:
    case SWIFTLET_Q5_K: {
      // Q5_K begins as Q4_K does.
      const struct block_q4_k *block = (const struct block_q4_k *)(row + b * swiftlet_block_bytes(type));
      const struct block_q5_k *with_high_bits = (const struct block_q5_k *)block;
      memcpy(scales, &block->scale, 2);
      memcpy(minimums, &block->minimum, 2);
      const uint8_t *nibbles = type == SWIFTLET_Q4_K ? block->nibbles : with_high_bits->nibbles;
      for (int g = 0; g < 8; g++) {
        group_scale_q4_k(block->packed_scales, g, record + format.group_scales + 16 * g + r,
                         record + format.group_minimums + 16 * g + r);
        pack_shifted_nibbles(nibbles + g / 2 * 32, g % 2 * 4, codes + 256 * g, r);
        if (type == SWIFTLET_Q5_K) pack_high_bits_of_bytes(with_high_bits->high_bits, g, high + 64 * g, r);
      }
      break;
    }
    case SWIFTLET_Q6_K: {
      const struct block_q6_k *block = (const struct block_q6_k *)row + b;
      memcpy(scales, &block->scale, 2);
      for (int g = 0; g < 8; g++) {
        for (int half = 0; half < 2; half++)
          record[format.group_scales + 16 * (2 * g + half) + r] = (uint8_t)block->scales[2 * g + half];
        pack_shifted_nibbles(block->low + g / 4 * 64 + g % 2 * 32, g % 4 / 2 * 4, codes + 256 * g, r);
        pack_high_pairs(block->high + g / 4 * 32, g % 4 * 2, high + 128 * g, r);
      }
      break;
    }
    case SWIFTLET_IQ4_XS: {
      const struct block_iq4_xs *block = (const struct block_iq4_xs *)row + b;
      memcpy(scales, &block->scale, 2);
      for (int g = 0; g < 8; g++) {
        record[format.group_scales + 16 * g + r] = (uint8_t)(int8_t)group_scale_iq4_xs(block, g);
        pack_nibbles(block->nibbles + 16 * g, codes + 256 * g, r);
      }
      break;
    }
  }
}

void swiftlet_pack_strip(int type, const void *rows, size_t row_stride, size_t row_count, size_t length, void *strip) {
  struct strip_format format = strip_format(type);
  memset(strip, 0, swiftlet_strip_bytes(type, length));
  size_t block_length = swiftlet_block_length(type);
  for (size_t r = 0; r < row_count; r++) {
    const uint8_t *row = (const uint8_t *)rows + r * row_stride;
    if (type == SWIFTLET_F32) {
      for (size_t k = 0; k < length; k++) store_32((uint8_t *)strip + 64 * k + 4 * r, load_32(row + 4 * k));
    } else if (type == SWIFTLET_BF16) {
      for (size_t k = 0; k < length; k++) memcpy((uint8_t *)strip + 64 * (k / 2) + 4 * r + 2 * (k % 2), row + 2 * k, 2);
    } else {
      for (size_t b = 0; b < length / block_length; b++)
        pack_block(type, row, b, format, (uint8_t *)strip + b * block_length / format.values * format.bytes, (int)r);
    }
  }
}
