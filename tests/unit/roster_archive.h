/* Roster archives put together in memory: the smallest whole one, with single files or lines replaced. */
#ifndef PARTA_TESTS_UNIT_ROSTER_ARCHIVE_H
#define PARTA_TESTS_UNIT_ROSTER_ARCHIVE_H

#include <stdlib.h>
#include <string.h>
#include <zip.h>

#include "homeserver/base/text.h"

struct archive_file {
    const char *name, *text;
};

#define MANIFEST_HEAD "propertyName,value\nmanifest.version,1.0\noneroster.version,1.2\n"
#define SESSIONS_HEAD "sourcedId,status,dateLastModified,title,type,startDate,endDate,parentSourcedId,schoolYear\n"
#define ORGS_HEAD "sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId\n"
#define COURSES_HEAD "sourcedId,schoolYearSourcedId,title,orgSourcedId\n"
#define CLASSES_HEAD "sourcedId,title,grades,courseSourcedId,classType,schoolSourcedId,termSourcedIds\n"
#define USERS_HEAD "sourcedId,enabledUser,username,givenName,familyName,middleName,agentSourcedIds\n"
#define ROLES_HEAD "sourcedId,userSourcedId,roleType,role,beginDate,endDate,orgSourcedId\n"
#define ENROLLMENTS_HEAD "sourcedId,classSourcedId,schoolSourcedId,userSourcedId,role,primary,beginDate,endDate\n"
#define DEMOGRAPHICS_HEAD "sourcedId,birthDate,sex\n"

/* Two schools; in the first a class with its teacher, a pupil and two guardians. */
static const struct archive_file WHOLE[] = {
    {"manifest.csv", MANIFEST_HEAD "file.academicSessions,bulk\nfile.orgs,bulk\nfile.courses,bulk\nfile.classes,"
                                   "bulk\nfile.users,bulk\nfile.roles,bulk\n"
                                   "file.enrollments,bulk\nfile.demographics,bulk\n"},
    {"academicSessions.csv", SESSIONS_HEAD "y,,,2026/2027,schoolYear,2026-09-01,2027-05-31,,2027\n"},
    {"orgs.csv", ORGS_HEAD "d,,,Отдел,district,,\ns,,,Школа 1,school,,d\nz,,,Школа 2,school,,d\n"},
    {"courses.csv", COURSES_HEAD "k,y,Класс,s\n"},
    {"classes.csv", CLASSES_HEAD "c,5А,5,k,homeroom,s,y\ng,\"Физика, 5А\",5,k,scheduled,s,y\n"},
    {"users.csv", USERS_HEAD "t,true,t,Анна,Орлова,Ивановна,\np,true,p,Мария,Иванова,Петровна,\"m,f\"\nm,true,m,Ольга,"
                             "Иванова,,\nf,true,f,Пётр,Иванов,,\n"},
    {"roles.csv", ROLES_HEAD
     "r1,t,primary,teacher,,,s\nr2,p,primary,student,,,s\nr3,m,primary,parent,,,s\nr4,f,primary,relative,,,s\n"},
    {"enrollments.csv", ENROLLMENTS_HEAD "e1,c,s,t,teacher,true,,\ne2,c,s,p,student,,,\n"},
    {"demographics.csv", DEMOGRAPHICS_HEAD "p,2015-03-04,female\n"},
};
#define WHOLE_COUNT (sizeof WHOLE / sizeof *WHOLE)

#define MANIFEST_1_1 "propertyName,value\nmanifest.version,1.0\noneroster.version,1.1\n"
#define USERS_1_1                                                                                                      \
    "sourcedId,status,dateLastModified,enabledUser,orgSourcedIds,role,username,userIds,givenName,familyName,"          \
    "middleName,identifier,email,sms,phone,agentSourcedIds,grades,password\n"
#define USER_1_1(id, orgs, role, given, family, middle, agents)                                                        \
    id ",,,true," orgs "," role "," id "@mail.example,," given "," family "," middle ",," id                           \
       "@mail.example,,+70000000000," agents ",,secret\n"
#define ALL_BULK                                                                                                       \
    "file.academicSessions,bulk\nfile.orgs,bulk\nfile.courses,bulk\nfile.classes,bulk\nfile.users,bulk\n"              \
    "file.enrollments,bulk\nfile.demographics,bulk\n"

/* The same, told in 1.1. */
static const struct archive_file WHOLE_1_1[] = {
    {"manifest.csv", MANIFEST_1_1 ALL_BULK},
    {"academicSessions.csv", SESSIONS_HEAD "y,,,2026/2027,schoolYear,2026-09-01,2027-05-31,,2027\n"},
    {"orgs.csv", ORGS_HEAD "d,,,Отдел,district,,\ns,,,Школа 1,school,,d\nz,,,Школа 2,school,,d\n"},
    {"courses.csv", COURSES_HEAD "k,y,Класс,s\n"},
    {"classes.csv", CLASSES_HEAD "c,5А,5,k,homeroom,s,y\ng,\"Физика, 5А\",5,k,scheduled,s,y\n"},
    {"users.csv", USERS_1_1 USER_1_1("t", "s", "teacher", "Анна", "Орлова", "Ивановна", "")
                      USER_1_1("p", "s", "student", "Мария", "Иванова", "Петровна", "\"m,f\"")
                          USER_1_1("m", "s", "parent", "Ольга", "Иванова", "", "p")
                              USER_1_1("f", "s", "relative", "Пётр", "Иванов", "", "p")},
    {"enrollments.csv", ENROLLMENTS_HEAD "e1,c,s,t,teacher,true,,\ne2,c,s,p,student,,,\n"},
    {"demographics.csv", DEMOGRAPHICS_HEAD "p,2015-03-04,female\n"},
};
#define WHOLE_1_1_COUNT (sizeof WHOLE_1_1 / sizeof *WHOLE_1_1)

/* The archive's bytes, for the caller to free. n files; names may repeat. */
static inline char *archive_of(const struct archive_file *files, size_t n, size_t *len)
{
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t *sink = zip_source_buffer_create(NULL, 0, 0, &error);
    zip_source_keep(sink);
    zip_t *zip = zip_open_from_source(sink, ZIP_TRUNCATE, &error);
    if (zip == NULL)
        abort();
    for (size_t i = 0; i < n; ++i) {
        zip_source_t *source = zip_source_buffer(zip, files[i].text, strlen(files[i].text), 0);
        if (zip_file_add(zip, files[i].name, source, ZIP_FL_ENC_UTF_8) < 0)
            abort();
    }
    if (zip_close(zip) != 0)
        abort();
    zip_stat_t stat;
    if (zip_source_stat(sink, &stat) != 0 || zip_source_open(sink) != 0)
        abort();
    char *bytes = malloc(stat.size + 1);
    *len = (size_t)zip_source_read(sink, bytes, stat.size);
    zip_source_close(sink);
    zip_source_free(sink);
    return bytes;
}

/* The whole archive with one file replaced (text) or left out (NULL), and perhaps one more file. */
static inline char *archive_with(const char *name, const char *text, const struct archive_file *more, size_t *len)
{
    struct archive_file files[WHOLE_COUNT + 1];
    size_t n = 0;
    for (size_t i = 0; i < WHOLE_COUNT; ++i) {
        bool this = name != NULL && strcmp(WHOLE[i].name, name) == 0;
        if (!this || text != NULL)
            files[n++] = (struct archive_file){WHOLE[i].name, this ? text : WHOLE[i].text};
    }
    if (more != NULL)
        files[n++] = *more;
    return archive_of(files, n, len);
}

#endif
