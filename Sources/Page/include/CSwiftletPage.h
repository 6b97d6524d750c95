// The files of the chat page, as bytes in the program itself: a program that is moved keeps them.
#ifndef CSWIFTLET_PAGE_H
#define CSWIFTLET_PAGE_H

#include <stddef.h>

/// A file of the page. `path` is as in the address (`/index.html`), `type` its media type, `bytes` stay for the program's lifetime.
typedef struct swiftlet_page_file {
  const char *path;
  const char *type;
  const unsigned char *bytes;
  size_t count;
} swiftlet_page_file;

/// The file at `index`, or null behind the last.
const swiftlet_page_file *swiftlet_page_file_at(size_t index);

#endif
