/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ID_H
#define BASE_ID_H

/* A random id in the form of a UUID (RFC 9562, version 4). */
enum { ID_SIZE = 37 };
void id_make(char out_id[ID_SIZE]);

#endif
