/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FCGI_DOCUMENT_ROOT_H
#define FCGI_DOCUMENT_ROOT_H

#include "fcgi/request.h"
#include "lib/configuration/configuration.h"

enum { DOCUMENT_ROOT_SIZE = 4096 };

/*
 * What the web server serves as plain files, anybody can download: neither the configuration nor a
 * store may be there. ERROR_INTERNAL if one is. `last` is the one that was found harmless last, and
 * is not looked at again.
 */
int document_root_check(const struct configuration *configuration, const struct request *request,
                        char last[DOCUMENT_ROOT_SIZE], struct error *error);

#endif
