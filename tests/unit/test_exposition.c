/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test.h"

#include <string.h>

#include "lib/observe/count/exposition.h"

static void add_families(struct exposition *exposition)
{
    struct histogram histogram = {.microseconds = 0};

    histogram_add(&histogram, 400);
    histogram_add(&histogram, 2000000);
    exposition_family(exposition, EXPOSED_COUNTER, "a_bytes", "Bytes.");
    exposition_label(exposition, "way", "in");
    exposition_label(exposition, "odd", "a\"b\\c\nd");
    exposition_number(exposition, 7);
    exposition_number(exposition, UINT64_MAX);
    exposition_family(exposition, EXPOSED_HISTOGRAM, "b_seconds", "Time.");
    exposition_histogram(exposition, &histogram);
    exposition_gauge(exposition, "c", "Things.", 0);
    exposition_end(exposition);
}

static void writes_openmetrics(void **state)
{
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    AUTO_EXPOSITION struct exposition exposition = EXPOSITION_INIT(&out, true);

    (void)state;
    add_families(&exposition);
    assert_non_null(strstr(out.data, "# HELP a_bytes Bytes.\n# TYPE a_bytes counter\n"
                                     "a_bytes_total{way=\"in\",odd=\"a\\\"b\\\\c\\nd\"} 7\n"
                                     "a_bytes_total 18446744073709551615\n"));
    assert_non_null(strstr(out.data, "# TYPE b_seconds histogram\n"
                                     "b_seconds_bucket{le=\"0.0005\"} 1\n"
                                     "b_seconds_bucket{le=\"0.001\"} 1\n"));
    assert_non_null(strstr(out.data, "b_seconds_bucket{le=\"1.0\"} 1\n"
                                     "b_seconds_bucket{le=\"2.5\"} 2\n"));
    assert_non_null(strstr(out.data, "b_seconds_bucket{le=\"+Inf\"} 2\n"
                                     "b_seconds_sum 2.0004\nb_seconds_count 2\n"));
    assert_non_null(strstr(out.data, "# TYPE c gauge\nc 0\n# EOF\n"));
    assert_string_equal(exposition_type(&exposition),
                        "application/openmetrics-text; version=1.0.0; charset=utf-8");
}

static void writes_the_older_text_format(void **state)
{
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    AUTO_EXPOSITION struct exposition exposition = EXPOSITION_INIT(&out, false);

    (void)state;
    add_families(&exposition);
    assert_non_null(strstr(out.data, "# TYPE a_bytes_total counter\na_bytes_total{"));
    assert_null(strstr(out.data, "EOF"));
    assert_string_equal(exposition_type(&exposition), "text/plain; version=0.0.4; charset=utf-8");
}

static void speaks_openmetrics_to_whoever_asks_for_it(void **state)
{
    (void)state;
    assert_true(exposition_is_asked_for_openmetrics(
        "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5"));
    assert_false(exposition_is_asked_for_openmetrics("text/plain;version=0.0.4"));
    assert_false(exposition_is_asked_for_openmetrics("*/*"));
    assert_false(exposition_is_asked_for_openmetrics(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_openmetrics),
        cmocka_unit_test(writes_the_older_text_format),
        cmocka_unit_test(speaks_openmetrics_to_whoever_asks_for_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
