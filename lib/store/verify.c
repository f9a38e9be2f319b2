/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/oci/digest_keys.h"
#include "lib/store/blob.h"
#include "lib/store/hurt.h"
#include "lib/store/link.h"
#include "lib/store/mend.h"
#include "lib/store/repository.h"
#include "lib/store/shape.h"
#include "lib/store/tag.h"
#include "lib/store/verified.h"
#include "lib/store/walk.h"

#define DAMAGED "the bytes have another digest"
#define UNREADABLE "the disk does not give the bytes back"

static void verify_tell(struct verify_report *report, const char *path, const char *what)
{
    report->problems++;
    report->problem(report->context, path, what);
}

/* A run: what is known on the way. */
struct verify {
    struct store *store;
    struct verify_report *report;
    struct verified verified;
    struct digest_keys damaged;
    bool has_hurt; /* the repository in hand: a manifest of it is not whole */
};

static void verify_release(struct verify *verify)
{
    verified_release(&verify->verified);
    digest_keys_release(&verify->damaged);
}

/* What cannot even be looked at is told, and the rest is verified: one damaged file hides no
 * other. */
static void verify_tell_failure(struct verify *verify, struct path path, const struct error *reason)
{
    AUTO_BUFFER struct buffer what = BUFFER_INIT;

    buffer_format(&what, "this cannot be looked at: %s", reason->message);
    verify_tell(verify->report, path.text, what.data);
}

/* What a walk has met on its way, and passed. */
static void verify_tell_stray(struct verify *verify, struct path path, const struct error *closed,
                              const char *what)
{
    if (closed->message[0]) {
        verify_tell_failure(verify, path, closed);
    } else {
        verify_tell(verify->report, path.text, what);
    }
}

/* The same of a link, unless it was told already that there is none that can be read. */
static void verify_tell_link_failure(struct verify *verify, struct path path,
                                     const struct error *reason)
{
    struct shape_fault fault = {.path = path, .wants_file = true};

    if (!shape_is_faulty(verify->store, &fault)) {
        verify_tell_failure(verify, path, reason);
    }
}

/* Whether a blob is to be read. */
static bool verify_is_due(struct verify *verify, const struct digest *digest, uint64_t size)
{
    const struct verify_report *report = verify->report;

    if (report->skip_content) {
        return false;
    }
    if (report->remembers) {
        verified_turn_to(&verify->verified, digest);
    }
    return !report->remembers || !verified_is_since(&verify->verified, digest, size, report->since);
}

/* Adds what has become of a damaged blob. Whether there is anything to tell. */
static bool verify_set_aside(struct verify *verify, const struct digest *digest,
                             const struct blob_file *file, struct buffer *what)
{
    struct digest_key key = digest_key_of(digest);
    struct error reason;

    switch (blob_set_aside(verify->store, digest, file, &reason)) {
    case BLOB_ASIDE_OTHER:
        return false;
    case BLOB_ASIDE_REPLACED:
        buffer_add_text(what, ": a good copy, which the collector had put into the trash, has "
                              "taken their place");
        return true;
    case BLOB_ASIDE_MOVED:
        buffer_add_text(what, verify->report->is_cache
                                  ? ": moved aside; the next pull fetches it again"
                                  : ": moved aside; every repository that has it lacks it until "
                                    "somebody pushes it again there");
        break;
    case BLOB_ASIDE_FAILED:
        buffer_format(what, ": it cannot be moved aside: %s", reason.message);
        break;
    }
    digest_keys_add(&verify->damaged, &key);
    return true;
}

/* A blob that does not stand for its digest, or is not given back; see BLOB_UNREADABLE, `reason`.
 * Nothing is to be told if another one has taken its place meanwhile. */
static void verify_tell_damaged(struct verify *verify, const struct digest *digest,
                                const struct blob_file *file, const struct error *reason)
{
    struct verify_report *report = verify->report;
    struct blob blob = {.target = *digest};
    struct digest_key key = digest_key_of(digest);
    AUTO_BUFFER struct buffer what = BUFFER_INIT;
    bool is_told = true;

    buffer_add_text(&what, reason ? UNREADABLE ": " : DAMAGED);
    buffer_add_text(&what, reason ? reason->message : "");
    if (report->repair && (!reason || report->is_cache || file_is_local(file->descriptor))) {
        /* Out of the way, so that the next push, or the next pull by a proxy, brings it back. */
        is_told = verify_set_aside(verify, digest, file, &what);
    } else {
        digest_keys_add(&verify->damaged, &key);
        if (report->repair) {
            buffer_add_text(&what, ": left in its place, since the server may only be away");
        }
    }
    if (is_told) {
        verify_tell(report, blob_path(&blob).text, what.data);
    }
}

static bool verify_count_read(void *context, uint64_t bytes)
{
    struct verify_report *report = context;

    report->read_bytes += bytes;
    report->is_stopped |= report->read && !report->read(report->context, bytes);
    return !report->is_stopped;
}

/* Reads it; and once more, anew, what cannot be read: that may pass, and may be another host that
 * has replaced it. BLOB_UNREAD also if it has gone. */
static enum blob_soundness verify_read(struct verify *verify, const struct digest *digest,
                                       struct blob_file *file, struct error *error)
{
    const struct blob_reader reader = {verify_count_read, verify->report};
    enum blob_soundness soundness = blob_check(file, digest, &reader, error);
    int found;

    if (soundness != BLOB_UNREADABLE && soundness != BLOB_CHECK_FAILED) {
        return soundness;
    }
    blob_file_close(file);
    found = blob_open_stored(verify->store, digest, file, error);
    if (found <= 0) {
        return found < 0 ? BLOB_CHECK_FAILED : BLOB_UNREAD;
    }
    return blob_check(file, digest, &reader, error);
}

static int verify_content(struct verify *verify, const struct digest *digest,
                          struct blob_file *file, struct error *error)
{
    struct verify_report *report = verify->report;
    enum blob_soundness soundness = verify_read(verify, digest, file, error);

    switch (soundness) {
    case BLOB_SOUND:
        report->read_blobs++;
        if (report->remembers) {
            verified_note(&verify->verified, digest, file->size);
        }
        return 0;
    case BLOB_DAMAGED:
    case BLOB_UNREADABLE:
        report->read_blobs++;
        if (report->remembers) {
            verified_forget(&verify->verified, digest);
        }
        verify_tell_damaged(verify, digest, file, soundness == BLOB_UNREADABLE ? error : NULL);
        return 0;
    case BLOB_UNREAD:
        return 0;
    case BLOB_CHECK_FAILED:
        break;
    }
    return -1;
}

/* Something in place of a blob. A push replaces it, unless it is a directory. */
static void verify_tell_obstacle(struct verify *verify, const struct digest *digest)
{
    AUTO_BUFFER struct buffer what = BUFFER_INIT;
    struct digest_key key = digest_key_of(digest);
    struct error reason;
    uint64_t size;

    buffer_add_text(&what, "this should be a file");
    if (verify->report->repair && mend_blob(verify->store, digest, &what, &reason) < 0) {
        buffer_format(&what, ": it cannot be mended: %s", reason.message);
    }
    if (blob_is_stored(verify->store, digest, &size, &reason) <= 0) { /* nor in the trash */
        digest_keys_add(&verify->damaged, &key);
    }
    verify_tell(verify->report, blob_path(&(struct blob){.target = *digest}).text, what.data);
}

static int verify_blob(struct verify *verify, const struct digest *digest, struct error *error)
{
    AUTO_BLOB_FILE struct blob_file file = BLOB_FILE_INIT;
    struct verify_report *report = verify->report;
    int found = blob_open_stored(verify->store, digest, &file, error);

    if (found <= 0) {
        return found; /* 0: a directory whose blob is just coming or going */
    }
    if (!file.is_file) {
        verify_tell_obstacle(verify, digest);
        return 0;
    }
    report->blobs++;
    report->bytes += file.size;
    return verify_is_due(verify, digest, file.size) ? verify_content(verify, digest, &file, error)
                                                    : 0;
}

/* What is due, for who wants to know how much is left. */
static int verify_measure_blob(struct verify *verify, const struct digest *digest,
                               struct error *error)
{
    uint64_t size;
    int found = blob_is_stored(verify->store, digest, &size, error);

    if (found > 0 && verify_is_due(verify, digest, size)) {
        verify->report->due_bytes += size;
    }
    return found < 0 ? -1 : 0;
}

static int verify_blobs(struct verify *verify, bool measures, struct error *error)
{
    AUTO_BLOB_WALK struct blob_walk walk = blob_walk_begin(verify->store);
    struct digest digest;
    struct error reason;
    enum walk_result found;
    int result = 0;

    walk.passes_closed = true;
    while (!verify->report->is_stopped && result == 0 &&
           (found = blob_walk_next(&walk, &digest, error)) != WALK_END) {
        if (found == WALK_FAILED) {
            result = -1;
        } else if (found == WALK_FOUND && measures) {
            (void)verify_measure_blob(verify, &digest, &reason);
        } else if (found == WALK_FOUND) {
            if (verify_blob(verify, &digest, &reason) < 0) {
                verify_tell_failure(verify, blob_path(&(struct blob){.target = digest}), &reason);
            }
        } else if (!measures) {
            verify_tell_stray(verify, walk.stray, &walk.closed, "this does not belong here");
        }
    }
    if (result < 0 || verify->report->is_stopped) {
        verified_stop(&verify->verified);
    } else if (!measures) {
        verified_finish(&verify->verified);
    }
    return result;
}

static int verify_link(const struct repository *repository, enum link_kind kind,
                       const struct digest *digest, struct verify_report *report,
                       struct error *error)
{
    AUTO_BUFFER struct buffer what = BUFFER_INIT;
    struct link_fault fault;

    if (report->is_cache) {
        return 0;
    }
    if (mend_judge_link(repository, kind, digest, &fault, error) < 0) {
        return -1;
    }
    if (!fault.what) {
        return 0;
    }
    if (!report->repair) {
        buffer_add_text(&what, fault.what);
    } else if (mend_bad_link(repository, kind, digest, &what, error) < 0) {
        buffer_format(&what, "%s: it cannot be mended: %s", what.length > 0 ? "" : fault.what,
                      error->message);
    }
    if (what.length > 0) {
        verify_tell(report, layout_link(repository->name, kind, digest).text, what.data);
    }
    return 0;
}

/* Whether what a manifest names is there, as far as it has to be. 1, 0, -1. */
static int verify_has_reference(const struct repository *repository,
                                const struct reference *reference, struct error *error)
{
    struct blob blob;
    int found = repository_may_lack(repository, reference);

    if (found == 0 && reference->kind == REFERENCE_MANIFEST) {
        found = revision_exists(repository, &reference->digest, error);
    }
    return found ? found : blob_find(repository, &reference->digest, &blob, error);
}

/* One thing that a manifest names. */
static int verify_reference(struct verify *verify, const struct repository *repository,
                            const struct reference *reference, const char *path,
                            struct error *error)
{
    struct digest_key key = digest_key_of(&reference->digest);
    struct digest target;
    int found = verify_has_reference(repository, reference, error);
    int is_there = found == 0 ? link_read(repository->store, path, &target, error) : 1;

    if (is_there <= 0) {
        return is_there; /* the manifest was deleted meanwhile, and what it names, too */
    }
    if (found == 0) {
        verify_tell(verify->report, path,
                    "the manifest names content that the repository does not have");
    }
    verify->has_hurt |= found == 0 || digest_keys_have(&verify->damaged, &key);
    return found < 0 ? -1 : 0;
}

static int verify_manifest(struct verify *verify, const struct repository *repository,
                           const struct digest *digest, struct error *error)
{
    AUTO_STORED_MANIFEST struct stored_manifest stored = STORED_MANIFEST_INIT;
    AUTO_MANIFEST struct manifest manifest = MANIFEST_INIT;
    struct path path = layout_link(repository->name, LINK_REVISION, digest);
    struct digest_key key = digest_key_of(digest);
    struct error reason;
    struct digest target;
    int found = link_find(repository, LINK_REVISION, digest, &target, error);

    if (found > 0) { /* what the collector has taken is not missed */
        found = revision_read(repository, digest, &stored, error);
    }
    verify->has_hurt |= digest_keys_have(&verify->damaged, &key);
    if (found <= 0) {
        return found;
    }
    verify->report->manifests++;
    if (stored_manifest_parse(&stored, &manifest, &reason) < 0) {
        return 0; /* another program's, which knows what to do with it */
    }
    for (size_t i = 0; i < manifest.reference_count && !verify->report->is_cache; i++) {
        if (verify_reference(verify, repository, &manifest.references[i], path.text, error) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Whether the run goes on. */
static bool verify_goes_on(struct verify *verify)
{
    return verify_count_read(verify->report, 0);
}

static int verify_links(struct verify *verify, const struct repository *repository,
                        enum link_kind kind, struct error *error)
{
    AUTO_LINK_WALK struct link_walk walk = link_walk_begin(repository, kind);
    struct digest digest;
    struct error reason;
    enum walk_result found = WALK_END;

    while (verify_goes_on(verify) && (found = link_walk_next(&walk, &digest, error)) > 0) {
        if (found == WALK_STRAY) {
            verify_tell(verify->report, walk.stray.text, "this has no digest as its name");
        } else if (verify_link(repository, kind, &digest, verify->report, &reason) < 0 ||
                   (kind == LINK_REVISION &&
                    verify_manifest(verify, repository, &digest, &reason) < 0)) {
            verify_tell_link_failure(verify, layout_link(repository->name, kind, &digest), &reason);
        }
    }
    return found == WALK_FAILED ? -1 : 0;
}

/* Says what of a tag is damaged or missing: where nothing is, that is dear to find out. */
static int verify_tell_hurt(struct verify *verify, const struct repository *repository,
                            const char *tag, struct error *error)
{
    struct verify_report *report = verify->report;
    struct digest digest;
    struct digest culprit;
    int found = verify->has_hurt ? tag_get(repository, tag, &digest, error) : 0;

    if (found > 0) {
        found = hurt_find(repository, &digest, &verify->damaged, &culprit, error);
    }
    if (found > 0) {
        report->hurt_tags++;
        if (report->hurt) {
            report->hurt(report->context, repository->name, tag, &culprit);
        }
    }
    return found < 0 ? -1 : 0;
}

static int verify_tag(struct verify *verify, const struct repository *repository, const char *tag,
                      struct error *error)
{
    struct verify_report *report = verify->report;
    struct path path = layout_tag_current(repository->name, tag);
    AUTO_BUFFER struct buffer what = BUFFER_INIT;
    struct stat status;
    int found;

    if (fstatat(repository->store->root, path.text, &status, 0) < 0) {
        return 0; /* a tag that is just coming or going */
    }
    report->tags++;
    if (report->is_cache) {
        return 0;
    }
    found = mend_judge_tag(repository, tag, error);
    if (found == 0 && !report->repair) {
        buffer_add_text(&what, MEND_NO_MANIFEST);
    } else if (found == 0 && mend_bad_tag(repository, tag, &what, error) < 0) {
        buffer_format(&what, "%s: it cannot be mended: %s", what.length > 0 ? "" : MEND_NO_MANIFEST,
                      error->message);
    }
    if (what.length > 0) {
        verify_tell(report, path.text, what.data);
    }
    return found > 0 ? verify_tell_hurt(verify, repository, tag, error) : found;
}

static int verify_tags(struct verify *verify, const struct repository *repository,
                       struct error *error)
{
    AUTO_TAG_WALK struct tag_walk walk = tag_walk_begin(repository, NULL);
    struct error reason;
    const char *tag;
    enum walk_result found = WALK_END;

    while (verify_goes_on(verify) && (found = tag_walk_next(&walk, &tag, error)) > 0) {
        if (found == WALK_STRAY) {
            verify_tell(verify->report, walk.stray.text, "this can be no tag");
        } else if (verify_tag(verify, repository, tag, &reason) < 0) {
            verify_tell_link_failure(verify, layout_tag_current(repository->name, tag), &reason);
        }
    }
    return found == WALK_FAILED ? -1 : 0;
}

/* A repository, for who is told what is wrong with its shape. */
struct verify_shape {
    struct verify *verify;
    const struct repository *repository;
};

static void verify_tell_shape(void *context, const struct shape_fault *fault)
{
    const struct verify_shape *shape = context;
    struct verify_report *report = shape->verify->report;
    bool repairs = report->repair && fault->may_move;
    AUTO_BUFFER struct buffer what = BUFFER_INIT;
    AUTO_BUFFER struct buffer done = BUFFER_INIT;
    struct error reason;
    int mended = repairs ? mend_shape(shape->repository, fault, &done, &reason) : 0;

    if (repairs && mended == 0) {
        return; /* somebody has mended it meanwhile */
    }
    buffer_format(&what, "%s%s%s", fault->what.message, done.length > 0 ? ": " : "", done.data);
    if (mended < 0) {
        buffer_format(&what, ": it cannot be mended: %s", reason.message);
    } else if (fault->may_move && !repairs) {
        buffer_add_text(&what, ": 'berth check --repair' moves it out of the way");
    }
    verify_tell(report, fault->path.text, what.data);
}

static bool verify_shape_goes_on(void *context)
{
    const struct verify_shape *shape = context;

    return verify_goes_on(shape->verify);
}

/* One damaged thing hides no other. */
static void verify_repository(struct verify *verify, const struct repository *repository)
{
    struct verify_shape shape = {verify, repository};
    const struct shape_rules rules = {verify_tell_shape, verify_shape_goes_on, &shape};
    struct error reasons[3];
    int results[3];

    verify->has_hurt = false;
    (void)shape_look(repository, &rules);
    results[0] = verify_links(verify, repository, LINK_LAYER, &reasons[0]);
    results[1] = verify_links(verify, repository, LINK_REVISION, &reasons[1]);
    results[2] = verify_tags(verify, repository, &reasons[2]);
    for (size_t i = 0; i < sizeof(results) / sizeof(*results); i++) {
        if (results[i] < 0) {
            verify_tell_failure(verify, layout_repository(repository->name), &reasons[i]);
        }
    }
}

static int verify_repositories(struct verify *verify, struct error *error)
{
    AUTO_REPOSITORY_WALK struct repository_walk walk =
        repository_walk_begin(verify->store, "", NULL);
    struct repository repository;
    enum walk_result found = WALK_END;

    walk.passes_closed = true;
    while (verify_goes_on(verify) &&
           (found = repository_walk_next(&walk, &repository, error)) > 0) {
        if (found == WALK_STRAY) {
            verify_tell_stray(verify, walk.stray, &walk.closed, "this can be no repository");
        } else {
            verify_repository(verify, &repository);
        }
    }
    return found == WALK_FAILED ? -1 : 0;
}

static int verify_all(struct store *store, struct verify_report *report, struct error *error)
{
    AUTO(verify_release)
    struct verify verify = {
        .store = store, .report = report, .verified = VERIFIED_INIT(store), .has_hurt = false};

    bool only_looks = store->only_looks;
    int result;

    /* Nothing changes by being looked at; and to be verified is no use of what is cached. */
    store->only_looks |= report->is_cache || !report->repair;
    result = report->measures && !report->skip_content ? verify_blobs(&verify, true, error) : 0;
    if (result == 0) {
        result = verify_blobs(&verify, false, error);
    }
    if (result == 0) {
        result = verify_repositories(&verify, error);
    }
    store->only_looks = only_looks;
    return result;
}

int verify_store(struct store *store, struct verify_report *report, struct error *error)
{
    AUTO_LOCK struct lock lock = LOCK_INIT;

    if (report->repair) {
        switch (lock_take_or_make(&lock, (struct file_place){store->root, LAYOUT_REPAIR_LOCK},
                                  LOCK_TRY, error)) {
        case LOCK_TAKEN:
            break;
        case LOCK_BUSY:
            return error_set(error, ERROR_INTERNAL, "another repair is under way");
        case LOCK_ABSENT:
        case LOCK_FAILED:
            return -1;
        }
    }
    return verify_all(store, report, error);
}
