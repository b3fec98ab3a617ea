/* What a benchmark says: one line of JSON a workload, and a plot of each curve; and the two clocks of what it costs. */
#ifndef PARTA_BENCH_REPORT_H
#define PARTA_BENCH_REPORT_H

#include <jansson.h>
#include <stddef.h>

/* Prints the line. Takes figures. */
void report(const char *workload, const char *target, json_t *figures);

/* µs of CPU, user's and system's, that this process, or the thread that asks, has used so far; of a server that is a
 * process of its own: subject_cpu_us. */
double process_cpu_us(void);
double thread_cpu_us(void);

#define CURVE_POINTS_MAX 8
#define CURVE_LINES_MAX 4

/* Costs against a number of things, both on scales of powers of ten: what is linear rises by 45 degrees, what does not
 * depend on it lies flat. */
struct curve {
    const char *name, *title, *x_label, *y_label; /* name: of the file */
    size_t n_points, n_lines;
    double x[CURVE_POINTS_MAX];
    struct curve_line {
        const char *label;
        double y[CURVE_POINTS_MAX];
    } lines[CURVE_LINES_MAX];
};

/* Adds a point: one y for each line. */
void curve_add(struct curve *curve, double x, const double *y);

/* With PARTA_BENCH_PLOTS=FOLDER in the environment, writes FOLDER/NAME.svg; without it nothing. */
void curve_write(const struct curve *curve);

#endif
