/* SPDX-License-Identifier: Apache-2.0 */

/* The functions themselves, and not the macros around them. */
#define CURL_DISABLE_TYPECHECK

#include "lib/http/library.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#include "lib/base/log.h"

#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt

static void *library;

/* Each time anew: what was missing may have been a descriptor, or a file amid an upgrade. The log
 * hears of it once, since a URL that cannot be read without it is only said to be none. */
const char *library_load(void)
{
    static char reason[256];
    bool is_told = *reason != '\0';

    if (library) {
        return NULL;
    }
    library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    if (library) {
        return NULL;
    }
    (void)snprintf(reason, sizeof(reason), "%s", dlerror());
    if (!is_told) {
        log_error("libcurl cannot be loaded: %s", reason);
    }
    return reason;
}

static void library_find(const char *name, void *out_function)
{
    *(void **)out_function = library_load() ? NULL : dlsym(library, name);
}

/* A function that looks for its namesake when it is called for the first time.
 * NOLINTBEGIN(bugprone-macro-parentheses): types and lists of parameters take none. */
#define LATE(result, name, parameters, arguments, otherwise)                                       \
    result name parameters                                                                         \
    {                                                                                              \
        static result(*function) parameters;                                                       \
                                                                                                   \
        if (!function) {                                                                           \
            library_find(#name, &function);                                                        \
        }                                                                                          \
        return function ? function arguments : (otherwise);                                        \
    }
#define LATE_VOID(name, parameter, argument)                                                       \
    void name(parameter)                                                                           \
    {                                                                                              \
        static void (*function)(parameter);                                                        \
                                                                                                   \
        if (!function) {                                                                           \
            library_find(#name, &function);                                                        \
        }                                                                                          \
        if (function) {                                                                            \
            function(argument);                                                                    \
        }                                                                                          \
    }

/* NOLINTEND(bugprone-macro-parentheses) */

LATE(CURL *, curl_easy_init, (void), (), NULL)
LATE(CURLcode, curl_easy_perform, (CURL * easy), (easy), CURLE_FAILED_INIT)
LATE(CURLcode, curl_easy_pause, (CURL * easy, int bits), (easy, bits), CURLE_FAILED_INIT)
LATE(const char *, curl_easy_strerror, (CURLcode code), (code), "there is no libcurl")
LATE_VOID(curl_easy_cleanup, CURL *easy, easy)

LATE(CURLM *, curl_multi_init, (void), (), NULL)
LATE(CURLMcode, curl_multi_cleanup, (CURLM * multi), (multi), CURLM_INTERNAL_ERROR)
LATE(CURLMcode, curl_multi_add_handle, (CURLM * multi, CURL *easy), (multi, easy),
     CURLM_INTERNAL_ERROR)
LATE(CURLMcode, curl_multi_remove_handle, (CURLM * multi, CURL *easy), (multi, easy),
     CURLM_INTERNAL_ERROR)
LATE(CURLMcode, curl_multi_perform, (CURLM * multi, int *running), (multi, running),
     CURLM_INTERNAL_ERROR)
LATE(CURLMsg *, curl_multi_info_read, (CURLM * multi, int *left), (multi, left), NULL)
LATE(CURLMcode, curl_multi_poll,
     (CURLM * multi, struct curl_waitfd *extra, unsigned count, int wait, int *ready),
     (multi, extra, count, wait, ready), CURLM_INTERNAL_ERROR)
LATE(const char *, curl_multi_strerror, (CURLMcode code), (code), "there is no libcurl")

LATE(CURLU *, curl_url, (void), (), NULL)
LATE_VOID(curl_url_cleanup, CURLU *url, url)
LATE(CURLUcode, curl_url_set, (CURLU * url, CURLUPart part, const char *text, unsigned flags),
     (url, part, text, flags), CURLUE_OUT_OF_MEMORY)

LATE(struct curl_slist *, curl_slist_append, (struct curl_slist * list, const char *text),
     (list, text), NULL)
LATE_VOID(curl_slist_free_all, struct curl_slist *list, list)
LATE_VOID(curl_free, void *text, text)

/* Under a name of ours, since newer headers have a const there. */
CURLUcode library_url_get(CURLU *url, CURLUPart part, char **out,
                          unsigned flags) __asm__("curl_url_get");

CURLUcode library_url_get(CURLU *url, CURLUPart part, char **out, unsigned flags)
{
    static CURLUcode (*function)(CURLU * url, CURLUPart part, char **out, unsigned flags);

    if (!function) {
        library_find("curl_url_get", &function);
    }
    return function ? function(url, part, out, flags) : CURLUE_OUT_OF_MEMORY;
}

/* What an option takes, its number says. NOLINTBEGIN(bugprone-branch-clone): where a long has 64
 * bits it makes no difference. */
CURLcode curl_easy_setopt(CURL *easy, CURLoption option, ...)
{
    static CURLcode (*function)(CURL * easy, CURLoption option, ...);
    CURLcode code = CURLE_FAILED_INIT;
    va_list value;

    if (!function) {
        library_find("curl_easy_setopt", &function);
    }
    va_start(value, option);
    if (!function) {
        /* nobody has a handle either */
    } else if ((long)option < CURLOPTTYPE_OBJECTPOINT) {
        code = function(easy, option, va_arg(value, long));
    } else if ((long)option >= CURLOPTTYPE_OFF_T && (long)option < CURLOPTTYPE_BLOB) {
        code = function(easy, option, va_arg(value, curl_off_t));
    } else {
        code = function(easy, option, va_arg(value, void *));
    }
    va_end(value);
    return code;
}

CURLMcode curl_multi_setopt(CURLM *multi, CURLMoption option, ...)
{
    static CURLMcode (*function)(CURLM * multi, CURLMoption option, ...);
    CURLMcode code = CURLM_INTERNAL_ERROR;
    va_list value;

    if (!function) {
        library_find("curl_multi_setopt", &function);
    }
    va_start(value, option);
    if (function) {
        code = (long)option < CURLOPTTYPE_OBJECTPOINT
                   ? function(multi, option, va_arg(value, long))
                   : function(multi, option, va_arg(value, void *));
    }
    va_end(value);
    return code;
}

/* NOLINTEND(bugprone-branch-clone) */

/* All that it tells goes where a pointer points. */
CURLcode curl_easy_getinfo(CURL *easy, CURLINFO info, ...)
{
    static CURLcode (*function)(CURL * easy, CURLINFO info, ...);
    CURLcode code = CURLE_FAILED_INIT;
    va_list out;

    if (!function) {
        library_find("curl_easy_getinfo", &function);
    }
    va_start(out, info);
    if (function) {
        code = function(easy, info, va_arg(out, void *));
    }
    va_end(out);
    return code;
}
