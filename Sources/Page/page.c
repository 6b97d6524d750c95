// Each file of `site` by #embed, so that the program needs no files beside it.
#include "CSwiftletPage.h"

static const unsigned char index_html[] = {
#embed "site/index.html"
};

static const swiftlet_page_file files[] = {
    {"/index.html", "text/html; charset=utf-8", index_html, sizeof index_html},
};

const swiftlet_page_file *swiftlet_page_file_at(size_t index) {
  return index < sizeof files / sizeof files[0] ? &files[index] : NULL;
}
