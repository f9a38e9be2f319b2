/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/proxy/flight.h"

#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/process.h"
#include "lib/store/memo.h"

enum {
    ABSENCE_SECONDS = 10,
    HELD_SECONDS = 10, /* after which somebody waits for the lock once more */
};

#define ABSENT "absent"
#define HELD_LOCK "lock" /* beside what is asked for, as a key */

void flight_key(const struct proxied *proxied, const char *rest, struct digest *out_key)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;

    buffer_format(&text, "%s %s %s", proxied->upstream.name, proxied->name, rest);
    digest_of(DIGEST_SHA256, text.data, text.length, out_key);
}

int flight_begin(const struct proxied *proxied, const struct digest *key, uint64_t bytes,
                 struct lock *lock, struct error *error)
{
    enum {
        PAUSE = 20,         /* milliseconds between two tries */
        SLOW_DISK = 4 << 20 /* bytes that it gives in a second */
    };
    uint64_t patience = (uint64_t)upstream_patience(&proxied->upstream) / 1000 + bytes / SLOW_DISK;
    struct path path = layout_flight(key);
    struct file_place place = {proxied->upstream.store->root, path.text};
    enum lock_result result;

    while ((result = lock_take_or_replace(lock, place, patience, error)) == LOCK_BUSY) {
        if (process_is_deserted()) {
            return error_set(error, ERROR_CLIENT_GONE, "the client has gone");
        }
        clock_pause(PAUSE);
    }
    if (result == LOCK_FAILED && error_is_ours(error)) {
        /* Two may ask then where one would do; to ask is better than to refuse. */
        log_debug("nobody is kept from asking at the same time: %s", error->message);
        return 0;
    }
    return result == LOCK_TAKEN ? 0 : -1;
}

bool flight_recall(const struct proxied *proxied, const struct digest *key, struct buffer *out,
                   uint64_t *out_age)
{
    struct path path = layout_memo(key);
    struct file_place place = {proxied->upstream.store->root, path.text};
    struct error ignored;

    return memo_read(place, out, out_age, &ignored) > 0;
}

int flight_keep(const struct proxied *proxied, const struct digest *key,
                const struct buffer *content, struct error *error)
{
    struct path path = layout_memo(key);

    return memo_write(proxied->upstream.store,
                      (struct file_place){proxied->upstream.store->root, path.text}, content,
                      error);
}

void flight_remember_absence(const struct proxied *proxied, const struct digest *key)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    struct error ignored;

    buffer_add_text(&text, ABSENT);
    (void)flight_keep(proxied, key, &text, &ignored);
}

bool flight_is_absent(const struct proxied *proxied, const struct digest *key)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    uint64_t age;

    return flight_recall(proxied, key, &text, &age) && age < ABSENCE_SECONDS &&
           strcmp(text.data, ABSENT) == 0;
}

void flight_remember_held_lock(const struct proxied *proxied)
{
    AUTO_BUFFER struct buffer nothing = BUFFER_INIT;
    struct error ignored;
    struct digest key;

    flight_key(proxied, HELD_LOCK, &key);
    (void)flight_keep(proxied, &key, &nothing, &ignored);
}

bool flight_is_lock_held(const struct proxied *proxied)
{
    AUTO_BUFFER struct buffer nothing = BUFFER_INIT;
    struct digest key;
    uint64_t age;

    flight_key(proxied, HELD_LOCK, &key);
    return flight_recall(proxied, &key, &nothing, &age) && age < HELD_SECONDS;
}
