/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What it costs to count a request, while as many processes as are asked for do so in the same
 * file: prints nanoseconds of a processor for each.
 *
 *     counting DIRECTORY PROCESSES REQUESTS
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/observe/count/count.h"
#include "lib/observe/count/counters.h"
#include "lib/observe/count/presence.h"

static const struct counted_request request = {.route = COUNTED_MANIFEST,
                                               .method = "GET",
                                               .status = 200,
                                               .microseconds = 300,
                                               .sent = 1000,
                                               .upstream = "docker.io"};

static void count_often(uint64_t requests)
{
    presence_enter(PRESENCE_IDLE);
    for (uint64_t i = 0; i < requests; i++) {
        presence_change(PRESENCE_BUSY);
        count_request(&request);
        presence_change(PRESENCE_IDLE);
    }
}

int main(int count, char **words)
{
    AUTO_NAMES struct names upstreams = NAMES_INIT;
    uint64_t processes = count == 4 ? strtoull(words[2], NULL, 10) : 0;
    uint64_t requests = count == 4 ? strtoull(words[3], NULL, 10) : 0;
    struct rusage used;
    struct error error;

    names_add(&upstreams, "docker.io");
    if (processes == 0 || requests == 0 || counters_open(words[1], &upstreams, &error) < 0) {
        (void)fprintf(stderr, "usage: counting DIRECTORY PROCESSES REQUESTS\n");
        return 2;
    }
    for (uint64_t i = 0; i < processes; i++) {
        if (fork() == 0) {
            count_often(requests);
            _exit(0);
        }
    }
    while (wait(NULL) > 0) {
    }
    if (getrusage(RUSAGE_CHILDREN, &used) < 0) {
        return 2;
    }
    (void)printf("%" PRIu64 "\n",
                 ((uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000000 +
                  (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1000) /
                     (processes * requests));
    return 0;
}
