/* Rosters as they come from real systems: what is refused, with every problem named; what is left out or understood
 * otherwise than it is written, and said; and what nobody reads, and refuses nothing. A row a
 * kind (school.md B2, D5). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/roster_told.h"

#define FILES_MAX 5

/* Files that take the place of the whole archive's (text NULL: left out) or come besides, and what must be said; a line
 * that begins with '!' must not. */
struct as_it_comes {
    const char *kind;
    bool of_1_1;
    struct archive_file files[FILES_MAX];
    const char *says[10];
};

#define M_1_2 MANIFEST_HEAD
#define BULK_1_2 ALL_BULK "file.roles,bulk\n"
#define USERS_SHORT "sourcedId,enabledUser,username,givenName,familyName,middleName,agentSourcedIds\n"
#define T_M_F "t,true,t,Анна,Орлова,Ивановна,\nm,true,m,Ольга,Иванова,,\nf,true,f,Пётр,Иванов,,\n"
#define ROLES_T_P "r1,t,primary,teacher,,,s\nr2,p,primary,student,,,s\n"
#define STATUS_1_1(id, status, role, given, family, agents)                                                            \
    id "," status ",,true,s," role "," id ",," given "," family ",,,,,," agents ",,\n"
#define ENROLLMENTS_STATUS                                                                                             \
    "sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,primary,beginDate,endDate\n"
#define CLASSES_STATUS                                                                                                 \
    "sourcedId,status,dateLastModified,title,grades,courseSourcedId,classType,schoolSourcedId,termSourcedIds\n"

static const struct as_it_comes CASES[] = {
    /* --- One person, two roles (B2) --- */
    {"1.1: a teacher whom a pupil names is a guardian too",
     true,
     {{"users.csv", USERS_1_1 USER_1_1("t", "s", "teacher", "Анна", "Орлова", "", "")
                        USER_1_1("p", "s", "student", "Мария", "Орлова", "", "t")}},
     {"taken: 1 members of the staff who are guardians because a pupil names them as agents",
      "    users.csv:3:80: agentSourcedIds: \"t\" is on the staff and becomes a guardian", "guardian t of p",
      "role t s 2 ", "role t s 4 "}},
    {"1.2: the same",
     false,
     {{"users.csv", USERS_SHORT T_M_F "p,true,p,Мария,Иванова,,\"t,m\"\n"}},
     {"guardian t of p", "guardian m of p", "taken: 1 members of the staff", "role t s 2 ", "!left out"}},
    {"1.1: two rows with one username and one name are one person",
     true,
     {{"users.csv", USERS_1_1 "g,,,true,s,parent,orlova,,Анна,Орлова,,,,,,p,,\nt,,,true,s,teacher,orlova,,Анна,Орлова,"
                              "Ивановна,,,,,,,\n" USER_1_1("p", "s", "student", "Мария", "Орлова", "", "g")}},
     {"taken: 1 people who have two rows with one username",
      "    users.csv:3:20: username: is the same person as \"g\"", "guardian t of p", "role t s 2 ", "role t s 4 ",
      "person t Орлова Анна Ивановна", "!person g", "!guardian g"}},
    {"1.1: whom one of the two rows locks is locked, whatever their order",
     true,
     {{"users.csv", USERS_1_1
       "t,,,true,s,teacher,orlova,,Анна,Орлова,,,,,,,,\ng,,,false,s,parent,orlova,,Анна,Орлова,,,,,,p,,\n" USER_1_1(
           "p", "s", "student", "Мария", "Орлова", "", "g")}},
     {"person t Орлова Анна  born 0 locked", "guardian t of p", "!person g"}},
    {"1.1: one username, other names: two people, and it is said",
     true,
     {{"users.csv", USERS_1_1
       "g,,,true,s,parent,orlova,,Пётр,Орлов,,,,,,,,\nt,,,true,s,teacher,orlova,,Анна,Орлова,,,,,,,,\n" USER_1_1(
           "p", "s", "student", "Мария", "Орлова", "", "g")}},
     {"taken: 1 rows of a member of the staff and a guardian with one username", "guardian g of p", "person t",
      "person g", "!guardian t"}},
    {"1.1: pupils with one username are never one person",
     true,
     {{"users.csv", USERS_1_1 "t,,,true,s,teacher,x,,А,О,,,,,,,,\np,,,true,s,student,x,,А,О,,,,,,,,\n"}},
     {"person t", "person p", "!taken: 1 people", "!username"}},
    /* --- Rows that are gone, with references left --- */
    {"1.1: a person who is gone, with enrollment, birth date and a pupil who names them",
     true,
     {{"users.csv", USERS_1_1 STATUS_1_1("t", "active", "teacher", "Анна", "Орлова", "")
                        STATUS_1_1("p", "active", "student", "Мария", "Иванова", "\"m,f\"")
                            STATUS_1_1("m", "inactive", "parent", "Ольга", "Иванова", "p")
                                STATUS_1_1("f", "active", "parent", "Пётр", "Иванов", "p")},
      {"enrollments.csv", ENROLLMENTS_HEAD "e1,c,s,t,teacher,true,,\ne2,c,s,p,student,,,\ne3,g,s,m,student,,,\n"},
      {"demographics.csv", DEMOGRAPHICS_HEAD "p,2015-03-04,\nm,1985-01-01,\n"}},
     {"left out: 1 rows that are inactive or tobedeleted", "    users.csv:4:1: sourcedId: \"m\" is inactive",
      "left out: 2 rows that refer to inactive or tobedeleted ones",
      "enrollments.csv:4:8: userSourcedId: \"m\" is inactive or tobedeleted in users.csv",
      "left out: 1 agents that are inactive or tobedeleted", "guardian f of p", "!guardian m", "!person m"}},
    {"1.2: the same, of a class and of an org",
     false,
     {{"classes.csv",
       CLASSES_STATUS "c,,,5А,5,k,homeroom,s,y\ng,tobedeleted,,Физика,5,k,scheduled,s,y\nh,,,7Б,7,k,homeroom,z,y\n"},
      {"orgs.csv", ORGS_HEAD "d,,,Отдел,district,,\ns,,,Школа 1,school,,d\nz,inactive,,Школа 2,school,,d\n"},
      {"roles.csv",
       ROLES_HEAD ROLES_T_P "r3,m,primary,parent,,,s\nr4,f,primary,relative,,,s\nr5,t,secondary,aide,,,z\n"},
      {"enrollments.csv", ENROLLMENTS_HEAD
       "e1,c,s,t,teacher,true,,\ne2,c,s,p,student,,,\ne3,g,s,p,student,,,\ne4,h,z,t,teacher,true,,\n"}},
     {"left out: 2 rows that are inactive or tobedeleted", "left out: 4 rows that refer to", "enrolled p c 1",
      "!class g", "!class h", "!enrolled p g", "!role t z"}},
    {"a row that is gone beside the one that took its place",
     true,
     {{"enrollments.csv",
       ENROLLMENTS_STATUS "e1,active,,c,s,t,teacher,true,,\ne2,tobedeleted,,,,,,,,\ne2,active,,c,s,p,student,,,\n"}},
     {"enrolled p c 1", "left out: 1 rows"}},
    /* --- Guardians --- */
    {"the guardian's own row names the child, the child's row names nobody",
     false,
     {{"users.csv", USERS_SHORT
       "t,true,t,Анна,Орлова,,\np,true,p,Мария,Иванова,,f\nm,true,m,Ольга,Иванова,,p\nf,true,f,Пётр,Иванов,,p\n"}},
     {"taken: 1 guardians who name the pupil, whose row does not name them",
      "    users.csv:4:25: agentSourcedIds: \"p\" does not name this guardian", "guardian m of p", "guardian f of p"}},
    {"of more than two guardians the two named first are taken",
     false,
     {{"users.csv", USERS_SHORT T_M_F "p,true,p,Мария,Иванова,,\"m,t,f\"\n"}},
     {"left out: 1 guardians beyond the two who are named first (rule D5)",
      "    users.csv:5:25: agentSourcedIds: \"f\" comes after two others who are named first", "guardian m of p",
      "guardian t of p", "!guardian f"}},
    {"and whoever only names the child comes after them",
     false,
     {{"users.csv",
       USERS_SHORT "m,true,m,О,И,,p\nf,true,f,П,И,,p\nt,true,t,А,О,,\nq,true,q,К,О,,\np,true,p,М,И,,\"q,f\"\n"},
      {"roles.csv",
       ROLES_HEAD ROLES_T_P "r3,m,primary,parent,,,s\nr4,f,primary,relative,,,s\nr5,q,primary,guardian,,,s\n"}},
     {"left out: 1 guardians beyond", "users.csv:2:15: agentSourcedIds: \"p\" comes after two others",
      "guardian q of p", "guardian f of p", "!guardian m"}},
    {"a guardian whose only role is told at the district",
     false,
     {{"roles.csv", ROLES_HEAD ROLES_T_P "r3,m,primary,parent,,,d\nr4,f,primary,relative,,,s\n"}},
     {"guardian m of p", "role m s 2 ", "taken: 1 guardians whose role is told of another org only",
      "left out: 1 roles that mean nothing here", "!refused"}},
    {"an agent who can't be a guardian: without a role, a pupil, the child itself",
     false,
     {{"roles.csv", ROLES_HEAD ROLES_T_P "r3,m,primary,student,,,s\n"},
      {"users.csv", USERS_SHORT T_M_F "p,true,p,Мария,Иванова,,\"m,f,p\"\n"}},
     {"left out: 3 agents that have no role by which they could be guardians", "\"m\" is a pupil",
      "\"f\" has no role that means something here", "\"p\" is the pupil's own", "!guardian m", "!guardian f"}},
    {"a teacher's own row names a pupil: that alone makes no guardian",
     false,
     {{"users.csv", USERS_SHORT "t,true,t,А,О,,p\np,true,p,М,И,,\"m,f\"\nm,true,m,О,И,,\nf,true,f,П,И,,\n"}},
     {"left out: 1 agents that have no role", "!guardian t"}},
    {"an id named twice in a list counts once",
     true,
     {{"users.csv", USERS_1_1 USER_1_1("t", "\"s,s\"", "teacher", "А", "О", "", "") USER_1_1(
                        "p", "s", "student", "М", "И", "", "\"m, m\"") USER_1_1("m", "s", "parent", "О", "И", "", "")}},
     {"taken: 2 things that are said twice and count once", "guardian m of p"}},
    {"so does a role or an enrollment",
     false,
     {{"roles.csv",
       ROLES_HEAD ROLES_T_P "r3,m,primary,parent,,,s\nr4,f,primary,parent,,,s\nr5,f,secondary,relative,,,s\n"},
      {"enrollments.csv", ENROLLMENTS_HEAD "e1,c,s,t,teacher,true,,\ne2,c,s,p,student,,,\ne3,c,s,p,student,,,\n"}},
     {"taken: 2 things that are said twice", "guardian f of p", "enrolled p c 1"}},
    /* --- Class teachers --- */
    {"the only teacher of a homeroom, without primary, is its class teacher",
     false,
     {{"enrollments.csv", ENROLLMENTS_HEAD "e1,c,s,t,teacher,,,\ne2,c,s,p,student,,,\ne3,g,s,t,teacher,,,\n"}},
     {"taken: 1 class teachers because they are the homeroom's only teacher, without primary",
      "    enrollments.csv:2:18: primary: \"t\" leads \"c\"", "enrolled t c 8", "enrolled t g 4", "role t s 8 "}},
    {"one after the other they are alone, too",
     false,
     {{"enrollments.csv", ENROLLMENTS_HEAD
       "e1,c,s,t,teacher,false,,2026-12-31\ne2,c,s,m,teacher,false,2027-01-01,\ne3,c,s,p,student,,,\n"}},
     {"taken: 2 class teachers", "enrolled t c 8", "enrolled m c 8"}},
    {"of several none is",
     false,
     {{"enrollments.csv", ENROLLMENTS_HEAD "e1,c,s,t,teacher,,,\ne2,c,s,m,teacher,,,\ne3,c,s,p,student,,,\n"}},
     {"left out: 1 homerooms with several teachers and no primary one: they get no class teacher",
      "    enrollments.csv:3:18: primary: \"c\" has another teacher besides", "enrolled t c 4", "enrolled m c 4"}},
    {"external staff are no class teachers",
     false,
     {{"roles.csv", ROLES_HEAD
       "r1,t,primary,ext:externalStaff,,2027-05-31,s\nr2,p,primary,student,,,s\nr3,m,primary,parent,,,s\nr4,f,primary,"
       "relative,,,s\n"},
      {"enrollments.csv", ENROLLMENTS_HEAD "e1,c,s,t,teacher,,,\n"}},
     {"enrolled t c 4", "!enrolled t c 8", "!taken: 1 class teachers"}},
    {"a homeroom without a teacher",
     false,
     {{"enrollments.csv", ENROLLMENTS_HEAD "e2,c,s,p,student,,,\n"}},
     {"taken: 1 homerooms without a teacher", "    classes.csv: \"c\" has no teacher"}},
    /* --- Columns --- */
    {"a column that is read and missing is refused, with what stands in its place, and all others that are missing",
     false,
     {{"users.csv", "sourcedId,enabledUser,username,givenName,familyName,middleName,agentSourcedId\n" T_M_F},
      {"enrollments.csv",
       "sourcedId,classSourcedId,schoolSourcedId,userSourcedId,role,beginDate,endDate\ne1,c,s,t,teacher,,\n"},
      {"roles.csv", "sourcedId,userSourcedId,roleType,role,orgSourcedId\n"},
      {"demographics.csv", "sourcedId,sex\n"},
      {"classes.csv", "sourcedId,title,courseSourcedId,classType,schoolSourcedId,termSourcedIds\n"}},
     {"users.csv:1:1: column agentSourcedIds is missing (unknown is \"agentSourcedId\")",
      "enrollments.csv:1:1: column primary is missing", "roles.csv:1:1: column beginDate is missing",
      "roles.csv:1:1: column endDate is missing", "demographics.csv:1:1: column birthDate is missing",
      "classes.csv:1:1: column grades is missing", "!is not in users.csv", "!is not in classes.csv"}},
    {"what is not read may be missing, unknown, misspelt or there twice",
     false,
     {{"users.csv", "sourcedId,enabledUser,resourceSourcedIds,givenName,familyName,middleName,agentSourcedIds,"
                    "e-mail,phone,phone,metadata.x\n"
                    "t,true,,Анна,Орлова,,,,1,2,\np,true,,М,И,,\"m,f\",,,,\nm,true,,О,И,,,,,,\nf,true,,П,И,,,,,,\n"},
      {"orgs.csv", "sourcedId,status,dateLastModified,name,type,identifier,colour\n"
                   "d,,,Отдел,district,,\ns,,,Школа 1,school,,\nz,,,Школа 2,school,,\n"}},
     {"left out: 3 unknown columns, which are not read", "users.csv:1:23: unknown column \"resourceSourcedIds\"",
      "orgs.csv:1:56: unknown column \"colour\"", "taken: 2 columns and cells that are not as they should be",
      "users.csv:1:1: column username is missing", "column phone is there twice", "!metadata"}},
    {"columns and words in another case, and booleans as spreadsheets write them",
     false,
     {{"users.csv",
       "SourcedID,EnabledUser,Username,GivenName,FamilyName,MiddleName,AgentSourcedIds\n"
       "t,TRUE,,Анна,Орлова,,\np,1,,Мария,Иванова,,\"m,f\"\nm,0,,Ольга,Иванова,,\nf,False,,Пётр,Иванов,,\n"},
      {"classes.csv", CLASSES_HEAD "c,5А,5,k,Homeroom,s,y\ng,Физика,5,k,SCHEDULED,s,y\n"},
      {"roles.csv", ROLES_HEAD "r1,t,Primary,Teacher,,,s\nr2,p,primary,STUDENT,,,s\nr3,m,primary,Parent,,,s\n"
                               "r4,f,primary,relative,,,s\nr5,t,secondary,EXT:deputyprincipal,,,s\n"},
      {"enrollments.csv", ENROLLMENTS_HEAD "e1,c,s,t,Teacher,TRUE,,\ne2,c,s,p,Student,0,,\n"},
      {"manifest.csv", "PropertyName,Value\nManifest.Version,1.0\nOneRoster.Version,1.2\nfile.academicSessions,Bulk\n"
                       "file.orgs,BULK\nfile.courses,bulk\nfile.classes,bulk\nfile.users,bulk\nfile.enrollments,bulk\n"
                       "file.demographics,bulk\nfile.Roles,bulk\n"}},
     {"person p Иванова Мария  born 20150304 enabled", "person m Иванова Ольга  born 0 locked",
      "class c 5А grade 5 of s homeroom", "enrolled t c 8", "role t s 32 ", "!taken", "!left out"}},
    {"an empty or shared username",
     false,
     {{"users.csv", USERS_SHORT "t,true,,А,О,,\np,true,x,М,И,,\"m,f\"\nm,true,x,О,И,,\nf,true,,П,И,,\n"}},
     {"person t", "person m", "!taken", "!left out"}},
    {"a line end, a control character or nonsense where nobody reads",
     false,
     {{"users.csv",
       "sourcedId,enabledUser,username,givenName,familyName,middleName,agentSourcedIds,email,phone\n"
       "t,true,t,Анна,Орлова,,,\"a\nb\",\"x\ty\"\np,true,p,М,И,,\"m,f\",\xff,\nm,true,m,О,И,,,,\nf,true,f,П,И,,,,\n"},
      {"demographics.csv", DEMOGRAPHICS_HEAD "p,2015-03-04,girl\n"},
      {"academicSessions.csv", "sourcedId,title,type,startDate,endDate,parentSourcedId,schoolYear\n"
                               "y,\"a\nb\",schoolYear,2026-09-01,2027-05-31,nowhere,26\n"},
      {"courses.csv", COURSES_HEAD "k,nowhere,,nowhere\n"},
      {"classes.csv", CLASSES_HEAD "c,5А,5,nowhere,homeroom,s,\"y,nowhere\"\ng,Физика,5,k,scheduled,s,\n"}},
     {"person t Орлова Анна", "demographics.csv:2:14: sex: \"girl\" is not one of the standard's words",
      "classes.csv:2:8: courseSourcedId: \"nowhere\" is not in courses.csv",
      "academicSessions.csv:3:45: schoolYear: \"26\" is not a year", "!left out"}},
    /* --- Orgs --- */
    {"classes of a department or of an org of another kind, with their enrollments",
     false,
     {{"orgs.csv", ORGS_HEAD "d,,,Отдел,district,,\ns,,,Школа 1,school,,d\nz,,,Школа "
                             "2,school,,d\nu,,,Кафедра,department,,s\nx,,,Клуб,ext:club,,\n"},
      {"classes.csv", CLASSES_HEAD "c,5А,5,k,homeroom,s,y\ng,Физика,5,k,scheduled,u,y\nh,Шахматы,,k,homeroom,x,y\n"},
      {"enrollments.csv",
       ENROLLMENTS_HEAD "e1,c,s,t,teacher,true,,\ne2,c,u,p,student,,,\ne3,g,u,p,student,,,\ne4,h,s,p,student,,,\n"}},
     {"left out: 2 classes of an org that is no school", "    classes.csv:3:24: schoolSourcedId: \"u\" is no school",
      "left out: 2 enrollments in these", "enrolled p c 1", "!enrolled p g", "!class h",
      "enrollments.csv:3:6: schoolSourcedId: is no school: the class's counts"}},
    /* --- Files --- */
    {"files in folders, strange ones, known ones that are not read, and a name in another case",
     false,
     {{"demographics.csv", NULL},
      {"Demographics.csv", DEMOGRAPHICS_HEAD "p,2014-03-04,\n"},
      {"old/users.csv", "x\n"},
      {"extra.csv", "x\n"},
      {"userProfiles.csv", "x\n"}},
     {"left out: 3 files that are not read", "old/users.csv: is in a folder: it is not read",
      "extra.csv: is not one of the standard's files", "userProfiles.csv: is not read",
      "Demographics.csv: is read as demographics.csv", "born 20140304"}},
    {"a name in another case that the manifest does not tell",
     false,
     {{"demographics.csv", NULL},
      {"Demographics.csv", DEMOGRAPHICS_HEAD "p,2014-03-04,\n"},
      {"manifest.csv", M_1_2 "file.academicSessions,bulk\nfile.orgs,bulk\nfile.courses,bulk\nfile.classes,bulk\n"
                             "file.users,bulk\nfile.enrollments,bulk\nfile.roles,bulk\n"}},
     {"refused: demographics.csv: is in the archive, but the manifest does not say bulk or delta"}},
    {"all in a folder",
     false,
     {{"manifest.csv", NULL}, {"roster/manifest.csv", M_1_2 BULK_1_2}},
     {"refused: roster/manifest.csv: is in a folder: the files must be at the top of the archive"}},
    {"no courses, no sessions, no birth dates; empty modes, unknown files and properties, a version like 1.2.1",
     false,
     {{"courses.csv", NULL},
      {"academicSessions.csv", NULL},
      {"demographics.csv", NULL},
      {"manifest.csv", "propertyName,value\nmanifest.version,1.0\noneroster.version,1.2.1\nfile.orgs,bulk\n"
                       "file.classes,bulk\nfile.users,bulk\nfile.roles,bulk\nfile.enrollments,bulk\nfile.results,\n"
                       "file.courses,\nfile.people,bulk\nfile.lineItems,bulk\ncolour,red\n"}},
     {"taken: 9 files, modes and versions that are not quite as the standard says", "\"1.2.1\" is read as the version",
      "courses.csv: is not there; nothing in it is read", "academicSessions.csv: is not there: of which year",
      "demographics.csv: is not there: no birth date is known",
      "manifest.csv:11:1: the standard knows no file \"people\"", "manifest.csv:9:14: the mode of results is empty",
      "enrolled t c 8", "!left out"}},
    {"the Japanese profile",
     false,
     {{"manifest.csv", "propertyName,value\nmanifest.version,1.0\noneroster.version,1.2_JP\n" BULK_1_2}},
     {"enrolled t c 8", "taken: 1 files, modes"}},
    {"a version that only begins like one",
     false,
     {{"manifest.csv", "propertyName,value\nmanifest.version,1.0\noneroster.version,1.21\n" BULK_1_2}},
     {"refused: manifest.csv:3:19: only OneRoster 1.1 and 1.2 are read"}},
    /* --- Every problem is named, and none that only follows from another --- */
    {"all problems of all files at once",
     false,
     {{"users.csv",
       USERS_SHORT "t,yes,t,,Орлова,,\np,true,p,М,И,,\"m,q\"\nm,true,m,О,И\nf,true,f,П,И,,\nf,true,f,П,И,,\n"},
      {"roles.csv", ROLES_HEAD ROLES_T_P "r3,m,primary,parent,,,s\nr4,nobody,primary,boss,,01.09.2026,s\n"},
      {"classes.csv", CLASSES_HEAD "c,5А,5,k,home,s,y\ng,Физика,5,k,scheduled,nowhere,y\n"},
      {"enrollments.csv", ENROLLMENTS_HEAD "e1,c,s,t,teacher,true,,\ne2,g,s,p,student,,,\ne3,j,s,p,student,,,\n"}},
     {"users.csv:2:3: enabledUser: \"yes\" is neither true nor false\nusers.csv:2:9: givenName: is empty\n",
      "users.csv:4:13: 5 fields where the header has 7\nusers.csv:6:1: sourcedId: sourcedId \"f\" is there twice\n",
      "roles.csv:5:19: role: \"boss\" is not one of the standard's words\nroles.csv:5:25: endDate: \"01.09.2026\" is "
      "not",
      "classes.csv:2:10: classType: \"home\"", "classes.csv:3:24: schoolSourcedId: \"nowhere\" is not in orgs.csv",
      "enrollments.csv:4:4: classSourcedId: \"j\" is not in classes.csv", "!\"m\" is not in", "!\"c\" is not in"}},
    {"a quote that never closes ends its file only",
     false,
     {{"users.csv", USERS_SHORT "t,true,t,\"Анна,Орлова,,\np,true,p,М,И,,\n"},
      {"orgs.csv", ORGS_HEAD "s,,,Школа,skool,,\n"}},
     {"users.csv:2:10: a quote that is never closed", "orgs.csv:2:11: type: \"skool\"", "!is not in users.csv"}},
};

/* The whole archive of the case's version with its files. */
static size_t files_of(const struct as_it_comes *c, struct archive_file *out)
{
    const struct archive_file *whole = c->of_1_1 ? WHOLE_1_1 : WHOLE;
    size_t n_whole = c->of_1_1 ? WHOLE_1_1_COUNT : WHOLE_COUNT, n = 0;
    bool used[FILES_MAX] = {false};
    for (size_t i = 0; i < n_whole; ++i) {
        const struct archive_file *with = &whole[i];
        for (size_t k = 0; k < FILES_MAX && c->files[k].name != NULL; ++k)
            if (strcmp(c->files[k].name, whole[i].name) == 0) {
                with = &c->files[k];
                used[k] = true;
            }
        if (with->text != NULL)
            out[n++] = *with;
    }
    for (size_t k = 0; k < FILES_MAX && c->files[k].name != NULL; ++k)
        if (!used[k])
            out[n++] = c->files[k];
    return n;
}

static bool check_words(const struct as_it_comes *c, const char *says)
{
    bool good = true;
    for (size_t i = 0; i < sizeof c->says / sizeof *c->says && c->says[i] != NULL; ++i) {
        bool not_there = c->says[i][0] == '!';
        const char *words = c->says[i] + not_there;
        if ((strstr(says, words) != NULL) != not_there)
            continue;
        print_error("%s: %s \"%s\" in:\n%s\n", c->kind, not_there ? "there is" : "no", words, says);
        good = false;
    }
    return good;
}

/* What is kept of it says the same when it is read again, as with each delta that comes. */
static void check_snapshot(const struct as_it_comes *c, const struct packed *packed, char *says)
{
    struct roster_problem damaged;
    struct roster_problems problems = {0};
    struct snapshot *snapshot = snapshot_open(packed->bytes, packed->len, &damaged);
    struct roster *roster = roster_read_snapshot(snapshot, &problems);
    if (roster == NULL)
        fail_msg("%s: the snapshot: %s", c->kind, roster_problems_first(&problems)->message);
    char *again = told(roster, NULL);
    for (char *line = strtok(says, "\n"); line != NULL; line = strtok(NULL, "\n"))
        if (*line != ' ' && strncmp(line, "taken:", 6) != 0 && strncmp(line, "left out:", 9) != 0 &&
            strstr(again, line) == NULL)
            fail_msg("%s: the snapshot has no \"%s\":\n%s", c->kind, line, again);
    free(again);
    roster_problems_finish(&problems);
    roster_destroy(roster);
    snapshot_destroy(snapshot);
}

static void every_kind_is_settled_and_said(void **state)
{
    bool good = true;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; ++i) {
        struct archive_file files[WHOLE_COUNT + FILES_MAX];
        struct packed packed = {0}, base = {0};
        size_t n = files_of(&CASES[i], files);
        char *says = import_on(files, n, NULL, &packed), *again;
        good &= check_words(&CASES[i], says);
        if (packed.bytes != NULL) {
            again = import_on(files, n, NULL, &base);
            assert_string_equal(says, again);
            assert_int_equal(packed.len, base.len);
            assert_memory_equal(packed.bytes, base.bytes, base.len);
            check_snapshot(&CASES[i], &packed, again);
            free(again);
        }
        free(says);
        free(packed.bytes);
        free(base.bytes);
    }
    assert_true(good);
}

/* No file of the archive may lose a column that is read: whichever it is, it is named. */
static void every_column_that_is_read_is_missed(void **state)
{
    for (int version = ONEROSTER_1_1; version <= ONEROSTER_1_2; ++version)
        for (int table = 0; table < TABLE__COUNT; ++table)
            for (size_t left_out = 0; left_out < ROSTER_TABLES[table].n; ++left_out) {
                const struct table *t = &ROSTER_TABLES[table];
                struct as_it_comes c = {.kind = t->columns[left_out].name, .of_1_1 = version == ONEROSTER_1_1};
                struct archive_file files[WHOLE_COUNT + FILES_MAX];
                struct text header = TEXT_INIT;
                char name[64], want[128];
                if (!table_in(t, version) || !column_in(&t->columns[left_out], version))
                    continue;
                for (size_t i = 0; i < t->n; ++i)
                    if (i != left_out && column_in(&t->columns[i], version))
                        text_addf(&header, "%s%s", header.len != 0 ? "," : "", t->columns[i].name);
                text_addc(&header, '\n');
                snprintf(name, sizeof name, "%s.csv", t->name);
                snprintf(want, sizeof want, "%s:1:1: column %s is missing", name, t->columns[left_out].name);
                c.files[0] = (struct archive_file){name, header.data};
                char *says = import_on(files, files_of(&c, files), NULL, NULL);
                if (t->columns[left_out].read && strstr(says, want) == NULL)
                    fail_msg("no %s in:\n%s", want, says);
                if (!t->columns[left_out].read && strncmp(says, "refused", 7) == 0 && strstr(says, want) != NULL)
                    fail_msg("%s is read by nobody, and refused:\n%s", t->columns[left_out].name, says);
                free(says);
                text_finish(&header);
            }
}

/* A hundred are named, the others counted. */
static void many_problems_are_counted(void **state)
{
    struct as_it_comes c = {.kind = "many"};
    struct archive_file files[WHOLE_COUNT + FILES_MAX];
    struct text rows = TEXT_INIT;
    text_adds(&rows, ENROLLMENTS_HEAD);
    for (int i = 0; i < 1234; ++i)
        text_addf(&rows, "e%d,c,s,x%d,student,,,\n", i, i);
    c.files[0] = (struct archive_file){"enrollments.csv", rows.data};
    char *says = import_on(files, files_of(&c, files), NULL, NULL);
    assert_has(says, "enrollments.csv:101:9: userSourcedId: \"x99\" is not in users.csv\nand 1134 more");
    assert_has_not(says, "x100");
    free(says);
    text_finish(&rows);
}

/* Among deltas a whole file may tell of rows that are gone as well, and what referred to them goes. */
static void gone_rows_among_deltas(void **state)
{
    static const struct archive_file MIXED[] = {
        {"manifest.csv", MANIFEST_1_1 "file.users,bulk\nfile.classes,delta\n"},
        {"users.csv", USERS_1_1 STATUS_1_1("t", "active", "teacher", "Анна", "Орлова", "")
                          STATUS_1_1("p", "active", "student", "Мария", "Иванова", "\"m,f\"")
                              STATUS_1_1("m", "inactive", "parent", "Ольга", "Иванова", "p")
                                  STATUS_1_1("f", "active", "parent", "Пётр", "Иванов", "p")},
        {"classes.csv", CLASSES_STATUS "g,tobedeleted,2026-10-01,,,,,,\n"},
    };
    struct packed base = {0};
    free(import_on(WHOLE_1_1, WHOLE_1_1_COUNT, NULL, &base));
    char *says = import_on(MIXED, 3, &base, NULL);
    assert_has(says, "guardian f of p");
    assert_has(says, "left out: 1 rows that are inactive or tobedeleted");
    assert_has_not(says, "guardian m of p");
    assert_has_not(says, "class g");
    free(says);
    free(base.bytes);
}

/* Two rows of one person stay one when a delta changes one of them, and part when one goes. */
static void one_person_of_two_rows_in_deltas(void **state)
{
    static const struct archive_file BOTH[] = {
        {"users.csv", USERS_1_1
         "t,,,true,s,teacher,orlova,,Анна,Орлова,,,,,,,,\ng,,,true,s,parent,orlova,,Анна,Орлова,,,,,,p,,\n" USER_1_1(
             "p", "s", "student", "Мария", "Орлова", "", "g")},
    };
    static const struct archive_file CHANGED[] = {
        {"manifest.csv", MANIFEST_1_1 "file.users,delta\n"},
        {"users.csv", USERS_1_1 "g,active,2026-10-01,true,s,parent,orlova,,Анна,Орлова,,,,,,p,,\n"},
    };
    static const struct archive_file GONE[] = {
        {"manifest.csv", MANIFEST_1_1 "file.users,delta\n"},
        {"users.csv", USERS_1_1 "t,tobedeleted,2026-10-01,,,,,,,,,,,,,,,\n"},
    };
    struct as_it_comes c = {.of_1_1 = true, .files = {BOTH[0]}};
    struct archive_file files[WHOLE_COUNT + FILES_MAX];
    struct packed base = {0}, next = {0};
    free(import_on(files, files_of(&c, files), NULL, &base));
    char *says = import_on(CHANGED, 2, &base, &next);
    assert_has(says, "guardian t of p");
    assert_has_not(says, "person g");
    free(says);
    says = import_on(GONE, 2, &next, NULL);
    assert_has(says, "guardian g of p");
    assert_has_not(says, "person t");
    free(says);
    free(base.bytes);
    free(next.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_settled_and_said),   cmocka_unit_test(every_column_that_is_read_is_missed),
        cmocka_unit_test(many_problems_are_counted),        cmocka_unit_test(gone_rows_among_deltas),
        cmocka_unit_test(one_person_of_two_rows_in_deltas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
