/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <unistd.h>

#include "fcgi/handle/exchange.h"
#include "lib/base/json.h"
#include "lib/base/log.h"

/*
 * For load balancers and probes: whether this host can serve, without a log-in. What is wrong
 * stands in the log; strangers learn no path and no name. It is asked often, so it looks and tries
 * nothing.
 */

/* What is looked at. A cache that cannot be written keeps nobody from serving. */
enum health_check {
    CHECK_STORE,
    CHECK_SPACE,
    CHECK_SECRETS,
    CHECK_CACHE,
    CHECK_COUNT,
};

static const char *const check_words[CHECK_COUNT] = {
    [CHECK_STORE] = "store",
    [CHECK_SPACE] = "space",
    [CHECK_SECRETS] = "secrets",
    [CHECK_CACHE] = "cache",
};

static int health_look_at_secrets(const struct exchange *exchange, struct error *error)
{
    const struct proxy_options *proxy = &exchange->caller.options->proxy;

    if (exchange->access && access_check(exchange->access, error) < 0) {
        return -1;
    }
    for (size_t i = 0; proxy->enabled && i < proxy->section_count; i++) {
        const char *file = proxy->sections[i].password_file;

        if (file && faccessat(AT_FDCWD, file, R_OK, AT_EACCESS) < 0) {
            return error_errno(error, "read '%s'", file);
        }
    }
    return 0;
}

/* 0, or -1 and why not. A store that takes no pushes need not be written to. */
static int health_look(const struct exchange *exchange, enum health_check check,
                       struct error *error)
{
    const struct registry_options *options = exchange->caller.options;
    struct registry *registry = exchange->registry;

    switch (check) {
    case CHECK_STORE:
        return options->read_only ? 0 : store_check_writable(&registry->hosted, error);
    case CHECK_SPACE:
        return options->read_only ? 0 : store_check_space(&registry->hosted, 0, error);
    case CHECK_SECRETS:
        return health_look_at_secrets(exchange, error);
    case CHECK_CACHE:
        return !options->proxy.enabled || (registry_open_cache(registry, error) == 0 &&
                                           store_check_writable(&registry->cache, error) == 0)
                   ? 0
                   : -1;
    case CHECK_COUNT:
        break;
    }
    return 0;
}

/* Once for each time that something goes wrong: a probe comes every few seconds. */
static void health_log(enum health_check check, bool is_well, const struct error *error)
{
    static bool is_told[CHECK_COUNT];

    if (!is_well && !is_told[check]) {
        log_warning("health: %s: %s", check_words[check], error->message);
    }
    is_told[check] = !is_well;
}

int handle_health_get(struct exchange *exchange, struct error *error)
{
    struct response *response = &exchange->response;
    bool is_well[CHECK_COUNT] = {false};
    bool all = true;

    (void)error;
    for (enum health_check check = 0; check < CHECK_COUNT && !exchange->obstacle; check++) {
        struct error reason;

        is_well[check] = health_look(exchange, check, &reason) == 0;
        health_log(check, is_well[check], &reason);
        all = all && (is_well[check] || check == CHECK_CACHE);
    }
    all = all && !exchange->obstacle;
    response->status = all ? 200 : 503;
    response->body = BODY_BYTES;
    response_content_header(response, "Content-Type", "application/json");
    response_header(response, "Cache-Control", "no-store");
    json_open_object(&response->bytes, NULL);
    json_text(&response->bytes, "status", all ? "ok" : "failing");
    for (enum health_check check = 0; check < CHECK_COUNT && !exchange->obstacle; check++) {
        json_text(&response->bytes, check_words[check], is_well[check] ? "ok" : "failing");
    }
    json_close_object(&response->bytes);
    return 0;
}
