// Each file of `site` by #embed, so that the program needs no files beside it.
#include "CSwiftletPage.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char index_html[] = {
#embed "site/index.html"
};
static const unsigned char dashboard_html[] = {
#embed "site/dashboard.html"
};
static const unsigned char sw_js[] = {
#embed "site/sw.js"
};
static const unsigned char manifest_webmanifest[] = {
#embed "site/manifest.webmanifest"
};
static const unsigned char openapi_json[] = {
#embed "site/openapi.json"
};
static const unsigned char icon_svg[] = {
#embed "site/page/icon.svg"
};
static const unsigned char icon_192_png[] = {
#embed "site/page/icon-192.png"
};
static const unsigned char icon_512_png[] = {
#embed "site/page/icon-512.png"
};
static const unsigned char theme_css[] = {
#embed "site/page/theme.css"
};
static const unsigned char base_css[] = {
#embed "site/page/base.css"
};
static const unsigned char controls_css[] = {
#embed "site/page/controls.css"
};
static const unsigned char dialogs_css[] = {
#embed "site/page/dialogs.css"
};
static const unsigned char text_css[] = {
#embed "site/page/text.css"
};
static const unsigned char chat_css[] = {
#embed "site/page/chat.css"
};
static const unsigned char sidebar_css[] = {
#embed "site/page/sidebar.css"
};
static const unsigned char messages_css[] = {
#embed "site/page/messages.css"
};
static const unsigned char composer_css[] = {
#embed "site/page/composer.css"
};
static const unsigned char dashboard_css[] = {
#embed "site/page/dashboard.css"
};
static const unsigned char answer_js[] = {
#embed "site/page/answer.js"
};
static const unsigned char app_js[] = {
#embed "site/page/app.js"
};
static const unsigned char blocks_js[] = {
#embed "site/page/blocks.js"
};
static const unsigned char chat_row_js[] = {
#embed "site/page/chat-row.js"
};
static const unsigned char chats_js[] = {
#embed "site/page/chats.js"
};
static const unsigned char code_js[] = {
#embed "site/page/code.js"
};
static const unsigned char composer_js[] = {
#embed "site/page/composer.js"
};
static const unsigned char conflicts_js[] = {
#embed "site/page/conflicts.js"
};
static const unsigned char connection_js[] = {
#embed "site/page/connection.js"
};
static const unsigned char controls_js[] = {
#embed "site/page/controls.js"
};
static const unsigned char conversation_js[] = {
#embed "site/page/conversation.js"
};
static const unsigned char copies_js[] = {
#embed "site/page/copies.js"
};
static const unsigned char dashboard_js[] = {
#embed "site/page/dashboard.js"
};
static const unsigned char dialogs_js[] = {
#embed "site/page/dialogs.js"
};
static const unsigned char dom_js[] = {
#embed "site/page/dom.js"
};
static const unsigned char failures_js[] = {
#embed "site/page/failures.js"
};
static const unsigned char follow_js[] = {
#embed "site/page/follow.js"
};
static const unsigned char inline_js[] = {
#embed "site/page/inline.js"
};
static const unsigned char languages_js[] = {
#embed "site/page/languages.js"
};
static const unsigned char markdown_js[] = {
#embed "site/page/markdown.js"
};
static const unsigned char math_symbols_js[] = {
#embed "site/page/math-symbols.js"
};
static const unsigned char math_js[] = {
#embed "site/page/math.js"
};
static const unsigned char messages_js[] = {
#embed "site/page/messages.js"
};
static const unsigned char models_js[] = {
#embed "site/page/models.js"
};
static const unsigned char morph_js[] = {
#embed "site/page/morph.js"
};
static const unsigned char outbox_js[] = {
#embed "site/page/outbox.js"
};
static const unsigned char plot_js[] = {
#embed "site/page/plot.js"
};
static const unsigned char preferences_js[] = {
#embed "site/page/preferences.js"
};
static const unsigned char server_js[] = {
#embed "site/page/server.js"
};
static const unsigned char settings_js[] = {
#embed "site/page/settings.js"
};
static const unsigned char sidebar_js[] = {
#embed "site/page/sidebar.js"
};
static const unsigned char start_js[] = {
#embed "site/page/start.js"
};
static const unsigned char starters_js[] = {
#embed "site/page/starters.js"
};
static const unsigned char tabs_js[] = {
#embed "site/page/tabs.js"
};
static const unsigned char tree_js[] = {
#embed "site/page/tree.js"
};
static const unsigned char words_js[] = {
#embed "site/page/words.js"
};
static const unsigned char worker_js[] = {
#embed "site/page/worker.js"
};

static const swiftlet_page_file files[] = {
    {"/index.html", "text/html; charset=utf-8", index_html, sizeof index_html},
    {"/dashboard.html", "text/html; charset=utf-8", dashboard_html, sizeof dashboard_html},
    {"/sw.js", "text/javascript; charset=utf-8", sw_js, sizeof sw_js},
    {"/manifest.webmanifest", "application/manifest+json", manifest_webmanifest, sizeof manifest_webmanifest},
    {"/openapi.json", "application/json", openapi_json, sizeof openapi_json},
    {"/page/icon.svg", "image/svg+xml", icon_svg, sizeof icon_svg},
    {"/page/icon-192.png", "image/png", icon_192_png, sizeof icon_192_png},
    {"/page/icon-512.png", "image/png", icon_512_png, sizeof icon_512_png},
    {"/page/theme.css", "text/css; charset=utf-8", theme_css, sizeof theme_css},
    {"/page/base.css", "text/css; charset=utf-8", base_css, sizeof base_css},
    {"/page/controls.css", "text/css; charset=utf-8", controls_css, sizeof controls_css},
    {"/page/dialogs.css", "text/css; charset=utf-8", dialogs_css, sizeof dialogs_css},
    {"/page/text.css", "text/css; charset=utf-8", text_css, sizeof text_css},
    {"/page/chat.css", "text/css; charset=utf-8", chat_css, sizeof chat_css},
    {"/page/sidebar.css", "text/css; charset=utf-8", sidebar_css, sizeof sidebar_css},
    {"/page/messages.css", "text/css; charset=utf-8", messages_css, sizeof messages_css},
    {"/page/composer.css", "text/css; charset=utf-8", composer_css, sizeof composer_css},
    {"/page/dashboard.css", "text/css; charset=utf-8", dashboard_css, sizeof dashboard_css},
    {"/page/answer.js", "text/javascript; charset=utf-8", answer_js, sizeof answer_js},
    {"/page/app.js", "text/javascript; charset=utf-8", app_js, sizeof app_js},
    {"/page/blocks.js", "text/javascript; charset=utf-8", blocks_js, sizeof blocks_js},
    {"/page/chat-row.js", "text/javascript; charset=utf-8", chat_row_js, sizeof chat_row_js},
    {"/page/chats.js", "text/javascript; charset=utf-8", chats_js, sizeof chats_js},
    {"/page/code.js", "text/javascript; charset=utf-8", code_js, sizeof code_js},
    {"/page/composer.js", "text/javascript; charset=utf-8", composer_js, sizeof composer_js},
    {"/page/conflicts.js", "text/javascript; charset=utf-8", conflicts_js, sizeof conflicts_js},
    {"/page/connection.js", "text/javascript; charset=utf-8", connection_js, sizeof connection_js},
    {"/page/controls.js", "text/javascript; charset=utf-8", controls_js, sizeof controls_js},
    {"/page/conversation.js", "text/javascript; charset=utf-8", conversation_js, sizeof conversation_js},
    {"/page/copies.js", "text/javascript; charset=utf-8", copies_js, sizeof copies_js},
    {"/page/dashboard.js", "text/javascript; charset=utf-8", dashboard_js, sizeof dashboard_js},
    {"/page/dialogs.js", "text/javascript; charset=utf-8", dialogs_js, sizeof dialogs_js},
    {"/page/dom.js", "text/javascript; charset=utf-8", dom_js, sizeof dom_js},
    {"/page/failures.js", "text/javascript; charset=utf-8", failures_js, sizeof failures_js},
    {"/page/follow.js", "text/javascript; charset=utf-8", follow_js, sizeof follow_js},
    {"/page/inline.js", "text/javascript; charset=utf-8", inline_js, sizeof inline_js},
    {"/page/languages.js", "text/javascript; charset=utf-8", languages_js, sizeof languages_js},
    {"/page/markdown.js", "text/javascript; charset=utf-8", markdown_js, sizeof markdown_js},
    {"/page/math-symbols.js", "text/javascript; charset=utf-8", math_symbols_js, sizeof math_symbols_js},
    {"/page/math.js", "text/javascript; charset=utf-8", math_js, sizeof math_js},
    {"/page/messages.js", "text/javascript; charset=utf-8", messages_js, sizeof messages_js},
    {"/page/models.js", "text/javascript; charset=utf-8", models_js, sizeof models_js},
    {"/page/morph.js", "text/javascript; charset=utf-8", morph_js, sizeof morph_js},
    {"/page/outbox.js", "text/javascript; charset=utf-8", outbox_js, sizeof outbox_js},
    {"/page/plot.js", "text/javascript; charset=utf-8", plot_js, sizeof plot_js},
    {"/page/preferences.js", "text/javascript; charset=utf-8", preferences_js, sizeof preferences_js},
    {"/page/server.js", "text/javascript; charset=utf-8", server_js, sizeof server_js},
    {"/page/settings.js", "text/javascript; charset=utf-8", settings_js, sizeof settings_js},
    {"/page/sidebar.js", "text/javascript; charset=utf-8", sidebar_js, sizeof sidebar_js},
    {"/page/start.js", "text/javascript; charset=utf-8", start_js, sizeof start_js},
    {"/page/starters.js", "text/javascript; charset=utf-8", starters_js, sizeof starters_js},
    {"/page/tabs.js", "text/javascript; charset=utf-8", tabs_js, sizeof tabs_js},
    {"/page/tree.js", "text/javascript; charset=utf-8", tree_js, sizeof tree_js},
    {"/page/words.js", "text/javascript; charset=utf-8", words_js, sizeof words_js},
    {"/page/worker.js", "text/javascript; charset=utf-8", worker_js, sizeof worker_js},
};

const swiftlet_page_file *swiftlet_page_file_at(size_t index) {
  return index < sizeof files / sizeof files[0] ? &files[index] : NULL;
}
