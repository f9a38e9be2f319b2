/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/character.h"

#include <string.h>

/* How many bytes behind a first one belong to it; -1 if it is no first byte. */
static int character_following(unsigned char first)
{
    return first < 0x80                     ? 0
           : first >= 0xc2 && first <= 0xdf ? 1
           : first >= 0xe0 && first <= 0xef ? 2
           : first >= 0xf0 && first <= 0xf4 ? 3
                                            : -1;
}

/* Behind some first bytes not every second one means anything (RFC 3629, 4). */
static bool character_goes_on(const unsigned char *first)
{
    unsigned char second = first[1];

    return *first == 0xe0   ? second >= 0xa0
           : *first == 0xed ? second <= 0x9f
           : *first == 0xf0 ? second >= 0x90
           : *first == 0xf4 ? second <= 0x8f
                            : true;
}

size_t character_length(const char *text)
{
    const unsigned char *byte = (const unsigned char *)text;
    int following = character_following(*byte);
    int found = 0;

    while (found < following && (byte[found + 1] & 0xc0) == 0x80) {
        found++;
    }
    return found != following || (found > 0 && !character_goes_on(byte)) ? 0 : (size_t)found + 1;
}

bool character_is_tame(const char *text)
{
    const unsigned char *byte = (const unsigned char *)text;

    switch (character_length(text)) {
    case 0:
        return false;
    case 1:
        return *byte >= 0x20 && *byte != 0x7f;
    case 2:
        return *byte != 0xc2 || byte[1] >= 0xa0;
    default:
        return !(strncmp(text, "\xe2\x80", 2) == 0 && byte[2] >= 0xa8 && byte[2] <= 0xae) &&
               !(strncmp(text, "\xe2\x81", 2) == 0 && byte[2] >= 0xa6 && byte[2] <= 0xa9);
    }
}

void characters_clean(char *text)
{
    while (*text) {
        size_t length = character_length(text);

        length += length == 0;
        if (!character_is_tame(text)) {
            memset(text, '?', length);
        }
        text += length;
    }
}
