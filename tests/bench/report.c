#include "tests/bench/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { WIDTH = 640, HEIGHT = 360, LEFT = 70, RIGHT = 20, TOP = 40, BOTTOM = 50 };

void report(const char *workload, const char *target, json_t *figures)
{
    json_object_set_new(figures, "target", json_string(target));
    char *text = json_dumps(figures, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(4));
    printf("{\"workload\":\"%s\",%s\n", workload, text + 1);
    fflush(stdout);
    free(text);
    json_decref(figures);
}

static double clock_us(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

double process_cpu_us(void)
{
    return clock_us(CLOCK_PROCESS_CPUTIME_ID);
}

double thread_cpu_us(void)
{
    return clock_us(CLOCK_THREAD_CPUTIME_ID);
}

void curve_add(struct curve *curve, double x, const double *y)
{
    if (curve->n_points == CURVE_POINTS_MAX)
        abort();
    for (size_t i = 0; i < curve->n_lines; ++i)
        curve->lines[i].y[curve->n_points] = y[i];
    curve->x[curve->n_points++] = x;
}

/* The powers of ten around all values, as exponents. */
struct scale {
    double low, high;
};

static void widen(struct scale *scale, double value)
{
    double exponent = log10(value > 0.001 ? value : 0.001);
    scale->low = fmin(scale->low, floor(exponent));
    scale->high = fmax(scale->high, ceil(exponent));
}

static double along(const struct scale *scale, double value)
{
    return (log10(value > 0.001 ? value : 0.001) - scale->low) / (scale->high - scale->low);
}

static double at_x(const struct scale *scale, double value)
{
    return LEFT + along(scale, value) * (WIDTH - LEFT - RIGHT);
}

static double at_y(const struct scale *scale, double value)
{
    return HEIGHT - BOTTOM - along(scale, value) * (HEIGHT - TOP - BOTTOM);
}

static void write_axes(FILE *f, const struct curve *curve, const struct scale *x, const struct scale *y)
{
    fprintf(f, "<text x=\"%d\" y=\"22\" font-size=\"15\">%s</text>\n", LEFT, curve->title);
    fprintf(f, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", (LEFT + WIDTH) / 2, HEIGHT - 12,
            curve->x_label);
    fprintf(f, "<text transform=\"translate(16,%d) rotate(-90)\" text-anchor=\"middle\">%s</text>\n", HEIGHT / 2,
            curve->y_label);
    for (int e = (int)x->low; e <= (int)x->high; ++e)
        fprintf(
            f,
            "<path d=\"M%.0f %dV%d\" stroke=\"#ddd\"/><text x=\"%.0f\" y=\"%d\" text-anchor=\"middle\">%.0f</text>\n",
            at_x(x, pow(10, e)), TOP, HEIGHT - BOTTOM, at_x(x, pow(10, e)), HEIGHT - BOTTOM + 17, pow(10, e));
    for (int e = (int)y->low; e <= (int)y->high; ++e)
        fprintf(f, "<path d=\"M%d %.0fH%d\" stroke=\"#ddd\"/><text x=\"%d\" y=\"%.0f\" text-anchor=\"end\">%g</text>\n",
                LEFT, at_y(y, pow(10, e)), WIDTH - RIGHT, LEFT - 6, at_y(y, pow(10, e)) + 4, pow(10, e));
}

static void write_line(FILE *f, const struct curve *curve, size_t line, const struct scale *x, const struct scale *y)
{
    static const char *const COLOURS[CURVE_LINES_MAX] = {"#1565c0", "#c62828", "#2e7d32", "#6a1b9a"};
    const struct curve_line *l = &curve->lines[line];
    fprintf(f, "<polyline fill=\"none\" stroke-width=\"2\" stroke=\"%s\" points=\"", COLOURS[line]);
    for (size_t i = 0; i < curve->n_points; ++i)
        fprintf(f, "%.0f,%.0f ", at_x(x, curve->x[i]), at_y(y, l->y[i]));
    fprintf(f, "\"/>\n");
    for (size_t i = 0; i < curve->n_points; ++i)
        fprintf(f, "<circle cx=\"%.0f\" cy=\"%.0f\" r=\"3\" fill=\"%s\"/>\n", at_x(x, curve->x[i]), at_y(y, l->y[i]),
                COLOURS[line]);
    fprintf(f, "<text x=\"%d\" y=\"%zu\" fill=\"%s\">%s</text>\n", LEFT + 10, (size_t)TOP + 16 + line * 16,
            COLOURS[line], l->label);
}

void curve_write(const struct curve *curve)
{
    const char *folder = getenv("PARTA_BENCH_PLOTS");
    char path[512];
    struct scale x = {INFINITY, -INFINITY}, y = x;
    if (folder == NULL || curve->n_points == 0)
        return;
    for (size_t i = 0; i < curve->n_points; ++i) {
        widen(&x, curve->x[i]);
        for (size_t k = 0; k < curve->n_lines; ++k)
            widen(&y, curve->lines[k].y[i]);
    }
    y.high += 1; /* where the names of the lines stand */
    snprintf(path, sizeof path, "%s/%s.svg", folder, curve->name);
    FILE *f = fopen(path, "w");
    if (f == NULL) {
        perror(path);
        return;
    }
    fprintf(
        f,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"12\">\n"
        "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
        WIDTH, HEIGHT);
    write_axes(f, curve, &x, &y);
    for (size_t i = 0; i < curve->n_lines; ++i)
        write_line(f, curve, i, &x, &y);
    fprintf(f, "</svg>\n");
    fclose(f);
}
