/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/proxy/ask/question.h"

#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/text.h"
#include "lib/http/range.h"
#include "lib/observe/count/count.h"
#include "lib/oci/document.h"
#include "lib/proxy/ask/credentials.h"
#include "lib/proxy/ask/health.h"

enum {
    REDIRECT_LIMIT = 5,
    MESSAGE_LIMIT = 64 * 1024, /* bytes of an error document that are read */
};

void answer_release(struct answer *answer)
{
    http_close(&answer->transfer);
    buffer_release(&answer->request.headers);
    buffer_release(&answer->url);
    lock_release(&answer->probe);
}

static bool digest_is_of_nothing(const struct digest *digest)
{
    struct digest nothing;

    digest_of(digest->algorithm, "", 0, &nothing);
    return digest_equal(&nothing, digest);
}

static int answer_fail(const struct answer *answer, struct error *error, const char *what)
{
    struct http_party party = {answer->request.upstream, answer->request.url};

    return party_fail(&party, error, ERROR_UPSTREAM, "%s", what);
}

int answer_extent(const struct answer *answer, const struct digest *digest, struct extent *out,
                  struct error *error)
{
    const struct http_transfer *transfer = &answer->transfer;
    AUTO_BUFFER struct buffer field = BUFFER_INIT;
    struct range range;
    const char *slash;

    *out = (struct extent){.has_total = transfer->has_length, .total = transfer->length};
    if (transfer->status == 206) {
        if (!http_header(transfer, "content-range", 0, &field) ||
            !content_range_parse(field.data, &range) || !(slash = strchr(field.data, '/'))) {
            return answer_fail(answer, error, "answers a strange range");
        }
        out->first = range.first;
        out->has_total = text_number(slash + 1, strlen(slash + 1), &out->total);
    }
    return out->has_total && out->total == 0 && !digest_is_of_nothing(digest)
               ? answer_fail(answer, error, "says that the blob is empty")
               : 0;
}

static void question_set_headers(struct answer *answer, const struct upstream *upstream,
                                 const struct question *question, const char *authorization)
{
    struct buffer *headers = &answer->request.headers;

    buffer_clear(headers);
    if (question->accept) {
        buffer_format(headers, "Accept: %s\n", question->accept);
    }
    if (question->range) {
        buffer_format(headers, "Range: %s\n", question->range);
    }
    if (*upstream->via) {
        buffer_format(headers, "Via: %s\n", upstream->via);
    }
    if (*authorization) {
        buffer_format(headers, "Authorization: %s\n", authorization);
    }
}

static bool answer_is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* Puts the target of a redirect into answer->url. `same_host` becomes false for good when it leads
 * away: nothing secret goes there. */
static int question_follow(struct answer *answer, const struct upstream *upstream, bool *same_host,
                           struct error *error)
{
    AUTO_BUFFER struct buffer location = BUFFER_INIT;
    AUTO_BUFFER struct buffer target = BUFFER_INIT;
    const char *obstacle;
    struct url from;
    struct url to;

    if (!http_header(&answer->transfer, "location", 0, &location) ||
        !url_resolve(answer->url.data, location.data, &target) || !url_parse(target.data, &to) ||
        !url_parse(answer->url.data, &from)) {
        return answer_fail(answer, error, "redirects to nowhere");
    }
    obstacle = upstream_obstacle(upstream, &to);
    if (obstacle) {
        return upstream_fail(upstream, error, ERROR_UPSTREAM,
                             "redirects to %s://%s:%u, which is not followed: %s in [upstream %s]",
                             to.scheme, to.host, to.port, obstacle, upstream_section(upstream));
    }
    if (strcmp(from.host, to.host) != 0 || from.port != to.port ||
        strcmp(from.scheme, to.scheme) != 0) {
        *same_host = false;
    }
    buffer_clear(&answer->url);
    buffer_add(&answer->url, target.data, target.length);
    return 0;
}

static int question_open(struct answer *answer, const struct upstream *upstream,
                         struct error *error)
{
    int64_t begun = clock_milliseconds();
    int result = http_open(&answer->transfer, &answer->request, error);

    count_answer(upstream->name, result < 0 ? 0 : answer->transfer.status,
                 (uint64_t)(clock_milliseconds() - begun) * 1000);
    return result;
}

/* One request and the redirects that it leads to. */
static int question_transfer(struct answer *answer, const struct upstream *upstream,
                             const struct question *question, const char *authorization,
                             struct error *error)
{
    bool same_host = true;

    buffer_clear(&answer->url);
    buffer_format(&answer->url, "%s/v2/%s/%s", upstream->url, question->repository, question->rest);
    for (int i = 0; i <= REDIRECT_LIMIT; i++) {
        question_set_headers(answer, upstream, question, same_host ? authorization : "");
        answer->request.url = answer->url.data;
        http_close(&answer->transfer);
        if (question_open(answer, upstream, error) < 0) {
            return -1;
        }
        if (!answer_is_redirect(answer->transfer.status)) {
            return 0;
        }
        if (question_follow(answer, upstream, &same_host, error) < 0) {
            return -1;
        }
    }
    return answer_fail(answer, error, "redirects in circles");
}

/* Sends the request, logging in when it is asked to. */
static int question_transfer_with_login(struct answer *answer, const struct upstream *upstream,
                                        const struct question *question, struct report *report,
                                        struct error *error)
{
    AUTO_BUFFER struct buffer authorization = BUFFER_INIT;
    int found;

    if (credentials_cached(upstream, question->repository, &authorization, error) < 0 ||
        question_transfer(answer, upstream, question, authorization.data, error) < 0) {
        return -1;
    }
    if (answer->transfer.status == 401) {
        int64_t begun = clock_milliseconds();

        found = credentials_obtain(upstream, question->repository, &answer->transfer,
                                   &authorization, error);
        report_waited(report, WAIT_LOGIN, begun);
        if (found < 0 || (found > 0 && question_transfer(answer, upstream, question,
                                                         authorization.data, error) < 0)) {
            return -1;
        }
    }
    answer->with_credentials =
        authorization.length > 0 && upstream_credentials(upstream, question->repository) != NULL;
    return 0;
}

static unsigned answer_retry_after(const struct http_transfer *transfer)
{
    enum { STANDARD = 30 };
    AUTO_BUFFER struct buffer value = BUFFER_INIT;
    uint64_t seconds;

    if (http_header(transfer, "retry-after", 0, &value) &&
        text_number(value.data, value.length, &seconds) && seconds > 0 && seconds < 86400) {
        return (unsigned)seconds;
    }
    return STANDARD;
}

/* 401 and 403: whose account it is that is not let in, or that there is none. */
static int question_refuse_entry(const struct upstream *upstream, const struct question *question,
                                 const struct answer *answer, struct error *error)
{
    int status = answer->transfer.status;

    if (credentials_are_withheld(upstream, question->repository, &answer->transfer, error)) {
        return -1;
    }
    return credentials_refused(upstream, question->repository, status, error);
}

/* 429. */
static int question_refuse_rate(const struct upstream *upstream, const struct question *question,
                                struct report *report, struct error *error)
{
    const struct upstream_options *account = upstream_credentials(upstream, question->repository);

    if (account) {
        (void)upstream_fail(upstream, error, ERROR_TOO_MANY_REQUESTS,
                            "limits the requests of the account in [upstream %s] (429)",
                            account->name);
    } else {
        (void)upstream_fail(upstream, error, ERROR_TOO_MANY_REQUESTS,
                            "limits our requests (429): it may allow more to an account, username "
                            "and password_file in [upstream %s]",
                            upstream_section(upstream));
    }
    health_record(upstream->store, upstream->name, error, report->retry_after);
    return -1;
}

/* What Go and nginx say on a port for TLS to whoever does not speak it. */
static bool answer_wants_tls(const struct upstream *upstream, int status, const char *body)
{
    return status == 400 && upstream->allow_http &&
           (strstr(body, "HTTPS server") || strstr(body, "HTTPS port"));
}

/* Whether an answer says that the upstream, as a whole, is not to be asked for a while. */
static bool answer_is_trouble(int status)
{
    return status == 429 || (status >= 502 && status <= 504);
}

/* An answer that is neither 2xx nor 404, as an error. */
static int question_refuse(const struct upstream *upstream, const struct question *question,
                           struct answer *answer, struct report *report, struct error *error)
{
    int status = answer->transfer.status;
    AUTO_BUFFER struct buffer body = BUFFER_INIT;
    AUTO_BUFFER struct buffer message = BUFFER_INIT;
    struct document document;
    struct error ignored;

    (void)http_read_all(&answer->transfer, MESSAGE_LIMIT, &body, &ignored);
    document = (struct document){body.data, body.length, NULL};
    if (!document_error_message(&document, &message)) {
        buffer_add(&message, body.data, strcspn(body.data, "\r\n"));
    }
    report_failure(report, upstream->name, status, message.data);
    if (status == 429) {
        report->retry_after = answer_retry_after(&answer->transfer);
        return question_refuse_rate(upstream, question, report, error);
    }
    if (status == 401 || status == 403) {
        return question_refuse_entry(upstream, question, answer, error);
    }
    if (answer_wants_tls(upstream, status, body.data)) {
        return upstream_fail(upstream, error, ERROR_UPSTREAM,
                             "answers %d: it speaks TLS (url = https://... in [upstream %s])",
                             status, upstream_section(upstream));
    }
    (void)upstream_fail(upstream, error, ERROR_UPSTREAM, "answers %d", status);
    if (answer_is_trouble(status)) {
        health_record(upstream->store, upstream->name, error, 0);
    }
    return -1;
}

int question_ask(const struct upstream *upstream, const struct question *question,
                 struct answer *out_answer, struct report *report, struct error *error)
{
    int64_t begun = clock_milliseconds();
    int result;
    int status;

    if (!question->again && health_check(upstream, &out_answer->probe, report, error) < 0) {
        return -1;
    }
    out_answer->request.method = question->method;
    upstream_prepare(upstream, &out_answer->request);
    if (question->deadline > 0) {
        out_answer->request.deadline = question->deadline;
    }
    result = question_transfer_with_login(out_answer, upstream, question, report, error);
    report_waited(report, WAIT_UPSTREAM, begun);
    if (result < 0) {
        report_failure(report, upstream->name, 0, error->message);
        if (error->code == ERROR_UPSTREAM_UNREACHABLE || error->code == ERROR_UPSTREAM_TIMEOUT) {
            health_record(upstream->store, upstream->name, error, 0);
        }
        return -1;
    }
    health_record_limit(upstream->store, upstream->name, &out_answer->transfer);
    status = out_answer->transfer.status;
    /* Also if it is a refusal: where all that is asked for is refused, the others would be told of
     * the old trouble for ever. */
    if (out_answer->probe.descriptor >= 0 && !answer_is_trouble(status)) {
        health_clear(upstream->store, upstream->name);
    }
    if (status == 404 || (status >= 200 && status < 300)) {
        return status != 404;
    }
    return question_refuse(upstream, question, out_answer, report, error);
}
