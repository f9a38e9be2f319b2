/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_LIBRARY_H
#define HTTP_LIBRARY_H

/*
 * libcurl, which is loaded when the first of its functions is called. With it come some thirty
 * other libraries (LDAP, Kerberos, GnuTLS …), half a megabyte in each process that has written down
 * where they are, and half of what a CGI process takes to start; and what is hosted here needs none
 * of them.
 *
 * Here are the functions of libcurl that are used, under their own names, so that <curl/curl.h> is
 * all that others include. Where it cannot be loaded, whatever makes a handle makes none.
 */

/*
 * Loads it now. A process that is going to have children that need it has them inherit it: each of
 * them would take some ten milliseconds. NULL, or why it cannot be loaded, now; that is also
 * logged, once.
 */
const char *library_load(void);

#endif
