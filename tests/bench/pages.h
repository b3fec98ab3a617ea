/* The pages that people open in a browser, warm, and the sign-in page while many sign in. */
#ifndef PARTA_BENCH_PAGES_H
#define PARTA_BENCH_PAGES_H

struct school;

/* The main pages of a class's administrator and of somebody new, each 500 times on one connection; then the sign-in
 * page at a steady rate while 16 people sign in on it again and again, with passwords hashed at the full cost. */
void pages_warm(struct school *s);

#endif
