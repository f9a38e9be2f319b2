/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/access/throttle.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/buffer.h"
#include "lib/base/cleanup.h"
#include "lib/base/directory.h"
#include "lib/base/log.h"

enum throttle_kind { KIND_ADDRESS, KIND_USER, KIND_COUNT };

enum {
    BUCKETS = 1024, /* each of a few entries, of which the least gives way */
    WAYS = 4,
    TIME_BITS = 44, /* below a tag: milliseconds until which there is debt, or of the mark's end */
    TAG_BITS = 20,
    WRONG_FOR = 60 * 1000,
    RIGHT_FOR = 60 * 60 * 1000,
};

/* Zeroes are an empty one: whoever is first need not tell the others. */
struct throttle_table {
    _Atomic uint64_t debts[KIND_COUNT][BUCKETS][WAYS];
    _Atomic uint64_t marks[BUCKETS][WAYS];
};

#define THROTTLE_FILE "failures-2" /* another layout is another file */

static void *throttle_map(int descriptor, int flags)
{
    void *mapped =
        mmap(NULL, sizeof(struct throttle_table), PROT_READ | PROT_WRITE, flags, descriptor, 0);

    return mapped == MAP_FAILED ? NULL : mapped;
}

static struct throttle_table *throttle_share(const char *path, int *out_descriptor)
{
    AUTO_CLOSE int directory = -1;
    AUTO_CLOSE int descriptor = -1;
    struct throttle_table *table;

    directory_make(path);
    directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    descriptor = directory < 0 ? -1
                               : openat(directory, THROTTLE_FILE,
                                        O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    /* With its room: a page that a full disk has none for would end the process that counts in it.
     */
    if (descriptor < 0 || posix_fallocate(descriptor, 0, sizeof(struct throttle_table)) != 0) {
        return NULL;
    }
    table = throttle_map(descriptor, MAP_SHARED);
    *out_descriptor = table ? steal_descriptor(&descriptor) : -1;
    return table;
}

/* Whether what is mapped is what others have, and all of it is there. */
static bool throttle_is_whole(const struct throttle *throttle)
{
    struct stat status;

    return throttle->table && (throttle->descriptor < 0 ||
                               (fstat(throttle->descriptor, &status) == 0 && status.st_nlink > 0 &&
                                status.st_size >= (off_t)sizeof(*throttle->table)));
}

void throttle_open(struct throttle *throttle)
{
    if (throttle_is_whole(throttle)) {
        return;
    }
    throttle_close(throttle);
    throttle->table =
        throttle->directory ? throttle_share(throttle->directory, &throttle->descriptor) : NULL;
    if (!throttle->table) {
        log_debug("failed log-ins are counted by this process alone");
        throttle->table = throttle_map(-1, MAP_PRIVATE | MAP_ANONYMOUS);
    }
}

void throttle_close(struct throttle *throttle)
{
    if (throttle->table) {
        (void)munmap(throttle->table, sizeof(*throttle->table));
        throttle->table = NULL;
    }
    cleanup_close(&throttle->descriptor);
    throttle->descriptor = -1;
}

static uint64_t throttle_number(const struct secret *secret)
{
    uint64_t number;

    memcpy(&number, secret->bytes, sizeof(number));
    return number;
}

int throttle_mark(struct keys *keys, const struct claim *claim, struct throttle_case *out,
                  struct error *error)
{
    const char *texts[] = {"throttle", claim->user, claim->crypted, claim->password};
    const char *salt[] = {"throttle salt"};
    AUTO_SECRET struct secret tag;
    AUTO_SECRET struct secret common;
    const struct key *key;

    if (keys_newest(keys, &key, error) < 0 ||
        secret_sign(&key->secret, texts, sizeof(texts) / sizeof(*texts), &tag, error) < 0 ||
        secret_sign(&key->secret, salt, 1, &common, error) < 0) {
        return -1;
    }
    out->salt = throttle_number(&common);
    out->right = throttle_number(&tag);
    memcpy(&out->wrong, tag.bytes + sizeof(out->right), sizeof(out->wrong));
    return 0;
}

/* An entry: a tag, which is never 0, and a time. */

static uint64_t entry_make(uint64_t number, int64_t until)
{
    return (number >> (64 - TAG_BITS) | 1) << TIME_BITS |
           ((uint64_t)until & ((UINT64_C(1) << TIME_BITS) - 1));
}

static bool entry_is_of(uint64_t entry, uint64_t number)
{
    return entry >> TIME_BITS == (number >> (64 - TAG_BITS) | 1);
}

/* What is farther ahead than can be is of before a restart, when the clock began anew. */
static int64_t entry_until(uint64_t entry, int64_t now, int64_t farthest)
{
    int64_t until = (int64_t)(entry & ((UINT64_C(1) << TIME_BITS) - 1));

    return until > now + farthest || until < now ? now : until;
}

static int64_t bucket_until(_Atomic uint64_t *bucket, uint64_t number, int64_t now,
                            int64_t farthest)
{
    for (size_t way = 0; way < WAYS; way++) {
        uint64_t entry = atomic_load(&bucket[way]);

        if (entry_is_of(entry, number)) {
            return entry_until(entry, now, farthest);
        }
    }
    return now;
}

/* The entry of the number, else the one that ends first. */
static size_t bucket_choose(_Atomic uint64_t *bucket, uint64_t number, int64_t now,
                            int64_t farthest)
{
    size_t least = 0;

    for (size_t way = 0; way < WAYS; way++) {
        uint64_t entry = atomic_load(&bucket[way]);

        if (entry_is_of(entry, number)) {
            return way;
        }
        if (entry_until(entry, now, farthest) <
            entry_until(atomic_load(&bucket[least]), now, farthest)) {
            least = way;
        }
    }
    return least;
}

static bool throttle_hash(const char *text, uint64_t salt, uint64_t *out)
{
    AUTO_BUFFER struct buffer salted = BUFFER_INIT;
    struct secret hash;
    struct error error;

    buffer_format(&salted, "%016" PRIx64 " %s", salt, text);
    if (secret_hash(salted.data, &hash, &error) < 0) {
        return false;
    }
    *out = throttle_number(&hash);
    return true;
}

/* Whoever has one address of a network of IPv6 has all of them. */
static bool throttle_hash_address(const char *address, uint64_t salt, uint64_t *out)
{
    struct in6_addr parsed;

    if (!address || inet_pton(AF_INET6, address, &parsed) != 1) {
        return address && throttle_hash(address, salt, out);
    }
    if (!IN6_IS_ADDR_V4MAPPED(&parsed)) {
        char text[INET6_ADDRSTRLEN];

        memset(parsed.s6_addr + 8, 0, 8);
        return inet_ntop(AF_INET6, &parsed, text, sizeof(text)) && throttle_hash(text, salt, out);
    }
    return throttle_hash(address, salt, out);
}

static bool throttle_number_of(enum throttle_kind kind, const struct throttle_case *login,
                               uint64_t *out)
{
    return kind == KIND_ADDRESS ? throttle_hash_address(login->address, login->salt, out)
                                : throttle_hash(login->user, login->salt, out);
}

/* Milliseconds until a failure is forgiven. */
static int64_t throttle_cost(enum throttle_kind kind)
{
    return THROTTLE_WINDOW / (kind == KIND_ADDRESS ? THROTTLE_ADDRESS : THROTTLE_USER);
}

static bool throttle_is_marked(const struct throttle *throttle, uint64_t mark,
                               const struct throttle_case *login)
{
    return bucket_until(throttle->table->marks[mark % BUCKETS], mark, login->now, RIGHT_FOR) >
           login->now;
}

enum throttle_answer throttle_judge(const struct throttle *throttle,
                                    const struct throttle_case *login, int64_t *out_wait)
{
    if (!throttle->table || throttle_is_marked(throttle, login->right, login)) {
        return THROTTLE_VERIFY;
    }
    if (throttle_is_marked(throttle, login->wrong, login)) {
        return THROTTLE_WRONG;
    }
    *out_wait = 0;
    for (enum throttle_kind kind = KIND_ADDRESS; kind < KIND_COUNT; kind++) {
        uint64_t number;

        if (throttle_number_of(kind, login, &number)) {
            int64_t until = bucket_until(throttle->table->debts[kind][number % BUCKETS], number,
                                         login->now, THROTTLE_WINDOW);
            int64_t wait = until - login->now - (THROTTLE_WINDOW - throttle_cost(kind));

            *out_wait = wait > *out_wait ? wait : *out_wait;
        }
    }
    return *out_wait > 0 ? THROTTLE_WAIT : THROTTLE_VERIFY;
}

static void throttle_set_mark(const struct throttle *throttle, uint64_t mark,
                              const struct throttle_case *login, int64_t span)
{
    _Atomic uint64_t *bucket = throttle->table->marks[mark % BUCKETS];

    atomic_store(&bucket[bucket_choose(bucket, mark, login->now, RIGHT_FOR)],
                 entry_make(mark, login->now + span));
}

void throttle_was_right(const struct throttle *throttle, const struct throttle_case *login)
{
    if (throttle->table) {
        throttle_set_mark(throttle, login->right, login, RIGHT_FOR);
    }
}

static void throttle_add_debt(const struct throttle *throttle, enum throttle_kind kind,
                              uint64_t number, int64_t now)
{
    _Atomic uint64_t *bucket = throttle->table->debts[kind][number % BUCKETS];
    _Atomic uint64_t *entry = &bucket[bucket_choose(bucket, number, now, THROTTLE_WINDOW)];
    uint64_t old = atomic_load(entry);
    int64_t until;

    do {
        until = entry_is_of(old, number) ? entry_until(old, now, THROTTLE_WINDOW) : now;
        until += throttle_cost(kind);
        until = until > now + THROTTLE_WINDOW ? now + THROTTLE_WINDOW : until;
    } while (!atomic_compare_exchange_weak(entry, &old, entry_make(number, until)));
}

void throttle_was_wrong(const struct throttle *throttle, const struct throttle_case *login)
{
    if (!throttle->table) {
        return;
    }
    throttle_set_mark(throttle, login->wrong, login, WRONG_FOR);
    for (enum throttle_kind kind = KIND_ADDRESS; kind < KIND_COUNT; kind++) {
        uint64_t number;

        if (throttle_number_of(kind, login, &number)) {
            throttle_add_debt(throttle, kind, number, login->now);
        }
    }
}
