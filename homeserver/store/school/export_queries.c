#include "homeserver/store/school/export_queries.h"

enum { PERSON, ROLES, ENROLLMENTS, GUARDIANS, CHILDREN, CONTACTS, DEVICES, APPLICATIONS, REPORTS, SETTINGS, PROFILE };
enum { ROOMS = PROFILE + 1, EVENTS, COUNT };

#define OTHER_NAME "p.family_name || ' ' || p.given_name"

static const char *const TEXTS[] = {
    [PERSON] = "SELECT p.family_name, p.given_name, p.middle_name, p.birth_date, u.state, u.created_ms"
               " FROM people p JOIN users u ON u.user_no = p.user_no WHERE p.user_no = $1",
    [ROLES] = "SELECT s.name, r.role, r.begin_date, r.end_date FROM roles r JOIN schools s ON s.school_no = r.school_no"
              " WHERE r.user_no = $1 ORDER BY s.name, r.role",
    [ENROLLMENTS] = "SELECT s.name, c.title, n.role, n.begin_date, n.end_date FROM enrollments n"
                    " JOIN classes c ON c.class_no = n.class_no JOIN schools s ON s.school_no = c.school_no"
                    " WHERE n.user_no = $1 ORDER BY s.name, c.title",
    [GUARDIANS] = "SELECT " OTHER_NAME " FROM guardianships g JOIN people p ON p.user_no = g.guardian"
                  " WHERE g.child = $1 ORDER BY 1",
    [CHILDREN] = "SELECT " OTHER_NAME " FROM guardianships g JOIN people p ON p.user_no = g.child"
                 " WHERE g.guardian = $1 ORDER BY 1",
    [CONTACTS] = "SELECT medium, address, verified_ms FROM contacts WHERE user_no = $1 ORDER BY medium, address",
    [DEVICES] = "SELECT device_id, display_name, last_seen_ip, last_seen_ms, created_ms FROM devices"
                " WHERE user_no = $1 ORDER BY created_ms",
    [APPLICATIONS] = "SELECT a.kind, s.name, a.role, a.state, a.reason, a.created_ms FROM applications a"
                     " JOIN schools s ON s.school_no = a.school_no WHERE a.user_no = $1 ORDER BY a.application_no",
    [REPORTS] = "SELECT kind, event_id, reason, state, created_ms FROM reports WHERE reporter = $1 ORDER BY report_no",
    [SETTINGS] = "SELECT type, content FROM account_data WHERE user_no = $1 ORDER BY type, room_no",
    [PROFILE] = "SELECT field, value FROM profile_fields WHERE user_no = $1 ORDER BY field",
    [ROOMS] = "SELECT m.room_no, r.room_id, e.content, m.membership FROM memberships m"
              " JOIN rooms r ON r.room_no = m.room_no"
              " LEFT JOIN room_state s ON s.room_no = m.room_no AND s.type = 'm.room.name' AND s.state_key = ''"
              " LEFT JOIN events e ON e.pos = s.pos WHERE m.user_no = $1 ORDER BY m.room_no",
    [EVENTS] = "SELECT pos, event_id, type, ts, content, redacted_by IS NOT NULL FROM events"
               " WHERE room_no = $1 AND sender = $2 AND state_key IS NULL AND pos > $3 ORDER BY pos LIMIT $4",
};
static const struct statements PERSONAL = {"personal", TEXTS, COUNT};

static const struct export_query_section SECTIONS[] = {
    [PERSON] = {"person",
                "Человек",
                "Person",
                {"family_name", "given_name", "middle_name", "birth_date", "account", "created_ts"}},
    [ROLES] = {"roles", "Роли в школах", "Roles in schools", {"school", "role", "from", "until"}},
    [ENROLLMENTS] = {"enrollments",
                     "Классы и группы",
                     "Classes and groups",
                     {"school", "class", "role", "from", "until"}},
    [GUARDIANS] = {"guardians", "Родители и опекуны", "Guardians", {"name"}},
    [CHILDREN] = {"children", "Дети", "Children", {"name"}},
    [CONTACTS] = {"contacts", "Телефон и почта", "Phone and e-mail", {"medium", "address", "verified_ts"}},
    [DEVICES] =
        {"devices", "Сеансы", "Sessions", {"device", "name", "address", "last_seen_ts", "created_ts"}, .own = true},
    [APPLICATIONS] = {"applications",
                      "Заявки",
                      "Applications",
                      {"kind", "school", "role", "state", "reason", "created_ts"}},
    [REPORTS] = {"reports", "Жалобы", "Reports", {"kind", "event_id", "reason", "state", "created_ts"}, .own = true},
    [SETTINGS] = {"settings", "Настройки", "Settings", {"type", "content"}, .own = true},
    [PROFILE] = {"profile", "Профиль", "Profile", {"field", "value"}},
};

int export_query_sections(void)
{
    return (int)(sizeof SECTIONS / sizeof *SECTIONS);
}

const struct export_query_section *export_query_section(int i)
{
    return &SECTIONS[i];
}

struct stmt *export_query_rows(struct db *db, int i, user_no user)
{
    return db_query(db, &PERSONAL, i, "i", user);
}

struct stmt *export_query_rooms(struct db *db, user_no user)
{
    return db_query(db, &PERSONAL, ROOMS, "i", user);
}

struct stmt *export_query_events(struct db *db, room_no room, user_no user, stream_pos after, int limit)
{
    return db_query(db, &PERSONAL, EVENTS, "iiii", room, user, after, (int64_t)limit);
}
