/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/directory.h"
#include "lib/store/blob.h"
#include "lib/store/upload.h"
#include "lib/store/verify.h"
#include "tests/unit/trace.h"

/* A test that hangs ends by SIGALRM. */
enum { SECONDS_PER_TEST = 60 };

/* Set by the helpers that a test calls; those fail the test themselves. */
static struct error error;

static struct fixture *fixture_make(void)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    const char *parent = getenv("TMPDIR");

    if (!parent) { /* in memory, where there is such a place: the disk is not what is tested */
        parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    }
    (void)alarm(SECONDS_PER_TEST);
    assert_non_null(fixture);
    (void)snprintf(fixture->path, sizeof(fixture->path), "%s/berth-unit-XXXXXX", parent);
    assert_non_null(mkdtemp(fixture->path));
    assert_int_equal(chmod(fixture->path, 0755), 0);
    fixture->directory = open(fixture->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fixture->directory >= 0);
    return fixture;
}

int directory_setup(void **state)
{
    *state = fixture_make();
    return 0;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status;
    (void)type;
    (void)place;
    return remove(path);
}

int directory_teardown(void **state)
{
    struct fixture *fixture = *state;

    (void)trace_end();
    (void)alarm(0);
    (void)close(fixture->directory);
    (void)nftw(fixture->path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(fixture);
    return 0;
}

int store_setup(void **state)
{
    struct fixture *fixture = fixture_make();

    *state = fixture;
    (void)snprintf(fixture->root, sizeof(fixture->root), "%s/registry", fixture->path);
    (void)snprintf(fixture->temporary, sizeof(fixture->temporary), "%s/_tmp", fixture->path);
    fixture->options = (struct store_options){.root = fixture->root,
                                              .temporary = fixture->temporary,
                                              .upload_expiry = 86400,
                                              .accept_sparse = SPARSE_INDEX};
    fixture->store = (struct store)STORE_INIT;
    if (store_open(&fixture->store, &fixture->options, &error) < 0) {
        print_error("store_open: %s\n", error.message);
        return -1;
    }
    fixture->repository = repository_named(fixture, "team/app");
    return 0;
}

static void print_problem(void *context, const char *path, const char *what)
{
    struct buffer *problems = context;

    buffer_format(problems, "\n%s: %s", path, what);
}

/* One more when it could not look everywhere. */
static uint64_t find_problems(struct fixture *fixture, struct buffer *out)
{
    struct verify_report report = {.problem = print_problem, .context = out};
    bool only_looks = fixture->store.only_looks;
    int result;

    fixture->store.only_looks = true; /* as that of `berth check`: nothing comes back for it */
    result = verify_store(&fixture->store, &report, &error);
    fixture->store.only_looks = only_looks;
    if (result < 0) {
        buffer_format(out, "\n%s", error.message);
        return report.problems + 1;
    }
    return report.problems;
}

int store_teardown(void **state)
{
    struct fixture *fixture = *state;
    struct buffer problems = BUFFER_INIT;
    uint64_t problem_count = 0;
    size_t pieces = 0;
    char text[2048];

    (void)trace_end();
    if (!fixture->damaged) {
        problem_count = find_problems(fixture, &problems);
        pieces = count_entries(fixture->store.temporary, LAYOUT_PIECES);
    }
    (void)snprintf(text, sizeof(text), "%s", problems.data);
    buffer_release(&problems);
    store_close(&fixture->store);
    (void)directory_teardown(state);
    if (problem_count > 0 || pieces > 0) {
        fail_msg("the test leaves %u problems and %zu pieces:%s", (unsigned)problem_count, pieces,
                 text);
    }
    return 0;
}

void put_bytes(int directory, const char *path, const void *bytes, size_t length)
{
    int descriptor;
    char parent[1024];

    (void)snprintf(parent, sizeof(parent), "%s", path);
    for (char *slash = parent; (slash = strchr(slash + 1, '/'));) {
        *slash = '\0';
        (void)mkdirat(directory, parent, 0777);
        *slash = '/';
    }
    descriptor = openat(directory, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (descriptor < 0) {
        fail_msg("cannot write '%s': %s", path, strerror(errno));
    }
    assert_int_equal(write(descriptor, bytes, length), length);
    assert_int_equal(close(descriptor), 0);
}

void put_file(int directory, const char *path, const char *content)
{
    put_bytes(directory, path, content, strlen(content));
}

void assert_file(int directory, const char *path, const char *expected)
{
    char content[65536];
    int descriptor = openat(directory, path, O_RDONLY | O_CLOEXEC);
    ssize_t length;

    if (descriptor < 0) {
        fail_msg("cannot read '%s': %s", path, strerror(errno));
    }
    length = read(descriptor, content, sizeof(content) - 1);
    (void)close(descriptor);
    assert_true(length >= 0);
    content[length] = '\0';
    assert_string_equal(content, expected);
}

bool is_there(int directory, const char *path)
{
    struct stat status;

    return fstatat(directory, path, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

size_t count_entries(int directory, const char *path)
{
    int descriptor = openat(directory, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = descriptor < 0 ? NULL : fdopendir(descriptor);
    const struct dirent *entry;
    size_t count = 0;

    while (stream && (entry = readdir(stream))) {
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    if (stream) {
        (void)closedir(stream);
    }
    return count;
}

void set_age(int directory, const char *path, time_t seconds)
{
    struct timespec then = {.tv_sec = time(NULL) - seconds};
    const struct timespec times[2] = {then, then};

    assert_int_equal(utimensat(directory, path, times, AT_SYMLINK_NOFOLLOW), 0);
}

void set_age_of_all(int directory, const char *path, time_t seconds)
{
    struct names names = NAMES_INIT;

    assert_true(directory_list(directory, path, &names, &error) >= 0);
    for (size_t i = 0; i < names.count; i++) {
        char child[1024];

        (void)snprintf(child, sizeof(child), "%s/%s", path, names.names[i]);
        set_age_of_all(directory, child, seconds);
    }
    names_release(&names);
    set_age(directory, path, seconds);
}

void make_noise(struct buffer *out, size_t length)
{
    uint32_t value = 12345;

    for (size_t i = 0; i < length; i++) {
        unsigned char byte;

        value = value * 1664525U + 1013904223U;
        byte = (unsigned char)(value >> 24);
        buffer_add(out, &byte, 1);
    }
}

struct digest sha256(const char *text)
{
    struct digest digest;

    digest_of(DIGEST_SHA256, text, strlen(text), &digest);
    return digest;
}

struct repository repository_named(struct fixture *fixture, const char *name)
{
    struct repository repository = {.store = &fixture->store};

    (void)snprintf(repository.name, sizeof(repository.name), "%s", name);
    return repository;
}

struct digest push_blob(const struct repository *repository, const char *text)
{
    struct upload upload = UPLOAD_INIT;
    struct digest digest = sha256(text);

    assert_returns(0, upload_start(&upload, repository, DIGEST_SHA256, &error));
    assert_returns(0, upload_write(&upload, text, strlen(text), &error));
    assert_returns(0, upload_finish(&upload, &digest, &error));
    return digest;
}

struct digest push_manifest(const struct repository *repository, const char *json,
                            const char *tag_or_null)
{
    AUTO_MANIFEST struct manifest manifest = MANIFEST_INIT;
    AUTO_BUFFER struct buffer missing = BUFFER_INIT;
    struct manifest_put put = {.document = {json, strlen(json), NULL},
                               .manifest = &manifest,
                               .digest = sha256(json),
                               .tags = &tag_or_null,
                               .tag_count = tag_or_null ? 1 : 0,
                               .event = HISTORY_PUSHED};

    assert_returns(0, manifest_parse(&manifest, &put.document, &error));
    assert_returns(0, repository_put_manifest(repository, &put, &missing, &error));
    return put.digest;
}

void make_image(const struct repository *repository, const char *note, struct buffer *out)
{
    AUTO_BUFFER struct buffer layer = BUFFER_INIT;
    struct digest config = push_blob(repository, "{}");
    struct digest digest;

    buffer_format(&layer, "layer of %s", note);
    digest = push_blob(repository, layer.data);
    buffer_format(out,
                  "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_TYPE_OCI_MANIFEST
                  "\",\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\","
                  "\"digest\":\"%s\",\"size\":2},\"layers\":[{\"mediaType\":\"application/"
                  "vnd.oci.image.layer.v1.tar\",\"digest\":\"%s\",\"size\":%zu}]}",
                  config.text, digest.text, layer.length);
}

void assert_problems(struct fixture *fixture, uint64_t expected)
{
    struct buffer problems = BUFFER_INIT;
    uint64_t count = find_problems(fixture, &problems);
    char text[2048];

    (void)snprintf(text, sizeof(text), "%s", problems.data);
    buffer_release(&problems);
    if (count != expected) {
        fail_msg("the store has %u problems, not %u:%s", (unsigned)count, (unsigned)expected, text);
    }
}

pid_t fork_child(void)
{
    pid_t child;

    (void)fflush(NULL);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    }
    return child;
}

int wait_for_child(pid_t child)
{
    int status = 0;

    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status)) {
        fail_msg("a child ended by signal %d", WTERMSIG(status));
    }
    return WEXITSTATUS(status);
}

void end_child(pid_t child)
{
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
}

static bool is_blocked(pid_t process)
{
    FILE *locks = fopen("/proc/locks", "r");
    char wanted[64];
    char line[256];
    bool blocked = false;

    assert_non_null(locks);
    (void)snprintf(wanted, sizeof(wanted), " %d ", (int)process);
    while (!blocked && fgets(line, sizeof(line), locks)) {
        blocked = strstr(line, "-> FLOCK") && strstr(line, wanted);
    }
    (void)fclose(locks);
    return blocked;
}

bool is_blocked_in_the_end(pid_t process)
{
    for (int i = 0; i < 1000; i++) {
        siginfo_t ended = {.si_pid = 0};

        if (is_blocked(process)) {
            return true;
        }
        assert_int_equal(waitid(P_PID, (id_t)process, &ended, WEXITED | WNOHANG | WNOWAIT), 0);
        if (ended.si_pid == process) {
            return false;
        }
        (void)poll(NULL, 0, 10);
    }
    fail_msg("it neither waits nor ends");
    return false;
}

void wait_until_blocked(pid_t process)
{
    if (!is_blocked_in_the_end(process)) {
        fail_msg("nobody waits");
    }
}

struct repository_lock hold_lock(struct fixture *fixture)
{
    struct repository_lock lock = REPOSITORY_LOCK_INIT;

    assert_returns(0, repository_lock(&fixture->repository, &lock, &error));
    return lock;
}

void run_in_child(int (*function)(struct fixture *fixture), struct fixture *fixture)
{
    pid_t child = fork_child();
    int status;

    if (child == 0) {
        int result = function(fixture);

        (void)fflush(NULL);
        _exit(result);
    }
    status = wait_for_child(child);
    if (status != 0) {
        fail_msg("the child found %d", status);
    }
}

void limit_file_size(uint64_t bytes)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct rlimit limit = {bytes, bytes};

    (void)sigaction(SIGXFSZ, &ignore, NULL);
    (void)setrlimit(RLIMIT_FSIZE, &limit);
}

void drop_privileges(void)
{
    if (geteuid() == 0 && (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534))) {
        _exit(99);
    }
}

bool mount_small(const char *path, const char *size)
{
    char options[64];

    (void)snprintf(options, sizeof(options), "size=%s", size);
    return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", path, "tmpfs", 0, options) == 0;
}

bool make_read_only(const char *path)
{
    return mount(NULL, path, NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0;
}
