/* Signing in with a password in one step, as a test wants it. */
#ifndef PARTA_TESTS_LOGIN_NOW_H
#define PARTA_TESTS_LOGIN_NOW_H

#include <stdlib.h>

#include "homeserver/accounts/login.h"
#include "homeserver/store/driver/writer.h"

static inline bool login_password(const struct accounts *accounts, struct db *db, const char *user,
                                  const char *password, const struct device_wish *wish, struct login_result *out,
                                  struct error *e)
{
    struct login_job *job = login_begin(accounts, db, user, password, wish, e);
    bool ok = job != NULL && writer_run(accounts->writer, login_write, job, e);
    *out = (struct login_result){0};
    if (ok)
        login_end(job, out);
    free(job);
    return ok;
}

#endif
