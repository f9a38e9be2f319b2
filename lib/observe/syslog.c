/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/observe/syslog.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/buffer.h"
#include "lib/base/cleanup.h"
#include "lib/base/clock.h"

/* Whether this process has waited in vain. */
static bool syslog_hangs;

/* As daemons expect it there: the local date, in English (RFC 3164, 4.1, without the host). */
static void syslog_add_head(struct buffer *out)
{
    time_t now = clock_date();
    char date[32] = "";
    struct tm parts;

    if (localtime_r(&now, &parts)) {
        (void)strftime(date, sizeof(date), "%b %e %H:%M:%S", &parts);
    }
    buffer_format(out, "<%d>%s berth[%ld]: ", LOG_AUTHPRIV | LOG_NOTICE, date, (long)getpid());
}

int syslog_send(const char *line, struct error *error)
{
    static const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = _PATH_LOG};
    struct timeval patience = {.tv_sec = 1};
    AUTO_CLOSE int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    AUTO_BUFFER struct buffer message = BUFFER_INIT;

    syslog_add_head(&message);
    buffer_add_text(&message, line);
    if (descriptor < 0 ||
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
        connect(descriptor, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        send(descriptor, message.data, message.length,
             MSG_NOSIGNAL | (syslog_hangs ? MSG_DONTWAIT : 0)) < 0) {
        syslog_hangs = errno == EAGAIN;
        return error_errno(error, "tell '%s'", _PATH_LOG);
    }
    syslog_hangs = false;
    return 0;
}
