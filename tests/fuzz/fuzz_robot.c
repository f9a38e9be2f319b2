/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include "lib/access/right.h"
#include "lib/access/robot.h"

/* Whatever is taken makes a subject that has no more than the file says, and is no user. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct robot robot = {.name = "fuzz", .rights = RIGHT_ALL};
    struct subject subject;
    char *text;

    if (size > INPUT_LIMIT) {
        return 0;
    }
    text = copy_text(data, size);
    if (robot_parse(&robot, text)) {
        CHECK((robot.rights & ~(unsigned)RIGHT_ALL) == 0);
        CHECK(strlen(robot.repositories) < sizeof(robot.repositories));
        CHECK(!strchr(robot.repositories, '\n'));
        CHECK(robot.expires == 0 || robot_has_expired(&robot, INT64_MAX));
        robot_subject(&robot, &subject);
        CHECK(subject.kind == SUBJECT_ROBOT && subject.narrowed_rights == robot.rights);
        CHECK(strcmp(subject.narrowed_names, robot.repositories) == 0);
        CHECK(strcmp(subject.name, "robot/fuzz") == 0);
    }
    free(text);
    return 0;
}
