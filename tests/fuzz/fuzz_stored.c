/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/oci/document.h"
#include "lib/proxy/ask/health.h"
#include "lib/proxy/fill/partial.h"
#include "lib/store/chore.h"
#include "lib/store/link.h"
#include "lib/store/memo.h"
#include "lib/store/referrers.h"
#include "lib/store/repository.h"
#include "lib/store/upload.h"
#include "lib/store/verified.h"

/*
 * Small files in a store that somebody else may have written, of another version or in an accident:
 * whatever one of them says, it is understood or passed over. The first byte chooses the file.
 */

#define NAME "team/app"
#define TAG "v1"
#define SESSION "00000000-0000-4000-8000-000000000000"
#define EMPTY "{}"

static struct {
    char base[PATH_MAX];
    char root[PATH_MAX + 16];
    char temporary[PATH_MAX + 16];
    struct store_options options;
    struct store store;
    struct repository repository;
    struct proxy_options proxy;
    struct upstream upstream;
    struct fill fill;
    struct digest digest; /* of a blob, which is a manifest as well */
} place;

static int place_remove_one(const char *path, const struct stat *status, int kind,
                            struct FTW *position)
{
    (void)status;
    (void)kind;
    (void)position;
    return remove(path);
}

static void place_leave(void)
{
    store_close(&place.store);
    (void)nftw(place.base, place_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void place_write(int directory, const char *path, const void *bytes, size_t length)
{
    struct error error;
    int descriptor;

    CHECK(file_make_parents(directory, path, &error) == 0);
    descriptor = openat(directory, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    CHECK(descriptor >= 0 && write(descriptor, bytes, length) == (ssize_t)length);
    (void)close(descriptor);
}

/* A manifest that links and tags may lead to, and a session with some bytes. */
static void place_fill(void)
{
    struct digest *digest = &place.digest;

    digest_of(DIGEST_SHA256, EMPTY, strlen(EMPTY), digest);
    place_write(place.store.root, layout_blob(digest).text, EMPTY, strlen(EMPTY));
    place_write(place.store.root, layout_link(NAME, LINK_REVISION, digest).text, digest->text,
                strlen(digest->text));
    place_write(place.store.temporary, layout_upload_data(SESSION).text, "abcdef", 6);
    place.upstream =
        (struct upstream){.options = &place.proxy, .store = &place.store, .name = "up"};
    place.fill = (struct fill){.upstream = &place.upstream,
                               .repository = &place.repository,
                               .name = NAME,
                               .digest = *digest};
}

static void place_make(void)
{
    const char *parent = getenv("TMPDIR");
    struct error error;

    if (!parent) {
        parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    }
    CHECK(snprintf(place.base, PATH_MAX, "%s/berth-fuzz-XXXXXX", parent) < PATH_MAX);
    CHECK(mkdtemp(place.base) && atexit(place_leave) == 0);
    (void)snprintf(place.root, sizeof(place.root), "%s/root", place.base);
    (void)snprintf(place.temporary, sizeof(place.temporary), "%s/temporary", place.base);
    CHECK(mkdir(place.root, 0755) == 0 && mkdir(place.temporary, 0755) == 0);
    place.options = (struct store_options){.root = place.root, .temporary = place.temporary};
    CHECK(store_open(&place.store, &place.options, &error) == 0);
    place.repository = (struct repository){.store = &place.store, .name = NAME};
    place_fill();
}

static void check_link(const uint8_t *data, size_t size)
{
    struct path path = layout_link(NAME, LINK_LAYER, &place.digest);
    struct digest target;
    struct digest again;
    struct error error;

    place_write(place.store.root, path.text, data, size);
    if (link_read(&place.store, path.text, &target, &error) > 0) {
        CHECK(digest_parse(&again, target.text, &error) == 0);
        CHECK(memmem(data, size, target.text, strlen(target.text)));
    }
}

static void check_tag(const uint8_t *data, size_t size)
{
    AUTO_STORED_MANIFEST struct stored_manifest manifest = STORED_MANIFEST_INIT;
    struct error error;

    place_write(place.store.root, layout_tag_current(NAME, TAG).text, data, size);
    if (repository_get_manifest(&place.repository, TAG, &manifest, &error) > 0) {
        CHECK(digest_equal(&manifest.digest, &place.digest));
    }
}

static void check_media_type(const uint8_t *data, size_t size)
{
    AUTO_STORED_MANIFEST struct stored_manifest manifest = STORED_MANIFEST_INIT;
    struct error error;

    place_write(place.store.root, layout_media_type(NAME, &place.digest).text, data, size);
    if (repository_get_manifest(&place.repository, place.digest.text, &manifest, &error) > 0) {
        CHECK(manifest_type_is_valid(manifest.media_type));
    }
}

/* What is listed is JSON, whatever was found. */
static void check_referrer(const uint8_t *data, size_t size)
{
    struct path path = layout_referrer(NAME, &place.digest, &place.digest);
    struct referrers_query query = {.subject = place.digest, .page = {.last = NULL, .limit = 10}};
    AUTO_BUFFER struct buffer list = BUFFER_INIT;
    AUTO_BUFFER struct buffer whole = BUFFER_INIT;
    struct document document;
    struct digest last;
    struct error error;

    place_write(place.store.root, path.text, data, size);
    if (referrers_list(&place.repository, &query, &list, &last, &error) >= 0) {
        AUTO_NAMES struct names found = NAMES_INIT;

        buffer_format(&whole, "{\"manifests\":[%s]}", list.data);
        document = (struct document){whole.data, whole.length, NULL};
        CHECK(list.length == strlen(list.data));
        CHECK(document_object_list(&document, "manifests", &found));
    }
}

/* What is told of a tag is one of the digests, and a name, that stand there. */
static void check_history(const uint8_t *data, size_t size)
{
    AUTO_HISTORY struct history history = HISTORY_INIT;
    struct digest again;
    struct error error;
    time_t time;

    place_write(place.store.root, layout_history(NAME, TAG).text, data, size);
    CHECK(history_read(&place.repository, TAG, SIZE_MAX, &history, &error) >= 0);
    for (size_t i = 0; i < history.count; i++) {
        const struct history_entry *entry = &history.entries[i];

        CHECK(digest_parse(&again, entry->digest.text, &error) == 0);
        CHECK(memmem(data, size, entry->digest.text, strlen(entry->digest.text)));
        CHECK(entry->author && strlen(entry->author) < HISTORY_AUTHOR_SIZE);
        CHECK(*history_event_word(entry->event));
    }
    (void)history_find_push(&place.repository, TAG, &place.digest, &time, &error);
}

static void check_session(const uint8_t *data, size_t size)
{
    AUTO_UPLOAD struct upload upload = UPLOAD_INIT;
    struct error error;
    uint64_t length;

    place_write(place.store.temporary, layout_upload_state(SESSION).text, data, size);
    if (upload_status(&place.repository, SESSION, &length, &error) < 0) {
        CHECK(error.code == ERROR_UPLOAD_UNKNOWN);
    }
    if (upload_open(&upload, &place.repository, SESSION, &error) == 0) {
        CHECK(upload.hashed <= upload.size || upload.is_closed);
    } else {
        CHECK(error.code == ERROR_UPLOAD_UNKNOWN);
    }
}

/* What may be said of an upstream to a client. */
static void check_remembered(const struct error *error, const struct report *report)
{
    struct document document = {report->detail.data, report->detail.length, NULL};

    CHECK(error->code == ERROR_INTERNAL || error->code == ERROR_BLOB_UNKNOWN ||
          error->code == ERROR_DATA_LOST || error->code == ERROR_UPSTREAM ||
          error->code == ERROR_UPSTREAM_REFUSED || error->code == ERROR_UPSTREAM_UNREACHABLE ||
          error->code == ERROR_UPSTREAM_TIMEOUT || error->code == ERROR_TOO_MANY_REQUESTS ||
          error->code == ERROR_NO_SPACE || error->code == ERROR_LOCK_HELD ||
          error->code == ERROR_DENIED);
    CHECK(!strchr(error->message, '\n')); /* the rest is made harmless where it is written */
    CHECK(report->retry_after <= 2 * 86400);
    CHECK(report->detail.length == 0 || document_is_strict(&document));
}

static void check_health(const uint8_t *data, size_t size, const char *what)
{
    struct path path = layout_upstream("up", what);
    struct upstream upstream = {.options = &place.proxy, .store = &place.store, .name = "up"};
    AUTO_LOCK struct lock probe = LOCK_INIT;
    struct report report = REPORT_INIT;
    struct error error;

    place_write(place.store.root, path.text, data, size);
    (void)health_is_short(&place.store, "up");
    if (health_check(&upstream, &probe, &report, &error) < 0) {
        check_remembered(&error, &report);
    }
    (void)unlinkat(place.store.root, path.text, 0);
    report_release(&report);
}

static void check_partial(const uint8_t *data, size_t size, const char *what)
{
    struct report report = REPORT_INIT;
    struct error error;
    uint64_t total;

    if (strcmp(what, "lock") == 0 && size > 0 &&
        data[0] == '\n') { /* sealed: what is in it counts */
        struct path path = partial_place(&place.fill, what);
        AUTO_BUFFER struct buffer content = BUFFER_INIT;

        buffer_add(&content, (const char *)data + 1, size - 1);
        (void)memo_write_sealed((struct file_place){place.store.temporary, path.text}, &content,
                                &error);
    } else {
        place_write(place.store.temporary, partial_place(&place.fill, what).text, data, size);
    }
    (void)partial_total(&place.fill, &total);
    (void)partial_owner(&place.fill);
    (void)partial_was_not_kept(&place.fill);
    if (partial_failure(&place.fill, &report, &error)) {
        check_remembered(&error, &report);
    }
    report_release(&report);
}

/* Notes of verified blobs: only what is well said of this very blob is believed. */
static void check_verified(const uint8_t *data, size_t size)
{
    AUTO_VERIFIED struct verified verified = VERIFIED_INIT(&place.store);
    char prefix[3] = {digest_hex(&place.digest)[0], digest_hex(&place.digest)[1], '\0'};

    place_write(place.store.root, layout_verified(place.digest.algorithm, prefix).text, data, size);
    verified_turn_to(&verified, &place.digest);
    if (verified_is_since(&verified, &place.digest, strlen(EMPTY), 0)) {
        CHECK(memmem(data, size, digest_hex(&place.digest), strlen(digest_hex(&place.digest))));
    }
    verified_note(&verified, &place.digest, strlen(EMPTY));
    verified_finish(&verified);
    verified_turn_to(&verified, &place.digest);
    CHECK(verified.count == 1);
    CHECK(verified_is_since(&verified, &place.digest, strlen(EMPTY), 1));
}

static void check_chore(const uint8_t *data, size_t size)
{
    struct chore_past past;
    struct error error;

    place_write(place.store.root, LAYOUT_LAST_CHECK, data, size);
    if (chore_read(&place.store, CHORE_CHECK, &past, &error) > 0) {
        CHECK(chore_outcome_name(past.outcome)[0]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > INPUT_LIMIT) {
        return 0;
    }
    if (!place.base[0]) {
        place_make();
    }
    switch (data[0]) {
    case 'l':
        check_link(data + 1, size - 1);
        break;
    case 't':
        check_tag(data + 1, size - 1);
        break;
    case 'm':
        check_media_type(data + 1, size - 1);
        break;
    case 'r':
        check_referrer(data + 1, size - 1);
        break;
    case 'y':
        check_history(data + 1, size - 1);
        break;
    case 's':
        check_session(data + 1, size - 1);
        break;
    case 'v':
        check_verified(data + 1, size - 1);
        break;
    case 'c':
        check_chore(data + 1, size - 1);
        break;
    case 'h':
        check_health(data + 1, size - 1, "trouble");
        break;
    case 'q':
        check_health(data + 1, size - 1, "ratelimit");
        break;
    case 'f':
        check_partial(data + 1, size - 1, "failed");
        break;
    case 'o':
        check_partial(data + 1, size - 1, "lock");
        break;
    default:
        break;
    }
    return 0;
}
