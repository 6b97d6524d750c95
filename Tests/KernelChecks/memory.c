// Operands between pages that cannot be touched, with a pattern around them.
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "checks.h"

size_t slack;

enum { PATTERN = 0xA5, MARGIN = 256 };

// Memory for the operand of one place in the list: kept, since mapping is slow. `base` is a page's start.
static struct slot {
  uint8_t *base;
  size_t capacity;
  uint8_t *before;
} slots[MAXIMUM_OPERANDS];

static void reserve(struct slot *slot, size_t size) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  if (size <= slot->capacity) return;
  if (slot->base) munmap(slot->base - page, slot->capacity + 2 * page);
  free(slot->before);
  slot->capacity = (size + page - 1) / page * page;
  uint8_t *start = mmap(NULL, slot->capacity + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  slot->before = malloc(slot->capacity);
  if (start == MAP_FAILED || !slot->before || mprotect(start + page, slot->capacity, PROT_READ | PROT_WRITE)) {
    fprintf(stderr, "no memory for operands\n");
    exit(2);
  }
  slot->base = start + page;
}

static size_t bytes_of(enum kind kind) {
  switch (kind) {
    case FLOATS:
    case INT32S: return 4;
    case BF16S:
    case INT16S: return 2;
    case INDICES: return sizeof(size_t);
    default: return 1;
  }
}

void *add_operand(struct trial *trial, const char *name, enum kind kind, enum access access, size_t count, size_t alignment) {
  struct slot *slot = &slots[trial->operand_count];
  struct operand *operand = &trial->operands[trial->operand_count++];
  size_t size = count * bytes_of(kind);
  reserve(slot, size + 3 * MARGIN);
  uint8_t *end = slot->base + slot->capacity, *data = slot->base;
  if (trial->placement == BEFORE_GUARD) data = slot->base + (slot->capacity - size - slack) / alignment * alignment;
  // Aligned as asked and no more.
  if (trial->placement == UNALIGNED) data = slot->base + MARGIN + (alignment < 64 ? alignment : 0);
  uint8_t *first = data - slot->base < MARGIN ? slot->base : data - MARGIN;
  uint8_t *last = end - (data + size) < MARGIN ? end : data + size + MARGIN;
  memset(first, PATTERN, (size_t)(last - first));
  *operand = (struct operand){name, kind, access, count, size, alignment, data, slot->before};
  return data;
}

void keep_operands(struct trial *trial) {
  for (int i = 0; i < trial->operand_count; i++)
    memcpy(trial->operands[i].before, trial->operands[i].data, trial->operands[i].bytes);
}

void reset_operands(struct trial *trial) {
  for (int i = 0; i < trial->operand_count; i++)
    if (trial->operands[i].access != READ)
      memcpy(trial->operands[i].data, trial->operands[i].before, trial->operands[i].bytes);
}

void check_operands(struct trial *trial) {
  for (int i = 0; i < trial->operand_count; i++) {
    struct operand *operand = &trial->operands[i];
    const uint8_t *base = slots[i].base, *end = base + slots[i].capacity, *data = operand->data, *after = data + operand->bytes;
    if (operand->access == READ && memcmp(operand->data, operand->before, operand->bytes)) {
      fail(trial, "the input '%s' was written to", operand->name);
      memcpy(operand->data, operand->before, operand->bytes);
    }
    for (const uint8_t *p = data - base < MARGIN ? base : data - MARGIN; p < data; p++)
      if (*p != PATTERN) fail(trial, "'%s' was written to %td bytes before its start", operand->name, data - p);
    for (const uint8_t *p = after; p < (end - after < MARGIN ? end : after + MARGIN); p++)
      if (*p != PATTERN) fail(trial, "'%s' was written to %td bytes past its end", operand->name, p - after);
  }
}

static sigjmp_buf return_point;
static volatile sig_atomic_t caught_signal;
static void *volatile caught_address;

static void on_signal(int number, siginfo_t *information, void *context) {
  (void)context;
  caught_signal = number;
  caught_address = information->si_addr;
  siglongjmp(return_point, 1);
}

int guarded(struct trial *trial, const struct swiftlet_kernels *kernels, struct part part,
            void (*body)(const struct swiftlet_kernels *, struct trial *, struct part)) {
  static const int numbers[] = {SIGILL, SIGSEGV, SIGBUS, SIGFPE};
  struct sigaction action = {0}, previous[4];
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO;
  for (int i = 0; i < 4; i++) sigaction(numbers[i], &action, &previous[i]);
  int returned = !sigsetjmp(return_point, 1);
  if (returned) body(kernels, trial, part);
  for (int i = 0; i < 4; i++) sigaction(numbers[i], &previous[i], NULL);
  if (returned) return 1;
  if (caught_signal == SIGILL) {
    fail(trial, "an instruction that this CPU does not have, at %p: the variant must not be reported as supported", caught_address);
    return 0;
  }
  for (int i = 0; i < trial->operand_count; i++) {
    uint8_t *base = slots[i].base, *address = caught_address;
    if (address >= base - 4096 && address < base + slots[i].capacity + 4096) {
      fail(trial, "signal %d: touched '%s', of %zu bytes, at byte %td", (int)caught_signal, trial->operands[i].name,
           trial->operands[i].bytes, address - (uint8_t *)trial->operands[i].data);
      return 0;
    }
  }
  fail(trial, "signal %d at %p", (int)caught_signal, caught_address);
  return 0;
}

void fail(struct trial *trial, const char *format, ...) {
  if (trial->failure[0]) return;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(trial->failure, sizeof trial->failure, format, arguments);
  va_end(arguments);
}

double element(const struct operand *operand, size_t index, int before) {
  const void *from = before ? operand->before : operand->data;
  switch (operand->kind) {
    case FLOATS: return ((const float *)from)[index];
    case BF16S: return bf16_to_double(((const uint16_t *)from)[index]);
    case INT8S: return ((const int8_t *)from)[index];
    case INT16S: return ((const int16_t *)from)[index];
    case INT32S: return ((const int32_t *)from)[index];
    case BYTES: return ((const uint8_t *)from)[index];
    case INDICES: return (double)((const size_t *)from)[index];
  }
  return 0;
}

const float *floats(const struct trial *trial, int operand) { return trial->operands[operand].before; }
const uint8_t *bytes(const struct trial *trial, int operand) { return trial->operands[operand].before; }
