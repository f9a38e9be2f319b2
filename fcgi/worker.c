/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/worker.h"

#include <errno.h>
#include <fastcgi.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/log.h"

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

/* Several workers wake up for one connection and one gets it: nobody may block in accept(). */
static int prepare_listener(void)
{
    int flags = fcntl(FCGI_LISTENSOCK_FILENO, F_GETFL);

    return flags < 0 ? -1 : fcntl(FCGI_LISTENSOCK_FILENO, F_SETFL, flags | O_NONBLOCK);
}

/*
 * A request that waits for another registry goes on in a child, with the connection; the worker
 * forgets about it without closing it for both, and takes the next one.
 */
static void serve_in_child(struct service *service, struct request *request)
{
    FCGX_Request *fastcgi = request->fastcgi;
    pid_t child = fork();
    struct slot slot;

    if (child < 0) {
        log_error("fork: %s", strerror(errno));
        dispatch_refuse(request);
        FCGX_Finish_r(fastcgi);
        return;
    }
    if (child == 0) {
        (void)close(FCGI_LISTENSOCK_FILENO);
        (void)open("/dev/null", O_RDWR);
        (void)dispatch(service, request, PATIENCE_UNLIMITED, &slot);
        FCGX_Finish_r(fastcgi);
        _exit(0);
    }
    (void)close(fastcgi->ipcFd);
    fastcgi->ipcFd = -1;
    FCGX_Free(fastcgi, 0);
}

static void serve(struct service *service, FCGX_Request *fastcgi)
{
    struct request request;
    struct slot slot = SLOT_INIT;

    request_begin(&request, fastcgi);
    if (dispatch(service, &request, PATIENCE_NONE, &slot) == DISPATCH_MUST_WAIT) {
        serve_in_child(service, &request);
        slot_release(&slot);
    } else {
        FCGX_Finish_r(fastcgi);
    }
    request_end(&request);
}

int worker_run(struct service *service)
{
    sigset_t while_waiting;
    FCGX_Request fastcgi;

    prepare_signals(&while_waiting);
    if (prepare_listener() < 0 || FCGX_Init() != 0 || FCGX_InitRequest(&fastcgi, 0, 0) != 0) {
        log_error("descriptor 0 is no socket that FastCGI could listen on");
        return 2;
    }
    while (!stopping) {
        struct pollfd listener = {.fd = FCGI_LISTENSOCK_FILENO, .events = POLLIN};
        int accepted;

        if (ppoll(&listener, 1, NULL, &while_waiting) < 0) {
            continue; /* a signal */
        }
        accepted = FCGX_Accept_r(&fastcgi);
        if (accepted == 0) {
            serve(service, &fastcgi);
        } else if (accepted != -EAGAIN && accepted != -ECONNABORTED) {
            log_error("accept: %s", strerror(accepted < 0 ? -accepted : EIO));
            return 2;
        }
    }
    FCGX_Free(&fastcgi, 1);
    return 0;
}

int worker_run_cgi(struct service *service)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct request request;
    struct slot slot;

    (void)sigaction(SIGPIPE, &ignore, NULL);
    request_begin(&request, NULL);
    (void)dispatch(service, &request, PATIENCE_UNLIMITED, &slot);
    request_end(&request);
    return 0;
}
