/* The workload "import": `parta roster import` of an invented school into an empty server, and the same file again.
 * Both cores are the program's; nothing else runs. */
#ifndef PARTA_TESTS_BENCH_IMPORT_H
#define PARTA_TESTS_BENCH_IMPORT_H

#include <jansson.h>

/* size: as `parta school sample --size` takes it. Figures of the first import and of the unchanged one: new references.
 * Exits on failure, and when one import takes more than ten minutes. */
void bench_import(const char *partad, const char *size, json_t **first, json_t **again);

#endif
