#include "policy/privacy/export_sections.h"

#include <limits.h>

#include "homeserver/base/days.h"
#include "homeserver/base/text.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/matrix/account_data.h"
#include "homeserver/store/matrix/contacts.h"
#include "homeserver/store/matrix/cross_signing.h"
#include "homeserver/store/matrix/device_keys.h"
#include "homeserver/store/matrix/devices.h"
#include "homeserver/store/matrix/identities.h"
#include "homeserver/store/matrix/key_backup.h"
#include "homeserver/store/matrix/media.h"
#include "homeserver/store/matrix/pushers.h"
#include "homeserver/store/matrix/events.h"
#include "homeserver/store/matrix/rooms.h"
#include "homeserver/store/matrix/second_factors.h"
#include "homeserver/store/matrix/thread_subscriptions.h"
#include "homeserver/store/matrix/profiles.h"
#include "homeserver/store/matrix/users.h"
#include "homeserver/store/school/applications.h"
#include "homeserver/store/school/enrollments.h"
#include "homeserver/store/school/guardianships.h"
#include "homeserver/store/school/people.h"
#include "homeserver/store/school/reports.h"
#include "homeserver/store/school/roles.h"
#include "homeserver/store/school/schools.h"
#include "homeserver/store/school/viewer.h"
#include "homeserver/store/school/taken.h"
#include "policy/signup/applications.h"

static json_t *day_json(school_day day)
{
    char text[DAY_TEXT_BYTES];
    return json_string(day != DAY_EVER ? day_text(day, text) : "");
}

static json_t *person(struct db *db, user_no user)
{
    struct person_row row;
    struct user_row account;
    json_t *rows = json_array();
    if (people_get(db, user, &row) && users_get(db, user, &account)) {
        char *language = users_language(db, user);
        json_array_append_new(rows, json_pack("{s:s, s:s, s:s, s:o, s:s, s:s?, s:I}", "family_name", row.family,
                                              "given_name", row.given, "middle_name", row.middle, "birth_date",
                                              row.birth != DAY_EVER ? day_json(row.birth) : json_null(), "account",
                                              account_state_name(account.state), "language", language, "created_ts",
                                              (json_int_t)account.created_ms));
        free(language);
        user_row_finish(&account);
    }
    person_row_finish(&row);
    return rows;
}

static json_t *roles(struct db *db, user_no user)
{
    struct role_row row;
    const struct viewer everybody = viewer_of(0);
    json_t *rows = json_array();
    struct stmt *q = roles_page(db, &everybody, user);
    while (roles_next(q, &row))
        json_array_append_new(rows, json_pack("{s:I, s:s, s:s, s:o, s:o}", SECTION_SCHOOL_NO, (json_int_t)row.school,
                                              "school", row.school_name, "role", school_role_name(row.role), "from",
                                              day_json(row.begin), "until", day_json(row.end)));
    stmt_end(q);
    return rows;
}

static json_t *enrollments(struct db *db, user_no user)
{
    struct enrollment_row row;
    const struct viewer everybody = viewer_of(0);
    json_t *rows = json_array();
    struct stmt *q = enrollments_page_of_person(db, &everybody, user);
    while (enrollments_next(q, &row))
        json_array_append_new(rows, json_pack("{s:I, s:s, s:s, s:s, s:o, s:o}", SECTION_SCHOOL_NO,
                                              (json_int_t)row.school, "school", row.school_name, "class",
                                              row.class_title, "role", school_role_name(row.role), "from",
                                              day_json(row.begin), "until", day_json(row.end)));
    stmt_end(q);
    return rows;
}

static json_t *names(struct db *db, const user_no *users, int n)
{
    json_t *rows = json_array();
    for (int i = 0; i < n && i < CHILDREN_MAX; ++i) {
        struct person_row row;
        if (people_get(db, users[i], &row))
            json_array_append_new(rows, json_pack("{s:o}", "name", json_sprintf("%s %s", row.family, row.given)));
        person_row_finish(&row);
    }
    return rows;
}

static json_t *guardians(struct db *db, user_no user)
{
    user_no users[CHILDREN_MAX];
    return names(db, users, guardianships_guardians(db, user, users, CHILDREN_MAX));
}

static json_t *children(struct db *db, user_no user)
{
    user_no users[CHILDREN_MAX];
    return names(db, users, guardianships_children(db, user, users, CHILDREN_MAX));
}

static void add_contact(void *rows, const struct contact_row *row)
{
    json_array_append_new(rows, json_pack("{s:s, s:s, s:I}", "medium", row->medium, "address", row->address,
                                          "verified_ts", (json_int_t)row->verified_ms));
}

static json_t *contacts(struct db *db, user_no user)
{
    json_t *rows = json_array();
    contact_rows_each(db, user, add_contact, rows);
    struct taken_contact_row kept; /* of a closed account (G5) */
    struct stmt *q = taken_contacts(db, user);
    while (taken_contacts_next(q, &kept))
        add_contact(rows, &(struct contact_row){kept.medium, kept.address, user, kept.verified_ms, kept.added_ms});
    stmt_end(q);
    return rows;
}

static void add_identity(void *rows, const struct identity_row *row)
{
    json_array_append_new(rows, json_pack("{s:s, s:s, s:I}", "issuer", row->issuer, "subject", row->subject,
                                          "linked_ts", (json_int_t)row->linked_ms));
}

static json_t *identities(struct db *db, user_no user)
{
    json_t *rows = json_array();
    identities_each(db, user, add_identity, rows);
    return rows;
}

static void add_device(void *rows, const struct device_row *row)
{
    json_array_append_new(rows, json_pack("{s:s, s:s?, s:s?, s:o, s:I}", "device", row->device_id, "name",
                                          row->display_name, "address", row->last_seen_ip, "last_seen_ts",
                                          row->last_seen_ms != 0 ? json_integer(row->last_seen_ms) : json_null(),
                                          "created_ts", (json_int_t)row->created_ms));
}

static json_t *devices(struct db *db, user_no user)
{
    json_t *rows = json_array();
    devices_each(db, user, add_device, rows);
    return rows;
}

static void add_key(void *rows, const struct device_keys_row *row)
{
    json_array_append_new(
        rows, json_pack("{s:s, s:s, s:s}", "kind", "device", "name", row->device_id, "value", row->ed25519));
}

/* What others see of their keys, and what lies encrypted in backups, which nobody here can read. */
static json_t *keys(struct db *db, user_no user)
{
    json_t *rows = json_array();
    device_keys_each(db, user, add_key, rows);
    for (int usage = 0; usage < USAGE__COUNT; ++usage) {
        struct cross_signing_key key;
        if (cross_signing_get(db, user, (enum key_usage)usage, &key))
            json_array_append_new(rows, json_pack("{s:s, s:s, s:s}", "kind", "cross_signing", "name",
                                                  key_usage_name((enum key_usage)usage), "value", key.key));
        cross_signing_key_finish(&key);
    }
    struct key_backup backup;
    if (key_backups_get(db, user, 0, &backup))
        json_array_append_new(rows, json_pack("{s:s, s:s, s:I}", "kind", "backup", "name", backup.algorithm, "value",
                                              (json_int_t)backup.keys));
    key_backup_finish(&backup);
    return rows;
}

static json_t *pushers(struct db *db, user_no user)
{
    struct pusher_row row;
    json_t *rows = json_array();
    struct stmt *q = pushers_of_user(db, user);
    while (pushers_next_of_user(q, &row))
        json_array_append_new(rows, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "device", row.device_id, "app",
                                              row.app_name, "name", row.device_name, "gateway", row.gateway, "pushkey",
                                              row.pushkey, "lang", row.lang));
    stmt_end(q);
    return rows;
}

static json_t *threads(struct db *db, user_no user)
{
    static const char *const STATES[] = {"unsubscribed", "automatic", "subscribed"};
    struct thread_subscription_row row;
    json_t *rows = json_array();
    struct stmt *q = thread_subscriptions_newest(db, user, 0, INT64_MAX, INT64_MAX);
    while (thread_subscriptions_next(q, &row)) {
        char *room_id = rooms_id_of(db, row.room), *root = events_id_of(db, row.root);
        json_array_append_new(
            rows, json_pack("{s:s*, s:s*, s:s}", "room", room_id, "event", root, "state", STATES[row.state]));
        free(room_id);
        free(root);
    }
    stmt_end(q);
    return rows;
}

static void add_application(struct db *db, const struct application_row *row, json_t *rows)
{
    struct school_row school;
    schools_get(db, row->school, &school);
    json_array_append_new(rows, json_pack("{s:I, s:s, s:s?, s:s, s:s, s:s, s:I}", SECTION_SCHOOL_NO,
                                          (json_int_t)row->school, "kind", application_kind_name(row->kind), "school",
                                          school.name, "role", row->role != 0 ? school_role_name(row->role) : "",
                                          "state", application_state_name(row->state), "reason", row->reason,
                                          "created_ts", (json_int_t)row->created_ms));
    school_row_finish(&school);
}

/* D9: what somebody asked about a child whom they are kept from by now is theirs no more. */
static json_t *applications(struct db *db, user_no user)
{
    struct application_row row;
    const struct applications_query query = {
        .limit = INT_MAX, .user = user, .state = APPLICATION_STATE__COUNT, .kind = APPLICATION_KIND__COUNT};
    json_t *rows = json_array();
    struct stmt *q = applications_query(db, &query);
    while (applications_next(q, &row))
        if (application_is_own(db, &row, user))
            add_application(db, &row, rows);
    stmt_end(q);
    return rows;
}

static json_t *reports(struct db *db, user_no user)
{
    struct report_row row;
    json_t *rows = json_array();
    struct stmt *q = reports_by(db, user);
    while (reports_next(q, &row))
        json_array_append_new(rows, json_pack("{s:s, s:s?, s:s, s:s, s:I}", "kind", row.kind, "event_id", row.event_id,
                                              "reason", row.reason, "state", row.open ? "open" : "closed", "created_ts",
                                              (json_int_t)row.created_ms));
    stmt_end(q);
    return rows;
}

static void add_setting(void *rows, const struct account_data_row *row)
{
    json_array_append_new(rows, json_pack("{s:s, s:s}", "type", row->type, "content", row->content));
}

static json_t *settings(struct db *db, user_no user)
{
    json_t *rows = json_array();
    account_data_each(db, user, 0, INT64_MAX, add_setting, rows);
    return rows;
}

static void add_field(void *rows, const char *field, const char *value)
{
    json_array_append_new(rows, json_pack("{s:s, s:s}", "field", field, "value", value));
}

static json_t *profile(struct db *db, user_no user)
{
    json_t *rows = json_array();
    profiles_each(db, user, add_field, rows);
    return rows;
}

/* That there is one, and since when: the secret is nobody's to take along, and the codes were told once. */
static json_t *second_factor(struct db *db, user_no user)
{
    struct second_factor_row row;
    json_t *rows = json_array();
    if (second_factors_get(db, user, &row))
        json_array_append_new(rows, json_pack("{s:I, s:o}", "set_ts", (json_int_t)row.set_ms, "recovery_codes",
                                              json_sprintf("%lld", (long long)second_factors_codes(db, user))));
    return rows;
}

/* What is in them a client downloads, by their address: there may be more than anybody wants in one zip. */
static json_t *files(struct db *db, user_no user)
{
    struct media_row row;
    json_t *rows = json_array();
    struct stmt *q = media_of(db, user);
    while (media_next(q, &row))
        json_array_append_new(rows, json_pack("{s:s, s:s, s:s, s:o, s:I}", "media_id", row.media_id, "name", row.name,
                                              "type", row.type, "bytes", json_sprintf("%lld", (long long)row.bytes),
                                              "created_ts", (json_int_t)row.created_ms));
    stmt_end(q);
    return rows;
}

const struct export_section EXPORT_SECTIONS[] = {
    {"person",
     "Человек",
     "Person",
     {"family_name", "given_name", "middle_name", "birth_date", "account", "language", "created_ts"},
     .rows = person},
    {"roles",
     "Роли в школах",
     "Roles in schools",
     {"school", "role", "from", "until"},
     .of_schools = true,
     .rows = roles},
    {"enrollments",
     "Классы и группы",
     "Classes and groups",
     {"school", "class", "role", "from", "until"},
     .of_schools = true,
     .rows = enrollments},
    {"guardians", "Родители и опекуны", "Guardians", {"name"}, .family = true, .rows = guardians},
    {"children", "Дети", "Children", {"name"}, .rows = children},
    {"contacts", "Телефон и почта", "Phone and e-mail", {"medium", "address", "verified_ts"}, .rows = contacts},
    {"identities",
     "Вход через другие сайты",
     "Signing in by other sites",
     {"issuer", "subject", "linked_ts"},
     .rows = identities},
    {"devices",
     "Сеансы",
     "Sessions",
     {"device", "name", "address", "last_seen_ts", "created_ts"},
     .own = true,
     .rows = devices},
    {"second_factor",
     "Второй фактор",
     "Second factor",
     {"set_ts", "recovery_codes"},
     .own = true,
     .rows = second_factor},
    {"keys", "Ключи шифрования", "Encryption keys", {"kind", "name", "value"}, .own = true, .rows = keys},
    {"pushers",
     "Уведомления",
     "Notifications",
     {"device", "app", "name", "gateway", "pushkey", "lang"},
     .own = true,
     .rows = pushers},
    {"threads", "Обсуждения", "Threads", {"room", "event", "state"}, .own = true, .rows = threads},
    {"applications",
     "Заявки",
     "Applications",
     {"kind", "school", "role", "state", "reason", "created_ts"},
     .of_schools = true,
     .rows = applications},
    {"reports",
     "Жалобы",
     "Reports",
     {"kind", "event_id", "reason", "state", "created_ts"},
     .own = true,
     .rows = reports},
    {"settings", "Настройки", "Settings", {"type", "content"}, .own = true, .rows = settings},
    {"files", "Файлы", "Files", {"media_id", "name", "type", "bytes", "created_ts"}, .own = true, .rows = files},
    {"profile", "Профиль", "Profile", {"field", "value"}, .rows = profile},
};
const int EXPORT_SECTIONS_COUNT = sizeof EXPORT_SECTIONS / sizeof *EXPORT_SECTIONS;
