/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FCGI_REQUEST_H
#define FCGI_REQUEST_H

/*
 * One HTTP request, as a web server hands it over: through FastCGI, or through the environment and
 * standard input of a plain CGI process.
 *
 * What is asked for stands in REQUEST_URI, path and query, as the client sent it. It is taken apart
 * once, when the request begins. What web servers make of it besides (PATH_INFO, QUERY_STRING)
 * differs from one to the next and from one pass to the next (nginx empties QUERY_STRING when it
 * makes another request of a request): that is read only where there is no REQUEST_URI at all.
 *
 * The body comes through the connection, or lies in a file that the web server has written before
 * (BERTH_BODY_FILE). Its length is known in advance unless it is streamed in chunks, which most
 * servers collect for a CGI process; Apache does not, and closes standard input behind the last
 * one.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "fcgi/parameters.h"
#include "lib/base/buffer.h"
#include "lib/base/error.h"
#include "lib/http/query.h"

struct FCGX_Request;

/* A web server that would have to take a body first asks first whether it would be of use. */
enum request_pass {
    PASS_WHOLE,      /* the request itself */
    PASS_MAY,        /* yes or no; nginx has no use for more */
    PASS_WHY,        /* what the answer would be, after a no */
    PASS_AUTHORIZER, /* yes, or that answer: lighttpd */
};

struct request {
    struct FCGX_Request *fastcgi; /* NULL: plain CGI */
    struct parameters parameters; /* of FastCGI; those of CGI are the environment */
    const char *method;
    struct buffer path; /* decoded */
    struct query query;
    bool is_malformed; /* an escape of path or query is broken: both are empty; or the length is */
    enum request_pass pass;
    char id[64]; /* for the log and the answer */
    struct timespec arrived;
    bool has_length;
    uint64_t length;       /* bytes of the body, if known */
    uint64_t received;     /* bytes of it read so far */
    uint64_t announced;    /* bytes of one that is only asked about; 0 if that is not known */
    const char *body_file; /* path, or NULL */
    int body_descriptor;   /* of that file, once it is being read */
    struct buffer kept;    /* see request_read_form() */
    bool has_kept;
};

/* `fastcgi` is an accepted request, or NULL for plain CGI. */
void request_begin(struct request *request, struct FCGX_Request *fastcgi);
void request_end(struct request *request);

/* A parameter of the web server's, such as "HTTP_RANGE"; NULL if absent or empty. */
const char *request_parameter(const struct request *request, const char *name);

/* The same where an empty one is not the same as none. */
const char *request_setting(const struct request *request, const char *name);

/* The path as the client sent it, for the log. */
const char *request_target(const struct request *request);

/* The value of a query parameter, decoded: the first one of that name. NULL if there is none. */
const char *request_query(const struct request *request, const char *name);

/*
 * Reads some of the body. More than 0 bytes; 0 only when all of it has come; -1, with
 * ERROR_CLIENT_GONE if the client broke off.
 */
ssize_t request_read(struct request *request, void *bytes, size_t size, struct error *error);

/* Whether nothing of the body is left to come through the connection. */
bool request_is_consumed(const struct request *request);

/*
 * For a CGI process, once the answer is sent: takes what is left of the body. Apache sends it on
 * the very socket that it reads the answer from; bytes that lie there when it is closed would reset
 * it, answer and all.
 */
void request_read_rest(struct request *request);

/*
 * As request_read_all(), for what is short and secret. It is kept, and wiped in the end: another
 * process, in which the request goes on, may read it again.
 */
int request_read_form(struct request *request, size_t limit, struct buffer *out,
                      struct error *error);

/* The whole body, if it has at most `limit` bytes. 1; 0 if it is longer; -1. */
int request_read_all(struct request *request, size_t limit, struct buffer *out,
                     struct error *error);

#endif
