/* In every fuzzer: what is drawn at random is drawn the same each time, so that a walk (tests/fuzz/fuzz) can be gone
 * again. Keys of hash tables count as well: which names meet in a chain are compared, and libFuzzer looks on. */
#include <stdint.h>
#include <string.h>

#include <jansson.h>
#include <sodium.h>

static uint64_t drawn;

static const char *name(void)
{
    return "still";
}

static void draw(void *bytes, size_t len)
{
    unsigned char seed[randombytes_SEEDBYTES] = {0};
    ++drawn;
    memcpy(seed, &drawn, sizeof drawn);
    randombytes_buf_deterministic(bytes, len, seed);
}

static uint32_t draw_number(void)
{
    uint32_t number;
    draw(&number, sizeof number);
    return number;
}

__attribute__((constructor)) static void be_still(void)
{
    static randombytes_implementation still = {.implementation_name = name, .random = draw_number, .buf = draw};
    randombytes_set_implementation(&still);
    json_object_seed(1);
}
