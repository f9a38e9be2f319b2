/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FCGI_RECORD_H
#define FCGI_RECORD_H

/*
 * A part of a file as the body of an answer, in FastCGI's records (FastCGI 1.0, 3.3 and 5.3), which
 * go from the file to the web server without passing through this process. libfcgi's own are 8 KB
 * each and are copied twice.
 */

#include <stdint.h>

#include "lib/base/error.h"

/* Bytes that an open file has for sure. */
struct record_part {
    int file;
    uint64_t offset;
    uint64_t length;
};

/*
 * What libfcgi has is to be flushed before. ERROR_CLIENT_GONE, or why the file cannot be read.
 * After a failure a record is not complete, and the connection is shut down: nothing can leave by
 * it.
 */
int record_send_file(int connection, int request_id, struct record_part part, struct error *error);

#endif
