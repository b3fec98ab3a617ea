/* Options that many API verbs have, for tables of struct verb_option; behind each, where an API verb puts it. */
#ifndef PARTA_CLI_API_VERB_OPTIONS_H
#define PARTA_CLI_API_VERB_OPTIONS_H

#define OPTION_JSON                                                                                                    \
    {                                                                                                                  \
        "--json", OPTION_FLAG, NULL, "prints what the API answers"                                                     \
    }                   /* "=json" */
#define OPTION_OVERRIDE /* "^override" */                                                                              \
    {                                                                                                                  \
        "--override", OPTION_VALUE, "REASON", "gets past a rule that bows to a reason, which the audit log keeps"      \
    }
#define OPTION_IF_VERSION                                                                                              \
    {                                                                                                                  \
        "--if-version", OPTION_VALUE, "N", "only if this is still the version"                                         \
    } /* "^version" */
#define OPTION_VERSION                                                                                                 \
    {                                                                                                                  \
        "--version", OPTION_VALUE, "N", "decides on this version, which you have seen (otherwise it is shown first)"   \
    } /* "^version" of a decision */
#define OPTION_SCHOOL                                                                                                  \
    {                                                                                                                  \
        "--school", OPTION_VALUE, "ID", "of this school (its sourcedId)"                                               \
    }
#define OPTION_CLASS                                                                                                   \
    {                                                                                                                  \
        "--class", OPTION_VALUE, "ID", "of this class (its sourcedId)"                                                 \
    }
#define OPTION_BEGIN                                                                                                   \
    {                                                                                                                  \
        "--begin", OPTION_VALUE, "DAY", "from this day on, like 2026-09-01"                                            \
    }
#define OPTION_END                                                                                                     \
    {                                                                                                                  \
        "--end", OPTION_VALUE, "DAY", "to this day, which is the last"                                                 \
    }

#endif
