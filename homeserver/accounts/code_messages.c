#include "homeserver/accounts/code_messages.h"

#include <stdio.h>
#include <string.h>

/* Names in braces are filled in: {server}, {code}, {minutes}. */
struct wording {
    const char *subject, *mail, *sms;
};

static const struct wording WITH_CODE[] = {
    [CODE_REGISTER] = {"Код для регистрации / Code to sign up",
                       "Код для регистрации на {server}: {code}\n"
                       "Он действует {minutes} мин. Никому его не сообщайте. Если вы не регистрировались, ничего не "
                       "делайте.\n\n"
                       "Your code to sign up at {server}: {code}\n"
                       "It is good for {minutes} minutes. Tell it to nobody. If you did not sign up, do nothing.\n",
                       "{code}: код для регистрации на {server}. Никому его не сообщайте. / Your code to sign up."},
    [CODE_ADD] =
        {"Код подтверждения / Confirmation code",
         "Код, чтобы привязать этот адрес к учётной записи на {server}: {code}\n"
         "Он действует {minutes} мин. Никому его не сообщайте. Если вы об этом не просили, ничего не делайте.\n\n"
         "Your code to add this address to an account at {server}: {code}\n"
         "It is good for {minutes} minutes. Tell it to nobody. If you did not ask for it, do nothing.\n",
         "{code}: код, чтобы привязать этот номер на {server}. Никому его не сообщайте. / Your code to add this "
         "number."},
    [CODE_RESET] =
        {"Код для смены пароля / Code to set a new password",
         "Код, чтобы задать новый пароль на {server}: {code}\n"
         "Он действует {minutes} мин. Кто его знает, войдёт в вашу учётную запись: никому его не сообщайте. "
         "Если вы об этом не просили, ничего не делайте.\n\n"
         "Your code to set a new password at {server}: {code}\n"
         "It is good for {minutes} minutes. Whoever knows it can enter your account: tell it to nobody. If you "
         "did not ask for it, do nothing.\n",
         "{code}: код для смены пароля на {server}. Никому его не сообщайте! / Your code to set a new password: "
         "tell nobody."},
};

static const struct wording KNOWN = {
    "Этот адрес уже используется / This address is in use",
    "Кто-то указал этот адрес на {server}, но он уже принадлежит учётной записи. Если это были вы, войдите в неё. "
    "Родитель "
    "не регистрирует ребёнка на свой адрес, а ребёнок родителя на свой: у каждого он свой.\n\n"
    "Somebody entered this address at {server}, but it belongs to an account already. If it was you, sign in to that "
    "one. A "
    "parent does not sign a child up with the parent's own address, nor the child a parent: each needs one of their "
    "own.\n",
    "Этот номер уже есть на {server}: войдите в учётную запись. Ребёнку нужен свой номер, не родительский. / This "
    "number "
    "has an account already; a child needs a number of their own."};
static const struct wording UNKNOWN = {"Учётной записи с этим адресом нет / No account has this address",
                                       "Кто-то хотел задать новый пароль на {server}, но учётной записи с этим адресом "
                                       "нет. Если это были вы, вспомните другой "
                                       "адрес или обратитесь в школу.\n\n"
                                       "Somebody wanted to set a new password at {server}, but no account has this "
                                       "address. If it was you, try another address "
                                       "or ask your school.\n",
                                       "На {server} нет учётной записи с этим номером. / No account has this number."};

static const struct wording REMOVED = {
    "Адрес отвязан от учётной записи / This address was removed from an account",
    "Этот адрес больше не привязан к вашей учётной записи на {server}: пароль по нему не вернуть. Если это сделали не "
    "вы, смените пароль, завершите все сеансы и обратитесь в школу.\n\n"
    "This address no longer belongs to your account at {server}: a lost password does not come back by it. If it was "
    "not you who removed it, set a new password, log out everywhere, and tell your school.\n",
    "Номер отвязан от вашей учётной записи на {server}. Если не вами, смените пароль. / Your number was removed from "
    "your account."};

static const struct wording LINK = {
    "Ваш вход в школьный мессенджер / Your way into the school's messenger",
    "На {server} для вас есть учётная запись. Откройте эту ссылку и придумайте пароль:\n\n{address}\n\n"
    "Она действует один раз, ещё {days} дн. Кто её откроет, войдёт вместо вас: никому её не пересылайте. Приложение, "
    "которое спрашивает код приглашения, примет {code}. Если вы не знаете, о чём речь, удалите это письмо.\n\n"
    "There is an account for you at {server}. Open this link and choose a password:\n\n{address}\n\n"
    "It is good once, for {days} more days. Whoever opens it enters in your place: forward it to nobody. An app that "
    "asks for a registration token takes {code}. If you do not know what this is about, delete this mail.\n",
    "{address} : ваш вход на {server}. Никому не пересылайте! / Your way in: forward it to nobody."};

static const struct wording LAST = {
    NULL,
    "\nКодов на этот адрес просили слишком часто, и какое-то время новых не будет. Новый пароль можно задать и по этой "
    "ссылке, один раз, в течение {hours} ч. Никому её не пересылайте:\n\n{address}\n\n"
    "Codes were asked for too often, and for a while no other comes. A new password can be set by this link, too, "
    "once, within {hours} h. Forward it to nobody.\n",
    " Новых кодов пока не будет; ссылка на {hours} ч, никому: / No more codes for now; a link for {hours} h: "
    "{address}"};

static void fill(struct text *out, const char *wording, const char *const values[][2])
{
    while (*wording != '\0') {
        int i = 0;
        while (*wording == '{' && values[i][0] != NULL && strncmp(wording, values[i][0], strlen(values[i][0])) != 0)
            ++i;
        if (*wording == '{' && values[i][0] != NULL) {
            text_adds(out, values[i][1]);
            wording += strlen(values[i][0]);
        } else {
            text_addc(out, *wording++);
        }
    }
}

void code_message_write(enum code_purpose purpose, enum contact_medium medium, const char *server, const char *code,
                        int minutes, struct text *subject, struct text *text)
{
    char number[16];
    const struct wording *wording = code != NULL ? &WITH_CODE[purpose] : purpose == CODE_RESET ? &UNKNOWN : &KNOWN;
    const char *const values[][2] = {
        {"{server}", server}, {"{code}", code != NULL ? code : ""}, {"{minutes}", number}, {NULL, NULL}};
    snprintf(number, sizeof number, "%d", minutes);
    if (medium == CONTACT_EMAIL)
        text_adds(subject, wording->subject);
    fill(text, medium == CONTACT_EMAIL ? wording->mail : wording->sms, values);
}

void code_message_add_link(enum contact_medium medium, const char *address, int hours, struct text *text)
{
    char number[16];
    const char *const values[][2] = {{"{address}", address}, {"{hours}", number}, {NULL, NULL}};
    snprintf(number, sizeof number, "%d", hours);
    fill(text, medium == CONTACT_EMAIL ? LAST.mail : LAST.sms, values);
}

void link_message_write(enum contact_medium medium, const char *server, const char *address, const char *token,
                        int days, struct text *subject, struct text *text)
{
    char number[16];
    const char *const values[][2] = {
        {"{server}", server}, {"{address}", address}, {"{code}", token}, {"{days}", number}, {NULL, NULL}};
    snprintf(number, sizeof number, "%d", days);
    if (medium == CONTACT_EMAIL)
        text_adds(subject, LINK.subject);
    fill(text, medium == CONTACT_EMAIL ? LINK.mail : LINK.sms, values);
}

void removal_message_write(enum contact_medium medium, const char *server, struct text *subject, struct text *text)
{
    const char *const values[][2] = {{"{server}", server}, {NULL, NULL}};
    if (medium == CONTACT_EMAIL)
        text_adds(subject, REMOVED.subject);
    fill(text, medium == CONTACT_EMAIL ? REMOVED.mail : REMOVED.sms, values);
}
