/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FCGI_SETUP_H
#define FCGI_SETUP_H

/*
 * What `berth check --setup` (fcgi/command/setup_*) and a worker (fcgi/handle/setup) say to each
 * other: a POST is answered with an object of these members, a GET with the probe in a store. All
 * values are texts, but for the two numbers; what does not apply is not there.
 */

#define SETUP_OBSTACLE "obstacle" /* why the worker cannot serve */

#define SETUP_VERSION "version"
#define SETUP_GATEWAY "gateway" /* FastCGI or CGI */
#define SETUP_UID "uid"         /* a number */
#define SETUP_USER "user"
#define SETUP_GROUP "group"
#define SETUP_CONFIGURATION "configuration" /* its path, and the stores as it says */
#define SETUP_REGISTRY_STORAGE "registry_storage"
#define SETUP_TEMPORARY_STORAGE "temporary_registry_storage"
#define SETUP_PROXY_STORAGE "proxy_storage"

/* The parameters of the request that tell most about a web server go by their own names. */
#define SETUP_SENDFILE "BERTH_SENDFILE"
#define SETUP_REQUEST_URI "REQUEST_URI"
#define SETUP_DOCUMENT_ROOT "DOCUMENT_ROOT"
#define SETUP_SOFTWARE "SERVER_SOFTWARE"
#define SETUP_CONTENT_LENGTH "CONTENT_LENGTH"

#define SETUP_BODY_FILE "body_file"     /* the web server's */
#define SETUP_BODY_LINKED "body_linked" /* SETUP_YES, or why it cannot be */
#define SETUP_BODY_OWNER "body_owner"
#define SETUP_BODY_ERROR "body_error"
#define SETUP_BODY_LENGTH "body_length" /* a number */
#define SETUP_YES "yes"

/* ?store=…: which probe is asked for. */
#define SETUP_QUERY_STORE "store"
#define SETUP_STORE_HOSTED "registry"
#define SETUP_STORE_CACHE "proxy"

#endif
