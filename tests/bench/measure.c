/* Turns, medians and JSON lines: see measure.h. A side runs for about 20 ms in each turn, so that a
 * turn is long against the clock and short against the machine's moods. */
#include "measure.h"

#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TURN_NS 20000000U

uint64_t measure_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

unsigned measure_rounds(int argc, char **argv)
{
    static const struct option options[] = {{"rounds", required_argument, NULL, 'r'},
                                            {NULL, 0, NULL, 0}};
    long rounds = MEASURE_ROUNDS;
    int c;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        char *end = NULL;
        rounds = c == 'r' ? strtol(optarg, &end, 10) : 0;
        if (c != 'r' || *end != '\0' || rounds < 1 || rounds > MEASURE_ROUNDS_MAX) {
            fprintf(stderr, "usage: %s [--rounds N]   N from 1 to %d\n", argv[0],
                    MEASURE_ROUNDS_MAX);
            exit(2);
        }
    }
    return (unsigned)rounds;
}

static double turn(const struct measure_side *side, size_t times)
{
    uint64_t start = measure_now_ns();
    side->run(side->context, times);
    return (double)(measure_now_ns() - start) / 1000.0 / (double)times;
}

/* How often fits into a turn. Also warms caches and branch predictors up. */
static size_t calibrate(const struct measure_side *side, unsigned rounds)
{
    size_t times = 1;
    double limit = rounds == 1 ? TURN_NS / 20.0 : TURN_NS;
    while (times < ((size_t)1 << 30) && turn(side, times) * (double)times * 1000.0 * 2 < limit)
        times *= 2;
    return times;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double measure_quantile(double *values, size_t count, double p)
{
    qsort(values, count, sizeof(*values), compare_doubles);
    return values[(size_t)(p * (double)(count - 1) + 0.5)];
}

static double median_of(const double *values, unsigned count)
{
    double copy[MEASURE_ROUNDS_MAX];
    memcpy(copy, values, count * sizeof(*values));
    qsort(copy, count, sizeof(*copy), compare_doubles);
    return (copy[(count - 1) / 2] + copy[count / 2]) / 2;
}

void measure_print(const struct measure_figure *figure, const char *unit, const double *values,
                   const double *bases, unsigned rounds)
{
    double ratios[MEASURE_ROUNDS_MAX];
    json_t *raw = json_array();
    for (unsigned i = 0; i < rounds; i++) {
        ratios[i] = values[i] / bases[i];
        json_array_append_new(raw, json_real(ratios[i]));
    }
    json_t *line =
        json_pack("{s:s, s:s, s:f, s:s, s:s, s:f, s:f, s:s?, s:o}", "bench", figure->bench,
                  "figure", figure->figure, "value", median_of(values, rounds), "unit", unit,
                  "against", figure->against, "denominator", median_of(bases, rounds), "ratio",
                  median_of(ratios, rounds), "budget", figure->budget, "rounds", raw);
    if (line == NULL || json_dumpf(line, stdout, JSON_COMPACT | JSON_REAL_PRECISION(4)) != 0)
        abort();
    putchar('\n');
    fflush(stdout);
    json_decref(line);
}

void measure_ratio(const struct measure_figure *figure, const struct measure_side *ours,
                   const struct measure_side *bare, unsigned rounds)
{
    double values[MEASURE_ROUNDS_MAX], bases[MEASURE_ROUNDS_MAX];
    size_t our_times = calibrate(ours, rounds), bare_times = calibrate(bare, rounds);
    for (unsigned i = 0; i < rounds; i++) {
        bool first = i % 2 == 0; /* who goes first alternates */
        values[i] = first ? turn(ours, our_times) : 0;
        bases[i] = turn(bare, bare_times);
        values[i] = first ? values[i] : turn(ours, our_times);
    }
    measure_print(figure, "us", values, bases, rounds);
}
