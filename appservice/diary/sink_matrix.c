#include "appservice/diary/sink_matrix_private.h"

#include <stdlib.h>
#include <string.h>

#include "appservice/diary/notice_text.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/json.h"
#include "homeserver/base/secret.h"
#include "homeserver/outgoing/outgoing.h"

/* Where it stands already. false: that can't be read now; taken for nowhere, it would be said twice and taken back
 * never. */
static bool find_places(struct telling *t)
{
    state_places_free(t->places, t->n_places);
    t->places = state_places(t->m->state, t->notice->source, t->notice->id, &t->n_places);
    return state_sound(t->m->state);
}

enum sink_answer sink_tell_late(struct sink_matrix *m, const struct notice *notice, const char *child)
{
    struct telling t = {.m = m, .notice = notice, .whom = TELL_LATE};
    t.stays = find_places(&t) ? xcalloc(t.n_places + 1, sizeof *t.stays) : NULL;
    if (t.stays != NULL)
        sink_tell_family(&t, child);
    else
        outcome_note(&t.outcome, MATRIX_NOT_NOW);
    state_places_free(t.places, t.n_places);
    free(t.stays);
    return outcome_answer(&t.outcome);
}

/* What is owed of it, or due later, is of whom it concerns now. */
static bool owe_no_others(struct sink_matrix *m, const struct notice *notice)
{
    state_begin(m->state);
    state_owed_keep(m->state, notice->source, notice->id, notice->pupils,
                    notice->record != NULL ? notice->n_pupils : 0);
    return state_commit(m->state);
}

void sink_matrix_begin(void *self)
{
    struct sink_matrix *m = self;
    families_finish(&m->families);
    sink_forget_state(m);
    m->rooms_from_ms = 0;
}

void sink_matrix_expect(void *self, const struct notice *notice)
{
    struct sink_matrix *m = self;
    for (size_t i = 0; i < notice->n_pupils; ++i)
        families_expect(&m->families, notice->pupils[i]);
}

/* Whether it can be said together with others: nothing is known of it but messages that are about to be said. */
static bool may_wait(const struct telling *t)
{
    const struct notice *notice = t->notice;
    bool may =
        notice->what == CHANGE_NEW && !notice->in_doubt && notice->record != NULL && notice->kind != RECORD_ABSENCE;
    for (size_t i = 0; may && i < t->n_places; ++i)
        may = outbox_has(t->m->outbox, t->places[i].root);
    return may;
}

/* Where it stood and does not belong any more, once it stands where it does, or it is certain that it never will: whom
 * the rules keep out where it belongs leaves it with nobody else (I2). */
static void take_back_all(struct telling *t)
{
    const struct outcome *o = &t->outcome;
    bool done = t->notice->record == NULL || (!o->later && !o->doubt);
    for (size_t i = 0; done && i < t->n_places; ++i)
        if (!t->stays[i])
            sink_take_back(t, &t->places[i]);
}

static void tell_whom_it_concerns(struct telling *t)
{
    const struct notice *notice = t->notice;
    bool stays = true;
    t->stays = xcalloc(t->n_places + 1, sizeof *t->stays);
    if ((notice->what != CHANGE_NEW || notice->in_doubt) && !owe_no_others(t->m, notice))
        outcome_note(&t->outcome, MATRIX_NOT_NOW);
    if (notice->record != NULL && notice->n_pupils == 0)
        sink_tell_class(t, notice->class_id);
    for (size_t i = 0; notice->record != NULL && i < notice->n_pupils; ++i)
        sink_tell_family(t, notice->pupils[i]);
    for (size_t i = 0; i < t->n_places; ++i)
        stays = stays && t->stays[i];
    if (t->waits != NULL && !stays) {
        outbox_send(t->m->outbox);
        outcome_join(&t->outcome, t->waits);
    }
    take_back_all(t);
    free(t->stays);
}

enum sink_answer sink_matrix_tell(void *self, const struct notice *notice)
{
    struct telling t = {.m = self, .notice = notice};
    if (!sink_know_oneself(t.m))
        return SINK_LATER;
    bool found = find_places(&t);
    if (found && (!may_wait(&t) || !outbox_begin(t.m->outbox, notice, &t.waits))) {
        outbox_send(t.m->outbox);
        found = find_places(&t); /* as they are after that */
    }
    if (found)
        tell_whom_it_concerns(&t);
    else
        outcome_note(&t.outcome, MATRIX_NOT_NOW);
    state_places_free(t.places, t.n_places);
    if (t.waits == NULL) {
        sink_forget_state(t.m);
        return outcome_answer(&t.outcome);
    }
    outcome_join(t.waits, &t.outcome);
    return SINK_BEGUN;
}

enum sink_answer sink_matrix_finish(void *self, const struct notice *notice)
{
    struct sink_matrix *m = self;
    outbox_send(m->outbox);
    return outbox_finish(m->outbox, notice);
}

/* --- Start and stop --- */

static void take_links(struct sink_matrix *m)
{
    char *rest, *word;
    m->link_words = xstrdup(m->settings->links);
    m->links.hosts = m->link_hosts;
    m->links.otherwise = m->settings->diary_link;
    for (word = strtok_r(m->link_words, " ", &rest); word != NULL && m->links.n < LINKS_MAX;
         word = strtok_r(NULL, " ", &rest))
        m->link_hosts[m->links.n++] = word;
}

static bool let_go(void *self, bool patient)
{
    const struct sink_matrix *m = self;
    return outbox_let_go(m->outbox, patient);
}

struct sink_matrix *sink_matrix_open(const struct diary_settings *settings, struct text *problem)
{
    struct sink_matrix *m = xcalloc(1, sizeof *m);
    m->settings = settings;
    m->as_token = secret_read("matrix.as_token_file", settings->as_token_file, problem);
    if (m->as_token != NULL)
        m->school_token = secret_read("school.token_file", settings->school_token_file, problem);
    if (m->school_token != NULL)
        m->state = state_open(settings->state_path, problem);
    if (m->state == NULL) {
        sink_matrix_close(m);
        return NULL;
    }
    take_links(m);
    m->client = (struct matrix_client){.outgoing = outgoing_create(NULL),
                                       .url = settings->school_url,
                                       .ca_file = settings->school_ca_file,
                                       .as_token = m->as_token,
                                       .school_token = m->school_token};
    m->device_client = m->client;
    m->outbox = outbox_create(m->state, &m->client, &m->crypto);
    m->client.let_go = let_go;
    m->client.refused = sink_make_no_rooms;
    m->client.self = m;
    return m;
}

bool sink_matrix_start(struct sink_matrix *m, struct text *problem)
{
    return sink_crypto_start(&m->crypto, m->settings, &m->device_client, problem);
}

void sink_matrix_close(struct sink_matrix *m)
{
    if (m == NULL)
        return;
    sink_crypto_stop(&m->crypto);
    if (m->client.outgoing != NULL)
        outgoing_stop(m->client.outgoing, DIARY_STOP_MS);
    outgoing_destroy(m->client.outgoing);
    if (m->close_times != NULL)
        m->close_times(m->times);
    state_close(m->state);
    secret_free(m->as_token);
    secret_free(m->school_token);
    json_decref(m->class_rooms);
    sink_forget_state(m);
    families_finish(&m->families);
    outbox_destroy(m->outbox);
    free(m->link_words);
    free(m->unread);
    free(m->bot);
    free(m);
}

bool sink_matrix_apply(struct sink_matrix *m, const char *link, struct text *problem)
{
    if (!sink_know_oneself(m))
        return text_fail(problem, "The server does not know the application service.");
    json_t *content =
        json_pack("{s:s, s:s, s:s, s:s}", "token", link, "bind_to", m->bot, "given_name",
                  m->settings->english ? "Diary" : "Дневник", "family_name", m->settings->english ? "School" : "Школы");
    struct matrix_client as_bot = m->client;
    as_bot.school_token = m->as_token;
    if (matrix_call(&as_bot, "POST", "/_parta/v1/applications", content, NULL) == MATRIX_DONE)
        return true;
    return text_fail(problem, "The server refuses the link.");
}
