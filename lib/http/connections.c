/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/http/connections.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/memory.h"

enum {
    POLICY_LIMIT = 4,     /* that a process keeps connections for: it asks one upstream, mostly */
    CONNECTION_LIMIT = 8, /* of a policy: the registry, its token service, where it redirects to */
};

struct connections {
    CURLM *multi;
    unsigned users;
    bool allow_private_address;
    bool allow_http;
    char *proxy;
    char *ca_file;
};

static struct connections connections_kept[POLICY_LIMIT];

/* The memory stays as it is: to end these handles would be to speak on our parent's connections,
 * or on whatever else has got the numbers of their descriptors. */
static void connections_forget(void)
{
    memset(connections_kept, 0, sizeof(connections_kept));
}

static bool connections_are_for(const struct connections *kept,
                                const struct connections_policy *policy)
{
    return kept->multi && kept->allow_private_address == policy->allow_private_address &&
           kept->allow_http == policy->allow_http && strcmp(kept->proxy, policy->proxy) == 0 &&
           strcmp(kept->ca_file, policy->ca_file) == 0;
}

/* The one for this policy, or else one that nobody uses. */
static struct connections *connections_find(const struct connections_policy *policy)
{
    struct connections *unused = NULL;

    for (size_t i = 0; i < POLICY_LIMIT; i++) {
        struct connections *kept = &connections_kept[i];

        if (connections_are_for(kept, policy)) {
            return kept;
        }
        if (kept->users == 0 && (!unused || unused->multi)) {
            unused = kept;
        }
    }
    return unused;
}

static void connections_end(struct connections *kept)
{
    (void)curl_multi_cleanup(kept->multi);
    free(kept->proxy);
    free(kept->ca_file);
    *kept = (struct connections){.multi = NULL};
}

static void connections_begin(struct connections *kept, const struct connections_policy *policy)
{
    static bool is_prepared;

    if (!is_prepared) {
        is_prepared = true;
        (void)pthread_atfork(NULL, NULL, connections_forget);
    }
    kept->multi = curl_multi_init();
    if (kept->multi) {
        (void)curl_multi_setopt(kept->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTION_LIMIT);
        kept->allow_private_address = policy->allow_private_address;
        kept->allow_http = policy->allow_http;
        kept->proxy = memory_text(policy->proxy);
        kept->ca_file = memory_text(policy->ca_file);
    }
}

void *connections_take(const struct connections_policy *policy)
{
    struct connections *kept = connections_find(policy);

    if (kept && !connections_are_for(kept, policy)) {
        connections_end(kept);
        connections_begin(kept, policy);
    }
    if (!kept || !kept->multi) {
        return NULL;
    }
    kept->users++;
    return kept->multi;
}

void connections_return(void *multi)
{
    for (size_t i = 0; i < POLICY_LIMIT; i++) {
        if (multi && connections_kept[i].multi == multi) {
            connections_kept[i].users--;
        }
    }
}
