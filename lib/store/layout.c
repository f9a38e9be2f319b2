/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/layout.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/buffer.h"
#include "lib/base/text.h"

__attribute__((format(printf, 1, 2))) static struct path path_format(const char *format, ...)
{
    struct path path;
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(path.text, sizeof(path.text), format, arguments);
    va_end(arguments);
    assert(length >= 0 && (size_t)length < sizeof(path.text));
    return path;
}

/* The same for what every request asks for: parts, one behind the other. */
static struct path path_join(const char *const *parts)
{
    struct path path;
    size_t length = 0;

    for (; *parts; parts++) {
        size_t added = strlen(*parts);

        assert(length + added < sizeof(path.text));
        memcpy(path.text + length, *parts, added);
        length += added;
    }
    path.text[length] = '\0';
    return path;
}

#define PATH_JOIN(...) path_join((const char *const[]){__VA_ARGS__, NULL})

static const char *layout_link_directory(enum link_kind kind)
{
    return kind == LINK_LAYER ? "_layers" : "_manifests/revisions";
}

struct path layout_below(const char *directory, const char *entry)
{
    return path_format("%s/%s", directory, entry);
}

struct path layout_above(const char *path)
{
    const char *slash = strrchr(path, '/');

    return path_format("%.*s", slash ? (int)(slash - path) : 0, path);
}

void layout_absolute(const char *root, const char *path, struct buffer *out)
{
    buffer_format(out, "%s/%s", root, path);
}

struct path layout_blobs(enum digest_algorithm algorithm)
{
    return path_format(LAYOUT_BLOBS "/%s", digest_algorithm_name(algorithm));
}

struct path layout_blob(const struct digest *digest)
{
    const char *hex = digest_hex(digest);
    const char first[] = {hex[0], hex[1], '\0'};

    return PATH_JOIN(LAYOUT_BLOBS, "/", digest_algorithm_name(digest->algorithm), "/", first, "/",
                     hex, "/data");
}

bool layout_read_blob(const char *path, struct digest *out_digest)
{
    enum { PREFIX = sizeof(LAYOUT_BLOBS) /* with its slash */ };
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    struct digest digest;
    struct error ignored;
    size_t algorithm;
    size_t length = strlen(path);
    size_t tail = strlen("/data");

    if (!text_begins(path, LAYOUT_BLOBS "/") || length < PREFIX + tail) {
        return false;
    }
    algorithm = strcspn(path + PREFIX, "/");
    if (length < PREFIX + algorithm + strlen("/xx/") + tail) {
        return false;
    }
    buffer_format(&text, "%.*s:%.*s", (int)algorithm, path + PREFIX,
                  (int)(length - PREFIX - algorithm - strlen("/xx/") - tail),
                  path + PREFIX + algorithm + strlen("/xx/"));
    if (digest_parse(&digest, text.data, &ignored) < 0 ||
        strcmp(layout_blob(&digest).text, path) != 0) {
        return false;
    }
    *out_digest = digest;
    return true;
}

struct path layout_trash(enum trash which, const char *path)
{
    return path_format(LAYOUT_TRASH "/%s%s%s", which == TRASH_COLLECTED ? "collected" : "deleted",
                       *path ? "/" : "", path);
}

struct path layout_damaged(const struct digest *digest)
{
    return path_format(LAYOUT_DAMAGED "/%s-%s", digest_algorithm_name(digest->algorithm),
                       digest_hex(digest));
}

struct path layout_damaged_path(const char *id, const char *path)
{
    return PATH_JOIN(LAYOUT_DAMAGED, "/", id, "/", path);
}

struct path layout_verified(enum digest_algorithm algorithm, const char *prefix)
{
    return path_format(LAYOUT_OWN "/verified/%s-%s", digest_algorithm_name(algorithm), prefix);
}

struct path layout_repository(const char *name)
{
    return path_format(LAYOUT_REPOSITORIES "/%s", name);
}

bool layout_read_repository(const char *path, char out_name[NAME_SIZE])
{
    enum { PREFIX = sizeof(LAYOUT_REPOSITORIES) /* with its slash */ };
    const char *end =
        text_begins(path, LAYOUT_REPOSITORIES "/") ? strstr(path + PREFIX, "/_") : NULL;

    return end && text_copy(out_name, NAME_SIZE, path + PREFIX, (size_t)(end - path) - PREFIX);
}

struct path layout_layers(const char *name)
{
    return path_format(LAYOUT_REPOSITORIES "/%s/_layers", name);
}

struct path layout_manifests(const char *name)
{
    return path_format(LAYOUT_REPOSITORIES "/%s/_manifests", name);
}

struct path layout_links_within(enum link_kind kind, enum digest_algorithm algorithm)
{
    return path_format("%s/%s", layout_link_directory(kind), digest_algorithm_name(algorithm));
}

struct path layout_links(const char *name, enum link_kind kind, enum digest_algorithm algorithm)
{
    return path_format(LAYOUT_REPOSITORIES "/%s/%s/%s", name, layout_link_directory(kind),
                       digest_algorithm_name(algorithm));
}

struct path layout_link(const char *name, enum link_kind kind, const struct digest *digest)
{
    return PATH_JOIN(LAYOUT_REPOSITORIES, "/", name, "/", layout_link_directory(kind), "/",
                     digest_algorithm_name(digest->algorithm), "/", digest_hex(digest), "/link");
}

struct path layout_link_in(const char *directory)
{
    return layout_below(directory, "link");
}

struct path layout_tags(const char *name)
{
    return path_format(LAYOUT_REPOSITORIES "/%s/_manifests/tags", name);
}

struct path layout_tag(const char *name, const char *tag)
{
    return path_format(LAYOUT_REPOSITORIES "/%s/_manifests/tags/%s", name, tag);
}

struct path layout_tag_current(const char *name, const char *tag)
{
    return PATH_JOIN(LAYOUT_REPOSITORIES, "/", name, "/_manifests/tags/", tag, "/current/link");
}

struct path layout_tag_current_within(const char *tag)
{
    return path_format("%s/current/link", tag);
}

struct path layout_tag_histories(const char *name, const char *tag, enum digest_algorithm algorithm)
{
    return path_format(LAYOUT_REPOSITORIES "/%s/_manifests/tags/%s/index/%s", name, tag,
                       digest_algorithm_name(algorithm));
}

struct path layout_tag_history(const char *name, const char *tag, const struct digest *digest)
{
    return path_format(LAYOUT_REPOSITORIES "/%s/_manifests/tags/%s/index/%s/%s/link", name, tag,
                       digest_algorithm_name(digest->algorithm), digest_hex(digest));
}

struct path layout_tag_index(const char *name, const char *tag)
{
    return path_format(LAYOUT_REPOSITORIES "/%s/_manifests/tags/%s/index", name, tag);
}

bool layout_is_tag_index(const char *path)
{
    static const char tags[] = "/_manifests/tags/"; /* no name has such a part */
    const char *found = strstr(path, tags);
    const char *tag = found ? found + strlen(tags) : "";

    return *tag && strcmp(tag + strcspn(tag, "/"), "/index") == 0;
}

bool layout_is_revisions(const char *path)
{
    static const char revisions[] = "/_manifests/revisions/"; /* no name has such a part */
    const char *found = strstr(path, revisions);
    const char *algorithm = found ? found + strlen(revisions) : "";

    return *algorithm && !strchr(algorithm, '/');
}

struct path layout_pulled_tag(const char *name, const char *tag)
{
    return PATH_JOIN(LAYOUT_REPOSITORIES, "/", name, "/_manifests/tags/", tag, "/_pulled");
}

struct path layout_pulled_digests(const char *name, enum digest_algorithm algorithm)
{
    return path_format(LAYOUT_REPOSITORIES "/%s/_manifests/_pulled/%s", name,
                       digest_algorithm_name(algorithm));
}

struct path layout_pulled_digest(const char *name, const struct digest *digest)
{
    return PATH_JOIN(LAYOUT_REPOSITORIES, "/", name, "/_manifests/_pulled/",
                     digest_algorithm_name(digest->algorithm), "/", digest_hex(digest));
}

struct path layout_histories(const char *name)
{
    return path_format(LAYOUT_REPOSITORIES "/%s/_history", name);
}

struct path layout_history(const char *name, const char *tag)
{
    return path_format(LAYOUT_REPOSITORIES "/%s/_history/%s", name, tag);
}

struct path layout_all_retired(const char *name, enum digest_algorithm algorithm)
{
    return path_format(LAYOUT_REPOSITORIES "/%s/_manifests/_retired/%s", name,
                       digest_algorithm_name(algorithm));
}

struct path layout_retired(const char *name, const struct digest *digest)
{
    return path_format(LAYOUT_REPOSITORIES "/%s/_manifests/_retired/%s/%s", name,
                       digest_algorithm_name(digest->algorithm), digest_hex(digest));
}

struct path layout_media_types(const char *name, enum digest_algorithm algorithm)
{
    return path_format(LAYOUT_REPOSITORIES "/%s/_media_types/%s", name,
                       digest_algorithm_name(algorithm));
}

struct path layout_subjects(const char *name, enum digest_algorithm algorithm)
{
    return path_format(LAYOUT_REPOSITORIES "/%s/_referrers/%s", name,
                       digest_algorithm_name(algorithm));
}

struct path layout_media_type(const char *name, const struct digest *digest)
{
    return path_format(LAYOUT_REPOSITORIES "/%s/_media_types/%s/%s", name,
                       digest_algorithm_name(digest->algorithm), digest_hex(digest));
}

struct path layout_referrers(const char *name, const struct digest *subject)
{
    return path_format(LAYOUT_REPOSITORIES "/%s/_referrers/%s/%s", name,
                       digest_algorithm_name(subject->algorithm), digest_hex(subject));
}

struct path layout_referrer(const char *name, const struct digest *subject,
                            const struct digest *referrer)
{
    return path_format(LAYOUT_REPOSITORIES "/%s/_referrers/%s/%s/%s", name,
                       digest_algorithm_name(subject->algorithm), digest_hex(subject),
                       referrer->text);
}

struct path layout_repository_lock(const char *name)
{
    unsigned sum = 0;

    for (; *name; name++) {
        sum = sum * 31 + (unsigned char)*name;
    }
    return layout_lock(sum % LAYOUT_LOCK_COUNT);
}

struct path layout_lock(unsigned number)
{
    return path_format(LAYOUT_LOCKS "/%02x", number);
}

struct path layout_upload(const char *id)
{
    return path_format(LAYOUT_UPLOADS "/%s", id);
}

struct path layout_upload_data(const char *id)
{
    return path_format(LAYOUT_UPLOADS "/%s/data", id);
}

struct path layout_upload_state(const char *id)
{
    return path_format(LAYOUT_UPLOADS "/%s/state", id);
}

struct path layout_upload_lock(const char *id)
{
    return path_format(LAYOUT_UPLOADS "/%s/lock", id);
}

struct path layout_piece(const char *id)
{
    return path_format(LAYOUT_PIECES "/%s", id);
}

struct path layout_session_lock(const char *directory)
{
    return path_format("%s/lock", directory);
}

struct path layout_trial(const char *id)
{
    return path_format(LAYOUT_OWN "/" LAYOUT_TRIAL "%s", id);
}

struct path layout_setup_probe(const struct digest *token)
{
    return path_format(LAYOUT_OWN "/" LAYOUT_SETUP_PROBE "%s", digest_hex(token));
}

struct path layout_origin(const struct digest *digest, const struct digest *key)
{
    return path_format(LAYOUT_OWN "/origins/%s/%.2s/%s/%s",
                       digest_algorithm_name(digest->algorithm), digest_hex(digest),
                       digest_hex(digest), digest_hex(key));
}

struct path layout_origins(const struct digest *digest)
{
    return path_format(LAYOUT_OWN "/origins/%s/%.2s/%s", digest_algorithm_name(digest->algorithm),
                       digest_hex(digest), digest_hex(digest));
}

struct path layout_kept(const struct digest *key)
{
    return path_format(LAYOUT_KEPT "/%s", digest_hex(key));
}

struct path layout_upstream(const char *upstream, const char *what)
{
    return path_format(LAYOUT_UPSTREAMS "/%s/%s", upstream, what);
}

struct path layout_token(const char *upstream, const struct digest *key)
{
    return path_format(LAYOUT_UPSTREAMS "/%s" LAYOUT_TOKENS "/%s", upstream, digest_hex(key));
}

struct path layout_access_host(const char *host)
{
    return path_format(LAYOUT_ACCESS "/hosts/%s", host);
}

struct path layout_events(const char *receiver, const char *what)
{
    return path_format(LAYOUT_EVENTS_RECEIVERS "/%s/%s", receiver, what);
}

struct path layout_counters_host(const char *host)
{
    return path_format(LAYOUT_COUNTERS "/%s", host);
}

struct path layout_flight(const struct digest *key)
{
    return path_format(LAYOUT_FLIGHTS "/%.2s/%s", digest_hex(key), digest_hex(key));
}

struct path layout_memo(const struct digest *key)
{
    return path_format(LAYOUT_MEMOS "/%.2s/%s", digest_hex(key), digest_hex(key));
}

struct path layout_slot(const char *host, const char *group, unsigned number)
{
    return path_format(LAYOUT_SLOTS "/%s/%s/%u", host, group, number);
}

struct path layout_partial(const char *upstream, const struct digest *digest, const char *what)
{
    return path_format(LAYOUT_PARTIAL "/%s/%s/%s", upstream, digest->text, what);
}

bool layout_read_partial(const char *directory, char out_upstream[NAME_SIZE],
                         struct digest *out_digest)
{
    const char *upstream = directory + strlen(LAYOUT_PARTIAL "/");
    struct error ignored;
    size_t length;

    if (!text_begins(directory, LAYOUT_PARTIAL "/")) {
        return false;
    }
    length = strcspn(upstream, "/");
    return upstream[length] == '/' && length > 0 &&
           digest_parse(out_digest, upstream + length + 1, &ignored) == 0 &&
           text_copy(out_upstream, NAME_SIZE, upstream, length);
}
