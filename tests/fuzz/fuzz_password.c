/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include "lib/access/crypted.h"
#include "lib/access/password.h"
#include "lib/access/subject.h"

/* Whoever can be found has a name of a user and a hash of a known kind; the rest has a reason. */
static void check_user(const struct password_file *file, const struct password_user *user)
{
    struct subject subject;

    CHECK(user->refusal ? !*user->crypted : *user->crypted != '\0');
    CHECK(!user->refusal || password_file_complaint(file, &(struct error)ERROR_INIT));
    if (!user->refusal) {
        CHECK(subject_make(SUBJECT_USER, user->name, &subject));
        CHECK(!crypted_refusal(user->crypted) && *user->crypted == '$');
        CHECK(crypted_cost(user->crypted) <= strlen(user->crypted));
        CHECK(!strpbrk(user->crypted, ":\n\r "));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_PASSWORD_FILE struct password_file file = PASSWORD_FILE_INIT("htpasswd");
    size_t useless = 0;

    if (size > INPUT_LIMIT) {
        return 0;
    }
    buffer_add(&file.text, data, size);
    password_file_parse(&file);
    for (size_t i = 0; i < file.count; i++) {
        check_user(&file, &file.users[i]);
        useless += file.users[i].refusal != NULL;
    }
    CHECK(useless == file.useless);
    CHECK((file.typical != NULL) == (useless < file.count));
    return 0;
}
