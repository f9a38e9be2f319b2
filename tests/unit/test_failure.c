/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <curl/curl.h>
#include <errno.h>
#include <openssl/x509_vfy.h>
#include <string.h>
#include <sys/resource.h>

#include "lib/http/failure.h"

static struct error error;

#define CORP "upstream corp (registry.corp.example:5000) "

static const struct {
    struct http_failure failure;
    enum error_code code;
    const char *message;
} explained[] = {
    {{.result = CURLE_COULDNT_RESOLVE_HOST},
     ERROR_UPSTREAM_UNREACHABLE,
     CORP "cannot be reached: its name has no address (look at this machine's DNS, and at url in "
          "[upstream corp])"},
    {{.result = CURLE_COULDNT_RESOLVE_PROXY, .has_proxy = true},
     ERROR_UPSTREAM_UNREACHABLE,
     CORP "cannot be reached: the name in [proxy] http_proxy has no address"},
    {{.result = CURLE_COULDNT_CONNECT, .os_errno = ECONNREFUSED},
     ERROR_UPSTREAM_UNREACHABLE,
     CORP "cannot be reached: it refuses connections (look whether it runs, and at url in "
          "[upstream corp])"},
    {{.result = CURLE_COULDNT_CONNECT, .os_errno = ENETUNREACH},
     ERROR_UPSTREAM_UNREACHABLE,
     CORP "cannot be reached: there is no route to its address"},
    {{.result = CURLE_COULDNT_CONNECT, .os_errno = EPERM},
     ERROR_UPSTREAM_UNREACHABLE,
     CORP "cannot be reached: this machine does not allow connections to it"},
    {{.result = CURLE_COULDNT_CONNECT},
     ERROR_UPSTREAM_UNREACHABLE,
     CORP "cannot be reached: it takes no connections"},
    {{.result = CURLE_COULDNT_CONNECT, .os_errno = ECONNREFUSED, .has_proxy = true},
     ERROR_UPSTREAM_UNREACHABLE,
     CORP "cannot be reached: the proxy of [proxy] http_proxy refuses connections"},
    {{.result = CURLE_RECV_ERROR, .proxy_status = 403, .has_proxy = true},
     ERROR_UPSTREAM_UNREACHABLE,
     CORP "cannot be reached: the proxy of [proxy] http_proxy answers 403"},
    {{.result = CURLE_PEER_FAILED_VERIFICATION,
      .verify_result = X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY},
     ERROR_UPSTREAM_UNREACHABLE,
     CORP "cannot be reached: no authority that is trusted here has signed its certificate "
          "([proxy] ca_file = a file with those to trust)"},
    {{.result = CURLE_PEER_FAILED_VERIFICATION,
      .verify_result = X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
      .has_ca_file = true},
     ERROR_UPSTREAM_UNREACHABLE,
     CORP "cannot be reached: no authority that is trusted here, those of [proxy] ca_file among "
          "them, has signed its certificate"},
    {{.result = CURLE_PEER_FAILED_VERIFICATION, .verify_result = X509_V_ERR_CERT_HAS_EXPIRED},
     ERROR_UPSTREAM_UNREACHABLE,
     CORP "cannot be reached: its certificate has expired, or this machine's clock is wrong"},
    {{.result = CURLE_PEER_FAILED_VERIFICATION, .verify_result = X509_V_ERR_CERT_NOT_YET_VALID},
     ERROR_UPSTREAM_UNREACHABLE,
     CORP "cannot be reached: its certificate is not yet valid, or this machine's clock is wrong"},
    {{.result = CURLE_PEER_FAILED_VERIFICATION},
     ERROR_UPSTREAM_UNREACHABLE,
     CORP "cannot be reached: its certificate is for another name (url = https://NAME with one "
          "that it is for, in [upstream corp])"},
    {{.result = CURLE_PEER_FAILED_VERIFICATION, .verify_result = X509_V_ERR_UNSPECIFIED},
     ERROR_UPSTREAM_UNREACHABLE,
     CORP "cannot be reached: its certificate is for another name (url = https://NAME with one "
          "that it is for, in [upstream corp])"},
    {{.result = CURLE_SSL_CACERT_BADFILE, .has_ca_file = true},
     ERROR_UPSTREAM_UNREACHABLE,
     CORP "cannot be reached: the authorities of [proxy] ca_file cannot be read"},
    {{.result = CURLE_SSL_CACERT_BADFILE},
     ERROR_UPSTREAM_UNREACHABLE,
     CORP "cannot be reached: this machine's certificate authorities cannot be read (Debian: the "
          "package ca-certificates)"},
    {{.result = CURLE_SSL_CONNECT_ERROR,
      .details = "OpenSSL/3.0: error:0A00010B:SSL routines::wrong version number"},
     ERROR_UPSTREAM_UNREACHABLE,
     CORP "cannot be reached: it does not speak TLS (url = http://... in [upstream corp])"},
    {{.result = CURLE_SSL_CONNECT_ERROR,
      .details = "error:0A000410:SSL routines::sslv3 alert handshake failure"},
     ERROR_UPSTREAM_UNREACHABLE,
     CORP "cannot be reached: it refuses the TLS handshake"},
    {{.result = CURLE_SSL_CONNECT_ERROR},
     ERROR_UPSTREAM_UNREACHABLE,
     CORP "cannot be reached: the TLS handshake fails"},
    {{.result = CURLE_OPERATION_TIMEDOUT},
     ERROR_UPSTREAM_TIMEOUT,
     CORP "cannot be connected to in time ([proxy] connect_timeout)"},
    {{.result = CURLE_OUT_OF_MEMORY}, ERROR_INTERNAL, "ask an upstream: no memory"},
    {{.result = CURLE_OUT_OF_MEMORY, .is_connected = true},
     ERROR_UPSTREAM,
     CORP "does not speak HTTP as it should"},
    {{.result = CURLE_OK, .is_connected = true},
     ERROR_UPSTREAM,
     CORP "closed the connection without an answer"},
    {{.result = CURLE_GOT_NOTHING, .is_connected = true},
     ERROR_UPSTREAM,
     CORP "closed the connection without an answer"},
    {{.result = CURLE_UNSUPPORTED_PROTOCOL, .is_connected = true},
     ERROR_UPSTREAM,
     CORP "does not speak HTTP as it should"},
    {{.result = CURLE_UNSUPPORTED_PROTOCOL,
      .is_connected = true,
      .party = {"corp", "http://registry.corp.example:5000/v2/"}},
     ERROR_UPSTREAM,
     CORP "does not speak HTTP as it should (if it speaks TLS, url = https://... in [upstream "
          "corp])"},
    {{.result = CURLE_PARTIAL_FILE, .is_connected = true},
     ERROR_UPSTREAM,
     CORP "broke off before the end"},
    {{.result = CURLE_RECV_ERROR, .is_connected = true},
     ERROR_UPSTREAM,
     CORP "broke the connection"},
    {{.result = CURLE_RECV_ERROR,
      .is_connected = true,
      .details = "Malformed encoding found in chunked-encoding"},
     ERROR_UPSTREAM,
     CORP "sends malformed chunks"},
    {{.result = CURLE_HTTP2_STREAM, .is_connected = true},
     ERROR_UPSTREAM,
     CORP "broke off: Stream error in the HTTP/2 framing layer"},
};

static void says_who_it_is_and_what_an_operator_can_do(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(explained); i++) {
        struct http_failure failure = explained[i].failure;

        failure.details = failure.details ? failure.details : "";
        if (!failure.party.upstream) {
            failure.party = (struct http_party){
                "corp",
                "https://registry.corp.example:5000/v2/app/blobs/sha256:1?signature=secret"};
        }
        assert_fails(explained[i].code, http_failure_explain(&failure, &error));
        assert_string_equal(error.message, explained[i].message);
    }
}

/* Of a server that is no upstream: `berth check --setup` asks one. */
static void names_no_section_that_there_is_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(explained); i++) {
        struct http_failure failure = explained[i].failure;

        failure.details = failure.details ? failure.details : "";
        failure.party = (struct http_party){NULL, "https://[::1]:5000/v2/"};
        assert_fails(explained[i].code, http_failure_explain(&failure, &error));
        assert_null(strstr(error.message, "[upstream"));
        if (error.code != ERROR_INTERNAL &&
            strncmp(error.message, "the server ([::1]:5000) ", 24) != 0) {
            fail_msg("%s", error.message);
        }
    }
}

static void has_words_for_every_code_and_none_of_libcurls_secrets(void **state)
{
    (void)state;
    for (int code = 0; code < CURL_LAST; code++) {
        for (int connected = 0; connected < 2; connected++) {
            struct http_failure failure = {.result = code,
                                           .party = {"corp", "https://corp.example/"},
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
        struct http_failure failure = {
            .party = {"corp", "https://corp.example/"}, .result = codes[i], .details = ""};

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
        cmocka_unit_test(says_who_it_is_and_what_an_operator_can_do),
        cmocka_unit_test(names_no_section_that_there_is_not),
        cmocka_unit_test(has_words_for_every_code_and_none_of_libcurls_secrets),
        IN_DIRECTORY(own_shortage_is_not_the_upstreams_trouble),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
