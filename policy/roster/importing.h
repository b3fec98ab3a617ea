/* Inside the import: what import.c (the job), records.c (the roster into the store) and pictures.c (the store into
 * rooms) share. */
#ifndef PARTA_POLICY_ROSTER_IMPORTING_H
#define PARTA_POLICY_ROSTER_IMPORTING_H

#include "homeserver/store/writer.h"
#include "policy/roster/facts.h"
#include "policy/roster/import.h"

/* What a new person is given before the job runs, because hashing is slow. */
struct credential {
    char *localpart, *password, *hash; /* NULL: none */
};

struct importing {
    struct tx *tx;
    struct rooms *rooms;
    const struct roster *roster;          /* NULL: rooms only */
    const struct credential *credentials; /* per person of the roster; NULL: none */
    struct roster_changes *changes;
    struct error *e;
    user_no service;    /* @parta:server */
    school_no *schools; /* per school, class and person of the roster: its number in the store */
    class_no *classes;
    user_no *people;
    bool *school_renamed, *class_renamed; /* as the roster: the rooms' names may have to follow */
    struct facts gone;                    /* a: people who may have lost a school */
    struct facts powers;                  /* a: rooms whose powers by post have changed */
};

/* Each step: false: *e is set, the job must answer false. */
bool records_schools(struct importing *in);
bool records_classes(struct importing *in);
bool records_people(struct importing *in);
bool records_facts(struct importing *in); /* roles, enrollments, guardianships */

bool pictures_rooms(struct importing *in);    /* E1: makes what is missing, renames */
bool pictures_members(struct importing *in);  /* roster_members as of today */
bool pictures_powers(struct importing *in);   /* E3 */
bool pictures_settle(struct importing *in);   /* E2: joined = roster_members */
bool pictures_farewell(struct importing *in); /* G1, G2: those who lost a school */

/* A person's name as others see it: a pupil's "Иванова Мария", an adult's with the patronymic by which they are
 * addressed, "Борисова Юлия Николаевна". Appends. */
void person_name_add(struct text *out, const struct roster_person *person);

/* An opaque localpart, "p" and ten characters (A5): out has 12 bytes. */
#define LOCALPART_BYTES 12
void localpart_draw(char out[LOCALPART_BYTES]);

#endif
