/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/local.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"

struct local_address {
    struct sockaddr_un address;
    socklen_t length;
};

/* In Linux' abstract namespace: a first byte of 0, and no file. */
static struct local_address local_address_of(const char *name)
{
    struct local_address out = {.address = {.sun_family = AF_UNIX}};
    int length = snprintf(out.address.sun_path + 1, LOCAL_NAME_SIZE, "%s", name);

    out.length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
    return out;
}

/* A blocking call would wait for whoever is stopped. */
static int local_socket(void)
{
    return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static bool local_is_ours(int connection)
{
    struct ucred peer;
    socklen_t length = sizeof(peer);

    return getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
           peer.uid == geteuid();
}

bool local_is_stopped(int connection)
{
    struct ucred peer;
    socklen_t length = sizeof(peer);
    char path[32];
    char text[256];
    const char *state;
    struct error ignored;
    ssize_t got;

    if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0 ||
        peer.pid == getpid()) {
        return false;
    }
    (void)snprintf(path, sizeof(path), "/proc/%ld/stat", (long)peer.pid);
    got = file_read_head(AT_FDCWD, path, text, sizeof(text) - 1, &ignored);
    text[got > 0 ? got : 0] = '\0';
    state = strrchr(text, ')'); /* behind the process' name, in which may be anything */
    return state && state[1] == ' ' && (state[2] == 'T' || state[2] == 't');
}

int local_listen(const char *name)
{
    struct local_address at = local_address_of(name);
    int listener = local_socket();

    if (listener >= 0 &&
        (bind(listener, (const struct sockaddr *)(const void *)&at.address, at.length) < 0 ||
         listen(listener, 1) < 0)) {
        (void)close(listener);
        return -1;
    }
    return listener;
}

int local_accept(int listener, int other, int64_t milliseconds)
{
    int64_t end = clock_milliseconds() + milliseconds;
    int64_t left = milliseconds;

    while (left > 0) {
        struct pollfd wishes[] = {{.fd = listener, .events = POLLIN}, {.fd = other}};
        int connection = -1;

        if (poll(wishes, 2, (int)left) > 0) {
            if (wishes[1].revents != 0) {
                return -1;
            }
            connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
            if (connection < 0) {
                return -1;
            }
        }
        if (connection >= 0 && local_is_ours(connection)) {
            return connection;
        }
        cleanup_close(&connection);
        left = end - clock_milliseconds();
    }
    return -1;
}

int local_connect(const char *name)
{
    struct local_address at = local_address_of(name);
    int connection = local_socket();

    if (connection >= 0 &&
        (connect(connection, (const struct sockaddr *)(const void *)&at.address, at.length) < 0 ||
         !local_is_ours(connection))) {
        (void)close(connection);
        return -1;
    }
    return connection;
}

/* What carries the descriptors of a message. */
union local_control {
    char bytes[CMSG_SPACE(LOCAL_DESCRIPTOR_LIMIT * sizeof(int))];
    struct cmsghdr alignment;
};

bool local_send(int connection, const struct buffer *text, const int *descriptors, size_t count)
{
    union local_control control = {.bytes = {0}};
    struct iovec part = {.iov_base = text->data, .iov_len = text->length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

    if (count > 0) {
        struct cmsghdr *header;

        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(header), descriptors, count * sizeof(int));
    }
    return sendmsg(connection, &message, MSG_NOSIGNAL) == (ssize_t)text->length;
}

/* How many descriptors there are in a message, into `out`. */
static size_t local_take_descriptors(struct msghdr *message, int out[LOCAL_DESCRIPTOR_LIMIT])
{
    const struct cmsghdr *header = CMSG_FIRSTHDR(message);
    size_t count;

    if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
        return 0;
    }
    count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(out, CMSG_DATA(header), count * sizeof(int));
    return count;
}

static void local_close_all(const int *descriptors, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        (void)close(descriptors[i]);
    }
}

bool local_is_ready(int connection, int64_t milliseconds)
{
    struct pollfd wish = {.fd = connection, .events = POLLIN};

    return poll(&wish, 1, (int)milliseconds) > 0;
}

bool local_receive_any(int connection, int64_t milliseconds, struct buffer *text,
                       int out_descriptors[LOCAL_DESCRIPTOR_LIMIT], size_t *out_count)
{
    union local_control control = {.bytes = {0}};
    char bytes[LOCAL_MESSAGE_LIMIT];
    struct iovec part = {.iov_base = bytes, .iov_len = sizeof(bytes)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    ssize_t got;

    if (!local_is_ready(connection, milliseconds)) {
        return false;
    }
    got = recvmsg(connection, &message, MSG_CMSG_CLOEXEC);
    if (got <= 0) {
        return false;
    }
    *out_count = local_take_descriptors(&message, out_descriptors);
    if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
        local_close_all(out_descriptors, *out_count);
        return false;
    }
    buffer_add(text, bytes, (size_t)got);
    return true;
}

bool local_receive(int connection, int64_t milliseconds, struct buffer *text, int *out_descriptors,
                   size_t count)
{
    AUTO_BUFFER struct buffer got = BUFFER_INIT;
    int descriptors[LOCAL_DESCRIPTOR_LIMIT];
    size_t came;

    if (!local_receive_any(connection, milliseconds, &got, descriptors, &came)) {
        return false;
    }
    if (came != count) {
        local_close_all(descriptors, came);
        return false;
    }
    buffer_add(text, got.data, got.length);
    for (size_t i = 0; i < count; i++) {
        out_descriptors[i] = descriptors[i];
    }
    return true;
}

int local_pair(int out_ends[2], struct error *error)
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, out_ends) < 0
               ? error_errno(error, "make a connection")
               : 0;
}
