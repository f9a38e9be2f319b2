/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/worker.h"

#include <errno.h>
#include <fastcgi.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "fcgi/account.h"
#include "fcgi/tell.h"
#include "lib/base/log.h"
#include "lib/base/process.h"
#include "lib/http/library.h"
#include "lib/observe/count/presence.h"
#include "lib/proxy/fill/fetcher.h"

static volatile sig_atomic_t stopping;

static void stop(int signal_number)
{
    (void)signal_number;
    stopping = 1;
}

/*
 * libfcgi sets handlers that make its reads fail with EINTR, which would cut a body short. So the
 * signal is blocked except while we wait for a connection.
 */
static void prepare_signals(sigset_t *out_while_waiting)
{
    struct sigaction action = {.sa_handler = stop};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigset_t blocked;

    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGTERM);
    (void)sigaddset(&blocked, SIGINT);
    (void)sigaddset(&blocked, SIGUSR1);
    (void)sigprocmask(SIG_BLOCK, &blocked, out_while_waiting);
    (void)sigdelset(out_while_waiting, SIGTERM);
    (void)sigdelset(out_while_waiting, SIGINT);
    (void)sigdelset(out_while_waiting, SIGUSR1);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGUSR1, &action, NULL);
    (void)sigaction(SIGPIPE, &ignore, NULL);
    (void)sigaction(SIGCHLD, &ignore, NULL); /* nobody waits for the children of a worker */
}

/* What a worker listens with. */
struct listener {
    int epoll;
    bool is_local; /* a Unix socket */
};

/*
 * Of all workers that wait, one is woken for a connection: poll() would wake them all. Another one
 * may still be faster, so nobody may block in accept().
 *
 * Web servers do not wait for room among the connections that nobody has accepted yet: lighttpd
 * makes 500 of it, nginx 502. So there has to be as much as the kernel gives (net.core.somaxconn),
 * whoever made the socket; listen() on a socket that listens changes just that.
 */
static int listener_open(struct listener *out)
{
    struct epoll_event connection = {.events = EPOLLIN | EPOLLEXCLUSIVE};
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    socklen_t length = sizeof(address);
    int flags = fcntl(FCGI_LISTENSOCK_FILENO, F_GETFL);

    out->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (out->epoll < 0 || flags < 0 ||
        fcntl(FCGI_LISTENSOCK_FILENO, F_SETFL, flags | O_NONBLOCK) < 0 ||
        epoll_ctl(out->epoll, EPOLL_CTL_ADD, FCGI_LISTENSOCK_FILENO, &connection) < 0 ||
        getsockname(FCGI_LISTENSOCK_FILENO, (struct sockaddr *)&address, &length) < 0 ||
        listen(FCGI_LISTENSOCK_FILENO, INT_MAX) < 0) {
        return -1;
    }
    out->is_local = address.ss_family == AF_UNIX;
    return 0;
}

/*
 * libfcgi says that it has finished and then waits for the other side to hang up, lest a reset
 * should overtake the answer. On a Unix socket that cannot happen, once the body was read.
 */
static void end_request(const struct listener *listener, const struct request *request)
{
    request->fastcgi->keepConnection = 0; /* one that is idle would be waited for, all others not */
    if (listener->is_local && request_is_consumed(request)) {
        FCGX_Detach(request->fastcgi);
    }
    FCGX_Finish_r(request->fastcgi);
}

/*
 * A request that waits for another registry goes on in a child, with the connection; the worker
 * forgets about it without closing it for both, and takes the next one.
 */
static void serve_in_child(struct service *service, const struct listener *listener,
                           struct request *request)
{
    FCGX_Request *fastcgi = request->fastcgi;
    struct slot slot;
    pid_t child;

    (void)library_load(); /* once for all children */
    child = fork();
    if (child < 0) {
        struct error reason;

        log_error("fork: %s", strerror(errno));
        (void)error_set(&reason, ERROR_TOO_MANY_REQUESTS,
                        "no process can be started to wait for another registry");
        dispatch_refuse(request, &reason);
        FCGX_Finish_r(fastcgi);
        return;
    }
    if (child == 0) {
        process_reset_signals();
        process_listen(-1);
        (void)close(listener->epoll);
        (void)close(FCGI_LISTENSOCK_FILENO);
        (void)open("/dev/null", O_RDWR);
        process_serve(fastcgi->ipcFd, CLIENT_ENDS_WHEN_GONE);
        presence_enter(PRESENCE_WAITING);
        (void)dispatch(service, request, PATIENCE_UNLIMITED, &slot);
        FCGX_Finish_r(fastcgi);
        tell_afterwards(&service->registry, &service->configuration.events);
        log_debug("ends with request %s", request->id);
        presence_leave();
        _exit(0);
    }
    log_debug("request %s goes on in process %ld", request->id, (long)child);
    (void)close(fastcgi->ipcFd);
    fastcgi->ipcFd = -1;
    FCGX_Free(fastcgi, 0);
}

static void serve(struct service *service, const struct listener *listener, FCGX_Request *fastcgi)
{
    struct request request;
    struct slot slot = SLOT_INIT;

    presence_change(PRESENCE_BUSY);
    request_begin(&request, fastcgi);
    log_debug("accepts request %s", request.id);
    if (dispatch(service, &request, PATIENCE_NONE, &slot) == DISPATCH_MUST_WAIT) {
        serve_in_child(service, listener, &request);
        slot_release(&slot);
    } else {
        end_request(listener, &request);
        tell_afterwards(&service->registry, &service->configuration.events);
    }
    request_end(&request);
    presence_change(PRESENCE_IDLE);
}

/*
 * Nobody has a descriptor or memory for a connection at the moment. It waits in the queue, so we
 * come back to it; the log hears of it once per shortage.
 */
static bool pause_for_want(int failure)
{
    static const struct timespec pause = {.tv_nsec = 100L * 1000 * 1000};
    static bool is_told;
    bool is_want =
        failure == EMFILE || failure == ENFILE || failure == ENOBUFS || failure == ENOMEM;

    if (is_want && !is_told) {
        log_warning("accept: %s; connections wait", strerror(failure));
    }
    is_told = is_want;
    if (is_want) {
        (void)nanosleep(&pause, NULL);
    }
    return is_want;
}

/*
 * 0, or a negative error number. From a Unix socket we take the connection ourselves, and libfcgi
 * finds it open: it would ask first whether there is anything to read, which the read tells, too.
 */
static int request_accept(const struct listener *listener, FCGX_Request *fastcgi)
{
    if (listener->is_local && fastcgi->ipcFd < 0) {
        fastcgi->ipcFd = accept4(FCGI_LISTENSOCK_FILENO, NULL, NULL, SOCK_CLOEXEC);
        if (fastcgi->ipcFd < 0) {
            return -errno;
        }
        fastcgi->keepConnection = 1; /* otherwise it would be closed; the request says what holds */
    }
    return FCGX_Accept_r(fastcgi);
}

/* 1 if there was a request; 0 if another worker was faster, or nothing can be accepted now; -1. */
static int serve_next(struct service *service, const struct listener *listener,
                      FCGX_Request *fastcgi)
{
    int accepted = request_accept(listener, fastcgi);

    if (accepted == 0) {
        (void)pause_for_want(0);
        serve(service, listener, fastcgi);
        return 1;
    }
    if (accepted == -EAGAIN || accepted == -ECONNABORTED || pause_for_want(-accepted)) {
        return 0;
    }
    log_error("accept: %s", strerror(accepted < 0 ? -accepted : EIO));
    return -1;
}

int worker_run(struct service *service)
{
    struct listener listener;
    sigset_t while_waiting;
    FCGX_Request fastcgi;
    int served = 0;

    prepare_signals(&while_waiting);
    fetcher_allow();
    account_open(&service->configuration.registry);
    presence_enter(PRESENCE_IDLE);
    if (listener_open(&listener) < 0 || FCGX_Init() != 0 || FCGX_InitRequest(&fastcgi, 0, 0) != 0) {
        log_error("descriptor 0 is no socket that FastCGI could listen on");
        return 2;
    }
    process_listen(FCGI_LISTENSOCK_FILENO);
    while (!stopping && served >= 0) {
        struct epoll_event connection;

        if (epoll_pwait(listener.epoll, &connection, 1, -1, &while_waiting) > 0) {
            served = serve_next(service, &listener, &fastcgi);
        }
    }
    /* We may have been the one that was woken for a connection: nobody else would look for it. */
    if (served >= 0) {
        served = serve_next(service, &listener, &fastcgi);
    }
    FCGX_Free(&fastcgi, 1);
    presence_leave();
    return served < 0 ? 2 : 0;
}

enum { LAST_SECONDS = 10 };

/* Once: who is told again and again is not to live for that. */
static void end_soon(int signal_number)
{
    (void)signal_number;
    if (!stopping) {
        stopping = 1;
        (void)alarm(LAST_SECONDS);
    }
}

/*
 * lighttpd ends a program that is still there when its answer is complete: the request would be
 * written down nowhere, and nobody told of it. So what has to be done yet is; but who waits for a
 * lock that somebody has who hangs would wait for good, and nobody kills him by another signal.
 */
static void outlive_answer(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction end = {.sa_handler = end_soon, .sa_flags = SA_RESTART};

    (void)sigaction(SIGTERM, &end, NULL);
    (void)sigaction(SIGPIPE, &ignore, NULL);
}

int worker_run_cgi(struct service *service)
{
    struct request request;
    struct slot slot;

    outlive_answer();
    process_serve(STDOUT_FILENO, CLIENT_ENDS_ITS_BODY);
    request_begin(&request, NULL);
    (void)dispatch(service, &request, PATIENCE_UNLIMITED, &slot);
    request_read_rest(&request);
    request_end(&request);
    tell_afterwards(&service->registry, &service->configuration.events);
    return 0;
}

void worker_refuse(struct error *reason)
{
    struct listener listener;
    sigset_t while_waiting;
    FCGX_Request fastcgi;

    log_error("%s", reason->message);
    prepare_signals(&while_waiting);
    if (listener_open(&listener) < 0 || FCGX_Init() != 0 || FCGX_InitRequest(&fastcgi, 0, 0) != 0) {
        return;
    }
    while (FCGX_Accept_r(&fastcgi) == 0) {
        struct request request;

        request_begin(&request, &fastcgi);
        dispatch_refuse(&request, reason);
        end_request(&listener, &request);
        request_end(&request);
    }
    FCGX_Free(&fastcgi, 1);
}

void worker_refuse_cgi(struct error *reason)
{
    struct request request;

    outlive_answer();
    request_begin(&request, NULL);
    dispatch_refuse(&request, reason);
    request_read_rest(&request);
    request_end(&request);
}
