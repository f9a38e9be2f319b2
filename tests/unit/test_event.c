/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <string.h>

#include "lib/observe/event.h"

#define DIGEST "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ID "11111111-2222-4333-8444-555555555555"

static struct event push(void)
{
    struct event event;

    event_begin(&event, EVENT_PUSH, 1700000000123456789);
    EVENT_SET(&event, id, ID);
    EVENT_SET(&event, repository, "team/app");
    EVENT_SET(&event, tag, "v1");
    EVENT_SET(&event, digest, DIGEST);
    EVENT_SET(&event, media_type, "application/vnd.oci.image.manifest.v1+json");
    event.size = 527;
    EVENT_SET(&event, url, "https://r.example.org/v2/team/app/manifests/" DIGEST);
    EVENT_SET(&event, actor, "robot/ci");
    EVENT_SET(&event, request, "abc-1");
    EVENT_SET(&event, address, "192.0.2.1");
    EVENT_SET(&event, host, "r.example.org:5000");
    EVENT_SET(&event, method, "PUT");
    EVENT_SET(&event, agent, "docker/28");
    return event;
}

static void is_read_as_it_was_written(void **state)
{
    struct event event = push();
    struct event read;
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    AUTO_BUFFER struct buffer again = BUFFER_INIT;

    (void)state;
    event_write(&event, &text);
    assert_true(event_read(text.data, text.length, &read));
    assert_string_equal(read.repository, "team/app");
    assert_string_equal(read.agent, "docker/28");
    assert_int_equal(read.size, 527);
    event_write(&read, &again);
    assert_string_equal(text.data, again.data);
}

static void has_an_id_and_a_date_of_its_own(void **state)
{
    struct event one;
    struct event other;

    (void)state;
    event_begin(&one, EVENT_DELETE, 1700000000000000001);
    event_begin(&other, EVENT_DELETE, 1700000000000000001);
    assert_string_not_equal(one.id, other.id);
    assert_string_equal(one.date, "2023-11-14T22:13:20.000000001Z");
}

/* The fields of distribution's notifications, and no others. */
static void looks_as_distributions_envelope(void **state)
{
    struct event event = push();
    AUTO_BUFFER struct buffer out = BUFFER_INIT;

    (void)state;
    event_render(&event, EVENT_DISTRIBUTION, &out);
    assert_string_equal(
        out.data,
        "{\"events\":[{\"id\":\"" ID "\",\"timestamp\":\"2023-11-14T22:13:20.123456789Z\","
        "\"action\":\"push\",\"target\":{"
        "\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"size\":527,\"length\":527,"
        "\"digest\":\"" DIGEST "\",\"repository\":\"team/app\","
        "\"url\":\"https://r.example.org/v2/team/app/manifests/" DIGEST "\",\"tag\":\"v1\"},"
        "\"request\":{\"id\":\"abc-1\",\"addr\":\"192.0.2.1\",\"host\":\"r.example.org:5000\","
        "\"method\":\"PUT\",\"useragent\":\"docker/28\"},"
        "\"actor\":{\"name\":\"robot/ci\"},\"source\":{\"addr\":\"r.example.org:5000\"}}]}");
    assert_string_equal(event_media_type(EVENT_DISTRIBUTION),
                        "application/vnd.docker.distribution.events.v2+json");
}

static void looks_as_a_cloud_event(void **state)
{
    struct event event = push();
    AUTO_BUFFER struct buffer out = BUFFER_INIT;

    (void)state;
    *event.tag = '\0';
    event.kind = EVENT_RETENTION;
    event_render(&event, EVENT_CLOUDEVENTS, &out);
    assert_non_null(strstr(out.data, "{\"specversion\":\"1.0\",\"id\":\"" ID "\","
                                     "\"source\":\"//r.example.org:5000\","
                                     "\"type\":\"berth.manifest.retention\","
                                     "\"subject\":\"team/app@" DIGEST "\","
                                     "\"time\":\"2023-11-14T22:13:20.123456789Z\","
                                     "\"datacontenttype\":\"application/json\",\"data\":{"));
    assert_string_equal(event_media_type(EVENT_CLOUDEVENTS), "application/cloudevents+json");
}

/* A rule that deletes is to receivers of distribution's envelope a deletion like others. */
static void says_what_receivers_know(void **state)
{
    static const struct {
        enum event_kind kind;
        const char *action;
    } rows[] = {{EVENT_PUSH, "\"action\":\"push\""},
                {EVENT_PULL, "\"action\":\"pull\""},
                {EVENT_DELETE, "\"action\":\"delete\""},
                {EVENT_RETENTION, "\"action\":\"delete\""},
                {EVENT_FILL, "\"action\":\"fill\""}};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct event event = push();
        AUTO_BUFFER struct buffer out = BUFFER_INIT;

        event.kind = rows[i].kind;
        event_render(&event, EVENT_DISTRIBUTION, &out);
        assert_non_null(strstr(out.data, rows[i].action));
    }
}

/* Whatever a client calls itself, what is written is JSON that can be read. */
static void hostile_texts_do_no_harm(void **state)
{
    struct event event = push();
    struct event read;
    char agent[2000];
    AUTO_BUFFER struct buffer text = BUFFER_INIT;

    (void)state;
    memset(agent, '\xc3', sizeof(agent) - 1);
    agent[sizeof(agent) - 1] = '\0';
    EVENT_SET(&event, agent, agent);
    EVENT_SET(&event, actor, "\"},\n\x1b[31m\xff\xed\xa0\x80{\\");
    event_write(&event, &text);
    assert_true(event_read(text.data, text.length, &read));
    assert_string_equal(read.actor, "\"},??[31m????{\\");
    assert_int_equal(strspn(read.agent, "?"), EVENT_TEXT_SIZE - 1);
}

static void what_is_none_is_not_read(void **state)
{
    static const char *const texts[] = {
        "",
        "{}",
        "[]",
        "{\"event\":\"push\"}",
        "{\"event\":\"push\",\"id\":\"" ID "\"}",
        "{\"event\":\"pushed\",\"id\":\"" ID "\",\"repository\":\"a\"}",
        "{\"event\":\"push\",\"id\":\"../../etc\",\"repository\":\"a\"}",
        "{\"event\":\"push\",\"id\":\"" ID "\",\"repository\":\"../a\"}",
        "{\"event\":\"push\",\"id\":\"" ID "\",\"repository\":\"a\",\"tag\":\"a/b\"}",
        "{\"event\":\"push\",\"id\":\"" ID "\",\"repository\":\"a\",\"digest\":\"sha256:1\"}",
        "{\"event\":\"push\",\"id\":\"" ID "\",\"repository\":\"a\"",
    };
    static const char least[] = "{\"event\":\"fill\",\"id\":\"" ID "\",\"repository\":\"a\"}";
    struct event event;

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        assert_false(event_read(texts[i], strlen(texts[i]), &event));
    }
    assert_true(event_read(least, strlen(least), &event));
    assert_int_equal(event.kind, EVENT_FILL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_read_as_it_was_written),
        cmocka_unit_test(has_an_id_and_a_date_of_its_own),
        cmocka_unit_test(looks_as_distributions_envelope),
        cmocka_unit_test(looks_as_a_cloud_event),
        cmocka_unit_test(says_what_receivers_know),
        cmocka_unit_test(hostile_texts_do_no_harm),
        cmocka_unit_test(what_is_none_is_not_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
