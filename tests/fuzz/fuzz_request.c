/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fcgi/dispatch.h"
#include "fcgi/response.h"
#include "lib/base/log.h"
#include "lib/base/text.h"
#include "lib/oci/document.h"
#include "lib/store/blob.h"
#include "lib/store/verify.h"

/*
 * The whole program, one CGI request after the other, on a store of its own that has an image. An
 * input is requests, with RECORD_END between them:
 *
 *     METHOD TARGET
 *     NAME=VALUE        a parameter of the web server's, as many as there are
 *                       an empty line
 *     the body
 *
 * What an input cannot know is written $L (the last Location), $D (the digest of this body), $U (of
 * all bodies since the last POST), $B, $M (a blob and a manifest that are there), $T (the token of
 * the last form that was shown). What is not below /v2/ is for the page.
 */

enum {
    SCRIPT_LIMIT = 16 * 1024,
    REQUESTS_LIMIT = 24,
    RECORD_END = 0x1e,
};

#define BLOB "{}"
#define CONFIGURATION                                                                              \
    "registry_storage = storage/registry\n"                                                        \
    "temporary_registry_storage = storage/_tmp\n"                                                  \
    "proxy_storage = storage/proxy\n"                                                              \
    "[hosted]\nminimum_free_space = 0\nmaximum_manifest_size = 4K\n[proxy]\nenabled = no\n"

/* base/up/here: what gets out of a store has places to be found in. */
static struct {
    char base[PATH_MAX];
    struct service service;
    int answer; /* descriptor of what is standard output as well */
    char names[64][64];
    size_t name_count; /* of parameters that are set */
} place = {.service = SERVICE_INIT};

/* What the requests of an input have led to. */
struct script {
    struct buffer uploaded;
    char location[512];
    char token[128]; /* of the form that was shown last */
    struct digest blob;
    struct digest manifest;
    bool has_deleted;
};

struct reply {
    struct buffer bytes;
    int status;
    const char *body;
    size_t length;
};

static int place_remove_one(const char *path, const struct stat *status, int kind,
                            struct FTW *position)
{
    (void)status;
    (void)kind;
    (void)position;
    return remove(path);
}

static void place_remove(const char *path)
{
    (void)nftw(path, place_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void place_leave(void)
{
    CHECK(chdir("/") == 0);
    place_remove(place.base);
}

static void place_make(void)
{
    const char *parent = getenv("TMPDIR");
    struct error error;
    FILE *file;

    if (!parent) {
        parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    }
    CHECK(snprintf(place.base, PATH_MAX, "%s/berth-fuzz-XXXXXX", parent) < PATH_MAX);
    CHECK(mkdtemp(place.base) && chdir(place.base) == 0 && atexit(place_leave) == 0);
    CHECK(mkdir("up", 0755) == 0 && mkdir("up/here", 0755) == 0 && chdir("up/here") == 0);
    file = fopen("configuration.ini", "w");
    CHECK(file && fputs(CONFIGURATION, file) >= 0 && fclose(file) == 0);
    CHECK(configuration_read(&place.service.configuration, "configuration.ini", &error) == 0);
    log_set_level(LOG_LEVEL_ERROR);
    CHECK(setenv("BERTH_PAGE", "/", 1) == 0);
    place.answer = memfd_create("answer", MFD_CLOEXEC);
    CHECK(place.answer >= 0 && dup2(place.answer, STDOUT_FILENO) == STDOUT_FILENO);
}

static size_t count_entries(const char *path)
{
    DIR *directory = opendir(path);
    size_t count = 0;

    CHECK(directory);
    while (readdir(directory)) {
        count++;
    }
    (void)closedir(directory);
    return count - 2;
}

/* Nothing was written, renamed or removed outside of the three stores. */
static void check_outside(void)
{
    CHECK(count_entries(place.base) == 1 && count_entries("..") == 1);
    CHECK(count_entries(".") == 2 && count_entries("storage") == 3);
}

static void parameter_set(const char *name, const char *value)
{
    CHECK(setenv(name, value, 1) == 0 && place.name_count < 64);
    (void)snprintf(place.names[place.name_count++], 64, "%s", name);
}

/* What clients can send, and what web servers make of their requests. */
static bool parameter_is_foreign(const char *name)
{
    static const char *const others[] = {"CONTENT_LENGTH", "CONTENT_TYPE", "PATH_INFO",
                                         "QUERY_STRING",   "SCRIPT_NAME",  "REQUEST_URI",
                                         "REQUEST_ID",     "REMOTE_ADDR"};

    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        if (strcmp(name, others[i]) == 0) {
            return true;
        }
    }
    return text_begins(name, "HTTP_") && strlen(name) < 64;
}

/* "NAME=VALUE" */
static void parameter_add(char *line)
{
    char *value = strchr(line, '=');

    if (value) {
        *value++ = '\0';
        if (parameter_is_foreign(line) && place.name_count < 48) {
            parameter_set(line, value);
        }
    }
}

static void parameters_clear(void)
{
    while (place.name_count > 0) {
        (void)unsetenv(place.names[--place.name_count]);
    }
}

/* Puts in what an input cannot know. The body's own digests only where they are known. */
static void script_fill_in(const struct script *script, const char *text, size_t length,
                           const struct buffer *body, struct buffer *out)
{
    struct digest digest = {.text = ""};

    for (size_t i = 0; i < length; i++) {
        char what = text[i] == '$' && i + 1 < length ? text[i + 1] : '\0';

        if (what == 'L' || what == 'T') {
            buffer_add_text(out, what == 'L' ? script->location : script->token);
        } else if (what == 'B' || what == 'M') {
            buffer_add_text(out, what == 'B' ? script->blob.text : script->manifest.text);
        } else if ((what == 'D' || what == 'U') && body) {
            const struct buffer *bytes = what == 'D' ? body : &script->uploaded;

            digest_of(DIGEST_SHA256, bytes->data, bytes->length, &digest);
            buffer_add_text(out, digest.text);
        } else {
            buffer_add(out, text + i, 1);
            continue;
        }
        i++;
    }
}

static void body_offer(const struct buffer *body)
{
    int descriptor = memfd_create("body", MFD_CLOEXEC);

    CHECK(descriptor >= 0 && write(descriptor, body->data, body->length) == (ssize_t)body->length);
    CHECK(lseek(descriptor, 0, SEEK_SET) == 0 && dup2(descriptor, STDIN_FILENO) == STDIN_FILENO);
    (void)close(descriptor);
}

/* The request whose parameters are set. */
static void reply_get(struct reply *out)
{
    struct request request;
    struct slot slot;
    struct stat status;
    size_t length;

    CHECK(ftruncate(place.answer, 0) == 0 && lseek(place.answer, 0, SEEK_SET) == 0);
    request_begin(&request, NULL);
    CHECK(dispatch(&place.service, &request, PATIENCE_UNLIMITED, &slot) == DISPATCH_DONE);
    request_end(&request);
    CHECK(fstat(place.answer, &status) == 0);
    length = (size_t)status.st_size;
    CHECK(pread(place.answer, buffer_reserve(&out->bytes, length), length, 0) == (ssize_t)length);
    buffer_added(&out->bytes, length);
}

static bool reply_header(const struct reply *reply, const char *name, struct buffer *out)
{
    size_t length = strlen(name);

    for (const char *line = reply->bytes.data; line < reply->body;
         line = strstr(line, "\r\n") + 2) {
        if (strncmp(line, name, length) == 0 && text_begins(line + length, ": ")) {
            buffer_clear(out);
            buffer_add(out, line + length + 2, strcspn(line + length + 2, "\r"));
            return true;
        }
    }
    return false;
}

/* "Status: 200 OK", header lines, an empty one. */
static void check_head(struct reply *reply)
{
    char *end = strstr(reply->bytes.data, "\r\n\r\n");
    uint64_t status;

    CHECK(end && text_begins(reply->bytes.data, "Status: "));
    CHECK(text_number(reply->bytes.data + 8, 3, &status) && status >= 200 && status < 600);
    /* Nothing that a client can say is our fault. */
    CHECK(status != 500);
    reply->status = (int)status;
    reply->body = end + 4;
    reply->length = reply->bytes.length - (size_t)(reply->body - reply->bytes.data);
    for (const char *c = reply->bytes.data; c < reply->body; c = strstr(c, "\r\n") + 2) {
        size_t name = strspn(c, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-");

        CHECK(c + 2 == reply->body || (name > 0 && text_begins(c + name, ": ")));
        for (const char *value = c; value < strstr(c, "\r\n"); value++) {
            CHECK((unsigned char)*value >= 0x20 && *value != 0x7f);
        }
    }
}

static bool code_is_specified(const char *code)
{
    static const char codes[] =
        " BLOB_UNKNOWN BLOB_UPLOAD_INVALID BLOB_UPLOAD_UNKNOWN DIGEST_INVALID "
        "MANIFEST_BLOB_UNKNOWN MANIFEST_INVALID MANIFEST_UNKNOWN NAME_INVALID NAME_UNKNOWN "
        "SIZE_INVALID UNAUTHORIZED DENIED UNSUPPORTED TOOMANYREQUESTS ";
    AUTO_BUFFER struct buffer word = BUFFER_INIT;

    buffer_format(&word, " %s ", code);
    return strstr(codes, word.data) != NULL;
}

/* "Error Codes" */
static void check_error(const struct reply *reply)
{
    struct document document = {reply->body, reply->length, NULL};
    AUTO_NAMES struct names errors = NAMES_INIT;
    AUTO_BUFFER struct buffer text = BUFFER_INIT;

    CHECK(reply_header(reply, "Content-Type", &text) && strcmp(text.data, "application/json") == 0);
    CHECK(document_object_list(&document, "errors", &errors) && errors.count > 0);
    for (size_t i = 0; i < errors.count; i++) {
        struct document item = {errors.names[i], strlen(errors.names[i]), NULL};

        AUTO_BUFFER struct buffer code = BUFFER_INIT;
        AUTO_BUFFER struct buffer message = BUFFER_INIT;

        CHECK(document_text_member(&item, "code", &code) && code_is_specified(code.data));
        CHECK(document_text_member(&item, "message", &message));
    }
}

static bool reply_is_page(const struct reply *reply)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;

    return reply_header(reply, "Content-Type", &text) && text_begins(text.data, "text/html");
}

/* Nothing that others have said opens a tag: those that there are, are closed, one by one. */
static void check_page(const struct reply *reply)
{
    CHECK(text_begins(reply->body, "<!doctype html>") && strstr(reply->body, "</html>"));
    for (const char *c = strchr(reply->body, '<'); c; c = strchr(c + 1, '<')) {
        const char *end = c + 1 + strcspn(c + 1, "<>");

        CHECK(*end == '>' && c[1] != ' ');
    }
}

/* The body is as long, and has the digest, that the headers say. */
static void check_body(const struct reply *reply, const char *method)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    struct digest named;
    struct digest digest;
    struct error error;
    uint64_t length;

    if (strcmp(method, "HEAD") == 0 || reply->status == 204 || reply->status == 304) {
        CHECK(reply->length == 0);
        return;
    }
    if (reply_header(reply, "Content-Length", &text)) {
        CHECK(text_number(text.data, text.length, &length) && length == reply->length);
    }
    if (reply_is_page(reply)) {
        check_page(reply);
    } else if (reply->status >= 400) {
        check_error(reply);
    } else if (reply->status == 200 && strcmp(method, "GET") == 0 &&
               reply_header(reply, "Docker-Content-Digest", &text)) {
        CHECK(digest_parse(&named, text.data, &error) == 0);
        digest_of(named.algorithm, reply->body, reply->length, &digest);
        CHECK(digest_equal(&named, &digest));
    }
}

/* What is acknowledged is there, and was there: no more bytes were announced than came. */
static void check_stored(const struct reply *reply, const char *method, const struct buffer *body)
{
    const char *announced = getenv("CONTENT_LENGTH");
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    struct blob blob = {.size = 0};
    struct error error;
    uint64_t length;

    if (reply->status != 201) {
        return;
    }
    CHECK(reply_header(reply, "Docker-Content-Digest", &text));
    CHECK(digest_parse(&blob.target, text.data, &error) == 0);
    CHECK(faccessat(place.service.registry.hosted.root, blob_path(&blob).text, R_OK, 0) == 0);
    if (strcmp(method, "PUT") == 0 && announced && *announced) {
        CHECK(text_number(announced, strlen(announced), &length) && length <= body->length);
    }
}

static void script_note_token(struct script *script, const struct reply *reply)
{
    static const char mark[] = "name=\"token\" value=\"";
    const char *found = reply_is_page(reply) ? strstr(reply->body, mark) : NULL;

    if (found) {
        found += strlen(mark);
        (void)text_copy(script->token, sizeof(script->token), found, strcspn(found, "\""));
    }
}

static void script_request(struct script *script, const char *method, const struct buffer *body)
{
    AUTO_BUFFER struct buffer location = BUFFER_INIT;
    struct reply reply = {.bytes = BUFFER_INIT};

    parameter_set("REQUEST_METHOD", method);
    body_offer(body);
    reply_get(&reply);
    check_head(&reply);
    check_body(&reply, method);
    check_stored(&reply, method, body);
    if (reply_header(&reply, "Location", &location)) {
        (void)text_copy(script->location, sizeof(script->location), location.data, location.length);
    }
    script_note_token(script, &reply);
    script->has_deleted |= (strcmp(method, "DELETE") == 0 && reply.status == 202) ||
                           (strcmp(method, "POST") == 0 && reply.status == 303);
    parameters_clear();
    buffer_release(&reply.bytes);
}

/* From "METHOD TARGET" to the body. */
static void script_step(struct script *script, char *text, size_t size)
{
    AUTO_BUFFER struct buffer head = BUFFER_INIT;
    AUTO_BUFFER struct buffer body = BUFFER_INIT;
    char *end = memmem(text, size, "\n\n", 2);
    size_t head_size = end ? (size_t)(end - text) + 1 : size;
    char *method;
    char *target;
    char *line;
    char *cursor;
    char length[32];

    if (end) {
        script_fill_in(script, end + 2, size - head_size - 1, NULL, &body);
    }
    if (text_begins(text, "POST")) {
        buffer_clear(&script->uploaded);
    }
    buffer_add(&script->uploaded, body.data, body.length);
    script_fill_in(script, text, strnlen(text, head_size), &body, &head);
    cursor = head.data;
    line = strsep(&cursor, "\n");
    method = strsep(&line, " ");
    target = line;
    (void)snprintf(length, sizeof(length), "%zu", body.length);
    parameter_set("CONTENT_LENGTH", length);
    while ((line = strsep(&cursor, "\n"))) {
        parameter_add(line);
    }
    if (target) {
        parameter_set("REQUEST_URI", target);
    }
    script_request(script, method, &body);
}

/* An image to begin with. */
static void script_begin(struct script *script)
{
    static const char manifest[] =
        "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
        "\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":\"$B\","
        "\"size\":2},\"layers\":[]}";
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    AUTO_BUFFER struct buffer content = BUFFER_INIT;

    digest_of(DIGEST_SHA256, BLOB, strlen(BLOB), &script->blob);
    buffer_add_text(&text, "POST /v2/a/blobs/uploads/?digest=$D\n\n" BLOB);
    script_step(script, text.data, text.length);
    script_fill_in(script, manifest, strlen(manifest), NULL, &content);
    digest_of(DIGEST_SHA256, content.data, content.length, &script->manifest);
    buffer_clear(&text);
    buffer_format(&text, "PUT /v2/a/manifests/t\n\n%s", content.data);
    script_step(script, text.data, text.length);
    CHECK(strstr(script->location, script->manifest.text));
}

/* What others have deleted may be missed; bytes are never wrong. */
static void check_problem(void *context, const char *path, const char *what)
{
    const struct script *script = context;

    if (!script->has_deleted || strstr(what, "bytes have another digest") ||
        strstr(what, "does not belong") || strstr(what, "can be no")) {
        (void)fprintf(stderr, "%s: %s\n", path, what);
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script script = {.uploaded = BUFFER_INIT};
    struct verify_report report = {.problem = check_problem, .context = &script};
    struct error error;
    const char *begin;
    char *text;

    if (size > SCRIPT_LIMIT) {
        return 0;
    }
    if (!place.base[0]) {
        place_make();
    }
    CHECK(mkdir("storage", 0755) == 0 && mkdir("storage/registry", 0755) == 0 &&
          mkdir("storage/_tmp", 0755) == 0 && mkdir("storage/proxy", 0755) == 0);
    script_begin(&script);
    text = copy_text(data, size);
    begin = text;
    for (int i = 0; i < REQUESTS_LIMIT && begin < text + size; i++) {
        size_t left = size - (size_t)(begin - text);
        const char *end = memchr(begin, RECORD_END, left);
        size_t length = end ? (size_t)(end - begin) : left;
        char *step = copy_text((const uint8_t *)begin, length);

        script_step(&script, step, length);
        free(step);
        begin += length + 1;
    }
    free(text);
    buffer_release(&script.uploaded);
    CHECK(verify_store(&place.service.registry.hosted, &report, &error) == 0);
    check_outside();
    registry_close(&place.service.registry);
    place.service.is_open = false;
    place_remove("storage");
    return 0;
}
