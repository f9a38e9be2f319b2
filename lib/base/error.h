/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

/*
 * What went wrong, as a plain value on the caller's stack. Functions that can fail for a reason
 * outside the program return 0 or -1 (or a pointer or NULL, a descriptor or -1) and take
 * `struct error *error`, never NULL, as their last parameter. It is untouched on success; outputs
 * are untouched on failure.
 *
 * There is one code per thing that somebody must answer differently: the codes of the OCI
 * distribution specification ("Error Codes") and a few of ours. Everything else is ERROR_INTERNAL,
 * whose message is for the log and never for a client. All other messages may be shown.
 */

#include <stdbool.h>

enum error_code {
    ERROR_NONE = 0,
    ERROR_INTERNAL,              /* the operator's problem */
    ERROR_BLOB_UNKNOWN,          /* this repository has no such blob */
    ERROR_UPLOAD_INVALID,        /* the request does not fit the upload session */
    ERROR_UPLOAD_UNKNOWN,        /* no such session, or another repository's */
    ERROR_UPLOAD_BUSY,           /* another request is writing to the session */
    ERROR_UPLOAD_RANGE,          /* a chunk that does not begin where the session ends */
    ERROR_DIGEST_INVALID,        /* malformed, not supported, or not that of the content */
    ERROR_MANIFEST_BLOB_UNKNOWN, /* a manifest names content that is not there */
    ERROR_MANIFEST_INVALID,      /* not a manifest, or not the one it claims to be */
    ERROR_MANIFEST_UNKNOWN,      /* no such tag or digest in the repository */
    ERROR_MANIFEST_TOO_LARGE,    /* above maximum_manifest_size, or names too much */
    ERROR_NAME_INVALID,          /* not a repository name */
    ERROR_NAME_UNKNOWN,          /* no such repository */
    ERROR_SIZE_INVALID,          /* announced and real length differ */
    ERROR_UNAUTHORIZED,          /* log in first */
    ERROR_DENIED,                /* not allowed, whoever asks */
    ERROR_TAG_IMMUTABLE,         /* a tag is one that is never moved nor deleted */
    ERROR_UNSUPPORTED,           /* the method or operation does not exist here */
    ERROR_READ_ONLY,             /* the registry takes no writes at the moment */
    ERROR_RANGE,                 /* a download that begins behind the end */
    ERROR_PRECONDITION,          /* If-Match or If-None-Match did not hold */
    ERROR_TOO_MANY_REQUESTS,     /* try again later */
    ERROR_UNAVAILABLE,           /* the operator's problem, which may pass */
    ERROR_NO_SPACE,              /* the disk is full, or nearly, or takes no writes */
    ERROR_DATA_LOST,             /* the disk may have dropped what was written: send it again */
    ERROR_LOCK_HELD,             /* others have had a lock for too long: the operator's problem */
    ERROR_REQUEST_INVALID,       /* a parameter or header that makes no sense */
    ERROR_NOT_FOUND,             /* no such endpoint */
    ERROR_CLIENT_GONE,           /* the client broke its request off; nobody to answer */
    ERROR_UPSTREAM,              /* another registry answers, but with nothing of use */
    ERROR_UPSTREAM_REFUSED,      /* another registry does not let us in */
    ERROR_UPSTREAM_UNREACHABLE,  /* another registry does not answer */
    ERROR_UPSTREAM_TIMEOUT,      /* nor does it say so */
    ERROR_WOULD_WAIT,            /* only another registry can tell: ask again from a process that
                                    may wait for it */
};

struct error {
    enum error_code code;
    /* For people. If it is longer, the longest words (paths) lose their middle, never it its end:
     * that has the reason and what to do. */
    char message[1024];
};

/* Whether an upstream failed to do what it was asked, and did not refuse it. */
bool error_is_upstreams(const struct error *error);

/* Whether it is this machine's trouble (its disk, descriptors, processes) and nobody else's. */
bool error_is_ours(const struct error *error);

#define ERROR_INIT                                                                                 \
    {                                                                                              \
        .code = ERROR_NONE, .message = ""                                                          \
    }

/* Both return -1, so that failing takes one line. */
int error_set(struct error *error, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Adds the text of errno. The code is ERROR_NO_SPACE when errno says that the disk or the quota is
 * full, or that the disk takes no writes, else ERROR_INTERNAL. errno stays what it is.
 */
int error_errno(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
