/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/http/failure.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/text.h"

/* `cure`, or NULL, goes on with the section of the configuration. */
static int failure_unreachable(const struct http_failure *failure, struct error *error,
                               const char *why, const char *cure)
{
    const char *section = failure->party.upstream;

    if (!section || !cure) {
        return party_fail(&failure->party, error, ERROR_UPSTREAM_UNREACHABLE,
                          "cannot be reached: %s", why);
    }
    return party_fail(&failure->party, error, ERROR_UPSTREAM_UNREACHABLE,
                      "cannot be reached: %s (%s [upstream %s])", why, cure, section);
}

/* Without descriptors names do not resolve and certificates are not found: that is nobody else's
 * trouble. False, with errno, if there are none. */
static bool failure_can_open(void)
{
    AUTO_CLOSE int descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC);

    return descriptor >= 0 || (errno != EMFILE && errno != ENFILE && errno != ENOMEM);
}

static int failure_connect(const struct http_failure *failure, struct error *error)
{
    const char *who = failure->has_proxy ? "the proxy of [proxy] http_proxy" : "it";
    const char *cure = NULL;
    char why[160];

    switch (failure->os_errno) {
    case ECONNREFUSED:
        (void)snprintf(why, sizeof(why), "%s refuses connections", who);
        cure = failure->has_proxy ? NULL : "look whether it runs, and at url in";
        break;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EADDRNOTAVAIL:
        (void)snprintf(why, sizeof(why), "there is no route to %s",
                       failure->has_proxy ? who : "its address");
        break;
    case EACCES:
    case EPERM:
        (void)snprintf(why, sizeof(why), "this machine does not allow connections to %s", who);
        break;
    default:
        (void)snprintf(why, sizeof(why), "%s takes no connections", who);
        break;
    }
    return failure_unreachable(failure, error, why, cure);
}

static int failure_certificate(const struct http_failure *failure, struct error *error)
{
    switch (failure->verify_result) {
    case X509_V_OK:
    case X509_V_ERR_UNSPECIFIED: /* libcurl looks at names before it notes down how this went */
        return failure_unreachable(failure, error, "its certificate is for another name",
                                   "url = https://NAME with one that it is for, in");
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return failure_unreachable(
            failure, error, "its certificate has expired, or this machine's clock is wrong", NULL);
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return failure_unreachable(
            failure, error, "its certificate is not yet valid, or this machine's clock is wrong",
            NULL);
    default:
        return failure_unreachable(failure, error,
                                   failure->has_ca_file
                                       ? "no authority that is trusted here, those of [proxy] "
                                         "ca_file among them, has signed its certificate"
                                       : "no authority that is trusted here has signed its "
                                         "certificate ([proxy] ca_file = a file with those to "
                                         "trust)",
                                   NULL);
    }
}

bool http_failure_is_plain(const char *details)
{
    static const char *const plain[] = {"wrong version number", "http request", "unknown protocol",
                                        "packet length too long"};

    for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++) {
        if (strstr(details, plain[i])) {
            return true;
        }
    }
    return false;
}

static int failure_handshake(const struct http_failure *failure, struct error *error)
{
    if (http_failure_is_plain(failure->details)) {
        return failure_unreachable(failure, error, "it does not speak TLS", "url = http://... in");
    }
    return failure_unreachable(failure, error,
                               strstr(failure->details, "alert") ? "it refuses the TLS handshake"
                                                                 : "the TLS handshake fails",
                               NULL);
}

/* What a server that waits for TLS sends to one who does not speak it is no HTTP. */
static int failure_language(const struct http_failure *failure, struct error *error)
{
    const char *section = failure->party.upstream;

    if (!section || !text_begins(failure->party.url, "http://")) {
        return party_fail(&failure->party, error, ERROR_UPSTREAM,
                          "does not speak HTTP as it should");
    }
    return party_fail(&failure->party, error, ERROR_UPSTREAM,
                      "does not speak HTTP as it should (if it speaks TLS, url = https://... in "
                      "[upstream %s])",
                      section);
}

static int failure_midway(const struct http_failure *failure, const char *what, struct error *error)
{
    return party_fail(&failure->party, error, ERROR_UPSTREAM, "%s", what);
}

/* What happens on a connection that stands. */
static int failure_broken(const struct http_failure *failure, struct error *error)
{
    switch ((CURLcode)failure->result) {
    case CURLE_OK:
    case CURLE_GOT_NOTHING:
        return failure_midway(failure, "closed the connection without an answer", error);
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_OUT_OF_MEMORY: /* a header that is longer than libcurl takes */
        return failure_language(failure, error);
    case CURLE_PARTIAL_FILE:
        return failure_midway(failure, "broke off before the end", error);
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
        return failure_midway(failure,
                              strstr(failure->details, "chunk") ? "sends malformed chunks"
                                                                : "broke the connection",
                              error);
    default:
        return party_fail(&failure->party, error, ERROR_UPSTREAM, "broke off: %s",
                          curl_easy_strerror((CURLcode)failure->result));
    }
}

/* Before a connection stands. */
static int failure_early(const struct http_failure *failure, struct error *error)
{
    switch ((CURLcode)failure->result) {
    case CURLE_OPERATION_TIMEDOUT:
        return party_fail(&failure->party, error, ERROR_UPSTREAM_TIMEOUT,
                          "cannot be connected to in time%s",
                          failure->party.upstream ? " ([proxy] connect_timeout)" : "");
    case CURLE_COULDNT_RESOLVE_HOST:
        return failure_unreachable(failure, error, "its name has no address",
                                   "look at this machine's DNS, and at url in");
    case CURLE_COULDNT_RESOLVE_PROXY:
        return failure_unreachable(failure, error, "the name in [proxy] http_proxy has no address",
                                   NULL);
    case CURLE_COULDNT_CONNECT:
        return failure_connect(failure, error);
    case CURLE_SSL_CONNECT_ERROR:
        return failure_handshake(failure, error);
    case CURLE_PEER_FAILED_VERIFICATION:
        return failure_certificate(failure, error);
    case CURLE_SSL_CACERT_BADFILE:
        return failure_unreachable(failure, error,
                                   failure->has_ca_file
                                       ? "the authorities of [proxy] ca_file cannot be read"
                                       : "this machine's certificate authorities cannot be read "
                                         "(Debian: the package ca-certificates)",
                                   NULL);
    case CURLE_OUT_OF_MEMORY:
        return error_set(error, ERROR_INTERNAL, "ask an upstream: no memory");
    default:
        return failure_broken(failure, error);
    }
}

int http_failure_explain(const struct http_failure *failure, struct error *error)
{
    if (failure->is_connected) {
        return failure_broken(failure, error);
    }
    if (!failure_can_open()) {
        return error_errno(error, "ask an upstream");
    }
    if (failure->proxy_status >= 300) {
        return party_fail(&failure->party, error, ERROR_UPSTREAM_UNREACHABLE,
                          "cannot be reached: the proxy of [proxy] http_proxy answers %ld",
                          failure->proxy_status);
    }
    return failure_early(failure, error);
}
