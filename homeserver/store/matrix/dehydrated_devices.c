#include "homeserver/store/matrix/dehydrated_devices.h"

#include "homeserver/base/text.h"
#include "homeserver/store/driver/db.h"
#include "homeserver/store/driver/writer.h"

enum { GET, PUT, N };
static const struct statement TEXTS[N] = {
    [GET] = "SELECT h.device_no, d.device_id, h.data FROM dehydrated_devices h JOIN devices d"
            " ON d.device_no = h.device_no WHERE h.user_no = $1",
    [PUT] = "INSERT INTO dehydrated_devices (user_no, device_no, data) VALUES ($1, $2, $3)",
};
STATEMENTS(DEHYDRATED_DEVICES, "dehydrated_devices", TEXTS);

device_no dehydrated_devices_get(struct db *db, user_no user, char **device_id, char **data)
{
    device_no device = 0;
    struct stmt *q = db_query(db, &DEHYDRATED_DEVICES, GET, "i", user);
    if (stmt_next(q)) {
        device = col_int(q, 0);
        if (device_id != NULL)
            *device_id = xstrdup(col_text(q, 1));
        if (data != NULL)
            *data = xstrdup(col_text(q, 2));
    }
    stmt_end(q);
    return device;
}

bool dehydrated_devices_put(struct tx *tx, user_no user, device_no device, const char *data)
{
    return db_run(tx->db, &DEHYDRATED_DEVICES, PUT, "iit", user, device, data);
}
