/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

/*
 * One line per event on standard error, in one write, so that the lines of several workers do not
 * mix. Bytes that could forge a line or drive a terminal (controls, also the eight-bit ones) come
 * out as '?': request paths are an attacker's. Never log a token, a password or an Authorization
 * header.
 *
 * Under systemd (JOURNAL_STREAM) a line begins with its priority.
 */

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
