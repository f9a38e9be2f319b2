/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/answers.h"

#include <stdio.h>

struct http_request server_request(const struct server *server, const char *scheme)
{
    static char url[64];

    (void)snprintf(url, sizeof(url), "%s://127.0.0.1:%u/x", scheme, server->port);
    return (struct http_request){.method = "GET",
                                 .url = url,
                                 .upstream = "corp",
                                 .headers = BUFFER_INIT,
                                 .proxy = "",
                                 .ca_file = "",
                                 .connect_milliseconds = LONG,
                                 .stall_milliseconds = LONG,
                                 .allow_private_address = true,
                                 .allow_http = true};
}

void answer_text(struct server *with, const void *context)
{
    (void)server_send_text(with, context);
}

void answer_and_hold(struct server *with, const void *context)
{
    if (server_send_text(with, context)) {
        server_hold(with);
    }
}

void answer_flood(struct server *with, const void *context)
{
    const struct flood *flood = context;

    if (server_send_text(with, flood->begin)) {
        (void)server_repeat(with, flood->again, flood->pause, 0);
    }
}

void answer_large(struct server *with, const void *context)
{
    const unsigned *kilobytes = context;
    char head[128];

    (void)snprintf(head, sizeof(head), OK "Content-Length: %zu\r\n\r\n",
                   (sizeof(KILOBYTE) - 1) * *kilobytes);
    if (server_send_text(with, head) && server_repeat(with, KILOBYTE, 0, *kilobytes)) {
        server_hold(with);
    }
}
