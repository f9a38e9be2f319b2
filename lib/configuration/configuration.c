/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/configuration/configuration.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/access/issuer.h"
#include "lib/base/cleanup.h"
#include "lib/base/memory.h"
#include "lib/base/text.h"
#include "lib/configuration/judge.h"
#include "lib/configuration/section.h"
#include "lib/http/network.h"
#include "lib/oci/pattern.h"
#include "lib/store/revision.h"

enum {
    FILE_LIMIT = 1024 * 1024, /* bytes */
    UPSTREAM_LIMIT = 256,     /* sections */
    ISSUER_LIMIT = 64,
    ACCESS_LIMIT = 1000, /* sections of either kind */
    WEBHOOK_LIMIT = 64,
    RETENTION_LIMIT = 1000,
    CACHE_PATIENCE = 10, /* seconds; see lock_patience */
};

static const char *const log_level_words[] = {
    [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_WARNING] = "warning",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
    NULL,
};

static const char *const sparse_words[] = {
    [SPARSE_NO] = "no",
    [SPARSE_INDEX] = "index",
    [SPARSE_ALL] = "all",
    NULL,
};

/* A value that lives in the options of the registry. */
#define REGISTRY(kind, member) VALUE(kind, struct configuration, registry.member)

static const struct key top_keys[] = {
    {.name = "registry_storage", REGISTRY(PATH, hosted.root), .example = "/var/lib/berth/registry"},
    {.name = "temporary_registry_storage",
     REGISTRY(PATH, hosted.temporary),
     .example = "/var/lib/berth/_tmp"},
    {.name = "proxy_storage", REGISTRY(PATH, proxy.store.root), .example = "/var/lib/berth/proxy"},
    {.name = "log_level",
     VALUE_OF_CHOICE(struct configuration, log_level, log_level_words),
     .standard = "info"},
    {.name = NULL},
};

static bool tags_are_valid(const char *item)
{
    return pattern_is_valid_for_tags(item + (*item == '!'));
}

static const struct key hosted_keys[] = {
    {.name = "read_only", REGISTRY(BOOLEAN, read_only), .standard = "no"},
    {.name = "minimum_free_space", REGISTRY(BYTES, hosted.minimum_free_space), .standard = "1G"},
    {.name = "accept_sparse",
     VALUE_OF_CHOICE(struct configuration, registry.hosted.accept_sparse, sparse_words),
     .standard = "index"},
    {.name = "maximum_manifest_size",
     REGISTRY(BYTES, maximum_manifest_size),
     .form.maximum = MANIFEST_SIZE_LIMIT,
     .standard = "4M"},
    {.name = "upload_expiry",
     REGISTRY(SECONDS, hosted.upload_expiry),
     .form.minimum = 1,
     .standard = "7d"},
    {.name = "immutable_tags",
     REGISTRY(OPTIONAL_ITEMS, hosted.immutable_tags),
     .form.item_is_valid = tags_are_valid,
     .form.items = "patterns of tags such as v*, release-*, !*-rc",
     .standard = ""},
    {.name = NULL},
};

static const struct key collect_keys[] = {
    {.name = "grace", REGISTRY(SECONDS, hosted.grace), .standard = "1h"},
    {.name = "trash_days",
     REGISTRY(NUMBER, collect.trash_days),
     .form.minimum = 1,
     .form.maximum = 3650,
     .standard = "7"},
    {.name = "untagged", REGISTRY(AGE, collect.untagged), .form.minimum = 3600, .standard = "keep"},
    {.name = NULL},
};

#define RETENTION(kind, member) VALUE(kind, struct retention_section, member)
#define RETENTION_LIST(names, line_member, is_valid, what)                                         \
    RETENTION(ITEMS, names), .line = LINE(struct retention_section, line_member),                  \
                             .form.item_is_valid = (is_valid), .form.items = (what)
#define TAG_PATTERNS "a list of tags such as latest, v*, !v0*"

static const struct key retention_keys[] = {
    {.name = "repositories",
     RETENTION_LIST(repositories.names, repositories.line, retention_repository_is_valid,
                    "a list of repositories such as team/app, team/*, apps/**, !team/base"),
     .example = "team/**"},
    {.name = "tags", RETENTION_LIST(tags.names, tags.line, retention_tag_is_valid, TAG_PATTERNS)},
    {.name = "keep_tags",
     RETENTION_LIST(keep_tags.names, keep_tags.line, retention_tag_is_valid, TAG_PATTERNS)},
    {.name = "keep_newest",
     RETENTION(NUMBER, keep_newest),
     .line = LINE(struct retention_section, keep_newest_line),
     .standard = "0"},
    {.name = "keep_pushed_within",
     RETENTION(SECONDS, keep_pushed_within),
     .line = LINE(struct retention_section, keep_pushed_line),
     .standard = "0"},
    {.name = "keep_pulled_within",
     RETENTION(SECONDS, keep_pulled_within),
     .line = LINE(struct retention_section, keep_pulled_line),
     .standard = "0"},
    {.name = "ignore_agents",
     RETENTION_LIST(ignore_agents.names, ignore_agents.line, retention_agent_is_valid,
                    "a list of what clients call themselves, such as trivy/*, *scanner*, but not "
                    "all")},
    {.name = NULL},
};

static const struct key proxy_keys[] = {
    {.name = "enabled", REGISTRY(BOOLEAN, proxy.enabled), .standard = "yes"},
    {.name = "upstreams", REGISTRY(HOSTS, proxy.upstreams), .standard = "*"},
    {.name = "minimum_free_space",
     REGISTRY(BYTES, proxy.store.minimum_free_space),
     .standard = "2G"},
    {.name = "maximum_size", REGISTRY(BYTES, proxy.maximum_size), .standard = "0"},
    {.name = "maximum_age", REGISTRY(SECONDS, proxy.maximum_age), .standard = "0"},
    {.name = "tag_ttl", REGISTRY(SECONDS, proxy.tag_ttl), .standard = "60s"},
    {.name = "connect_timeout",
     REGISTRY(SECONDS, proxy.connect_timeout),
     .form.minimum = 1,
     .standard = "10s"},
    {.name = "stall_timeout",
     REGISTRY(SECONDS, proxy.stall_timeout),
     .form.minimum = 1,
     .standard = "30s"},
    {.name = "minimum_rate",
     REGISTRY(BYTES, proxy.minimum_rate),
     .form.maximum = (uint64_t)1024 * 1024 * 1024,
     .standard = "1K"},
    {.name = "maximum_waiting",
     REGISTRY(NUMBER, proxy.maximum_waiting),
     .form.minimum = 1,
     .standard = "256"},
    {.name = "http_proxy", REGISTRY(TEXT, proxy.http_proxy), .standard = ""},
    {.name = "ca_file", REGISTRY(OPTIONAL_PATH, proxy.ca_file), .standard = ""},
    {.name = NULL},
};

static const struct key mirror_keys[] = {
    {.name = "root", REGISTRY(HOST, proxy.mirror_root), .standard = ""},
    {.name = NULL},
};

#define UPSTREAM(kind, member) VALUE(kind, struct upstream_options, member)

static const struct key upstream_keys[] = {
    {.name = "url", UPSTREAM(URL, url)},
    {.name = "username", UPSTREAM(TEXT, username)},
    {.name = "password", UPSTREAM(TEXT, password), .is_secret = true},
    {.name = "password_file", UPSTREAM(PATH, password_file)},
    {.name = "default_namespace", UPSTREAM(TEXT, default_namespace)},
    {.name = "token_host", UPSTREAM(HOST, token_host)},
    {.name = "allow_private_address", UPSTREAM(BOOLEAN, allow_private_address), .standard = "no"},
    {.name = NULL},
};

static const char *const mode_words[] = {
    [ACCESS_NONE] = "none",
    [ACCESS_HTPASSWD] = "htpasswd",
    [ACCESS_WEB_SERVER] = "web-server",
    NULL,
};

static const struct key authentication_keys[] = {
    {.name = "mode",
     VALUE_OF_CHOICE(struct configuration, registry.access.mode, mode_words),
     .standard = "none"},
    {.name = "htpasswd", REGISTRY(OPTIONAL_PATH, access.htpasswd), .standard = ""},
    {.name = "public_url", REGISTRY(OPTIONAL_URL, access.public_url), .standard = ""},
    {.name = "token_lifetime",
     REGISTRY(SECONDS, access.token_lifetime),
     .form.minimum = 3600,
     .form.maximum = 31536000,
     .standard = "1h"},
    {.name = NULL},
};

/* "CLAIM=PATTERN, PATTERN" */
static bool requirement_is_valid(const char *item)
{
    size_t length = strcspn(item, "=");
    const char *patterns = item + length + (item[length] == '=');
    AUTO_BUFFER struct buffer claim = BUFFER_INIT;
    const char *pattern;
    size_t pattern_length;
    bool has_any = false;

    buffer_add(&claim, item, length);
    while (text_next_item(&patterns, ',', &pattern, &pattern_length)) {
        AUTO_BUFFER struct buffer one = BUFFER_INIT;

        buffer_add(&one, pattern, pattern_length);
        has_any = issuer_pattern_is_valid(one.data);
        if (!has_any) {
            return false;
        }
    }
    return has_any && issuer_claim_is_valid(claim.data);
}

static const char *const issuer_words[] = {
    [ISSUER_OIDC] = "oidc",
    [ISSUER_REGISTRY_TOKEN] = "registry-token",
    NULL,
};

#define ISSUER(kind, member) VALUE(kind, struct issuer_options, member)

static const struct key issuer_keys[] = {
    {.name = "kind",
     VALUE_OF_CHOICE(struct issuer_options, kind, issuer_words),
     .standard = "oidc"},
    {.name = "url", ISSUER(TEXT, url), .example = "https://token.actions.githubusercontent.com"},
    {.name = "audience", ISSUER(TEXT, audience), .example = "registry.example.org"},
    {.name = "jwks_file", ISSUER(PATH, jwks_file)},
    {.name = "certificates", ISSUER(PATH, certificates)},
    {.name = "realm", ISSUER(TEXT, realm)},
    {.name = "require.CLAIM",
     ISSUER(FAMILY, required),
     .form.item_is_valid = requirement_is_valid,
     .form.items = "a pattern such as refs/heads/*, or several with commas between them"},
    {.name = "name_claim", ISSUER(TEXT, name_claim), .standard = "sub"},
    {.name = "allow_private_address", ISSUER(BOOLEAN, allow_private_address), .standard = "no"},
    {.name = NULL},
};

static bool repositories_are_valid(const char *item)
{
    return pattern_is_valid(item + (*item == '!'));
}

/* A list of those whom a rule names, and its line. */
#define WHOM(names, a_line)                                                                        \
    VALUE(ITEMS, struct rules_section, names),                                                     \
        .line = LINE(struct rules_section, a_line), .form.item_is_valid = rules_whom_is_valid,     \
        .form.items = "anonymous, authenticated, users, @groups, robot/NAME or ISSUER/PATTERN"

static const struct key access_keys[] = {
    {.name = "repositories",
     VALUE(ITEMS, struct rules_section, repositories.names),
     .line = LINE(struct rules_section, repositories.line),
     .form.item_is_valid = repositories_are_valid,
     .form.items = "a list of repositories such as team/app, team/*, apps/**, home/{user}/**, "
                   "!team/secret",
     .example = "team/**"},
    {.name = "pull", WHOM(pull.names, pull.line)},
    {.name = "push", WHOM(push.names, push.line)},
    {.name = "overwrite", WHOM(overwrite.names, overwrite.line)},
    {.name = "delete", WHOM(delete.names, delete.line)},
    {.name = NULL},
};

static const struct key metrics_keys[] = {
    {.name = "enabled", REGISTRY(BOOLEAN, metrics.enabled), .standard = "no"},
    {.name = "access",
     REGISTRY(ITEMS, metrics.access),
     .form.item_is_valid = network_is_valid,
     .form.items = "addresses and networks such as 127.0.0.1, 10.0.0.0/8, ::1, or *",
     .standard = "127.0.0.1, ::1"},
    {.name = NULL},
};

static const struct key group_keys[] = {
    {.name = "members",
     VALUE(ITEMS, struct rules_group, members.names),
     .line = LINE(struct rules_group, members.line),
     .form.item_is_valid = rules_member_is_valid,
     .form.items = "a list of users, robot/NAME or ISSUER/PATTERN",
     .example = "alice, bob"},
    {.name = NULL},
};

static const struct key audit_keys[] = {
    {.name = "file", VALUE(OPTIONAL_PATH, struct configuration, audit.file), .standard = ""},
    {.name = "syslog", VALUE(BOOLEAN, struct configuration, audit.syslog), .standard = "no"},
    {.name = NULL},
};

#define WEBHOOK(kind, member) VALUE(kind, struct webhook_options, member)

static const char *const format_words[] = {
    [EVENT_DISTRIBUTION] = "distribution",
    [EVENT_CLOUDEVENTS] = "cloudevents",
    NULL,
};

static const struct key webhook_keys[] = {
    {.name = "url", WEBHOOK(TEXT, url), .example = "https://ci.example.org/hook"},
    {.name = "secret_file", WEBHOOK(PATH, secret_file)},
    {.name = "events",
     WEBHOOK(ITEMS, events),
     .form.item_is_valid = event_word_is_valid,
     .form.items = "a list of push, pull, delete, retention, fill",
     .example = "push, delete"},
    {.name = "repositories",
     WEBHOOK(ITEMS, repositories),
     .form.item_is_valid = repositories_are_valid,
     .form.items = "a list of repositories such as team/app, team/*, apps/**, !team/secret"},
    {.name = "format",
     VALUE_OF_CHOICE(struct webhook_options, format, format_words),
     .standard = "distribution"},
    {.name = "allow_private_address", WEBHOOK(BOOLEAN, allow_private_address), .standard = "no"},
    {.name = NULL},
};

/* Whether this is the name of an upstream, or of one and a prefix: it becomes a directory. */
static bool upstream_name_is_valid(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789.-_:/";

    return *name && strspn(name, allowed) == strlen(name) && *name != '.' && *name != '/' &&
           !strstr(name, "..") && !strstr(name, "//");
}

static const struct key page_keys[] = {
    {.name = "enabled", VALUE(BOOLEAN, struct configuration, page.enabled), .standard = "yes"},
    {.name = "title", VALUE(TEXT, struct configuration, page.title), .standard = "Berth"},
    {.name = NULL},
};

static const struct section_kind kinds[] = {
    {.name = "", .keys = top_keys},
    {.name = "hosted", .keys = hosted_keys},
    {.name = "collect", .keys = collect_keys},
    {.name = "retention",
     .keys = retention_keys,
     .name_is_valid = retention_name_is_valid,
     .one = "a rule",
     .like = "builds",
     .many = "rules",
     .limit = RETENTION_LIMIT,
     SECTION_ARRAY(struct configuration, registry.collect.retention.sections,
                   registry.collect.retention.section_count)},
    {.name = "proxy", .keys = proxy_keys},
    {.name = "mirror", .keys = mirror_keys},
    {.name = "upstream",
     .keys = upstream_keys,
     .name_is_valid = upstream_name_is_valid,
     .one = "an upstream",
     .like = "docker.io",
     .many = "upstreams",
     .limit = UPSTREAM_LIMIT,
     SECTION_ARRAY(struct configuration, registry.proxy.sections, registry.proxy.section_count)},
    {.name = "authentication", .keys = authentication_keys},
    {.name = "issuer",
     .keys = issuer_keys,
     .name_is_valid = issuer_name_is_valid,
     .one = "an issuer",
     .like = "github",
     .many = "issuers",
     .limit = ISSUER_LIMIT,
     SECTION_ARRAY(struct configuration, registry.access.issuers, registry.access.issuer_count)},
    {.name = "group",
     .keys = group_keys,
     .name_is_valid = rules_name_is_valid,
     .one = "a group",
     .like = "ci",
     .many = "groups",
     .limit = ACCESS_LIMIT,
     SECTION_ARRAY(struct configuration, registry.access.rules.groups,
                   registry.access.rules.group_count)},
    {.name = "access",
     .keys = access_keys,
     .name_is_valid = rules_name_is_valid,
     .one = "a rule",
     .like = "team",
     .many = "rules",
     .limit = ACCESS_LIMIT,
     SECTION_ARRAY(struct configuration, registry.access.rules.sections,
                   registry.access.rules.section_count)},
    {.name = "page", .keys = page_keys},
    {.name = "audit", .keys = audit_keys},
    {.name = "webhook",
     .keys = webhook_keys,
     .name_is_valid = rules_name_is_valid,
     .one = "a receiver",
     .like = "ci",
     .many = "receivers",
     .limit = WEBHOOK_LIMIT,
     SECTION_ARRAY(struct configuration, events.webhooks, events.webhook_count)},
    {.name = "metrics", .keys = metrics_keys},
    {.name = NULL},
};

static bool configuration_judge(const void *values, struct section_place *out_place,
                                struct buffer *out_message)
{
    const struct configuration *configuration = values;

    return judge_registry(&configuration->registry, out_place, out_message) &&
           judge_retention(&configuration->registry.collect.retention, out_place, out_message) &&
           judge_access(&configuration->registry, out_place, out_message) &&
           judge_events(&configuration->events, &configuration->registry.proxy, out_place,
                        out_message);
}

static const struct section_table table = {.kinds = kinds, .judge = configuration_judge};

static char *configuration_place(const struct configuration *configuration, const char *path)
{
    AUTO_BUFFER struct buffer place = BUFFER_INIT;

    layout_absolute(configuration->registry.hosted.root, path, &place);
    return memory_text(place.data);
}

/* Where tokens' keys and robots are, and what this host counts. */
static void configuration_complete_places(struct configuration *configuration)
{
    struct access_options *access = &configuration->registry.access;
    struct metrics_options *metrics = &configuration->registry.metrics;
    char host[65] = "";

    if (gethostname(host, sizeof(host) - 1) < 0 || !*host || *host == '.' || strchr(host, '/')) {
        memcpy(host, "host", sizeof("host"));
    }
    access->directory = configuration_place(configuration, LAYOUT_ACCESS);
    access->runtime_directory = configuration_place(configuration, layout_access_host(host).text);
    metrics->hosts = configuration_place(configuration, LAYOUT_COUNTERS);
    metrics->directory = configuration_place(configuration, layout_counters_host(host).text);
    access->http_proxy = configuration->registry.proxy.http_proxy;
    access->ca_file = configuration->registry.proxy.ca_file;
}

/* How often the use of what is cached is noted, at least: where nobody asks, never. */
static uint64_t configuration_use_grain(const struct proxy_options *proxy)
{
    enum { GRAIN = 3600, PARTS = 8 };
    uint64_t part = proxy->maximum_age / PARTS;

    if (proxy->maximum_age == 0) {
        return proxy->maximum_size > 0 ? GRAIN : 0;
    }
    return part > GRAIN ? GRAIN : part > 0 ? part : 1;
}

/* What follows from other values: the cache is a store too. */
static void configuration_complete(struct configuration *configuration)
{
    const struct store_options *hosted = &configuration->registry.hosted;
    struct store_options *cache = &configuration->registry.proxy.store;
    AUTO_BUFFER struct buffer temporary = BUFFER_INIT;

    layout_absolute(cache->root, LAYOUT_CACHE_TEMPORARY, &temporary);
    cache->temporary = memory_text(temporary.data);
    cache->upload_expiry = hosted->upload_expiry;
    cache->accept_sparse = SPARSE_ALL;
    cache->may_be_lost = true;
    cache->lock_patience = CACHE_PATIENCE;
    cache->use_grain = configuration_use_grain(&configuration->registry.proxy);
    configuration->registry.proxy.maximum_manifest_size =
        configuration->registry.maximum_manifest_size;
    configuration_complete_places(configuration);
    configuration->events.http_proxy = configuration->registry.proxy.http_proxy;
    configuration->events.ca_file = configuration->registry.proxy.ca_file;
}

/* All that it says follows from the file and, for relative paths, from where that is. */
static void configuration_take_fingerprint(struct configuration *configuration,
                                           const struct buffer *content)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;

    buffer_format(&text, "%s\n", configuration->file);
    buffer_add(&text, content->data, content->length);
    digest_of(DIGEST_SHA256, text.data, text.length, &configuration->registry.proxy.fingerprint);
}

int configuration_read(struct configuration *out_configuration, const char *file,
                       struct error *error)
{
    AUTO_CONFIGURATION struct configuration read = CONFIGURATION_INIT;
    AUTO_BUFFER struct buffer content = BUFFER_INIT;
    int result;

    read.file = realpath(file, NULL);
    if (!read.file) {
        return error_errno(error, "the configuration '%s'", file);
    }
    result = file_read(AT_FDCWD, read.file, FILE_LIMIT, &content, error);
    if (result <= 0) {
        return result < 0 ? -1 : error_errno(error, "the configuration '%s'", file);
    }
    if (sections_read(&table, &read, read.file, &content, error) < 0) {
        return -1;
    }
    configuration_complete(&read);
    configuration_take_fingerprint(&read, &content);
    *out_configuration = read;
    read = (struct configuration)CONFIGURATION_INIT;
    return 0;
}

void configuration_release(struct configuration *configuration)
{
    sections_release(kinds, configuration);
    free(configuration->registry.proxy.store.temporary);
    free(configuration->registry.access.directory);
    free(configuration->registry.access.runtime_directory);
    free(configuration->registry.metrics.directory);
    free(configuration->registry.metrics.hosts);
    free(configuration->file);
    *configuration = (struct configuration)CONFIGURATION_INIT;
}

void configuration_print(const struct configuration *configuration, struct buffer *out)
{
    sections_print(kinds, configuration, out);
}

void configuration_describe(const char *key, struct buffer *out)
{
    sections_describe(kinds, key, out);
}
