/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/page/form.h"

#include <string.h>

/* What form_done() says was done: by a word of a few, so that no link puts words into our mouth. */
void notice_add(const struct view *view, struct html *html)
{
    const char *done = view_query(view, "done");

    if (strcmp(done, "deleted") == 0) {
        HTML(html, "<p class=\"notice good\" role=\"status\">Deleted. It can be restored from the "
                   "<a href=\"");
        html_path(html, view->exchange->page_prefix);
        HTML(html, "-/trash\">trash</a>.</p>");
    } else if (strcmp(done, "gone") == 0) {
        HTML(html,
             "<p class=\"notice good\" role=\"status\">Deleted for good: there was no room in "
             "the trash.</p>");
    } else if (strcmp(done, "dropped") == 0) {
        HTML(html, "<p class=\"notice good\" role=\"status\">Dropped from the cache.</p>");
    } else if (strcmp(done, "restored") == 0) {
        HTML(html, "<p class=\"notice good\" role=\"status\">Restored.</p>");
    } else if (strcmp(done, "put-back") == 0) {
        HTML(html, "<p class=\"notice good\" role=\"status\">The tag was put back.</p>");
    } else if (strcmp(done, "kept") == 0) {
        HTML(html, "<p class=\"notice good\" role=\"status\">Kept: it stays in the cache.</p>");
    } else if (strcmp(done, "unkept") == 0) {
        HTML(html, "<p class=\"notice good\" role=\"status\">No longer kept: it goes when its time "
                   "comes.</p>");
    } else if (strcmp(done, "refreshed") == 0) {
        HTML(html, "<p class=\"notice good\" role=\"status\">The upstream was asked.</p>");
    }
}
