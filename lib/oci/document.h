/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OCI_DOCUMENT_H
#define OCI_DOCUMENT_H

/*
 * JSON that others wrote, read member by member. cJSON does the parsing; what it lets through
 * although RFC 8259 does not, is refused before.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buffer.h"
#include "lib/base/names.h"

/* Bytes that somebody calls a manifest. */
struct document {
    const char *bytes;
    size_t length;
    const char *content_type; /* as in the header, parameters and all; NULL if unknown */
};

/*
 * Whether the tokens are those of JSON (RFC 8259): UTF-8 without a byte order mark, no control
 * characters but white space between tokens, numbers of the right form; no encoded NUL either. The
 * parser is lenient about these, and other readers of the same bytes are not. Also false for more
 * values than are worth their memory: a parsed one takes some 80 bytes, and a manifest of 4 MiB has
 * about 100000.
 */
bool document_is_strict(const struct document *document);

/* A strict document that is an object, or NULL. For lib/oci only. */
struct cJSON *document_object(const struct document *document);
void document_object_delete(struct cJSON **object);
#define AUTO_JSON AUTO(document_object_delete)

/* A top-level member that is a text, without being empty, in `out`. False if there is none. */
bool document_text_member(const struct document *document, const char *name, struct buffer *out);

/* One that is a whole number from 0. */
bool document_number_member(const struct document *document, const char *name,
                            uint64_t *out_number);

/* The texts in a top-level array. False if it is no array of texts; null counts as empty. */
bool document_text_list(const struct document *document, const char *name, struct names *out_texts);

/* The objects in a top-level array, each as JSON of its own. */
bool document_object_list(const struct document *document, const char *name,
                          struct names *out_objects);

/* A top-level member that is an object, as JSON of its own. False if there is none. */
bool document_object_member(const struct document *document, const char *name, struct buffer *out);

/* Whether there is such a top-level member, whatever it is. */
bool document_has_member(const struct document *document, const char *name);

/*
 * What a top-level member says, as texts: a text, a whole number, true or false, or those in an
 * array of such. False if it is anything else, or is not there.
 */
bool document_words(const struct document *document, const char *name, struct names *out_words);

/*
 * A strict document that is an object, in which no object has two members of one name: readers
 * differ in which of them they believe. What is signed has to be of this kind.
 */
bool document_is_unambiguous(const struct document *document);

/* The message of an OCI error document ("Error Codes"), or false. */
bool document_error_message(const struct document *document, struct buffer *out);

#endif
