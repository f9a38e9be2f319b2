/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/http/lookup.h"

#include <curl/curl.h>

#include "lib/http/address.h"

/* libcurl resolves within a time and would connect to each address in turn: each is looked at, and
 * none is let. */
static curl_socket_t lookup_note(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
    enum lookup_result *result = user;

    (void)purpose;
    if (!address_is_public(&address->addr)) {
        *result = LOOKUP_PRIVATE;
    } else if (*result == LOOKUP_UNKNOWN) {
        *result = LOOKUP_PUBLIC;
    }
    return CURL_SOCKET_BAD;
}

enum lookup_result lookup_url(const char *url, uint64_t milliseconds)
{
    enum lookup_result result = LOOKUP_UNKNOWN;
    CURL *easy = curl_easy_init();

    if (!easy) {
        return LOOKUP_UNKNOWN;
    }
    (void)curl_easy_setopt(easy, CURLOPT_URL, url);
    (void)curl_easy_setopt(easy, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)milliseconds);
    (void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, lookup_note);
    (void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, &result);
    (void)curl_easy_perform(easy);
    curl_easy_cleanup(easy);
    return result;
}
