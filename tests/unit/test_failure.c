/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <curl/curl.h>
#include <errno.h>
#include <openssl/x509_vfy.h>
#include <string.h>
#include <sys/resource.h>

#include "lib/http/failure.h"

static struct error error;

static const struct {
    struct http_failure failure;
    enum error_code code;
    const char *words;
} explained[] = {
    {{.result = CURLE_COULDNT_RESOLVE_HOST}, ERROR_UPSTREAM_UNREACHABLE, "its name has no address"},
    {{.result = CURLE_COULDNT_RESOLVE_PROXY, .has_proxy = true},
     ERROR_UPSTREAM_UNREACHABLE,
     "the name in [proxy] http_proxy has no address"},
    {{.result = CURLE_COULDNT_CONNECT, .os_errno = ECONNREFUSED},
     ERROR_UPSTREAM_UNREACHABLE,
     "it refuses connections"},
    {{.result = CURLE_COULDNT_CONNECT, .os_errno = ENETUNREACH},
     ERROR_UPSTREAM_UNREACHABLE,
     "no route"},
    {{.result = CURLE_COULDNT_CONNECT, .os_errno = EPERM},
     ERROR_UPSTREAM_UNREACHABLE,
     "this machine does not allow"},
    {{.result = CURLE_COULDNT_CONNECT, .os_errno = ECONNREFUSED, .has_proxy = true},
     ERROR_UPSTREAM_UNREACHABLE,
     "the proxy of [proxy] http_proxy refuses"},
    {{.result = CURLE_RECV_ERROR, .proxy_status = 403, .has_proxy = true},
     ERROR_UPSTREAM_UNREACHABLE,
     "http_proxy answers 403"},
    {{.result = CURLE_PEER_FAILED_VERIFICATION,
      .verify_result = X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY},
     ERROR_UPSTREAM_UNREACHABLE,
     "[proxy] ca_file = "},
    {{.result = CURLE_PEER_FAILED_VERIFICATION,
      .verify_result = X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT},
     ERROR_UPSTREAM_UNREACHABLE,
     "[proxy] ca_file = "},
    {{.result = CURLE_PEER_FAILED_VERIFICATION, .verify_result = X509_V_ERR_CERT_HAS_EXPIRED},
     ERROR_UPSTREAM_UNREACHABLE,
     "has expired"},
    {{.result = CURLE_PEER_FAILED_VERIFICATION, .verify_result = X509_V_ERR_CERT_NOT_YET_VALID},
     ERROR_UPSTREAM_UNREACHABLE,
     "not yet valid"},
    {{.result = CURLE_PEER_FAILED_VERIFICATION},
     ERROR_UPSTREAM_UNREACHABLE,
     "its certificate is for another name"},
    {{.result = CURLE_SSL_CACERT_BADFILE, .has_ca_file = true},
     ERROR_UPSTREAM_UNREACHABLE,
     "[proxy] ca_file cannot be read"},
    {{.result = CURLE_SSL_CACERT_BADFILE}, ERROR_UPSTREAM_UNREACHABLE, "ca-certificates"},
    {{.result = CURLE_SSL_CONNECT_ERROR,
      .details = "OpenSSL/3.0: error:0A00010B:SSL routines::wrong version number"},
     ERROR_UPSTREAM_UNREACHABLE,
     "url = http://"},
    {{.result = CURLE_SSL_CONNECT_ERROR,
      .details = "error:0A000410:SSL routines::sslv3 alert handshake failure"},
     ERROR_UPSTREAM_UNREACHABLE,
     "refuses the TLS handshake"},
    {{.result = CURLE_SSL_CONNECT_ERROR}, ERROR_UPSTREAM_UNREACHABLE, "the TLS handshake fails"},
    {{.result = CURLE_OPERATION_TIMEDOUT},
     ERROR_UPSTREAM_TIMEOUT,
     "cannot be connected to in time"},
    {{.result = CURLE_OUT_OF_MEMORY}, ERROR_INTERNAL, "no memory"},
    {{.result = CURLE_OUT_OF_MEMORY, .is_connected = true}, ERROR_UPSTREAM, "does not speak HTTP"},
    {{.result = CURLE_OK, .is_connected = true}, ERROR_UPSTREAM, "without an answer"},
    {{.result = CURLE_GOT_NOTHING, .is_connected = true}, ERROR_UPSTREAM, "without an answer"},
    {{.result = CURLE_UNSUPPORTED_PROTOCOL, .is_connected = true},
     ERROR_UPSTREAM,
     "does not speak HTTP"},
    {{.result = CURLE_WEIRD_SERVER_REPLY, .is_connected = true},
     ERROR_UPSTREAM,
     "does not speak HTTP"},
    {{.result = CURLE_PARTIAL_FILE, .is_connected = true}, ERROR_UPSTREAM, "before the end"},
    {{.result = CURLE_RECV_ERROR, .is_connected = true}, ERROR_UPSTREAM, "broke the connection"},
    {{.result = CURLE_RECV_ERROR,
      .is_connected = true,
      .details = "Malformed encoding found in chunked-encoding"},
     ERROR_UPSTREAM,
     "malformed chunks"},
    {{.result = CURLE_HTTP2_STREAM, .is_connected = true}, ERROR_UPSTREAM, "HTTP/2"},
};

static void says_what_an_operator_can_do(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(explained); i++) {
        struct http_failure failure = explained[i].failure;

        failure.details = failure.details ? failure.details : "";
        assert_fails(explained[i].code, http_failure_explain(&failure, &error));
        if (!strstr(error.message, explained[i].words) ||
            (error.code != ERROR_INTERNAL && strncmp(error.message, "the upstream ", 13) != 0)) {
            fail_msg("'%s', not '%s'", error.message, explained[i].words);
        }
    }
}

static void has_words_for_every_code_and_none_of_libcurls_secrets(void **state)
{
    (void)state;
    for (int code = 0; code < CURL_LAST; code++) {
        for (int connected = 0; connected < 2; connected++) {
            struct http_failure failure = {.result = code,
                                           .details = "Failed to connect to 10.0.0.7 port 5000",
                                           .is_connected = connected};

            error = (struct error)ERROR_INIT;
            assert_int_equal(http_failure_explain(&failure, &error), -1);
            assert_true(error.code == ERROR_UPSTREAM || error.code == ERROR_UPSTREAM_TIMEOUT ||
                        error.code == ERROR_UPSTREAM_UNREACHABLE || error.code == ERROR_INTERNAL);
            assert_null(strstr(error.message, "10.0.0.7"));
            assert_null(strstr(error.message, "No error"));
        }
    }
}

static int without_descriptors(struct fixture *fixture)
{
    static const int codes[] = {CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_CONNECT,
                                CURLE_SSL_CACERT_BADFILE};
    struct rlimit limit;

    (void)fixture;
    EXPECT(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = 0;
    EXPECT(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    for (size_t i = 0; i < COUNT(codes); i++) {
        struct http_failure failure = {.result = codes[i], .details = ""};

        EXPECT(http_failure_explain(&failure, &error) == -1);
        EXPECT(error.code == ERROR_INTERNAL);
    }
    return 0;
}

static void own_shortage_is_not_the_upstreams_trouble(void **state)
{
    run_in_child(without_descriptors, *state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_an_operator_can_do),
        cmocka_unit_test(has_words_for_every_code_and_none_of_libcurls_secrets),
        IN_DIRECTORY(own_shortage_is_not_the_upstreams_trouble),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
