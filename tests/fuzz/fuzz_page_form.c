/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <unistd.h>

#include "fcgi/page/account.h"
#include "fcgi/page/form.h"

/* What a browser sends to the page: the fields of a form, and what becomes of each. */

enum { NOW = 1764000000 };

static char directory[] = "/tmp/fuzz_page_form.XXXXXX";
static struct keys keys = KEYS_INIT(directory);

static void remove_directory(void)
{
    char path[sizeof(directory) + 8];

    (void)snprintf(path, sizeof(path), "%s/keys", directory);
    (void)unlink(path);
    (void)rmdir(directory);
}

static void make_directory(void)
{
    static bool made;

    if (!made) {
        made = true;
        CHECK(mkdtemp(directory));
        (void)atexit(remove_directory);
    }
}

/* Nobody can make one up; but what we have made is taken, whatever it is for. */
static void check_token(const char *token, const char *aim)
{
    struct subject nobody = subject_anonymous();
    struct form form = {&nobody, "", aim};
    struct form_use use = {&form, "h", NOW};
    AUTO_BUFFER struct buffer good = BUFFER_INIT;
    struct error error;

    CHECK(form_token_check(&keys, &use, token, &error) < 0 && error.code == ERROR_DENIED);
    CHECK(form_token_write(&keys, &use, &good, &error) == 0);
    CHECK(form_token_check(&keys, &use, good.data, &error) == 0);
}

/* Where a browser is led: it stays on this site, and the header stays one. */
static void check_return(const char *prefix, const char *path)
{
    if (account_return_is_own(prefix, path)) {
        CHECK(strncmp(path, prefix, strlen(prefix)) == 0);
        CHECK(path[0] == '/' && path[1] != '/' && path[1] != '\\');
        CHECK(strcspn(path, "\\\r\n\t \"'<>#") == strlen(path));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_FORM struct query form = QUERY_INIT;
    struct digest digest;
    struct error error;
    char *body;

    if (size > INPUT_LIMIT) {
        return 0;
    }
    make_directory();
    body = copy_text(data, size);
    (void)form_parse(&form, body, size);
    check_token(form_value(&form, "token"), form_value(&form, "digest"));
    check_return("/", form_value(&form, "return"));
    check_return("/registry/", form_value(&form, "return"));
    check_return("/", body);
    if (digest_parse(&digest, form_value(&form, "digest"), &error) == 0) {
        CHECK(strcmp(digest.text, form_value(&form, "digest")) == 0);
    }
    free(body);
    return 0;
}
