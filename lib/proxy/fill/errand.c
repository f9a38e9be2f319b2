/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/proxy/fill/errand.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/file.h"
#include "lib/base/local.h"
#include "lib/base/text.h"
#include "lib/store/memo.h"

enum errand_line {
    LINE_TITLE,
    LINE_VIA,
    LINE_METHOD,
    LINE_REPOSITORY,
    LINE_REST,
    LINE_ACCEPT,
    LINE_DEADLINE,
    LINE_LIMIT,
};

void errand_write(const struct upstream *upstream, const struct question *question,
                  struct buffer *out)
{
    buffer_format(out, ERRAND_TITLE "\n%s\n%s\n%s\n%s\n%s\n%" PRId64 "\n%zu\n", upstream->via,
                  question->method, question->repository, question->rest,
                  question->accept ? question->accept : "", question->deadline, question->limit);
}

/* What an answer consists of besides its texts, in the order in which it is written. */
enum errand_number {
    NUMBER_FOUND, /* and one, so that it is no less than 0 */
    NUMBER_CODE,
    NUMBER_STATUS,
    NUMBER_HAS_LENGTH,
    NUMBER_LENGTH,
    NUMBER_WITH_CREDENTIALS,
    NUMBER_RETRY_AFTER,
    NUMBER_DEADLINE,
    NUMBER_HAS_LOGGED_IN,
    NUMBER_LOGIN, /* milliseconds */
    NUMBERS,
};
/* And its texts, each with its length in front. */
enum errand_text { TEXT_MESSAGE, TEXT_URL, TEXT_DETAIL, TEXT_HEADERS, TEXT_BODY, TEXTS };

struct errand_answer {
    uint64_t numbers[NUMBERS];
    struct buffer texts[TEXTS];
};

static void errand_answer_release(struct errand_answer *answer)
{
    for (size_t i = 0; i < TEXTS; i++) {
        buffer_release(&answer->texts[i]);
    }
}

static void errand_pack(const struct errand_answer *answer, struct buffer *out)
{
    for (size_t i = 0; i < NUMBERS; i++) {
        buffer_format(out, "%" PRIu64 "\n", answer->numbers[i]);
    }
    for (size_t i = 0; i < TEXTS; i++) {
        buffer_format(out, "%zu\n", answer->texts[i].length);
        buffer_add(out, answer->texts[i].data, answer->texts[i].length);
    }
}

/* The number up to the next line break. */
static bool errand_unpack_number(const char **cursor, uint64_t *out)
{
    size_t length = strcspn(*cursor, "\n");
    bool is_number = (*cursor)[length] == '\n' && text_number(*cursor, length, out);

    *cursor += is_number ? length + 1 : 0;
    return is_number;
}

static bool errand_unpack(const struct buffer *packed, struct errand_answer *out)
{
    const char *cursor = packed->data;
    const char *end = packed->data + packed->length;

    for (size_t i = 0; i < NUMBERS; i++) {
        if (!errand_unpack_number(&cursor, &out->numbers[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < TEXTS; i++) {
        uint64_t length;

        if (!errand_unpack_number(&cursor, &length) || length > (size_t)(end - cursor)) {
            return false;
        }
        buffer_add(&out->texts[i], cursor, (size_t)length);
        cursor += length;
    }
    return cursor == end;
}

/* An answer may be longer than a message: it travels as a file that has no name. */
static bool errand_send(int connection, const struct errand_answer *answer)
{
    AUTO_CLOSE int descriptor = memfd_create("answer", MFD_CLOEXEC);
    AUTO_BUFFER struct buffer packed = BUFFER_INIT;
    AUTO_BUFFER struct buffer word = BUFFER_INIT;
    struct error ignored;

    errand_pack(answer, &packed);
    buffer_add_text(&word, "answer");
    return descriptor >= 0 &&
           file_write_at(descriptor, 0, packed.data, packed.length, &ignored) == 0 &&
           local_send(connection, &word, &descriptor, 1);
}

/* One byte more than is wanted tells whoever takes it that it is too long. */
static int errand_read_body(struct answer *answer, size_t limit, struct buffer *out,
                            struct error *error)
{
    int fits = http_read_all(&answer->transfer, limit, out, error);

    return fits < 0 ? -1 : 1;
}

static void errand_ask(const struct upstream *upstream, const struct question *question,
                       struct errand_answer *out)
{
    AUTO_ANSWER struct answer answer = ANSWER_INIT;
    struct report report = REPORT_INIT;
    struct error error = ERROR_INIT;
    int found = question_ask(upstream, question, &answer, &report, &error);

    if (found > 0 &&
        (found = errand_read_body(&answer, question->limit, &out->texts[TEXT_BODY], &error)) < 0) {
        report_failure(&report, upstream->name, answer.transfer.status, error.message);
    }
    out->numbers[NUMBER_FOUND] = (uint64_t)found + 1;
    out->numbers[NUMBER_CODE] = error.code;
    out->numbers[NUMBER_STATUS] = (uint64_t)answer.transfer.status;
    out->numbers[NUMBER_HAS_LENGTH] = answer.transfer.has_length;
    out->numbers[NUMBER_LENGTH] = answer.transfer.length;
    out->numbers[NUMBER_WITH_CREDENTIALS] = answer.with_credentials;
    out->numbers[NUMBER_RETRY_AFTER] = report.retry_after;
    out->numbers[NUMBER_DEADLINE] = (uint64_t)answer.request.deadline;
    out->numbers[NUMBER_HAS_LOGGED_IN] = report.waits[WAIT_LOGIN].any;
    out->numbers[NUMBER_LOGIN] = report.waits[WAIT_LOGIN].milliseconds;
    buffer_add_text(&out->texts[TEXT_MESSAGE], error.message);
    buffer_add(&out->texts[TEXT_URL], answer.url.data, answer.url.length);
    buffer_add(&out->texts[TEXT_DETAIL], report.detail.data, report.detail.length);
    buffer_add(&out->texts[TEXT_HEADERS], answer.transfer.head.lines.data,
               answer.transfer.head.lines.length);
    report_release(&report);
}

bool errand_serve(const struct upstream *upstream, const struct buffer *text, int connection)
{
    AUTO(errand_answer_release)
    struct errand_answer answer = {
        .texts = {BUFFER_INIT, BUFFER_INIT, BUFFER_INIT, BUFFER_INIT, BUFFER_INIT}};
    AUTO_BUFFER struct buffer method = BUFFER_INIT;
    AUTO_BUFFER struct buffer repository = BUFFER_INIT;
    AUTO_BUFFER struct buffer rest = BUFFER_INIT;
    AUTO_BUFFER struct buffer accept = BUFFER_INIT;
    AUTO_BUFFER struct buffer via = BUFFER_INIT;
    struct upstream asked = *upstream;
    uint64_t deadline;
    uint64_t limit;

    memo_line(text, LINE_VIA, &via);
    memo_line(text, LINE_METHOD, &method);
    memo_line(text, LINE_REPOSITORY, &repository);
    memo_line(text, LINE_REST, &rest);
    memo_line(text, LINE_ACCEPT, &accept);
    if (!name_is_valid(repository.data) || !memo_number(text, LINE_DEADLINE, &deadline) ||
        !memo_number(text, LINE_LIMIT, &limit)) {
        return false;
    }
    (void)snprintf(asked.via, sizeof(asked.via), "%s", via.data);
    errand_ask(&asked,
               &(struct question){.method = strcmp(method.data, "HEAD") == 0 ? "HEAD" : "GET",
                                  .repository = repository.data,
                                  .rest = rest.data,
                                  .accept = accept.length > 0 ? accept.data : NULL,
                                  .deadline = (int64_t)deadline,
                                  .limit = (size_t)limit},
               &answer);
    (void)errand_send(connection, &answer);
    return true;
}

/* What was packed, as an answer that has come completely. */
static int errand_rebuild(const struct errand_answer *packed, struct answer *out,
                          struct report *report, struct error *error)
{
    struct http_transfer *transfer = &out->transfer;
    const struct buffer *texts = packed->texts;
    int found = (int)packed->numbers[NUMBER_FOUND] - 1;

    transfer->status = (int)packed->numbers[NUMBER_STATUS];
    transfer->has_length = packed->numbers[NUMBER_HAS_LENGTH] != 0;
    transfer->length = packed->numbers[NUMBER_LENGTH];
    transfer->finished = true;
    transfer->head.complete = true;
    out->with_credentials = packed->numbers[NUMBER_WITH_CREDENTIALS] != 0;
    report->retry_after = (unsigned)packed->numbers[NUMBER_RETRY_AFTER];
    if (packed->numbers[NUMBER_HAS_LOGGED_IN] != 0) {
        report->waits[WAIT_LOGIN].any = true;
        report->waits[WAIT_LOGIN].milliseconds += packed->numbers[NUMBER_LOGIN];
    }
    buffer_add(&report->detail, texts[TEXT_DETAIL].data, texts[TEXT_DETAIL].length);
    buffer_add(&transfer->head.lines, texts[TEXT_HEADERS].data, texts[TEXT_HEADERS].length);
    buffer_add(&transfer->pending, texts[TEXT_BODY].data, texts[TEXT_BODY].length);
    buffer_add(&out->url, texts[TEXT_URL].data, texts[TEXT_URL].length);
    out->request.url = out->url.data;
    out->request.deadline = (int64_t)packed->numbers[NUMBER_DEADLINE];
    if (found < 0) {
        (void)error_set(error, (enum error_code)packed->numbers[NUMBER_CODE], "%s",
                        texts[TEXT_MESSAGE].data);
    }
    return found;
}

int errand_take(int connection, struct answer *out_answer, struct report *report,
                struct error *error)
{
    AUTO(errand_answer_release)
    struct errand_answer answer = {
        .texts = {BUFFER_INIT, BUFFER_INIT, BUFFER_INIT, BUFFER_INIT, BUFFER_INIT}};
    AUTO_BUFFER struct buffer word = BUFFER_INIT;
    AUTO_BUFFER struct buffer packed = BUFFER_INIT;
    AUTO_CLOSE int descriptor = -1;
    struct stat status;
    ssize_t got;

    if (!local_receive(connection, 0, &word, &descriptor, 1) || fstat(descriptor, &status) < 0) {
        return ERRAND_LOST;
    }
    got = file_read_at(descriptor, 0, buffer_reserve(&packed, (size_t)status.st_size),
                       (size_t)status.st_size, error);
    if (got < 0) {
        return ERRAND_LOST;
    }
    buffer_added(&packed, (size_t)got);
    return errand_unpack(&packed, &answer) ? errand_rebuild(&answer, out_answer, report, error)
                                           : ERRAND_LOST;
}
