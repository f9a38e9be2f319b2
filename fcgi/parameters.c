/* SPDX-License-Identifier: Apache-2.0 */
#include "fcgi/parameters.h"

#include <string.h>

/* So many in the slots: there is always a free one, and mostly at once. What a client sends
 * besides is only in the list. */
enum { SLOTS_USED = PARAMETER_SLOTS / 2 };

/* Where a name of so many bytes would be. Names that fall together cost a comparison each. */
static size_t parameter_slot(const char *name, size_t length)
{
    const unsigned char *bytes = (const unsigned char *)name;

    if (length == 0) {
        return 0;
    }
    return (length + bytes[length / 3] * 5UL + bytes[length / 2] * 11UL +
            bytes[length - 1] * 31UL) %
           PARAMETER_SLOTS;
}

/* The value, if it is the parameter of that name. */
static const char *parameter_value(const char *parameter, const char *name, size_t length)
{
    return strncmp(parameter, name, length) == 0 && parameter[length] == '='
               ? parameter + length + 1
               : NULL;
}

void parameters_read(struct parameters *parameters, const char *const *list)
{
    memset(parameters, 0, sizeof(*parameters));
    parameters->list = list;
    for (; list && *list && parameters->count < SLOTS_USED; list++) {
        size_t slot = parameter_slot(*list, (size_t)(strchrnul(*list, '=') - *list));

        while (parameters->slots[slot]) {
            slot = (slot + 1) % PARAMETER_SLOTS;
        }
        parameters->slots[slot] = *list;
        parameters->count++;
    }
}

const char *parameters_find(const struct parameters *parameters, const char *name)
{
    size_t length = strlen(name);
    size_t slot = parameter_slot(name, length);
    const char *value = NULL;

    for (; parameters->slots[slot] && !value; slot = (slot + 1) % PARAMETER_SLOTS) {
        value = parameter_value(parameters->slots[slot], name, length);
    }
    if (value || parameters->count < SLOTS_USED) {
        return value;
    }
    for (const char *const *rest = parameters->list + SLOTS_USED; *rest && !value; rest++) {
        value = parameter_value(*rest, name, length);
    }
    return value;
}
