// What inputs are filled with. Numbers come from the trial's own state, so every trial can be repeated alone.
#include <math.h>
#include <string.h>

#include "checks.h"

// Marsaglia's xorshift with Vigna's multiplier.
uint64_t next_random(struct trial *trial) {
  uint64_t x = trial->random;
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  trial->random = x;
  return x * 0x2545F4914F6CDD1Dull;
}

double uniform(struct trial *trial) { return (double)(next_random(trial) >> 11) * 0x1p-53; }

void fill_floats(struct trial *trial, float *values, size_t count) {
  for (size_t i = 0; i < count; i++) {
    // The sum of four is close enough to a normal distribution.
    double normal = (uniform(trial) + uniform(trial) + uniform(trial) + uniform(trial) - 2) * 1.7320508;
    uint64_t choice = next_random(trial) >> 40;
    switch (trial->values) {
      case NORMAL: break;
      case ZEROS: normal = choice & 1 ? 0.0 : -0.0; break;
      case DENORMAL: normal = ldexp(normal, -128); break;
      case WIDE: normal = ldexp(normal, (int)(choice % 90) - 60); break;
      case SPECIAL:
        if (choice % 31 == 0) normal = choice / 31 % 3 == 0 ? NAN : choice / 31 % 3 == 1 ? INFINITY : -INFINITY;
        break;
    }
    values[i] = (float)normal;
  }
}

// Where a block has its F16 numbers.
static int f16_places(int type, size_t places[2]) {
  switch (type) {
    case SWIFTLET_Q4_0:
    case SWIFTLET_Q5_0:
    case SWIFTLET_Q8_0:
    case SWIFTLET_IQ4_NL:
    case SWIFTLET_IQ4_XS: places[0] = 0; return 1;
    case SWIFTLET_Q4_1:
    case SWIFTLET_Q5_1:
    case SWIFTLET_Q4_K:
    case SWIFTLET_Q5_K:
      places[0] = 0;
      places[1] = 2;
      return 2;
    case SWIFTLET_Q2_K:
      places[0] = 80;
      places[1] = 82;
      return 2;
    case SWIFTLET_Q3_K: places[0] = 108; return 1;
    case SWIFTLET_Q6_K: places[0] = 208; return 1;
    default: return 0;
  }
}

// F32, F16 and BF16: numbers of the kind that `values` asks for, or any bits.
static void fill_plain(struct trial *trial, int type, uint8_t *out, size_t count, int with_infinities) {
  for (size_t i = 0; i < count; i++) {
    float value;
    fill_floats(trial, &value, 1);
    if (isinf(value) && !with_infinities) value = 1;
    uint32_t whole;
    memcpy(&whole, &value, 4);
    uint16_t bits = (uint16_t)(next_random(trial) >> 48);
    int is_any = trial->values == SPECIAL && with_infinities;
    if (type == SWIFTLET_F32) {
      memcpy(out + 4 * i, &whole, 4);
    } else {
      if (type == SWIFTLET_BF16 && !is_any) bits = (uint16_t)(whole >> 16);
      if (type == SWIFTLET_F16 && !is_any) {
        int exponent = trial->values == DENORMAL || trial->values == ZEROS ? 0 : 13 + (bits >> 10 & 3);
        bits = (uint16_t)((bits & (trial->values == ZEROS ? 0x8000 : 0x83FF)) | exponent << 10);
        if (isnan(value)) bits = 0x7E00;
      }
      memcpy(out + 2 * i, &bits, 2);
    }
  }
}

void fill_blocks(struct trial *trial, int type, uint8_t *blocks, size_t count, int with_infinities) {
  if (type == SWIFTLET_F32 || type == SWIFTLET_F16 || type == SWIFTLET_BF16) {
    fill_plain(trial, type, blocks, count, with_infinities);
    return;
  }
  size_t size = swiftlet_block_bytes(type), total = count * size;
  for (size_t i = 0; i < total; i += 8) {
    uint64_t random = next_random(trial);
    memcpy(blocks + i, &random, total - i < 8 ? total - i : 8);
  }
  if (trial->values == WIDE) {
    static const uint8_t extremes[4] = {0x00, 0xFF, 0x80, 0x7F};
    for (size_t i = 0; i < total; i++) blocks[i] = extremes[blocks[i] >> 6];
  }
  if (type == SWIFTLET_F8_E4M3 && trial->values != SPECIAL)
    for (size_t i = 0; i < total; i++)
      if ((blocks[i] & 0x7F) == 0x7F) blocks[i]--;
  if (trial->values == SPECIAL && with_infinities) return;
  size_t places[2];
  int place_count = f16_places(type, places);
  for (size_t b = 0; b < count; b++)
    for (int i = 0; i < place_count; i++) {
      uint64_t random = next_random(trial) >> 16;
      // 2^-9 ..< 2^-6 of either sign; subnormal; NaN in one of eight blocks.
      unsigned bits = (unsigned)(random & 0x83FF) | (unsigned)(6 + (random >> 10) % 3) << 10;
      if (trial->values == ZEROS) bits &= 0x8000;
      if (trial->values == DENORMAL) bits &= 0x83FF;
      if (trial->values == SPECIAL && (random >> 20) % 8 == 0) bits |= 0x7E00;
      blocks[b * size + places[i]] = (uint8_t)bits;
      blocks[b * size + places[i] + 1] = (uint8_t)(bits >> 8);
    }
}
