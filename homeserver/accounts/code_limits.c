#include "homeserver/accounts/code_limits.h"

#include <stdio.h>

#include "homeserver/accounts/mailbox.h"
#include "homeserver/base/clock.h"
#include "homeserver/base/config.h"
#include "homeserver/base/error.h"
#include "homeserver/base/log.h"
#include "homeserver/store/driver/writer.h"
#include "homeserver/store/matrix/code_counts.h"
#include "homeserver/store/matrix/contacts.h"
#include "homeserver/store/school/links.h"

#define DAY_HOURS 24
#define PLACE_HOURS 3 /* a place waits no longer for its next share of a day */
#define PLACE_SHARES (DAY_HOURS / PLACE_HOURS)
#define ALL_TIMES 2 /* what all have together to what one has, of those whom somebody can be many of */

#define TOO_MANY_RUSSIAN "На этот номер или адрес отправлено слишком много кодов. "
#define TOO_MANY_ENGLISH "Too many codes were sent to this number or address. "
#define LINK_RUSSIAN                                                                                                   \
    "Если это адрес учётной записи, в последнем сообщении есть ссылка, по которой задают новый пароль. "
#define LINK_ENGLISH "If it is that of an account, the last message has a link by which a new password is set. "

/* Told when a pot is full. They name nobody: who asks may be a stranger. */
struct pot_sentences {
    const char *russian, *english;
    const char *russian_reset, *english_reset; /* for a new password; NULL: the same */
};
static const struct pot_sentences NEXT_HOUR = {
    TOO_MANY_RUSSIAN "Попробуйте в следующем часу.", TOO_MANY_ENGLISH "Try again in the next hour.",
    TOO_MANY_RUSSIAN LINK_RUSSIAN "Новый код можно попросить в следующем часу.",
    TOO_MANY_ENGLISH LINK_ENGLISH "Ask for another code in the next hour."};
static const struct pot_sentences TOMORROW = {TOO_MANY_RUSSIAN "Попробуйте завтра.",
                                              TOO_MANY_ENGLISH "Try again tomorrow.",
                                              TOO_MANY_RUSSIAN LINK_RUSSIAN "Новый код можно попросить завтра.",
                                              TOO_MANY_ENGLISH LINK_ENGLISH "Ask for another code tomorrow."};
static const struct pot_sentences OF_NETWORK = {
    "Из вашей сети запросили слишком много кодов. Попробуйте через три часа, из другой сети или в браузере, где вы "
    "уже входили.",
    "Too many codes were asked for from your network. Try in three hours, from another network, or in a browser that "
    "you have signed in with before."};
static const struct pot_sentences OF_PERSON = {"Вы запросили сегодня слишком много кодов. Попробуйте завтра.",
                                               "You have asked for too many codes today. Try again tomorrow."};
static const struct pot_sentences OF_SCHOOL = {
    "Сегодня отправлено слишком много кодов для одной школы. Попробуйте завтра или обратитесь к администратору школы.",
    "Too many codes were sent for one school today. Try again tomorrow, or ask a school administrator."};
static const struct pot_sentences OF_SERVER = {
    "Сервер сегодня отправил слишком много кодов. Попробуйте завтра или обратитесь к администратору.",
    "The server has sent too many codes today. Try again tomorrow, or ask an administrator."};

/* How many: of the settings, by what most of them are named for. */
enum cap { PER_HOUR, PER_ADDRESS, PER_CLIENT, PER_SCHOOL, PER_SERVER };

enum pot {
    POT_HOUR,
    POT_DAY,
    POT_ALL_HOUR,
    POT_ALL_DAY,
    POT_PLACE,
    POT_PERSON,
    POT_SCHOOL,
    POT_SERVER,
    POT_ACCOUNTS,
    POT_NOBODYS,
    POTS
};

/* What is counted together, how many at most, in which time. A "sort" is new passwords, or all else. */
static const struct {
    const char *scope[2]; /* in the store and in the log, by medium */
    enum cap cap;
    int times, shares; /* so many times the cap, or a part of it */
    int hours;         /* of the clock, this one among them */
    const struct pot_sentences *full;
} POT[POTS] = {
    /* To an address, of one sort, for one asker. */
    [POT_HOUR] = {{"mail hour", "sms hour"}, PER_HOUR, 1, 1, 1, &NEXT_HOUR},
    [POT_DAY] = {{"mail address", "sms number"}, PER_ADDRESS, 1, 1, DAY_HOURS, &TOMORROW},
    /* To an address, of one sort, for all who are known but its owner; and for its owner, to all that they have. */
    [POT_ALL_HOUR] = {{"mail all hour", "sms all hour"}, PER_HOUR, ALL_TIMES, 1, 1, &NEXT_HOUR},
    [POT_ALL_DAY] = {{"mail all", "sms all"}, PER_ADDRESS, ALL_TIMES, 1, DAY_HOURS, &TOMORROW},
    /* Of one sort, for strangers at one place, or for whoever signs up there by links of one person or class. */
    [POT_PLACE] = {{"mail client", "sms client"}, PER_CLIENT, 1, PLACE_SHARES, PLACE_HOURS, &OF_NETWORK},
    /* For one person who is signed in, or by the links of one. */
    [POT_PERSON] = {{"mail person", "sms person"}, PER_ADDRESS, 1, 1, DAY_HOURS, &OF_PERSON},
    /* All but new passwords: of one school, and of the server. */
    [POT_SCHOOL] = {{"mail school", "sms school"}, PER_SCHOOL, 1, 1, DAY_HOURS, &OF_SCHOOL},
    [POT_SERVER] = {{"mail server", "sms server"}, PER_SERVER, 1, 1, DAY_HOURS, &OF_SERVER},
    /* New passwords that the address's owner did not ask for: of accounts, and of nobody (count_nobodys). */
    [POT_ACCOUNTS] = {{"mail server", "sms server"}, PER_SERVER, 1, 1, DAY_HOURS, &OF_SERVER},
    [POT_NOBODYS] = {{"mail server", "sms server"}, PER_SERVER, 1, 1, DAY_HOURS, &OF_SERVER},
};
_Static_assert(CONTACT_EMAIL == 0 && CONTACT_PHONE == 1, "the media are the columns of POT");

static int cap_of(const struct config *config, enum contact_medium medium, enum cap cap)
{
    const struct code_caps *caps = medium == CONTACT_EMAIL ? &config->codes.mail : &config->codes.sms;
    const int value[] = {[PER_HOUR] = config->codes.per_hour,
                         [PER_ADDRESS] = caps->own,
                         [PER_CLIENT] = caps->client,
                         [PER_SCHOOL] = caps->school,
                         [PER_SERVER] = caps->server};
    return value[cap];
}

/* --- By what --- */

#define WHO_BYTES 64
#define CLIENT_BYTES 48
#define NEW_PASSWORDS "new passwords"
#define NEW_PASSWORDS_OF_NOBODY "new passwords of nobody"

/* What a message is called in each pot; NULL: it does not count there. */
struct pot_names {
    const char *of[POTS];
    char who[WHO_BYTES];                 /* the asker; "": a stranger */
    char counted[CONTACT_BYTES_MAX + 1]; /* the address, or its mailbox: set first */
    char own[2 * WHO_BYTES + CONTACT_BYTES_MAX], all[2 * WHO_BYTES + CONTACT_BYTES_MAX];
    char place[2 * WHO_BYTES + CLIENT_BYTES];
    char school[24];
};

static const char *sort_of(bool reset)
{
    return reset ? "password" : "";
}

/* The pots that every message counts in, by what names->who is. */
static void name_message(bool reset, school_no school, struct pot_names *names)
{
    snprintf(names->own, sizeof names->own, "%s/%s/%s", sort_of(reset), names->who, names->counted);
    names->of[POT_HOUR] = names->of[POT_DAY] = names->own;
    if (reset)
        return;
    snprintf(names->school, sizeof names->school, "%lld", (long long)school);
    names->of[POT_SCHOOL] = names->school;
    names->of[POT_SERVER] = "";
}

/* A link counts for the child that made it, or the person that it names, as if they were signed in; that of a class or
 * a school for the school, and at a place for the class. */
static void name_by_link(const struct link_row *link, struct pot_names *names)
{
    if (link->person != 0) {
        snprintf(names->who, sizeof names->who, "link of %lld", (long long)link->person);
        names->of[POT_PERSON] = names->who;
    } else {
        snprintf(names->who, sizeof names->who, "links of school %lld", (long long)link->school);
    }
}

/* Whoever is signed in is known, and who signs up by a link. For a new password only the address's owner is, signed in
 * or by a browser that they have signed in with before: everybody else is a stranger. true: the owner asks. */
static bool name_asker(const struct code_request *request, user_no owner, struct pot_names *names)
{
    bool reset = request->purpose == CODE_RESET;
    bool signed_in = request->user != 0 && (!reset || request->user == owner);
    bool known = reset && request->known != NULL;
    class_no class = 0;
    if (signed_in) {
        snprintf(names->who, sizeof names->who, "person %lld", (long long)request->user);
        names->of[POT_PERSON] = names->who;
    } else if (known) {
        snprintf(names->who, sizeof names->who, "%s", request->known);
    } else if (request->purpose == CODE_REGISTER && request->link != NULL) {
        name_by_link(request->link, names);
        class = request->link->class;
    }
    if (!signed_in && !known) {
        snprintf(names->place, sizeof names->place, "%s/%s/%lld/%.*s", sort_of(reset), names->who, (long long)class,
                 CLIENT_BYTES, request->client);
        names->of[POT_PLACE] = names->place;
    }
    return owner != 0 && (known || (signed_in && request->user == owner));
}

/* Somebody can be many by browsers that they have signed in with, by accounts or links of others. All that an account's
 * owner is have a count together, whatever the address; so have, by address, all others that are known; so that neither
 * can use up the other's, nor strangers either's. */
static void name_all(const struct code_request *request, user_no owner, struct pot_names *names)
{
    const char *sort = sort_of(request->purpose == CODE_RESET);
    if (names->who[0] == '\0')
        return;
    if (owner != 0)
        snprintf(names->all, sizeof names->all, "%s/owner %lld", sort, (long long)owner);
    else
        snprintf(names->all, sizeof names->all, "%s/others/%s", sort, names->counted);
    names->of[POT_ALL_HOUR] = names->of[POT_ALL_DAY] = names->all;
}

/* --- Counting --- */

struct code_counting {
    struct tx *tx;
    const struct config *config;
    enum contact_medium medium;
    bool reset; /* for a new password */
    struct pot_names names;
    struct code_allowance allowance;
};

static int64_t first_hour(int64_t now_ms, int hours)
{
    return now_ms / HOUR_MS - hours + 1;
}

static int64_t sent_in(const struct code_counting *c, enum pot pot, const char *name)
{
    return code_counts_since(c->tx->db, POT[pot].scope[c->medium], name, first_hour(c->tx->now_ms, POT[pot].hours));
}

static int most_in(const struct code_counting *c, enum pot pot)
{
    int most = POT[pot].times * cap_of(c->config, c->medium, POT[pot].cap) / POT[pot].shares;
    return most == 0 && POT[pot].shares > 1 ? 1 : most;
}

static bool refuse_pot(const struct code_counting *c, enum pot pot, struct error *e)
{
    const struct pot_sentences *full = POT[pot].full;
    bool reset = c->reset && full->russian_reset != NULL;
    error_set_limited(e, HOUR_MS - c->tx->now_ms % HOUR_MS);
    e->sentence = reset ? full->russian_reset : full->russian;
    e->translation = reset ? full->english_reset : full->english;
    return false;
}

static bool count_in(struct code_counting *c, enum pot pot, struct error *e)
{
    const char *name = c->names.of[pot], *scope = POT[pot].scope[c->medium];
    if (name == NULL)
        return true;
    int64_t sent = sent_in(c, pot, name), most = most_in(c, pot), closed_ms = (POT[pot].hours + 1) * HOUR_MS;
    if (sent >= most)
        return refuse_pot(c, pot, e);
    if (sent == most - 1 && POT[pot].hours != 1) /* said once: those that follow are refused */
        log_line(LOG_WARN, "contacts", "the day's codes are used up", "of", scope, NULL);
    if (sent == most - 1 && pot <= POT_ALL_DAY && closed_ms > c->allowance.closed_ms)
        c->allowance.closed_ms = closed_ms;
    return code_counts_add(c->tx, scope, name, c->tx->now_ms / HOUR_MS) || error_set(e, ERROR_UNKNOWN, NULL);
}

/* Of an address that is nobody's: refused whenever an account's would be, and as much is written as for that, so that
 * nobody sees the difference. */
static bool count_nobodys(struct code_counting *c, struct error *e)
{
    if (sent_in(c, POT_ACCOUNTS, NEW_PASSWORDS) >= most_in(c, POT_ACCOUNTS))
        return refuse_pot(c, POT_ACCOUNTS, e);
    int64_t sent = sent_in(c, POT_NOBODYS, NEW_PASSWORDS_OF_NOBODY);
    c->allowance.quiet = sent >= most_in(c, POT_NOBODYS) || sent >= most_in(c, POT_SCHOOL);
    return code_counts_add(c->tx, POT[POT_NOBODYS].scope[c->medium], NEW_PASSWORDS_OF_NOBODY,
                           c->tx->now_ms / HOUR_MS) ||
           error_set(e, ERROR_UNKNOWN, NULL);
}

static bool count_message(struct code_counting *c, struct error *e)
{
    for (enum pot pot = 0; pot < POT_NOBODYS; ++pot)
        if (!count_in(c, pot, e))
            return false;
    return c->names.of[POT_NOBODYS] == NULL || count_nobodys(c, e);
}

bool code_limits_count(struct tx *tx, const struct config *config, const struct code_request *request, bool deserved,
                       struct code_allowance *out, struct error *e)
{
    const struct contact_address *address = request->address;
    struct code_counting c = {tx, config, address->medium, .reset = request->purpose == CODE_RESET};
    user_no owner = contact_rows_owner(tx->db, contact_medium_name(address->medium), address->address);
    bool by_owner = name_asker(request, owner, &c.names);
    /* A tag makes nobody many. But of new passwords the last message has the link, which is the
     * account's very address's. */
    if (c.reset)
        snprintf(c.names.counted, sizeof c.names.counted, "%s", address->address);
    else
        mailbox_of(address->address, c.names.counted, sizeof c.names.counted);
    name_message(c.reset, request->school, &c.names);
    name_all(request, by_owner ? owner : 0, &c.names);
    if (c.reset && !by_owner && deserved)
        c.names.of[POT_ACCOUNTS] = NEW_PASSWORDS;
    else if (c.reset && !by_owner)
        c.names.of[POT_NOBODYS] = NEW_PASSWORDS_OF_NOBODY;
    bool counted = count_message(&c, e);
    *out = c.allowance;
    return counted;
}

bool code_limits_count_office(struct tx *tx, const struct config *config, const struct contact_address *address,
                              school_no school, struct error *e)
{
    struct code_counting c = {tx, config, address->medium, .names.who = "office"};
    snprintf(c.names.counted, sizeof c.names.counted, "%s",
             address->address); /* a school may have one for each class */
    name_message(false, school, &c.names);
    return count_message(&c, e);
}

bool code_limits_purge(struct tx *tx)
{
    return code_counts_purge(tx, first_hour(tx->now_ms, DAY_HOURS));
}
