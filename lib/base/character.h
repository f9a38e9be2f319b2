/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CHARACTER_H
#define BASE_CHARACTER_H

/*
 * The characters of a text in UTF-8, one by one, and which of them others may see: names come from
 * requests, from other registries and from a disk that others write to.
 */

#include <stdbool.h>
#include <stddef.h>

/* How many bytes the character of UTF-8 at `text` has, 1 for a NUL; 0 if there is none (RFC 3629,
 * 4: neither overlong forms nor surrogates). */
size_t character_length(const char *text);

/*
 * Whether the character of UTF-8 at `text` may be shown beside our own words: false for what drives
 * a terminal (controls, also those of eight bits), begins another line (U+2028, U+2029), or turns
 * what stands behind it (embeddings, overrides and isolates, U+202A to U+202E, U+2066 to U+2069:
 * one that closes what it did not open gets out of any bracket), and for what is no character.
 */
bool character_is_tame(const char *text);

/* Replaces the bytes of what is not tame by '?', in place. What others have named passes here, or
 * the writers of JSON and of pages, before anybody sees it. */
void characters_clean(char *text);

#endif
