/* parta search …: the index of words. */
#include <unistd.h>

#include "homeserver/base/config.h"
#include "homeserver/cli/services.h"
#include "homeserver/cli/verb.h"
#include "homeserver/search/search.h"
#include "homeserver/store/driver/search_index.h"

static bool rebuild(struct verb_call *call)
{
    if (call->services->search != NULL)
        search_rebuild(call->services->search);
    else
        search_index_delete(call->config->search_path);
    text_adds(&call->out, call->services->search != NULL
                              ? "The index is being made anew, the newest first (parta search status).\n"
                              : "The index is gone; the server makes it anew when it starts.\n");
    return true;
}

static bool status(struct verb_call *call)
{
    struct search_progress progress;
    if (call->services->search == NULL)
        return verb_fail(call, "The server is not running, or has no index (its log says why).");
    search_progress(call->services->search, &progress);
    if (progress.to_do == 0)
        text_adds(&call->out, "The index holds all that was said.\n");
    else
        text_addf(&call->out, "The index is being made, the newest first: %lld of %lld positions to do.\n",
                  (long long)progress.to_do, (long long)progress.all);
    if (progress.removals != 0)
        text_addf(&call->out, "Of %lld events that were taken back the words have yet to leave its file.\n",
                  (long long)progress.removals);
    return true;
}

static const struct verb TABLE[] = {
    {"search rebuild", NULL, 0, 0, NULL, VERB_CONFIG | VERB_WRITES, rebuild,
     "Throws the index of words away and makes it anew.",
     "While it is made, the server runs, and what is there again can be found. The index holds nothing that is not in\n"
     "the database: rebuild it when the log says that it is damaged."},
    {"search status", NULL, 0, 0, NULL, VERB_CONFIG | VERB_WRITES, status, "Says how far the index of words is.", NULL},
};
const struct verbs SEARCH_VERBS = VERBS(TABLE);
