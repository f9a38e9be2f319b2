/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OCI_DOCUMENT_H
#define OCI_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes that somebody calls a manifest. */
struct document {
    const char *bytes;
    size_t length;
    const char *content_type; /* as in the header, parameters and all; NULL if unknown */
};

/*
 * Whether the tokens are those of JSON (RFC 8259): UTF-8 without a byte order mark, no control
 * characters but white space between tokens, numbers of the right form. The parser is lenient about
 * these, and other readers of the same bytes are not. Also false for more values than are worth
 * their memory: a parsed one takes some 80 bytes, and a manifest of 4 MiB has about 100000.
 */
bool document_is_strict(const struct document *document);

#endif
