/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include "lib/observe/event.h"
#include "lib/observe/spool.h"

/* Whatever lies in a spool: what is read as an event is written as one that is the same. */
static void check_event(const char *text, size_t size)
{
    AUTO_BUFFER struct buffer written = BUFFER_INIT;
    AUTO_BUFFER struct buffer rewritten = BUFFER_INIT;
    AUTO_BUFFER struct buffer body = BUFFER_INIT;
    struct event event;
    struct event again;

    if (!event_read(text, size, &event)) {
        return;
    }
    CHECK(name_is_valid(event.repository));
    CHECK(!strchr(event.id, '/') && strlen(event.id) == ID_SIZE - 1);
    event_write(&event, &written);
    CHECK(event_read(written.data, written.length, &again));
    event_write(&again, &rewritten);
    CHECK(strcmp(written.data, rewritten.data) == 0);
    event_render(&event, EVENT_DISTRIBUTION, &body);
    event_render(&event, EVENT_CLOUDEVENTS, &body);
    CHECK(strlen(body.data) == body.length);
    for (size_t i = 0; i < body.length; i++) {
        CHECK((unsigned char)body.data[i] >= 0x20 && body.data[i] != 0x7f);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct spool_entry entry;
    char *text;

    if (size > INPUT_LIMIT) {
        return 0;
    }
    text = copy_text(data, size);
    check_event(text, size);
    if (spool_entry_parse(text, &entry)) {
        CHECK(strcmp(entry.name, text) == 0 && !strchr(text, '/'));
        CHECK(strlen(entry.key) == sizeof(entry.key) - 1 && strlen(entry.id) == ID_SIZE - 1);
    }
    free(text);
    return 0;
}
