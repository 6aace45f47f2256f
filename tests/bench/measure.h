/*
 * How every benchmark measures: what we do and the bare work beside it, in one process, turn by
 * turn, 20 rounds, and the median of the rounds' ratios. A number alone says more about the
 * machine's neighbours than about the code; a ratio against work that nobody can avoid holds.
 *
 * Each figure is one JSON line on stdout:
 *
 *     {"bench":"token","figure":"cold RS256","value":23.1,"unit":"us","against":"EVP_DigestVerify +
 *      json_loadb","denominator":21.9,"ratio":1.05,"budget":"ratio <= 1.15","rounds":[1.05, ...]}
 */
#ifndef TESTS_BENCH_MEASURE_H
#define TESTS_BENCH_MEASURE_H

#include <stddef.h>
#include <stdint.h>

#define MEASURE_ROUNDS     20
#define MEASURE_ROUNDS_MAX 1000

/* Work that can be done `times` times in a row. */
struct measure_side {
    void (*run)(void *context, size_t times);
    void *context;
};

struct measure_figure {
    const char *bench, *figure;
    const char *against; /* what the denominator is */
    const char *budget;  /* "ratio <= 1.15"; NULL if there is none */
};

uint64_t measure_now_ns(void);

/* Reads `--rounds N`; exits with a usage message on anything else. */
unsigned measure_rounds(int argc, char **argv);

/* Times both sides in turns and prints the line; value and denominator in us for one time. */
void measure_ratio(const struct measure_figure *figure, const struct measure_side *ours,
                   const struct measure_side *bare, unsigned rounds);

/* For figures of another shape: `values` (in `unit`) and `bases` hold one entry for each round. */
void measure_print(const struct measure_figure *figure, const char *unit, const double *values,
                   const double *bases, unsigned rounds);

/* The p-th quantile (0..1) of `count` values, which are sorted in place. */
double measure_quantile(double *values, size_t count, double p);

#endif
