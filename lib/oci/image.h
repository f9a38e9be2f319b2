/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OCI_IMAGE_H
#define OCI_IMAGE_H

/* What people call an image: HOST/NAME:TAG@DIGEST, as on Docker's command line. Pure. */

#include "lib/oci/digest.h"
#include "lib/oci/name.h"

struct image {
    char host[NAME_SIZE];
    char name[NAME_SIZE];             /* of the repository there */
    char reference[DIGEST_TEXT_SIZE]; /* the digest; else the tag; else "latest" */
};

/*
 * Without `has_host`, the part before the first slash is a host if it has a dot or a colon or is
 * "localhost", and else the host is docker.io. ERROR_NAME_INVALID, ERROR_DIGEST_INVALID.
 */
int image_parse(struct image *out_image, const char *text, bool has_host, struct error *error);

#endif
