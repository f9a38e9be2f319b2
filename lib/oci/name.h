/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OCI_NAME_H
#define OCI_NAME_H

/*
 * The grammar of repository names and tags (distribution-spec, "Pulling manifests"). Nothing that
 * passes can leave the directory it is put into: no component is empty, begins with '.', '_' or
 * '-', or holds a slash.
 */

#include <stdbool.h>

enum {
    NAME_SIZE = 256, /* a repository name and its NUL; the limit of Docker's own parser */
    TAG_SIZE = 129,  /* a tag and its NUL */
};

bool name_is_valid(const char *text);
bool tag_is_valid(const char *text);

/*
 * What a manifest may be called: "application/" and a subtype of RFC 6838, without parameters, of
 * less than MEDIA_TYPE_SIZE bytes. Whoever pushes chooses the bytes too: as text/html they would be
 * a page of the registry's host.
 */
enum { MEDIA_TYPE_SIZE = 256 };
bool manifest_type_is_valid(const char *text);

#endif
