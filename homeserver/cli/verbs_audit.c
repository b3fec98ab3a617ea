/* parta audit …: the log of administrative acts (school.md J2). */
#include "policy/audit/audit.h"

#include <string.h>

#include "homeserver/cli/api_verb.h"
#include "homeserver/cli/api_verb_options.h"

static const struct verb_option LIST_OPTIONS[] = {
    OPTION_SCHOOL,
    {"--act", OPTION_VALUE, "ACT", "only these (\"link.\": all that begin so)"},
    {"--actor", OPTION_VALUE, "NAME", "by this actor only"},
    OPTION_JSON,
    {NULL}};
static const struct api_verb LIST = {HTTP_GET, API "/audit", .options = {"?school", "?act", "?actor", "=json"},
                                     .columns = "entry.seq entry.ts entry.actor entry.act entry.school entry.subject "
                                                "entry.reason"};

static const struct verb_option EXPORT_OPTIONS[] = {OPTION_SCHOOL, {NULL}};
static const struct api_verb EXPORT = {HTTP_GET, API "/audit/export", .options = {"?school"}, .columns = "*"};
static const struct api_verb HEAD = {HTTP_GET, API "/audit/head", .columns = "head"};

enum { VERIFY_KEY, VERIFY_HEAD };
static const struct verb_option VERIFY_OPTIONS[] = {
    {"--key", OPTION_VALUE, "BASE64", "the server's public key, known from elsewhere"},
    {"--head", OPTION_VALUE, "HEAD", "what \"parta audit head\" said once: it must be among the entries"},
    {NULL}};

static bool verify(struct verb_call *call)
{
    unsigned char key[32];
    const char *known = call->options[VERIFY_KEY], *head = call->options[VERIFY_HEAD];
    struct audit_fault fault;
    int64_t entries = 0;
    if (known != NULL && base64_decode(known, strlen(known), key, sizeof key) != (int)sizeof key)
        return verb_misuse(call, "--key is no ed25519 public key in base64.");
    const char *bytes = call->input.data != NULL ? call->input.data : "";
    if (!audit_verify(bytes, call->input.len, known != NULL ? key : NULL, head, &entries, &fault))
        return verb_fail(call, "%s:%lld: entry %lld: %s", call->args[0], (long long)fault.line, (long long)fault.seq,
                         fault.what);
    text_addf(&call->out, "whole: %lld entries\n", (long long)entries);
    if (known == NULL)
        text_adds(&call->notes, "The key is the file's own: with --key it is known whose signatures these are.\n");
    return true;
}

static const struct verb TABLE[] = {
    {"audit list", NULL, 0, 0, LIST_OPTIONS, API_VERB, "Lists the entries of the audit log.", NULL, &LIST},
    {"audit export", NULL, 0, 0, EXPORT_OPTIONS, API_VERB, "Prints the audit log as a file for \"parta audit verify\".",
     NULL, &EXPORT},
    {"audit head", NULL, 0, 0, NULL, API_VERB, "Prints number and hash of the newest entry.",
     "Keep it elsewhere, against a log that is cut off at its end.", &HEAD},
    {"audit verify", "FILE", 1, 1, VERIFY_OPTIONS, VERB_INPUT, verify,
     "Checks an exported log: that nothing was altered, dropped, swapped or cut off.",
     "Needs neither server nor configuration. Names the first broken entry."},
};
const struct verbs AUDIT_VERBS = VERBS(TABLE);
