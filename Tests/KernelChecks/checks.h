// Checks of every function of every kernel variant, driven by one table of operations (`operations`, in table.c).
//
// A trial is one operation at one size with one kind of values and one placement of its operands in memory. The operation's
// entry makes the operands, runs them through a table of kernels, and computes in double precision, by a plain routine that
// shares nothing with the kernels, what is expected and how far from it a result may be.
#ifndef SWIFTLET_CHECKS_H
#define SWIFTLET_CHECKS_H

#include <stddef.h>
#include <stdint.h>

#include "CSwiftletKernels.h"

// What an operand's elements are.
enum kind { FLOATS, BF16S, INT8S, INT16S, INT32S, BYTES, INDICES };

// Whether the operation reads the operand, writes it, or both; or leaves in it what nobody reads.
enum access { READ, WRITE, UPDATE, SCRATCH };

// What inputs are filled with.
enum values {
  NORMAL = 1,    // about -3...3
  ZEROS = 2,     // zeros of both signs
  DENORMAL = 4,  // floats below 2^-126
  WIDE = 8,      // exponents from -60 to 30; of integers the extremes
  SPECIAL = 16,  // NORMAL with a few infinities and NaN
};

// Where operands stand: right before memory that cannot be touched, right behind it, or as little aligned as the header allows.
enum placement { BEFORE_GUARD, BEHIND_GUARD, UNALIGNED };

// The extents of an operation; each entry says what they mean. `gap`: by how much strides exceed what is used.
struct size {
  size_t rows, columns, length, gap;
};

// A part of the result, for operations that may be split.
struct part {
  size_t first_row, row_count, first_column, column_count;
};

struct work {
  double flops, bytes;
};

struct operand {
  const char *name;
  enum kind kind;
  enum access access;
  size_t count, bytes, alignment;
  void *data;    // what the kernels get
  void *before;  // a copy of what it was before the run
};

enum { MAXIMUM_OPERANDS = 12 };

struct trial {
  const struct operation *operation;
  const struct swiftlet_kernels *kernels;  // for operations whose operands the variant lays out
  struct size size;
  int type;  // the operation's, or one of its types
  enum values values;
  enum placement placement;
  uint64_t random;
  struct operand operands[MAXIMUM_OPERANDS];
  int operand_count;
  float scalar;  // an argument that is one number
  size_t index;  // the result of an operation that returns a number
  char failure[256];
};

struct operation {
  const char *name;
  int type;                        // a choice of the operation's own, where there is one
  const struct size *sizes;        // ended by one without a length
  struct size speed_sizes[2];      // for --speed, the length always in values; without one: none
  unsigned values;                 // which of enum values make sense
  size_t row_grain, column_grain;  // parts are multiples of these; 0: must not be split
  int is_same_in_all_variants;     // bit for bit

  // Adds the operands and fills the inputs.
  void (*prepare)(struct trial *trial);
  // Computes a part of the result.
  void (*run)(const struct swiftlet_kernels *kernels, struct trial *trial, struct part part);
  // What each element of the last operand should be, and by how much it may be off. A negative bound: it must not be written.
  // A pure function of the operands' contents before the run, so that it can be differentiated numerically.
  void (*reference)(const struct trial *trial, double *expected, double *bound);
  // Instead of or beside it, for results that are not a function of the inputs: calls `fail` for what does not hold.
  void (*verify)(struct trial *trial);
  struct work (*work)(const struct trial *trial);

  const int *types;  // the element types it is done for, ended by -1; NULL: `type` is all

  // Whether a variant has it; NULL: all do.
  int (*is_there)(const struct swiftlet_kernels *kernels);
};

// The table: lists of operations that end with one without a name, and NULL.
extern const struct operation *const table[];

// memory.c: operands between guard pages.

// Adds an operand to the trial; its bytes are a pattern until they are filled. Returns its memory.
void *add_operand(struct trial *trial, const char *name, enum kind kind, enum access access, size_t count, size_t alignment);
// Keeps the operands' contents in `before`; puts them back.
void keep_operands(struct trial *trial);
void reset_operands(struct trial *trial);
// Fails the trial when inputs or bytes around operands were changed.
void check_operands(struct trial *trial);
// Bytes between an operand's end and the memory that cannot be touched; 0 unless an emulator reads more than the instruction does.
extern size_t slack;
// Calls `body` and returns 1, or 0 when it raised SIGILL, SIGSEGV, SIGBUS or SIGFPE, which then failed the trial.
int guarded(struct trial *trial, const struct swiftlet_kernels *kernels, struct part part,
            void (*body)(const struct swiftlet_kernels *, struct trial *, struct part));
void fail(struct trial *trial, const char *format, ...) __attribute__((format(printf, 2, 3)));

// An element of an operand, now or before the run.
double element(const struct operand *operand, size_t index, int before);
// Contents before the run.
const float *floats(const struct trial *trial, int operand);
const uint8_t *bytes(const struct trial *trial, int operand);

// values.c: what inputs are filled with.
uint64_t next_random(struct trial *trial);
double uniform(struct trial *trial);  // 0 ..< 1
void fill_floats(struct trial *trial, float *values, size_t count);
// Blocks of a type with scales that fit `values`; WIDE makes integers extreme. `with_infinities`: SPECIAL is any bytes at all.
void fill_blocks(struct trial *trial, int type, uint8_t *blocks, size_t count, int with_infinities);

// formats.c: the stored types in double precision.
const char *type_name(int type);
double f16_to_double(uint16_t bits);
double bf16_to_double(uint16_t bits);
// The nearest number with `mantissa_bits` bits behind the point and exponents of `minimum` and more, ties to even.
double round_to(double value, int mantissa_bits, int minimum_exponent);
// Value i of a row of blocks: scale part and offset, exactly. The value is their sum.
struct stored {
  double scaled, offset;
};
struct stored stored_value(int type, const uint8_t *row, size_t i);

// limits.c: what the machine can do in one thread.
double limit_read(void);  // bytes a second, of memory larger than caches
double limit_fma(void);   // floating-point operations a second, in registers
double seconds(void);

#endif
