/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/record.h"

#include <errno.h>
#include <fastcgi.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

enum {
    RECORD_LIMIT = 65528, /* bytes in one: the most that needs no padding */
    ROOM = 1 << 20,       /* bytes on their way to the web server: pages of the file, no copies */
};

static int record_fail(struct error *error)
{
    return error_set(error, ERROR_CLIENT_GONE, "the client has gone");
}

static int record_send_header(int connection, int request_id, size_t length, struct error *error)
{
    const FCGI_Header header = {.version = FCGI_VERSION_1,
                                .type = FCGI_STDOUT,
                                .requestIdB1 = (unsigned char)(request_id >> 8),
                                .requestIdB0 = (unsigned char)request_id,
                                .contentLengthB1 = (unsigned char)(length >> 8),
                                .contentLengthB0 = (unsigned char)length};
    const char *bytes = (const char *)&header;
    size_t done = 0;

    while (done < sizeof(header)) {
        ssize_t put =
            send(connection, bytes + done, sizeof(header) - done, MSG_NOSIGNAL | MSG_MORE);

        if (put < 0 && errno != EINTR) {
            return record_fail(error);
        }
        done += put > 0 ? (size_t)put : 0;
    }
    return 0;
}

static int record_send_all(int connection, int request_id, struct record_part part,
                           struct error *error)
{
    off_t offset = (off_t)part.offset;
    off_t end = offset + (off_t)part.length;

    while (offset < end) {
        off_t record_end = end - offset < RECORD_LIMIT ? end : offset + RECORD_LIMIT;

        if (record_send_header(connection, request_id, (size_t)(record_end - offset), error) < 0) {
            return -1;
        }
        while (offset < record_end) {
            ssize_t put = sendfile(connection, part.file, &offset, (size_t)(record_end - offset));

            if (put == 0) {
                return error_set(error, ERROR_INTERNAL, "a file has become shorter");
            }
            if (put < 0 && errno != EINTR) {
                return errno == EIO ? error_errno(error, "send a file") : record_fail(error);
            }
        }
    }
    return 0;
}

/* Whatever is sent after a part of a record, the web server takes for its rest, and passes on. */
int record_send_file(int connection, int request_id, struct record_part part, struct error *error)
{
    const int room = ROOM;
    int sent;

    /* The more fits in, the less often the two wake each other. The system has a limit. */
    (void)setsockopt(connection, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
    sent = record_send_all(connection, request_id, part, error);
    if (sent < 0) {
        (void)shutdown(connection, SHUT_RDWR);
    }
    return sent;
}
