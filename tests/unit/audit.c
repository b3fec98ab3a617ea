/* J2: the log finds out whoever alters, drops, swaps or cuts entries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "homeserver/base/text.h"
#include "policy/gate/school_gate.h"
#include "policy/audit/audit.h"
#include "tests/unit/fixture.h"

#define ENTRIES 7

static const struct actor OPERATOR = {.name = "operator:test"};

static bool job_note(struct tx *tx, void *arg, struct error *e)
{
    const struct signing_key *key = arg;
    return audit_append(tx, key,
                        &(struct audit_note){
                            .actor = &OPERATOR,
                            .act = "person.update",
                            .subject = json_pack("{s:s}", "user", "@p1:school.example"),
                            .details = json_pack("{s:s}", "given_name", "changed"),
                        });
}

static bool job_note_and_fail(struct tx *tx, void *arg, struct error *e)
{
    job_note(tx, arg, e);
    return error_set(e, ERROR_FORBIDDEN, NULL);
}

static struct text written(struct fixture *f)
{
    struct text out = TEXT_INIT;
    struct error e;
    for (int i = 0; i < ENTRIES; ++i)
        assert_true(writer_run(f->writer, job_note, &f->key, &e));
    assert_true(audit_export(f->db, &f->key, "school.example", 0, NULL, &out));
    return out;
}

/* The n-th line, from 0; *end behind its newline. */
static char *line_at(char *bytes, int n, char **end)
{
    for (; n > 0; --n)
        bytes = strchr(bytes, '\n') + 1;
    *end = strchr(bytes, '\n') + 1;
    return bytes;
}

/* --- What somebody might do to the file. Each leaves text NUL-terminated. */

static void alter(struct text *t)
{
    char *end, *line = line_at(t->data, 4, &end);
    memcpy(strstr(line, "changed"), "chanced", 7);
}

static void alter_signature(struct text *t)
{
    char *end, *line = line_at(t->data, 4, &end), *at = strstr(line, "\"signature\":\"") + 20;
    *at = *at == 'A' ? 'B' : 'A';
}

static void drop(struct text *t)
{
    char *end, *line = line_at(t->data, 4, &end);
    memmove(line, end, strlen(end) + 1);
    t->len = strlen(t->data);
}

static void drop_first(struct text *t)
{
    char *end, *line = line_at(t->data, 1, &end);
    memmove(line, end, strlen(end) + 1);
    t->len = strlen(t->data);
}

static void swap(struct text *t)
{
    char *middle, *end, *first = line_at(t->data, 3, &middle);
    line_at(t->data, 4, &end);
    struct text both = TEXT_INIT;
    text_add(&both, middle, (size_t)(end - middle));
    text_add(&both, first, (size_t)(middle - first));
    memcpy(first, both.data, both.len);
    text_finish(&both);
}

static void truncate_last(struct text *t)
{
    char *end, *line = line_at(t->data, ENTRIES, &end);
    *line = '\0';
    t->len = strlen(t->data);
}

static void truncate_bytes(struct text *t)
{
    t->len -= 30;
    t->data[t->len] = '\0';
}

static void twice(struct text *t)
{
    char *end, *line = line_at(t->data, ENTRIES, &end);
    char *copy = xstrndup(line, (size_t)(end - line));
    text_adds(t, copy);
    free(copy);
}

static void headless(struct text *t)
{
    char *end;
    line_at(t->data, 0, &end);
    memmove(t->data, end, strlen(end) + 1);
    t->len = strlen(t->data);
}

static void empty(struct text *t)
{
    t->len = 0;
    t->data[0] = '\0';
}

static const struct {
    const char *name;
    void (*do_it)(struct text *t);
    int64_t seq, line; /* where it must be found */
} TAMPERED[] = {
    {"altered", alter, 4, 5},
    {"signature altered", alter_signature, 4, 5},
    {"dropped", drop, 4, 5},
    {"first dropped", drop_first, 1, 2},
    {"swapped", swap, 3, 4},
    {"last cut off", truncate_last, ENTRIES, ENTRIES + 1},
    {"cut within a line", truncate_bytes, ENTRIES - 1, ENTRIES + 1},
    {"last twice", twice, ENTRIES + 1, ENTRIES + 2},
    {"without header", headless, 0, 1},
    {"empty", empty, 0, 1},
};

static void test_j2_whole(void **state)
{
    struct fixture f;
    struct audit_fault fault;
    struct error e;
    int64_t n;
    fixture_start_school(&f);
    struct text empty_log = TEXT_INIT;
    assert_true(audit_export(f.db, &f.key, "school.example", 0, NULL, &empty_log));
    assert_true(audit_verify(empty_log.data, empty_log.len, f.key.public, NULL, &n, &fault));
    assert_int_equal(n, 0);
    text_finish(&empty_log);

    struct text out = written(&f), head = TEXT_INIT;
    audit_head_text(f.db, 0, NULL, &head);
    assert_false(writer_run(f.writer, job_note_and_fail, &f.key, &e)); /* what was refused is not in the log */
    assert_true(audit_verify(out.data, out.len, f.key.public, head.data, &n, &fault));
    assert_int_equal(n, ENTRIES);
    assert_true(audit_verify(out.data, out.len, NULL, NULL, &n, &fault));
    fixture_restart(&f);
    struct text again = TEXT_INIT;
    assert_true(audit_export(f.db, &f.key, "school.example", 0, NULL, &again));
    assert_string_equal(again.data, out.data);
    text_finish(&again);
    text_finish(&out);
    text_finish(&head);
    fixture_stop(&f);
}

static void test_j2_tampered(void **state)
{
    struct fixture f;
    fixture_start_school(&f);
    struct text out = written(&f);
    for (size_t i = 0; i < sizeof TAMPERED / sizeof *TAMPERED; ++i) {
        struct text copy = TEXT_INIT;
        struct audit_fault fault;
        int64_t n;
        text_adds(&copy, out.data);
        TAMPERED[i].do_it(&copy);
        if (audit_verify(copy.data, copy.len, f.key.public, NULL, &n, &fault))
            fail_msg("%s: not found", TAMPERED[i].name);
        if (fault.line != TAMPERED[i].line || (TAMPERED[i].seq != 0 && fault.seq < TAMPERED[i].seq))
            fail_msg("%s: found at entry %d, line %d: %s", TAMPERED[i].name, (int)fault.seq, (int)fault.line,
                     fault.what);
        assert_non_null(fault.what);
        text_finish(&copy);
    }
    text_finish(&out);
    fixture_stop(&f);
}

/* A whole file made up with another key, and a log that was cut off in the database itself. */
static void test_j2_forged(void **state)
{
    struct fixture f, g;
    struct audit_fault fault;
    int64_t n;
    fixture_start_school(&f);
    fixture_start_school(&g);
    signing_key_from_seed(&g.key, "a1", (const unsigned char *)"another seed of thirty-two bytes");
    struct text forged = written(&g), true_head = TEXT_INIT, shorter = written(&f);
    assert_false(audit_verify(forged.data, forged.len, f.key.public, NULL, &n, &fault));
    assert_true(audit_verify(forged.data, forged.len, NULL, NULL, &n, &fault));
    struct text longer = written(&f); /* the log grows, its head is noted; then the shorter file is shown */
    audit_head_text(f.db, 0, NULL, &true_head);
    assert_true(audit_verify(shorter.data, shorter.len, f.key.public, NULL, &n, &fault));
    assert_false(audit_verify(shorter.data, shorter.len, f.key.public, true_head.data, &n, &fault));
    assert_string_equal(fault.what, "the log is shorter than when its head was noted");
    assert_false(audit_verify(shorter.data, shorter.len, f.key.public, "nonsense", &n, &fault));
    text_finish(&forged);
    text_finish(&longer);
    text_finish(&true_head);
    text_finish(&shorter);
    fixture_stop(&f);
    fixture_stop(&g);
}

/* Every single bit of a short log matters. */
static void test_j2_every_byte(void **state)
{
    struct fixture f;
    fixture_start_school(&f);
    struct text out = written(&f);
    for (size_t i = 0; i + 1 < out.len; i += 3) {
        struct audit_fault fault;
        int64_t n;
        char was = out.data[i];
        out.data[i] = (char)(was ^ 1);
        if (audit_verify(out.data, out.len, f.key.public, NULL, &n, &fault))
            fail_msg("a changed byte %zu (%c) was not found", i, was);
        out.data[i] = was;
    }
    text_finish(&out);
    fixture_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_j2_whole),
        cmocka_unit_test(test_j2_tampered),
        cmocka_unit_test(test_j2_forged),
        cmocka_unit_test(test_j2_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
