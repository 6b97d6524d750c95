// The stored types in double precision, value by value, from the description of GGUF's formats.
#include <math.h>
#include <string.h>

#include "checks.h"

const char *type_name(int type) {
  switch (type) {
    case SWIFTLET_F32: return "F32";
    case SWIFTLET_F16: return "F16";
    case SWIFTLET_BF16: return "BF16";
    case SWIFTLET_F8_E4M3: return "F8_E4M3";
    case SWIFTLET_Q4_0: return "Q4_0";
    case SWIFTLET_Q4_1: return "Q4_1";
    case SWIFTLET_Q5_0: return "Q5_0";
    case SWIFTLET_Q5_1: return "Q5_1";
    case SWIFTLET_Q8_0: return "Q8_0";
    case SWIFTLET_Q2_K: return "Q2_K";
    case SWIFTLET_Q3_K: return "Q3_K";
    case SWIFTLET_Q4_K: return "Q4_K";
    case SWIFTLET_Q5_K: return "Q5_K";
    case SWIFTLET_Q6_K: return "Q6_K";
    case SWIFTLET_IQ4_NL: return "IQ4_NL";
    case SWIFTLET_IQ4_XS: return "IQ4_XS";
    default: return "";
  }
}

// A number of `exponent_bits` and `mantissa_bits` below its sign; the highest exponent is infinity and NaN.
static double small_float(unsigned bits, int exponent_bits, int mantissa_bits) {
  int bias = (1 << (exponent_bits - 1)) - 1, largest = (1 << exponent_bits) - 1;
  int exponent = (int)(bits >> mantissa_bits) & largest;
  double mantissa = bits & ((1u << mantissa_bits) - 1), sign = bits >> (exponent_bits + mantissa_bits) & 1 ? -1 : 1;
  if (exponent == largest) return mantissa ? NAN : sign * INFINITY;
  if (exponent) mantissa += 1u << mantissa_bits;
  return sign * ldexp(mantissa, (exponent ? exponent : 1) - bias - mantissa_bits);
}

double f16_to_double(uint16_t bits) { return small_float(bits, 5, 10); }
double bf16_to_double(uint16_t bits) { return small_float(bits, 8, 7); }

// E4M3 has no infinities, and one NaN of each sign: its highest exponent is an ordinary one.
static double f8_e4m3_to_double(uint8_t bits) {
  if ((bits & 0x7F) == 0x7F) return NAN;
  double mantissa = bits & 7, sign = bits & 0x80 ? -1 : 1;
  int exponent = bits >> 3 & 15;
  return sign * ldexp(exponent ? mantissa + 8 : mantissa, (exponent ? exponent : 1) - 7 - 3);
}

double round_to(double value, int mantissa_bits, int minimum_exponent) {
  if (!isfinite(value) || value == 0) return value;
  int exponent;
  frexp(value, &exponent);
  exponent = exponent - 1 < minimum_exponent ? minimum_exponent : exponent - 1;
  return ldexp(nearbyint(ldexp(value, mantissa_bits - exponent)), exponent - mantissa_bits);
}

// The last one is kept: all values of a block ask for the same.
static double f16_at(const uint8_t *p) {
  static uint16_t last[2];
  static double values[2];
  uint16_t bits = (uint16_t)(p[0] | p[1] << 8);
  int slot = (int)((uintptr_t)p >> 1 & 1);
  if (bits != last[slot]) values[slot] = f16_to_double(last[slot] = bits);
  return values[slot];
}

static const int iq4_levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

// Six bits of scale and of minimum of group g, in twelve bytes: the first four groups whole in the low bits of bytes 0-3 and 4-7, the
// others four bits in bytes 8-11 and two in the high bits of the former.
static int scale_of(const uint8_t *p, int g) { return g < 4 ? p[g] & 63 : (p[g + 4] & 15) + 16 * (p[g - 4] >> 6); }
static int minimum_of(const uint8_t *p, int g) { return g < 4 ? p[g + 4] & 63 : (p[g + 4] >> 4) + 16 * (p[g] >> 6); }

static int nibble(const uint8_t *p, int i, int distance) { return i % (2 * distance) < distance ? p[i] & 15 : p[i - distance] >> 4; }

struct stored stored_value(int type, const uint8_t *row, size_t i) {
  size_t length = swiftlet_block_length(type);
  const uint8_t *p = row + i / length * swiftlet_block_bytes(type);
  int j = (int)(i % length);
  struct stored v = {0, 0};
  switch (type) {
    case SWIFTLET_F32: {
      float value;
      memcpy(&value, p, 4);
      v.scaled = value;
      break;
    }
    case SWIFTLET_F16: v.scaled = f16_at(p); break;
    case SWIFTLET_BF16: v.scaled = bf16_to_double((uint16_t)(p[0] | p[1] << 8)); break;
    case SWIFTLET_F8_E4M3: v.scaled = f8_e4m3_to_double(*p); break;
    case SWIFTLET_Q4_0: v.scaled = f16_at(p) * (nibble(p + 2, j, 16) - 8); break;
    case SWIFTLET_IQ4_NL: v.scaled = f16_at(p) * iq4_levels[nibble(p + 2, j, 16)]; break;
    case SWIFTLET_Q4_1:
      v.scaled = f16_at(p) * nibble(p + 4, j, 16);
      v.offset = f16_at(p + 2);
      break;
    case SWIFTLET_Q5_0: v.scaled = f16_at(p) * (nibble(p + 6, j, 16) + 16 * (p[2 + j / 8] >> j % 8 & 1) - 16); break;
    case SWIFTLET_Q5_1:
      v.scaled = f16_at(p) * (nibble(p + 8, j, 16) + 16 * (p[4 + j / 8] >> j % 8 & 1));
      v.offset = f16_at(p + 2);
      break;
    case SWIFTLET_Q8_0: v.scaled = f16_at(p) * (int8_t)p[2 + j]; break;
    case SWIFTLET_Q2_K: {
      int scale = p[j / 16], q = p[16 + j / 128 * 32 + j % 32] >> (j % 128 / 32 * 2) & 3;
      v.scaled = f16_at(p + 80) * (scale & 15) * q;
      v.offset = -(f16_at(p + 82) * (scale >> 4));
      break;
    }
    case SWIFTLET_Q3_K: {
      const uint8_t *s = p + 96;
      int g = j / 16, low = g < 8 ? s[g] & 15 : s[g - 8] >> 4, high = s[8 + g % 4] >> (g / 4 * 2) & 3;
      int q = (p[32 + j / 128 * 32 + j % 32] >> (j % 128 / 32 * 2) & 3) - (p[j % 32] >> j / 32 & 1 ? 0 : 4);
      v.scaled = f16_at(p + 108) * (low + 16 * high - 32) * q;
      break;
    }
    case SWIFTLET_Q4_K:
      v.scaled = f16_at(p) * scale_of(p + 4, j / 32) * (p[16 + j / 64 * 32 + j % 32] >> (j / 32 % 2 * 4) & 15);
      v.offset = -(f16_at(p + 2) * minimum_of(p + 4, j / 32));
      break;
    case SWIFTLET_Q5_K: {
      int q = (p[48 + j / 64 * 32 + j % 32] >> (j / 32 % 2 * 4) & 15) + 16 * (p[16 + j % 32] >> j / 32 & 1);
      v.scaled = f16_at(p) * scale_of(p + 4, j / 32) * q;
      v.offset = -(f16_at(p + 2) * minimum_of(p + 4, j / 32));
      break;
    }
    case SWIFTLET_Q6_K: {
      int half = j / 128, quarter = j % 128 / 32, l = j % 32;
      int low = p[64 * half + quarter % 2 * 32 + l] >> (quarter / 2 * 4) & 15, high = p[128 + 32 * half + l] >> (2 * quarter) & 3;
      v.scaled = f16_at(p + 208) * (int8_t)p[192 + j / 16] * (low + 16 * high - 32);
      break;
    }
    case SWIFTLET_IQ4_XS: {
      int g = j / 32, low = p[4 + g / 2] >> (g % 2 * 4) & 15, high = (p[2] | p[3] << 8) >> (2 * g) & 3;
      v.scaled = f16_at(p) * (low + 16 * high - 32) * iq4_levels[nibble(p + 8 + 16 * g, j % 32, 16)];
      break;
    }
  }
  return v;
}
