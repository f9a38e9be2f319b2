/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OCI_VERSION_H
#define OCI_VERSION_H

/*
 * The natural order of versions, as tags have them: numbers by their value, everything else by its
 * bytes; and what is followed by '-' comes before the same without, as release candidates do. So
 * v1.9 < v1.10-rc1 < v1.10 < v1.10.1.
 *
 * Below 0, 0, above 0; 0 only for what has the same bytes.
 */
int version_compare(const char *one, const char *other);

#endif
