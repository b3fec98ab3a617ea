/* What a message with a code, or with a personal link, says: Russian and English in one, short. */
#ifndef PARTA_ACCOUNTS_CODE_MESSAGES_H
#define PARTA_ACCOUNTS_CODE_MESSAGES_H

#include "homeserver/accounts/contact_address.h"
#include "homeserver/base/text.h"

enum code_purpose { CODE_REGISTER, CODE_ADD, CODE_RESET };

/* server: its name, for the reader. code NULL: there is none to be sent, and the message says why (the address belongs
 * to an account already; or, CODE_RESET, to none). minutes: how long the code lives. subject
 * stays empty for a phone. */
void code_message_write(enum code_purpose purpose, enum contact_medium medium, const char *server, const char *code,
                        int minutes, struct text *subject, struct text *text);

/* Adds to a message with a code that no other comes for a while, and a way to a new password that is good for hours. */
void code_message_add_link(enum contact_medium medium, const char *address, int hours, struct text *text);

/* A personal link (policy/signup/links.h): the address of its page, and for apps that ask for one its token, which a
 * text message has no room for; days: how long it is good, at least 1. Of no school and nobody: whoever is written to
 * may be a stranger. */
void link_message_write(enum contact_medium medium, const char *server, const char *address, const char *token,
                        int days, struct text *subject, struct text *text);

/* To an address that its owner, or somebody who was at their page, has taken from the account. */
void removal_message_write(enum contact_medium medium, const char *server, struct text *subject, struct text *text);

#endif
