/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/http/failure.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/cleanup.h"

static int failure_unreachable(struct error *error, const char *why)
{
    return error_set(error, ERROR_UPSTREAM_UNREACHABLE, "the upstream cannot be reached: %s", why);
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
    char why[160];

    switch (failure->os_errno) {
    case ECONNREFUSED:
        (void)snprintf(why, sizeof(why), "%s refuses connections", who);
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
    return failure_unreachable(error, why);
}

static int failure_certificate(const struct http_failure *failure, struct error *error)
{
    switch (failure->verify_result) {
    case X509_V_OK:
        return failure_unreachable(error, "its certificate is for another name");
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return failure_unreachable(error,
                                   "its certificate has expired, or this machine's clock is wrong");
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return failure_unreachable(
            error, "its certificate is not yet valid, or this machine's clock is wrong");
    default:
        return failure_unreachable(error,
                                   "no authority that is trusted here has signed its certificate "
                                   "([proxy] ca_file = a file with those to trust)");
    }
}

static int failure_handshake(const struct http_failure *failure, struct error *error)
{
    static const char *const plain[] = {"wrong version number", "http request", "unknown protocol",
                                        "packet length too long"};

    for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++) {
        if (strstr(failure->details, plain[i])) {
            return failure_unreachable(error,
                                       "it does not speak TLS (url = http://… in its section "
                                       "is for one that does not)");
        }
    }
    return failure_unreachable(error, strstr(failure->details, "alert")
                                          ? "it refuses the TLS handshake"
                                          : "the TLS handshake fails");
}

/* What happens on a connection that stands. */
static int failure_broken(const struct http_failure *failure, struct error *error)
{
    const char *what = curl_easy_strerror((CURLcode)failure->result);

    switch ((CURLcode)failure->result) {
    case CURLE_OK:
    case CURLE_GOT_NOTHING:
        return error_set(error, ERROR_UPSTREAM,
                         "the upstream closed the connection without an answer");
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_OUT_OF_MEMORY: /* a header that is longer than libcurl takes */
        return error_set(error, ERROR_UPSTREAM, "the upstream does not speak HTTP as it should");
    case CURLE_PARTIAL_FILE:
        return error_set(error, ERROR_UPSTREAM, "the upstream broke off before the end");
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
        if (strstr(failure->details, "chunk")) {
            return error_set(error, ERROR_UPSTREAM, "the upstream sends malformed chunks");
        }
        return error_set(error, ERROR_UPSTREAM, "the upstream broke the connection");
    default:
        return error_set(error, ERROR_UPSTREAM, "the upstream broke off: %s", what);
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
        return error_set(
            error, ERROR_UPSTREAM_UNREACHABLE,
            "the upstream cannot be reached: the proxy of [proxy] http_proxy answers %ld",
            failure->proxy_status);
    }
    switch ((CURLcode)failure->result) {
    case CURLE_OPERATION_TIMEDOUT:
        return error_set(error, ERROR_UPSTREAM_TIMEOUT,
                         "the upstream cannot be connected to in time");
    case CURLE_COULDNT_RESOLVE_HOST:
        return failure_unreachable(error, "its name has no address");
    case CURLE_COULDNT_RESOLVE_PROXY:
        return failure_unreachable(error, "the name in [proxy] http_proxy has no address");
    case CURLE_COULDNT_CONNECT:
        return failure_connect(failure, error);
    case CURLE_SSL_CONNECT_ERROR:
        return failure_handshake(failure, error);
    case CURLE_PEER_FAILED_VERIFICATION:
        return failure_certificate(failure, error);
    case CURLE_SSL_CACERT_BADFILE:
        return failure_unreachable(error, failure->has_ca_file
                                              ? "the authorities of [proxy] ca_file cannot be read"
                                              : "this machine's certificate authorities cannot be "
                                                "read (Debian: the package ca-certificates)");
    case CURLE_OUT_OF_MEMORY:
        return error_set(error, ERROR_INTERNAL, "ask an upstream: no memory");
    default:
        return failure_broken(failure, error);
    }
}
